"""Examine a network on bundled photographs: is it a detector, how are its outputs laid out, what does it want to see?

A layout is recognised by its numbers, the preparation of pictures by how sure and how consistent the answers are. Both
are proposals: every alternative is listed, to be flipped with the picture as judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from models.cards.card import PHOTOS
from models.interpretation import anchored_rows, final_rows, recognise
from models.interpretation.box_codes import CENTERFACE, CENTERNET, DISTRIBUTION, YOLOX
from models.interpretation.layout import DetectorLayout
from models.interpretation.recognise import NOTHING, Outputs, Proposal, Stated
from models.interpretation.tables import gather
from models.loading.preprocess import Preprocess
from models.loading.preprocess_presets import BGR, COLOURS, INPUT, PRESETS
from models.pictures import images

Run = Callable[[Tensor], Outputs]
PICTURES = ("astronaut", "cat", "coffee")
GREY, BLACK = 114.0, 0.0
FILLS = {"grey": GREY, "black": BLACK, "mean": None}
LEAST_FIT, GOOD_FIT = 0.35, 0.5
ALTERNATIVES = 6
DECISIVE = 0.5  # fit times score from which one photograph prepared in one way settles it
FAINT = 0.1  # of a second one: something is seen there, but not well
MOST_LIKELY, MOST_TRIED = 3, 4
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


# A usual preparation is taken unless another does better by a half, and is asked about where both find something sure.
PRIOR, NEARLY = 1.5, 0.7
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

    @property
    def words(self) -> str:
        """What it does to values and colours, in words."""
        return f"{INPUT['titles'][self.values].removesuffix(', BGR')}, {COLOURS['titles'][self.order]}"

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


PROBE = Preparation(*USUAL[0])


@dataclass(frozen=True)
class Examined:
    """A detector's proposals, the best first, and preparations of pictures, the one in force first.

    `question` is a sentence where photographs do not settle which preparation a network was made with.
    """

    proposals: tuple[Proposal, ...]
    preparations: tuple[Preparation, ...]
    question: str = ""


def may_detect(outputs: Outputs, size: tuple[int, int]) -> bool:
    """Return whether outputs for one picture have the shape of a detector's, before anything is computed."""
    tables = [(name, t) for name, t in outputs if t.ndim > 2 or (t.ndim == 2 and t.shape[0] != 1)]
    if final_rows.may_be(outputs):
        return True
    if anchored_rows.may_be([tensor for _, tensor in tables], size):
        return True
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
    stated: Stated = NOTHING,
    first: Outputs = (),
) -> Examined | None:
    """Return what a network is as a detector, None where it is none.

    `run` takes inputs (1, 3, h, w) to outputs by name. `preprocess` is what a card says, which leaves nothing to try;
    `given` are the user's choices among `input`, `colours`, `fit` and `padding`. `first` are the outputs for `probe`,
    where it was run already, `stated` is what metadata say.
    """
    seen = _Photos(run, size, device, first)
    if preprocess is not None:
        shown = [seen.of(preprocess, name) for name in PICTURES[:2]]
        proposals = _sound(recognise.propose(shown, size, stated=stated))
        return Examined(proposals, ()) if proposals else None
    tried = chosen_preparations(given)
    guesses = seen.proposals(tried[0].preprocess(size), PICTURES[:1], stated)
    if not guesses:
        return None
    for way in _likely(tried, guesses):
        if (found := _sure_finding(seen, way, size, stated=stated)) is not None:
            return found
    return _searched(seen, tried, size, stated=stated)


def probe(size: tuple[int, int], device: torch.device) -> Tensor:
    """Return the input (1, 3, h, w) that a network is tried on first: a photograph in the likeliest preparation."""
    return _probe(size, device).clone()  # a network may write into its input


@lru_cache(maxsize=2)
def _probe(size: tuple[int, int], device: torch.device) -> Tensor:
    return PROBE.preprocess(size).input(images.bundled(PHOTOS / f"{PICTURES[0]}.jpg"), device)


