"""Proof: whether an attribution map explains more than chance, and whether it depends on the network's weights.

The Result arrives in parts. Arrays: `map` (h, w) and `levels` (L,); once the map is complete, `deletion` and
`insertion` (3, L) of the map, of random maps with the same grain (their mean) and of a map of the centre, with the N
random ones in `deletion_draws` and `insertion_draws` (N, L); then `twin` (h, w), the same method's map for the
network with random weights; and last captum's infidelity and sensitivity. Meta: `maps` names the three, `draws` is N;
with the curves `deletion_areas` and `insertion_areas` (3), `deletion_spread` and `insertion_spread` (standard
deviations over the random maps), `gains` (3) and `random_reach` (see `faithfulness.verdict`), `better`, `verdict_text`
and the `quantity` that they follow; with the twin `correlation` (Spearman), `similarity` (SSIM) and `twin_text`;
`infidelity`, `infidelity_explained` and `infidelity_text`; `sensitivity` and `sensitivity_text`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from models.attributions import captum_metrics
from models.attributions.attribution import Attribution, Heatmap, Probe, probe_of, refuse_empty, subject_of
from models.attributions.captum_metrics import Nudges
from models.attributions.faithfulness import (
    MAPS,
    MOST_DRAWS,
    Curves,
    area,
    centre_map,
    curves_of,
    explained,
    heat_of,
    on_input,
    quantity,
    random_map,
    reach,
    span,
    spearman,
    ssim,
    twin_words,
    verdict,
)
from models.attributions.perturbation import baseline, baseline_param, swept
from models.attributions.random_twin import Twin, twin
from models.attributions.target import TargetParams
from models.engine import registry
from models.inspection import Inspection
from models.params import param
from models.runtime.stage_cache import CachedStages
from models.subject import PARTS
from models.types import Float, Pixels, Refusal, Result

UNIT = "passes"


@dataclass(frozen=True)
class Params(TargetParams):
    """A target, the method that explains it, and how to make the curves."""

    method: str = param("grad_cam", "Method", "The attribution method to test, by its id.")
    settings: str = param("", "Its settings", "Parameters of that method, such as layer=layer4; baseline=blur.")
    steps: int = param(20, "Steps", "In how many steps pixels are removed or added.", low=5, high=200, step=1)
    baseline: str = baseline_param("mean")
    draws: int = param(5, "Random maps", "How many random maps it is compared with.", low=2, high=MOST_DRAWS, step=1)
    seed: int = param(
        0, "Seed", "Another number draws other random maps, other weights and other squares.", low=0, high=2**31 - 1
    )
    squares: int = param(
        64,
        "Squares",
        "Random squares taken away to measure infidelity; 0 leaves it out.",
        low=0,
        high=1000,
        step=1,
    )
    nudges: int = param(
        8,
        "Nudges",
        "Slightly moved inputs whose maps are compared to measure sensitivity, each as long as the map itself; "
        "0 leaves it out.",
        low=0,
        high=100,
        step=1,
    )
    radius: float = param(
        0.02, "Nudge", "How far every value is moved at most, as a share of the input's range.", low=0.001, high=0.5
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the parts of the proof that are done, for `pixels` (H, W, 3) uint8 RGB.

    Raises Refusal for a target that is a position, an unknown method or invalid settings.
    """
    if params.part in PARTS:
        raise Refusal(f"Deletion and insertion follow a score, {params.part} is a place.", advice="Use part=score.")
    method = _method(params.method)
    given = _given(method, model, params)
    subject = subject_of(model, pixels, given, stages)
    probe = probe_of(subject, given, stages, pixels)
    heat = _kept(method, probe, given)
    refuse_empty(heat, method, probe)
    done, of = heat.more.get("collected", 1), heat.more.get("of", 1)
    meta = {"kind": "proof", "method": method.title, "target": probe.target.title, "extent": heat.extent, "maps": MAPS}
    meta |= {"input": subject.size, "failed": 0, "unit": UNIT, "draws": params.draws}
    rows = 2 + params.draws

    arrays = {"map": heat.values.astype(np.float32), "levels": np.linspace(0, 1, params.steps + 1, dtype=np.float32)}
    if heat.partial:
        # The map will still improve, so curves of this one would be wasted.
        total = 2 * of + 2 * rows * (params.steps + 1)
        return Result(arrays, {**meta, "collected": done, "of": total, "partial": True})
    own = on_input(heat.values, heat.extent, subject)
    key = (subject.key, method.id, given, params.steps, params.baseline, params.draws, params.seed)

    def inputs() -> Curves:
        random = [random_map(own, seed=(params.seed, number)) for number in range(params.draws)]
        maps = own, centre_map(subject.size), *random
        return curves_of(subject, maps, steps=params.steps, filling=params.baseline, seed=params.seed)

    curves = stages.run("curve inputs", inputs, *key)
    columns = probe.scores.shape[1]
    sweep = swept(stages, "curves", lambda: curves.sweep(columns), *key, first=curves.order[1], unit=UNIT)
    deletion, insertion = curves.read(explained(probe, sweep.scores), sweep.known)
    drawn, about = _against_chance(curves, deletion, insertion, quantity(probe))
    arrays |= drawn
    meta |= about
    done, total = done + sweep.done, 2 * of + sweep.of
    if not sweep.complete:
        return Result(arrays, {**meta, "collected": done, "of": total, "partial": True})

    other = _twin_map(method, probe, given, heat, params.seed)
    done += other.more.get("collected", 1)
    if other.partial:
        return Result(arrays, {**meta, "collected": done, "of": total, "partial": True})
    correlation = spearman(heat.values, other.values)
    meta |= {"correlation": correlation, "twin_text": twin_words(correlation)}
    meta["similarity"] = ssim(own, on_input(other.values, other.extent, subject))
    arrays |= {"twin": other.values.astype(np.float32)}
    if params.squares:
        meta |= _infidelity(probe, own, params, key)
    if params.nudges:
        total += params.nudges
        made = _nudged(method, probe, given, heat, params)
        done += made.done
        if not made.complete:
            return Result(arrays, {**meta, "collected": done, "of": total, "partial": True})
        meta["sensitivity"] = made.sensitivity()
        meta["sensitivity_text"] = captum_metrics.sensitivity_words(meta["sensitivity"], params.radius)
    return Result(arrays, {**meta, "collected": done, "of": total})


