"""Examine a network on bundled photographs: is it a detector, how are its outputs laid out, what does it want to see?

A layout is recognised by its numbers, the preparation of pictures by how sure and how consistent the answers are. Both
are proposals: every alternative is listed, to be flipped with the picture as judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.cards.card import PHOTOS
from models.interpretation import recognise
from models.interpretation.box_codes import DISTRIBUTION, YOLOX
from models.interpretation.layout import DetectorLayout
from models.interpretation.recognise import Outputs, Proposal
from models.interpretation.tables import gather
from models.loading.preprocess import Preprocess
from models.loading.preprocess_presets import BGR, PRESETS
from models.pictures import images
from models.types import Pixels

Run = Callable[[Tensor], Outputs]
PICTURES = ("astronaut", "cat", "coffee")
GREY, BLACK = 114.0, 0.0
FILLS = {"grey": GREY, "black": BLACK, "mean": None}
LEAST_FIT, GOOD_FIT = 0.35, 0.5
ALTERNATIVES = 6
NAMES = {"input": "values", "colours": "order", "fit": "fit", "padding": "padding"}  # of choices, as Preparation's
# Usual preparations as (values, order of colours, fit, padding), likely ones first, with who uses them.
USUAL = (
    ("zero_one", "rgb", "pad", "grey"),  # ultralytics, YOLOv5 to YOLO11
    ("zero_255", "bgr", "corner", "grey"),  # YOLOX
    ("imagenet", "rgb", "stretch", "grey"),  # DETR, EfficientDet
    ("imagenet_bgr", "bgr", "stretch", "grey"),  # NanoDet, PicoDet
    ("caffe", "bgr", "stretch", "grey"),  # RetinaFace, CenterFace
    ("zero_255", "bgr", "corner", "black"),  # YuNet
    ("minus_127", "rgb", "stretch", "grey"),  # Ultra-Light
    ("minus_one_one", "rgb", "stretch", "grey"),  # MobileNet SSD
)


# A family's own preparation is taken unless another does better by a half.
PRIOR = 1.5
PRESETS_OF = {
    "YOLOX": USUAL[1],
    "NanoDet or PicoDet": USUAL[3],
    "RetinaFace": USUAL[4],
    "YuNet": USUAL[5],
    "Ultra-Light": USUAL[6],
}


@dataclass(frozen=True)
class Preparation:
    """How a picture is prepared: names of values, order of colours, fit and padding; with what it led to."""

    values: str
    order: str
    fit: str
    padding: str
    merit: float = 0.0

    def preprocess(self, size: tuple[int, int]) -> Preprocess:
        """Return it as it is done, for an input of `size` (h, w)."""
        return Preprocess(
            resize=min(size),
            crop=size[0] if size[0] == size[1] else size,
            fit=self.fit,
            order=self.order,
            fill=FILLS[self.padding],
            antialias=False,
            **PRESETS[self.values],
        )


@dataclass(frozen=True)
class Examined:
    """A detector's proposals, the best first, and preparations of pictures, the best first."""

    proposals: tuple[Proposal, ...]
    preparations: tuple[Preparation, ...]


def may_detect(outputs: Outputs, size: tuple[int, int]) -> bool:
    """Return whether outputs for one picture have the shape of a detector's, before anything is computed."""
    tables = [(name, t) for name, t in outputs if t.ndim > 2 or (t.ndim == 2 and t.shape[0] != 1)]
    return any(_holds_boxes(tensor) for _, tensor in tables) or bool(gather(tables, size))


def _holds_boxes(tensor: Tensor) -> bool:
    """Return whether the last dimension may be a box with score and class: (N, R, 4 to 7), or (R, 5 to 7) without N."""
    if tensor.ndim < 2 or not 4 <= tensor.shape[-1] <= 7:
        return False
    return tensor.ndim > 2 or (tensor.shape[0] != 1 and tensor.shape[1] > 4)