class _Photos:
    """A network's outputs for bundled photographs under preparations, each computed once."""

    def __init__(self, run: Run, size: tuple[int, int], device: torch.device, first: Outputs = ()) -> None:
        self._run, self._device, self._size = run, device, size
        self._proposed: dict[tuple[Preprocess, tuple[str, ...]], list[Proposal]] = {}
        self._made: dict[tuple[Preprocess, str], Outputs] = {}
        if first:
            self._made[PROBE.preprocess(size), PICTURES[0]] = [(name, t.detach().cpu()) for name, t in first]

    def of(self, way: Preprocess, name: str) -> Outputs:
        """Return the outputs for a photograph prepared in one way."""
        if (way, name) not in self._made:
            pixels = images.bundled(PHOTOS / f"{name}.jpg")
            with torch.no_grad():
                made = self._run(way.input(pixels, self._device))
            self._made[way, name] = [(each, t.detach().cpu()) for each, t in made]
        return self._made[way, name]

    def proposals(self, way: Preprocess, names: tuple[str, ...], stated: Stated) -> list[Proposal]:
        """Return the layouts of what it answers to photographs prepared in one way, each looked at once."""
        if (way, names) not in self._proposed:
            shown = [self.of(way, name) for name in names]
            self._proposed[way, names] = recognise.propose(shown, self._size, stated=stated)
        return self._proposed[way, names]


def _likely(tried: Sequence[Preparation], proposals: Sequence[Proposal]) -> list[Preparation]:
    """Return the preparations to try first: those that the families of likely layouts are known for, and the usual."""
    sound = [each for each in proposals if each.fit > 0.5 * proposals[0].fit][:ALTERNATIVES]
    own = [PRESETS_OF[name] for each in sound if (name := family(each.layout)) in PRESETS_OF]
    known = [each for usual in dict.fromkeys(own) for each in tried if _is_usual(each, usual)]
    best = family(proposals[0].layout)
    order = (*known, tried[0]) if best in PRESETS_OF else (tried[0], *known)
    return list(dict.fromkeys(order))[:MOST_LIKELY]


def _sure_finding(seen: _Photos, way: Preparation, size: tuple[int, int], *, stated: Stated) -> Examined | None:
    """Return what a network is if it is sure of a photograph prepared in one way, and a second one agrees."""
    made = seen.of(way.preprocess(size), PICTURES[0])
    proposals = _sound(seen.proposals(way.preprocess(size), PICTURES[:1], stated))
    usual = PRESETS_OF.get(family(proposals[0].layout)) if proposals else None
    if not proposals or not _is_usual(way, usual or (way.values, way.order, way.fit, way.padding)):
        return None
    if _sure(proposals[0].layout, [made]) * (1.0 if proposals[0].layout.final else proposals[0].fit) < DECISIVE:
        return None
    both = [made, seen.of(way.preprocess(size), PICTURES[2])]
    proposals = _sound(recognise.propose(both, size, stated=stated))
    if not proposals or proposals[0].fit < GOOD_FIT:
        return None
    first, second = (_merit(proposals[0].layout, [one], size) for one in both)
    # The first photograph is square, so it tells nothing of fit and padding. One class alone need not be in the second.
    if FAINT < second < first / 2 and proposals[0].layout.class_count > 1:
        return None
    return Examined(proposals, (replace(way, merit=_merit(proposals[0].layout, both, size)),))


def _searched(seen: _Photos, tried: Sequence[Preparation], size: tuple[int, int], *, stated: Stated) -> Examined | None:
    """Return what a network is after trying every usual preparation on one photograph, and the best on all of them."""
    proposals: tuple[Proposal, ...] = ()
    best: list[Preparation] = []
    for names in (PICTURES[:1], PICTURES):
        ways, best = (tried, []) if len(names) == 1 else (best[:MOST_TRIED], [])
        for way in ways:
            shown = [seen.of(way.preprocess(size), name) for name in names]
            if not proposals or proposals[0].fit < GOOD_FIT:
                proposals = _likelier(_sound(seen.proposals(way.preprocess(size), names, stated)), proposals)
            best.append(replace(way, merit=_merit(proposals[0].layout, shown, size) if proposals else 0.0))
        usual = _usual(proposals[0].layout) if proposals else USUAL[0]
        best.sort(key=lambda e: -e.merit * (PRIOR if _is_usual(e, usual) else 1))
        own = next((e for e in best if _is_usual(e, usual)), None)
        if own is not None and own not in best[:MOST_TRIED]:
            best.insert(MOST_TRIED - 1, own)
    if not proposals:
        return None
    best, question = _decided(seen, best, proposals[0].layout, size)
    proposals = _likelier(_sound(seen.proposals(best[0].preprocess(size), PICTURES, stated)), proposals, alike=True)
    return Examined(proposals, tuple(best), question)


def _likelier(fresh: tuple[Proposal, ...], known: tuple[Proposal, ...], *, alike: bool = False) -> tuple[Proposal, ...]:
    """Return those of two lists of proposals whose best ranks higher, `alike` the fresh ones whatever their fit.

    Boxes that follow the cells do so however pictures are prepared; a picture prepared otherwise than in training may
    hide it, but makes no raw numbers follow them.
    """
    if not fresh or not known:
        return fresh or known
    new, old = recognise.rank(fresh[0]), recognise.rank(known[0])
    return fresh if (new[:3] >= old[:3] if alike else new > old) else known