def _against_chance(
    curves: Curves, deletion: Float, insertion: Float, followed: str
) -> tuple[dict[str, Float], dict[str, Any]]:
    """Return the arrays and the meta of curves (M, L): those of the map, of the centre, and of the random maps."""
    arrays: dict[str, Float] = {}
    gains = area(curves.levels, insertion) - area(curves.levels, deletion)
    better, words = verdict(gains[0], gains[2:], gains[1], span=span([deletion, insertion], followed))
    mean, away = reach(gains[2:])
    meta: dict[str, Any] = {"gains": [float(gains[0]), mean, float(gains[1])], "random_reach": away}
    meta |= {"better": better, "verdict_text": words, "quantity": followed}
    for name, found in (("deletion", deletion), ("insertion", insertion)):
        arrays |= {name: np.stack([found[0], found[2:].mean(0), found[1]]), f"{name}_draws": found[2:]}
        meta[f"{name}_areas"] = area(curves.levels, arrays[name]).tolist()
        meta[f"{name}_spread"] = float(area(curves.levels, found[2:]).std(ddof=1))
    return arrays, meta


def _infidelity(probe: Probe, own: Float, params: Params, key: tuple[object, ...]) -> dict[str, Any]:
    """Return the entries of the meta about a map's infidelity; `own` is the map in network pixels."""
    filling = baseline(probe.subject, params.baseline)

    def make() -> captum_metrics.Infidelity:
        return captum_metrics.infidelity(probe, own, filling, count=params.squares, seed=params.seed)

    target = probe.target.plus, probe.target.minus
    found = probe.stages.run("infidelity", make, *key, *target, params.squares)
    text = captum_metrics.infidelity_words(found)
    return {"infidelity": found.value, "infidelity_explained": found.explained, "infidelity_text": text}