def examine(
    run: Run,
    size: tuple[int, int],
    device: torch.device,
    *,
    given: Mapping[str, str],
    preprocess: Preprocess | None = None,
    classes: int = 0,
) -> Examined | None:
    """Return what a network is as a detector, None where it is none.

    `run` takes inputs (1, 3, h, w) to outputs by name. `preprocess` is what a card says, which leaves nothing to try;
    `given` are the user's choices among `input`, `colours`, `fit` and `padding`.
    """
    photos = [images.read(PHOTOS / f"{name}.jpg").pixels for name in PICTURES]
    if preprocess is not None:
        seen = _seen(run, photos, preprocess, device)
        proposals = _sound(recognise.propose(seen, size, classes=classes))
        return Examined(proposals, ()) if proposals else None
    tried = _wanted(given)
    proposals: tuple[Proposal, ...] = ()
    best: list[Preparation] = []
    for preparation in tried:
        seen = _seen(run, photos, preparation.preprocess(size), device)
        if not proposals or proposals[0].fit < GOOD_FIT:
            proposals = _sound(recognise.propose(seen, size, classes=classes)) or proposals
        own = proposals and _merit(proposals[0].layout, seen, size)
        best.append(replace(preparation, merit=own or 0.0))
    if not proposals:
        # A preparation that the user chose may show the network nothing: that does not change what its outputs are.
        free = examine(run, size, device, given={}, classes=classes) if given.keys() & NAMES.keys() else None
        return replace(free, preparations=tuple(best)) if free is not None else None
    usual = PRESETS_OF.get(family(proposals[0].layout))
    ranked = sorted(best, key=lambda e: -e.merit * (PRIOR if _like(e, usual) else 1))
    seen = _seen(run, photos, ranked[0].preprocess(size), device)
    proposals = _sound(recognise.propose(seen, size, classes=classes)) or proposals
    return Examined(proposals, tuple(ranked))


def _wanted(given: Mapping[str, str]) -> list[Preparation]:
    """Return the preparations to try that agree with what the user chose, one with just that where none does."""
    chosen = {NAMES[key]: value for key, value in given.items() if key in NAMES}
    usual = [Preparation(*each) for each in USUAL]
    found = list(dict.fromkeys(replace(each, **chosen) for each in usual))
    if "order" not in chosen:
        found = [replace(e, order="bgr") if e.values in BGR else e for e in found]
        both = [replace(e, order="bgr" if e.order == "rgb" else "rgb") for e in found if e.values not in BGR]
        found = list(dict.fromkeys((*found, *both)))
    return found


def _seen(run: Run, photos: Sequence[Pixels], preprocess: Preprocess, device: torch.device) -> list[Outputs]:
    made = []
    with torch.no_grad():
        for pixels in photos:
            made.append([(name, t.detach().cpu()) for name, t in run(preprocess.input(pixels, device))])
    return made


def _sound(proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    return tuple(p for p in proposals if p.fit >= LEAST_FIT)[:ALTERNATIVES]


def _merit(layout: DetectorLayout, seen: Sequence[Outputs], size: tuple[int, int]) -> float:
    """Return how sure and how consistent a network is of photographs that were prepared in one way."""
    fit = 1.0 if layout.final else recognise.fit(layout, seen, size)
    sure = [float(layout.decode([t for _, t in one], size)[1].max()) for one in seen]
    return fit * sum(sure) / len(sure)


def words(layout: DetectorLayout) -> str:
    """Return a layout's short name, as it is written after a model's `?layout=`."""
    code = layout.code
    parts = [code.name if code.name != DISTRIBUTION else f"{code.name}{code.bins}"]
    if code.decoded or code.name == "distances":
        parts.append(code.unit)
    if code.anchors:
        parts.append(code.anchors)
    if layout.objectness is not None:
        parts.append("objectness")
    if layout.final:
        parts.append("final")
    parts.append(f"{layout.scores.table + 1}.{layout.scores.start + 1}-{layout.scores.start + layout.scores.count}")
    return " ".join(parts)


def family(layout: DetectorLayout) -> str:
    """Return whose layout this is, as far as the layout alone tells, "" else."""
    outputs = sum(len(table.views) for table in layout.tables)
    if layout.code.name == YOLOX:
        return "YuNet" if outputs == 12 and layout.class_count == 1 else "YOLOX"
    if layout.code.name == DISTRIBUTION and layout.code.bins == 8:
        return "NanoDet or PicoDet"
    return {"retinaface": "RetinaFace", "retinaface_small": "RetinaFace", "ultra_light": "Ultra-Light"}.get(
        layout.code.anchors, ""
    )


def _like(preparation: Preparation, usual: tuple[str, str, str, str] | None) -> bool:
    return (preparation.values, preparation.order, preparation.fit, preparation.padding) == usual