def _decided(
    seen: _Photos, ranked: list[Preparation], layout: DetectorLayout, size: tuple[int, int]
) -> tuple[list[Preparation], str]:
    """Return preparations with the one to take first, and a question where the photographs leave it open.

    How sure a network is tells a preparation that it cannot see with, but not which of two that it sees with is right:
    more contrast alone makes it surer. So the usual one stays wherever it finds something nearly as sure.
    """
    first, usual = ranked[0], _usual(layout)

    def peak(way: Preparation) -> float:
        return max(_merit(layout, [seen.of(way.preprocess(size), name)], size) for name in PICTURES)

    own = next((each for each in ranked if _is_usual(each, usual)), None)
    if own is None or own == first:
        rival = own
    elif (own.values, own.order) == (first.values, first.order):
        rival = None  # of fit and padding the photographs that are not square tell
    elif peak(own) > NEARLY * peak(first):
        first, rival = own, first
    else:
        rival = next(
            (
                e
                for e in ranked
                if e.order != first.order and e.values == first.values and e.merit * PRIOR > first.merit
            ),
            None,
        )
        if rival is not None and rival.order == "rgb":
            first, rival = rival, first
    ordered = [first, *(each for each in ranked if each != first)]
    if rival is None or rival == first:
        return ordered, ""
    return ordered, (
        f"Pictures prepared as {first.words} and as {rival.words} are both answered surely, and no photograph tells "
        "which it was made for. Choose by a picture of yours."
    )


def _usual(layout: DetectorLayout) -> tuple[str, str, str, str]:
    """Return the preparation that detectors of a layout are known for, by family or by code of boxes."""
    known = PRESETS_OF.get(family(layout))
    if known is not None:
        return known
    queries = layout.final and layout.labels is None
    return USUAL[2] if queries or layout.code.name == CENTERNET else USUAL[0]


def chosen_preparations(given: Mapping[str, str]) -> list[Preparation]:
    """Return the preparations to try that agree with what the user chose, one with just that where none does."""
    chosen = {NAMES[key]: value for key, value in given.items() if key in NAMES}
    usual = [Preparation(*each) for each in USUAL]
    found = list(dict.fromkeys(replace(each, **chosen) for each in usual))
    if "order" not in chosen:
        found = [replace(e, order="bgr") if e.values in BGR else e for e in found]
        both = [replace(e, order="bgr" if e.order == "rgb" else "rgb") for e in found if e.values not in BGR]
        found = list(dict.fromkeys((*found, *both)))
    return found


def _sound(proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    return tuple(p for p in proposals if p.fit >= LEAST_FIT)[:ALTERNATIVES]


def _merit(layout: DetectorLayout, seen: Sequence[Outputs], size: tuple[int, int]) -> float:
    """Return how sure and how consistent a network is of photographs that were prepared in one way."""
    return (1.0 if layout.final else recognise.fit(layout, seen, size)) * _sure(layout, seen)


def _sure(layout: DetectorLayout, seen: Sequence[Outputs]) -> float:
    """Return the mean over photographs of the best score, 0 for one of which no row is left."""
    scores = [layout.scored([t for _, t in one]) for one in seen]
    return sum(float(one.max()) if one.numel() else 0.0 for one in scores) / len(seen)


def words(layout: DetectorLayout) -> str:
    """Return a layout's short name, as it is written after a model's `?layout=`."""
    code = layout.code
    parts = [code.name if code.name != DISTRIBUTION else f"{code.name}{code.bins}"]
    if code.decoded or code.name == "distances":
        parts.append(code.unit)
    if code.anchors:
        parts.append(code.anchors)
    if code.name == "distances" and not code.cell:
        parts.append("corner")
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
    if layout.code.name == DISTRIBUTION and layout.code.bins == 8 and layout.objectness is None:
        return "NanoDet or PicoDet"
    if layout.code.name == CENTERFACE and layout.landmarks is not None:
        return "CenterFace"
    known = {"retinaface": "RetinaFace", "retinaface_small": "RetinaFace", "ultra_light": "Ultra-Light"}
    return known.get(layout.code.anchors, "")


def _is_usual(preparation: Preparation, usual: tuple[str, str, str, str] | None) -> bool:
    return (preparation.values, preparation.order, preparation.fit, preparation.padding) == usual
