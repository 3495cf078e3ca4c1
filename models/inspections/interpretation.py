"""Interpretation: a network's outputs as they are, what they are taken for and why, and what else they may be.

For networks of no known family. Meta of the Result:

- `input`: `channels`, `height`, `width` of the network's input, `preprocessing`, how pictures are prepared, and
  `filled`, a sentence on inputs besides the picture and what they are filled in with, "" where there are none.
- `outputs`, one dictionary each in the network's order: `name`, `shape`, `dtype`, `low`, `high`, `mean`, `finite`
  (whether every number is), `picture` (the name of an array (h, w, 3) uint8), `used` (whether the reading uses it).
- `readings`, the likeliest first: `id`; `assume`, the assumptions to put into the model's name for this reading, such
  as {"reading": ID}; `title`, `kind` (one of `models.interpretation.network_reading.KINDS`) and `kind_title`; `fit`
  from 0 to 1; `evidence`, a list of sentences; `chosen`, whether it is in force; `finds`, what it finds on this picture
  in a sentence; `shows`, how that is drawn, and `arrays`, which maps the names below to names of arrays:
  "boxes": boxes (K, 4) xyxy in pixels of the picture, scores (K,), labels (K,), maybe points (K, P, 3) or angles (K,);
  "points": points (P, 3) x and y in pixels of the picture, and score; "labels": labels (h, w); "map": map (h, w)
  float32; "picture": picture (h, w, 3) uint8; "numbers": numbers (K,); "": nothing.
- `drops`: assumptions to leave out of the model's name when another reading is chosen, because they belong to one.
- `preparations`, only where asked for with `preparations`: ways to prepare the picture, the surest first: `assume` as
  above, `title`, `finds`, `shows`, `arrays`, `merit` from 0 to 1 where it can be told (else -1), `chosen`.
- `classes`: names of the classes; `extent`: where maps and pictures lie, x0 y0 x1 y1 in pixels of the picture.
- `question`: a sentence where nothing but the user can tell readings apart, "" else.

Everything is computed from one pass of the network, one more for a reading that wants another input, and one more for
each preparation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.inspection import Inspection
from models.interpretation import finds, network_reading, output_facts
from models.interpretation.network_reading import KINDS, Reading
from models.loading import filled_inputs, preprocess_presets
from models.loading.preprocess import Preprocess
from models.params import param
from models.types import Pixels, Result

MOST_READINGS = 8
Size = tuple[int, int]


@dataclass(frozen=True)
class Params:
    """Whether other ways to prepare the picture are tried."""

    preparations: bool = param(
        False, "Try preparations", "Also ask the network about the picture with other values, colours and fits."
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return what the network's outputs for `pixels` (H, W, 3) uint8 RGB are taken for, and what else they may be."""
    found, raw = model.interpretation, model.raw_outputs(pixels, stages)
    stages.progress(None, "read outputs")
    arrays: dict[str, np.ndarray] = {}
    outputs = []
    used = _used(found.reading)
    for place, facts in enumerate(output_facts.facts(raw.tensors)):
        arrays[f"output{place}"] = facts.picture
        facts_of_output = {
            name: getattr(facts, name) for name in ("name", "shape", "dtype", "low", "high", "mean", "finite")
        }
        outputs.append({**facts_of_output, "picture": f"output{place}", "used": used is None or place in used})
    readings, size = [], (pixels.shape[1], pixels.shape[0])
    for place, reading in enumerate(_listed(found.readings, found.reading)):
        row = _row(reading) | {"chosen": reading.id == found.reading.id}
        own = raw
        if replace(found, reading=reading).input_key != found.input_key:
            own = model.raw_outputs(pixels, stages, reading=reading)
        row |= _finds(model, reading, own, arrays, f"reading{place}", size=size, way=model.preprocess)
        readings.append(row)
    height, width = model.preprocess.size
    about = {"channels": found.channels, "height": height, "width": width, "preprocessing": model.preprocess.about}
    about["filled"] = filled_inputs.note(model.net)
    meta: dict[str, Any] = {"input": about, "outputs": outputs, "readings": readings, "classes": model.card.classes}
    meta |= {"drops": network_reading.DEPENDENT, "question": found.question}
    meta["extent"] = model.preprocess.extent(pixels.shape[1], pixels.shape[0])
    meta["preparations"] = _preparations(model, pixels, stages, arrays) if params.preparations else []
    return Result(arrays, meta)


def _listed(readings: Sequence[Reading], chosen: Reading) -> list[Reading]:
    """Return the readings to list: the first ones, and the chosen one wherever it stands."""
    listed = list(readings[:MOST_READINGS])
    return listed if any(each.id == chosen.id for each in listed) else [chosen, *listed]


def _row(reading: Reading) -> dict[str, Any]:
    return {
        "id": reading.id,
        "assume": {network_reading.KEY: reading.id},
        "title": reading.title,
        "kind": reading.kind,
        "kind_title": KINDS[reading.kind],
        "fit": reading.fit,
        "evidence": list(reading.evidence),
    }


def _finds(
    model: Any, reading: Reading, raw: Any, arrays: dict[str, Any], prefix: str, *, size: Size, way: Preprocess
) -> dict[str, Any]:
    """Return what a reading finds in a picture of a `size` (w, h), its arrays put under names that begin so."""
    found_in = finds.finds(reading, raw.tensors, raw.input, preprocess=way, picture=size, classes=model.card.classes)
    names = {name: f"{prefix}_{name}" for name in found_in.arrays}
    arrays |= {names[name]: np.nan_to_num(array) for name, array in found_in.arrays.items()}
    return {"finds": found_in.text, "shows": found_in.shows, "arrays": names}


def _used(reading: Reading) -> set[int] | None:
    """Return the places of the outputs that a reading uses, None where it may be any."""
    tables = getattr(reading.how, "tables", None)
    return {view.output for table in tables for view in table.views} if tables else None


def _preparations(model: Any, pixels: Pixels, stages: Any, arrays: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the reading in force finds with the picture prepared in other ways, the surest first."""
    found, offered = model.interpretation, model.card.about.get("assumptions", {})
    ways = preprocess_presets.variants(model.preprocess, offered) if "input" in offered else []
    rows, size = [], (pixels.shape[1], pixels.shape[0])
    for place, (assume, way) in enumerate(ways):
        stages.progress(place / len(ways), "other preparations")
        raw = model.raw_outputs(pixels, stages, way)
        row = {"assume": assume, "title": preprocess_presets.words(assume), "chosen": way == model.preprocess}
        meta = _finds(model, found.reading, raw, arrays, f"preparation{place}", size=size, way=way)
        rows.append(row | meta | {"merit": _merit(arrays, meta)})
    return sorted(rows, key=lambda row: -row["merit"])


def _merit(arrays: dict[str, Any], meta: dict[str, Any]) -> float:
    """Return how sure an answer is: of boxes and of probabilities the highest score, -1 where there is none."""
    name = meta["arrays"].get("scores", meta["arrays"].get("numbers"))
    if name is None or (meta["shows"] == "numbers" and not 0 <= float(arrays[name].max(initial=-1)) <= 1):
        return -1.0
    return float(arrays[name].max(initial=0.0))


INSPECTION = Inspection(
    id="interpretation",
    title="Interpretation",
    help="What the network's outputs are taken for, why, and what else they may be, with what each finds.",
    needs=("Interpreted",),
    params=Params,
    answer=answer,
)