def _nudged(method: Attribution, probe: Probe, given: Any, heat: Heatmap, params: Params) -> Nudges:
    """Return the maps of nudged inputs as far as they are made; the rest follow while the engine is idle."""
    stages = probe.stages
    if "layer" in heat.more:
        given = replace(given, layer=heat.more["layer"])

    def make() -> Nudges:
        values = np.asarray(heat.values, np.float32)
        return Nudges(method, probe, given, values, radius=params.radius, count=params.nudges)

    made: Nudges = stages.run("nudged maps", make, probe.subject.key, method.id, given, params.nudges, params.radius)
    if made.failure is not None:
        failure, made.failure = made.failure, None
        raise failure
    if stages.context.later is not None and not made.complete:
        stages.while_idle(f"nudged maps {id(made)}", made.rest())
        return made
    while not made.complete:
        stages.progress(made.done / made.of, f"Sensitivity: {made.done} of {made.of} maps")
        made.step()
    return made


def _method(name: str) -> Attribution:
    """Return the method with that id. Raises Refusal that suggests known ones."""
    methods = registry.all_attributions()
    if name not in methods:
        near = difflib.get_close_matches(name, methods, 1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(methods)}."
        raise Refusal(f"There is no attribution method {name!r}.", advice=hint)
    return methods[name]


def _given(method: Attribution, model: Any, params: Params) -> Any:
    """Return the method's own parameters: the given settings and the target."""
    offer = method.inspection.offer(model)
    shared = {field.name for field in fields(TargetParams)}
    settings = _settings(params.settings)
    if twice := shared & set(settings):
        raise Refusal(
            f"{', '.join(sorted(twice))} is not a setting of the method.", advice="Give it next to the method."
        )
    target = {name: getattr(params, name) for name in shared}
    return method.params(**{p.name: p.default for p in offer.parameters} | offer.check(settings) | target)


def _settings(text: str) -> Mapping[str, Any]:
    """Parse settings from "name=value; …" or from JSON. Raises Refusal if they are neither."""
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError:
            raise Refusal(
                f"The settings {text!r} are not valid JSON.", advice="Write name=value; name=value."
            ) from None
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise Refusal(f"The settings {text!r} cannot be read.", advice="Write name=value; name=value.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _kept(method: Attribution, probe: Probe, given: Any) -> Heatmap:
    """Return the method's map; cache it once it is complete."""
    key = ("map to prove", probe.subject.key, method.id, given)
    found = probe.stages.peek(*key)
    if found is None:
        found = heat_of(method, probe, given)
        if not found.partial:
            probe.stages.keep(key[0], found, *key[1:])
    return found


def _twin_map(method: Attribution, probe: Probe, given: Any, heat: Heatmap, seed: int) -> Heatmap:
    """Return the same method's map of the same target and layer with random weights, under its own cache scope."""
    stages, subject = probe.stages, probe.subject
    drawn: Twin = stages.run("random weights", lambda: twin(subject.net, seed=seed), seed)
    if "layer" in heat.more:
        given = replace(given, layer=heat.more["layer"])
    own = CachedStages(stages.cache, (stages.scope, "twin", seed), stages.context, source=stages.source)
    shadow = drawn.of(subject)
    with drawn.running(), torch.no_grad():
        scores = own.run("scores", lambda: shadow.scores(subject.input), subject.key)
        return _kept(method, Probe(shadow, probe.target, scores, own, probe.pixels), given)


INSPECTION = Inspection(
    id="proof",
    title="Proof",
    help="Deletion and insertion curves of a map compared with chance, and the map of the network with random weights.",
    needs=("Explains",),
    params=Params,
    answer=answer,
)
