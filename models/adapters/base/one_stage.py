"""The base class for users' adapter files: a one-stage detector with anchors around any network."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxCoder, SSDMatcher
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import boxes as box_ops

from models.adapters.base import box_subject as looking
from models.adapters.base.detector import Front, anchor_table, front
from models.cards.card import BACKGROUND, Card
from models.detection.evidence import Evidence
from models.detection.grid_anchors import GridAnchors
from models.params import Value
from models.subject import Rect, Subject
from models.types import Anchors, Candidates, Float, Int, Pixels, Refusal

LOWEST_SCORE = 0.01
MOST_CANDIDATES = 2000


class OneStage:
    """A one-stage detector with anchors. A subclass fills in the class attributes and `build`.

    `classes` by label; if the first is "background" the scores are a softmax over all, else a sigmoid for each.
    `size`: height and width that every image is resized to; `mean` and `std` of pixels in 0..1, RGB.
    `score_threshold`, `iou_threshold`, `max_detections`: the initial settings. `strides`, `sizes`, `ratios`, `offset`,
    `clip`: the anchors, as in `GridAnchors`. `variances` of the box offsets as in SSD (Liu et al. 2016).
    `match_iou`: the IoU from which training assigned an anchor to an object. `outputs`, `probabilities` and `decode`
    define what the network's numbers mean; they must be differentiable and must not modify their input.

    A minimal adapter file (`docs/own-model.md` explains a complete one):

        class Faces(OneStage):
            title = "Face detector"
            classes = ("background", "face")
            size = (240, 320)
            strides, sizes, ratios = (8, 16), ((16, 24), (48, 64)), ((1.0,), (1.0,))

            @classmethod
            def build(cls) -> nn.Module:
                return FaceNet()  # its forward returns logits (N, A, 2) and offsets (N, A, 4)
    """

    title: ClassVar[str] = ""
    classes: ClassVar[Sequence[str]] = ()
    size: ClassVar[tuple[int, int]] = (320, 320)
    mean: ClassVar[Sequence[float]] = (0.485, 0.456, 0.406)
    std: ClassVar[Sequence[float]] = (0.229, 0.224, 0.225)
    score_threshold: ClassVar[float] = 0.5
    iou_threshold: ClassVar[float] = 0.45
    max_detections: ClassVar[int] = 200
    strides: ClassVar[Sequence[int]] = ()
    sizes: ClassVar[Sequence[Sequence[float]]] = ()
    ratios: ClassVar[Sequence[Sequence[float]]] = ()
    offset: ClassVar[float] = 0.5
    clip: ClassVar[bool] = False
    variances: ClassVar[tuple[float, float]] = (0.1, 0.2)
    match_iou: ClassVar[float] = 0.5
    stages: ClassVar[Mapping[str, str]] = {"rpn": "{name} is a one-stage detector: it has no region proposals."}

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net: Any = net.eval()
        self._check()
        fits = len(card.classes) == len(self.classes)
        self.card = card if fits else replace(card, classes=tuple(self.classes))
        self.transform: Any = GeneralizedRCNNTransform(
            min(self.size), max(self.size), list(self.mean), list(self.std), 1, (self.size[1], self.size[0])
        ).eval()
        self.anchor_generator = GridAnchors(self.strides, self.sizes, self.ratios, offset=self.offset, clip=self.clip)
        self.proposal_matcher = SSDMatcher(self.match_iou)

    @classmethod
    def build(cls) -> nn.Module:
        """Return the network; the tensors of the weights file are then loaded into it by name."""
        raise NotImplementedError

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return the network with random weights, for tests."""
        torch.manual_seed(0)
        return cls.build()

    @classmethod
    def match(cls, state: Mapping[str, Tensor]) -> bool:
        """Return whether these named tensors are weights of this detector: by default, whether they fit the network."""
        with torch.device("meta"):
            wanted = {name: value.shape for name, value in cls.build().state_dict().items()}
        return wanted == {name: value.shape for name, value in state.items()}

    def outputs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, A, C) and offsets (N, A, 4) of the A anchors for inputs (N, 3, h, w)."""
        return self.net(x)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the score of each class (..., C) from logits (..., C)."""
        return logits.softmax(-1) if self.background else logits.sigmoid()

    def decode(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """Return boxes (n, 4) xyxy in network pixels from offsets (n, 4) and anchors (n, 4)."""
        centre, side = (1 / v for v in self.variances)
        return BoxCoder((centre, centre, side, side)).decode_single(offsets, anchors)

    # The interface that Vitrine calls

    @property
    def background(self) -> bool:
        """Whether the first class is background."""
        return self.classes[0] in BACKGROUND

    @property
    def defaults(self) -> dict[str, Value]:
        """The model's own thresholds."""
        return {"score": self.score_threshold, "iou": self.iou_threshold, "max_detections": self.max_detections}

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        return min(LOWEST_SCORE, self.score_threshold)

    def parameters(self) -> Iterator[Tensor]:
        """Return the network's parameters, from which `front` takes the device."""
        return self.net.parameters()

    def backbone(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Return the checked outputs for inputs (N, 3, h, w), in the place of a backbone's maps. Raises Refusal."""
        return self._checked(self.outputs(x), x)

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return the best (anchor, class) pairs above the floor, best first."""

        def make() -> Candidates:
            seen, logits, offsets = self._seen(pixels, stages)
            scores = self._scores(logits)[:, self.background :]
            flat = scores.flatten()
            best = flat.topk(min(MOST_CANDIDATES, len(flat)))
            pairs = best.indices[best.values > self.floor]
            anchor, label = pairs // scores.shape[1], pairs % scores.shape[1] + self.background
            boxes = self._boxes(offsets[anchor], self._anchors(seen)[anchor], seen)
            return Candidates(
                boxes=boxes.cpu().numpy(),
                drawn=seen.drawn(boxes),
                score=flat[pairs].cpu().numpy(),
                label=label.cpu().numpy(),
                anchor=anchor.cpu().numpy(),
                proposal=np.full(len(pairs), -1, np.int64),
                proposals=np.zeros((0, 4), np.float32),
                objectness=np.zeros(0, np.float32),
            )

        return stages.run("decode", make, self.floor)

    def anchors(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the anchors in pixels of the original image."""

        def make() -> Anchors:
            seen = front(self, pixels, stages)
            generator = self.anchor_generator
            return anchor_table(
                seen.drawn(self._anchors(seen)), generator.grids(seen.size), generator.num_anchors_per_location()
            )

        return stages.run("anchors", make)

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Evidence:
        """Return the network's scores and boxes of every anchor."""
        seen, logits, offsets = self._seen(pixels, stages)
        anchors = self._anchors(seen)

        def scores(wanted: Int) -> Float:
            return self._scores(logits[torch.from_numpy(wanted).to(logits.device)]).cpu().numpy()

        def decoded(wanted: Int) -> Float:
            at = torch.from_numpy(wanted).to(offsets.device)
            boxes = self._boxes(offsets[at], anchors[at], seen).cpu().numpy()
            return np.broadcast_to(boxes[:, None], (len(wanted), len(self.classes), 4))

        return Evidence(
            origins=self.anchors(pixels, stages),
            anchor_free=False,
            source=np.arange(len(logits)),
            scores=scores,
            decoded=decoded,
            drawn=seen.mapping(),
            has_background=self.background,
        )

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: a fixed anchor, from which a box comes or which is nearest to a drawn
        region.
        """
        row, label = looking.chosen(self, pixels, stages, box=box, region=region)
        seen = front(self, pixels, stages)
        height, width = seen.size
        scale = (pixels.shape[1] / width, pixels.shape[0] / height)
        with torch.inference_mode(False):
            held, pictures = self._anchors(seen)[[row]].clone(), seen.images.tensors.clone()
            mean, std = (torch.tensor(v, device=pictures.device).view(1, 3, 1, 1) for v in (self.mean, self.std))

        def scores(x: Tensor) -> Tensor:
            logits, offsets = (each[:, row] for each in self.backbone(x).values())
            boxes = self.decode(offsets, held.expand(len(offsets), 4))
            return torch.cat([logits, boxes * boxes.new_tensor([*scale, *scale])], 1)

        return Subject(
            net=self.net,
            input=pictures,
            scores=scores,
            classes=self.card.classes,
            extent=(0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])),
            black=-mean / std,
            link="softmax" if self.background else "sigmoid",
            key=("box", row, label, region),
            about="the region drawn" if region is not None else f"box {row * len(self.card.classes) + label}",
            label=label,
            spread=2,
        )

    def _seen(self, pixels: Pixels, stages: Any) -> tuple[Front, Tensor, Tensor]:
        seen = front(self, pixels, stages)
        logits, offsets = (each[0] for each in seen.features.values())
        return seen, logits, offsets

    def _anchors(self, seen: Front) -> Tensor:
        return self.anchor_generator(seen.images, [])[0]

    def _scores(self, logits: Tensor) -> Tensor:
        found = self.probabilities(logits)
        if found.shape != logits.shape:
            raise self._wrong(self.probabilities, f"gave {_shape(found)} for {_shape(logits)}")
        if not len(found) or (found.min() >= 0 and found.max() <= 1):
            return found
        raise self._wrong(self.probabilities, f"gave scores from {found.min():.3g} to {found.max():.3g}, beyond 0 to 1")

    def _boxes(self, offsets: Tensor, anchors: Tensor, seen: Front) -> Tensor:
        found = self.decode(offsets, anchors)
        if found.shape != anchors.shape:
            raise self._wrong(self.decode, f"gave {_shape(found)} for {_shape(anchors)} anchors")
        if not found.isfinite().all():
            raise self._wrong(self.decode, "gave boxes with NaN or infinite numbers")
        return box_ops.clip_boxes_to_image(found, seen.size)

    def _check(self) -> None:
        """Raise Refusal for missing or inconsistent class attributes."""
        kind = type(self)
        levels = (self.strides, self.sizes, self.ratios)
        if not self.classes or not len(self.strides):
            lacking = "classes" if not self.classes else "strides"
            raise _refusal(kind, f"{kind.__name__} has no {lacking}", "Name them in the class, as the example does.")
        if len({len(level) for level in levels}) > 1:
            counts = ", ".join(str(len(level)) for level in levels)
            text = f"strides, sizes and ratios of {kind.__name__} are of {counts} levels"
            raise _refusal(kind, text, "Give each level of the pyramid its own.")

    def _checked(self, output: Any, x: Tensor) -> OrderedDict[str, Tensor]:
        if not isinstance(output, tuple | list) or [type(each) for each in output] != [Tensor, Tensor]:
            raise self._wrong(self.outputs, f"gave {_kind(output)}, not two tensors: logits and offsets")
        per_cell = self.anchor_generator.num_anchors_per_location()
        grids = self.anchor_generator.grids((int(x.shape[-2]), int(x.shape[-1])))
        count = sum(h * w * k for (h, w), k in zip(grids, per_cell, strict=True))
        for name, each, last in zip(("logits", "offsets"), output, (len(self.classes), 4), strict=True):
            if tuple(each.shape) != (len(x), count, last):
                wanted = f"{len(x)} x {count:,} x {last}"
                raise self._wrong(self.outputs, f"gave {name} of {_shape(each)}, where its anchors ask for {wanted}")
            if not each.isfinite().all():
                raise self._wrong(self.outputs, f"gave {name} with NaN or infinite numbers")
        return OrderedDict(zip(("logits", "offsets"), output, strict=True))

    def _wrong(self, method: Callable[..., Any], what: str) -> Refusal:
        return _refusal(
            method, f"{method.__name__} of {self.card.name} {what}", "Correct the adapter file, then press F5."
        )


def _refusal(thing: Any, what: str, advice: str) -> Refusal:
    """Return a refusal that names the line of a class or method, unless it is defined in this file."""
    try:
        file, line = inspect.getsourcefile(thing), inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        file, line = None, 0
    where = f" ({Path(file).name}, line {line})" if file and file != __file__ else ""
    return Refusal(f"{what}{where}.", advice=advice)


def _shape(value: Tensor) -> str:
    return " x ".join(f"{n:,}" for n in value.shape)


def _kind(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)} things ({', '.join(type(each).__name__ for each in value)})"
    return f"a {type(value).__name__}"
