"""Adapter for MTCNN (Zhang et al. 2016): three networks one after another find faces with five landmarks.

P-Net proposes on a pyramid of the picture; R-Net and O-Net see crops of what is left, and correct it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import nms

from models.cards.card import Card, label_ids
from models.families.mtcnn import KERNELS, PARTS, SIDES, Cascade, Layout, Part
from models.params import Value
from models.subject import Rect, Subject
from models.types import Candidates, Float, Pixels, Refusal

POINT_NAMES = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
SMALLEST_PX = 20  # side of the smallest face
FACTOR = 0.709  # from one picture of the pyramid to the next
STRIDE, CELL = 2, 12
LEVEL_IOU, STAGE_IOU, SECOND_SCORE = 0.5, 0.7, 0.7
LOWEST_SCORE = 0.05
CHUNK = 256


@dataclass(frozen=True)
class Rows:
    """Boxes (N, 4) in pixels of the picture with scores (N,), the cell (N,) each comes from, and landmarks if any.

    `proposal` (N,) is the row of the proposal, `crop` (N, 4) what the last network saw.
    """

    boxes: Tensor
    scores: Tensor
    cells: Tensor
    proposal: Tensor
    crop: Tensor
    points: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return sum(t.nbytes for t in vars(self).values() if isinstance(t, Tensor))

    def at(self, rows: Tensor) -> Rows:
        """Return some of the rows."""
        return Rows(**{name: t[rows] if isinstance(t, Tensor) else t for name, t in vars(self).items()})


class MtcnnAdapter:
    """An opened cascade: stages pyramid, proposals, decode. The picture is not resized, so boxes are in its pixels."""

    proposes = True
    stages: ClassVar[Mapping[str, str]] = {
        "HasAnchors": "{name} has no anchors: P-Net's cells see the picture at several sizes.",
        "Traces": "{name} is a cascade: what a network drops never reaches the next.",
    }

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card
        if self.net.parts[-1].layout.points:  # the capability FindsKeyPoints
            self.point_names, self.key_points = POINT_NAMES, self._key_points

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, Cascade)

    @staticmethod
    def class_names(net: nn.Module) -> tuple[str, ...]:
        """Return the name of the only class."""
        return ("face",)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return _tiny()

    @property
    def defaults(self) -> dict[str, Value]:
        """The usual thresholds of the three networks."""
        return {
            "score": 0.7,
            "iou": 0.7 if len(self.net.parts) > 1 else 0.3,
            "max_detections": 100,
            "rpn_score": 0.6,
            "rpn_iou": 0.7,
            "rpn_top_n": 1000,
        }

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        return LOWEST_SCORE

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return the boxes of the last network above the floor."""
        proposals, rows = self._found(pixels, settings, stages)
        made = rows.at(rows.scores > self.floor)
        boxes = made.boxes.cpu().numpy()
        return Candidates(
            boxes=boxes,
            drawn=boxes,
            score=made.scores.cpu().numpy(),
            label=np.full(len(boxes), self._label, np.int64),
            anchor=made.cells.cpu().numpy(),
            proposal=made.proposal.cpu().numpy(),
            proposals=proposals.boxes.cpu().numpy(),
            objectness=proposals.scores.cpu().numpy(),
        )

    def _key_points(self, pixels: Pixels, boxes: Float, stages: Any) -> tuple[Float, Float, Float]:
        """Return points (K, 5, 3), their scores (K, 5), which are the box's, and no maps (K, 5, 1, 1)."""
        _, rows = self._found(pixels, {}, stages)
        points = rows.points
        if points is None or not len(rows.boxes):
            none = np.zeros((len(boxes), 5), np.float32)
            return np.zeros((len(boxes), 5, 3), np.float32), none, none[..., None, None]
        away = torch.cdist(torch.from_numpy(boxes).to(rows.boxes), rows.boxes, p=1)
        near = away.argmin(1)
        found = torch.cat([points[near], torch.ones_like(points[near][..., :1])], 2).cpu().numpy()
        scores = rows.scores[near][:, None].expand(-1, 5).cpu().numpy()
        return found, scores, scores[..., None, None].copy()

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: the last network's score and box of the crop that it saw, or of a region.

        Raises Refusal for an unknown box, and if nothing was found.
        """
        place = list(region) if region is not None else self._crop(pixels, stages, box)
        part: Part = self.net.parts[-1]
        side = SIDES[part.layout.number]
        width, height = place[2] - place[0], place[3] - place[1]

        def scores(x: Tensor) -> Tensor:
            logit, moved, _ = part(x)
            logit, moved = logit.flatten(1)[:, :1], moved.flatten(2)[..., 0] if moved.ndim == 4 else moved
            sides = moved.new_tensor([width, height] * 2)
            return torch.cat([logit, moved.new_tensor(place) + moved * sides], 1)

        with torch.inference_mode(False), torch.no_grad():
            image = self._picture(pixels)
            given = self.net.prepared(_crops(image, torch.tensor([place]), side))
            black = self.net.prepared(torch.zeros(1, 3, 1, 1, device=given.device))
        return Subject(
            net=self.net,
            input=given,
            scores=scores,
            classes=(self.card.classes[self._label],),
            extent=(place[0], place[1], place[2], place[3]),
            black=black,
            link="sigmoid",
            key=("box", box, region),
            about="the region drawn" if region is not None else "a box, by the network that sees it last",
            label=0,
        )

    @property
    def std(self) -> tuple[float, ...]:
        """What values from 0 to 1 are divided by, for each channel."""
        white, black = (self.net.prepared(torch.full((1, 3, 1, 1), value)) for value in (255.0, 0.0))
        return tuple((1 / (white - black)).flatten().tolist())

    @property
    def _label(self) -> int:
        """The label id of a face, the only class."""
        return label_ids(self.card.classes)[0]

    def _crop(self, pixels: Pixels, stages: Any, box: int) -> list[float]:
        _, rows = self._found(pixels, {}, stages)
        if box < 0 and not len(rows.boxes):
            raise Refusal(
                "Nothing was found in this picture, so there is no box to explain.", advice="Draw a rectangle."
            )
        cell = box // len(self.card.classes)
        at = int(rows.scores.argmax()) if box < 0 else next(iter((rows.cells == cell).nonzero().flatten().tolist()), -1)
        if at < 0:
            raise Refusal(f"There is no box {box} in this picture.", advice="Click a detection to choose it.")
        return [float(v) for v in rows.crop[at]]

    def _picture(self, pixels: Pixels) -> Tensor:
        device = next(self.net.parameters()).device
        return torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(2, 0, 1)[None].float()

    def _found(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> tuple[Rows, Rows]:
        """Return the proposals of P-Net, and the rows of the last network with its scores."""
        own = self.defaults
        wanted = tuple(settings.get(name, own[name]) for name in ("rpn_score", "rpn_iou", "rpn_top_n"))
        levels = stages.run("pyramid", lambda: _Kept(self._pyramid(pixels, stages)))
        proposals = stages.run("proposals", lambda: self._propose(levels.levels, *wanted), *wanted)
        return proposals, stages.run("decode", lambda: self._refined(pixels, proposals, stages), *wanted)

    def _pyramid(self, pixels: Pixels, stages: Any) -> list[tuple[float, Tensor, Tensor]]:
        """Return scale, probabilities (h, w) and corrections (4, h, w) of every picture of the pyramid."""
        image, net = self._picture(pixels), self.net.parts[0]
        height, width = pixels.shape[:2]
        scale, found = CELL / SMALLEST_PX, []
        while min(height, width) * scale >= CELL:
            stages.progress(None, "P-Net on the pyramid")
            size = int(height * scale + 1), int(width * scale + 1)
            logit, moved, _ = net(self.net.prepared(functional.interpolate(image, size=size, mode="area")))
            found.append((scale, logit[0, 0].sigmoid(), moved[0]))
            scale *= FACTOR
        return found

    def _propose(self, levels: list[tuple[float, Tensor, Tensor]], score: float, iou: float, top_n: int) -> Rows:
        parts, first = [], 0
        device = next(self.net.parameters()).device
        for scale, chance, moved in levels:
            rows, columns = (chance >= score).nonzero(as_tuple=True)
            corner = torch.stack([columns, rows], 1).float()
            boxes = torch.cat([(STRIDE * corner + 1) / scale, (STRIDE * corner + CELL) / scale], 1).floor()
            cells = first + rows * chance.shape[1] + columns
            scores, moves = chance[rows, columns], moved[:, rows, columns].T
            keep = nms(boxes, scores, LEVEL_IOU)
            parts.append((boxes[keep], scores[keep], cells[keep], moves[keep]))
            first += chance.numel()
        if not parts:
            none = torch.zeros(0, device=device)
            return Rows(none.view(0, 4), none, none.long(), none.long(), none.view(0, 4))
        boxes, scores, cells, moves = (torch.cat(columns) for columns in zip(*parts, strict=True))
        keep = nms(boxes, scores, iou)[:top_n]
        boxes, scores, cells, moves = boxes[keep], scores[keep], cells[keep], moves[keep]
        sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        made = boxes + moves * sides
        return Rows(made, scores, cells, torch.arange(len(made), device=device), boxes)

    def _refined(self, pixels: Pixels, proposals: Rows, stages: Any) -> Rows:
        image, rows = self._picture(pixels), proposals
        for place, net in enumerate(self.net.parts[1:], 1):
            last = place + 1 == len(self.net.parts)
            crops = _square(rows.boxes)
            scores, moved, points = self._second(net, image, crops, stages)
            seen = Rows(crops, scores, rows.cells, rows.proposal, crops, points)
            keep = torch.arange(len(crops), device=crops.device)
            if not last:
                keep = (scores > SECOND_SCORE).nonzero().flatten()
                keep = keep[nms(crops[keep], scores[keep], STAGE_IOU)]
            seen, moved = seen.at(keep), moved[keep]
            corner, sides = seen.crop[:, :2], seen.crop[:, 2:] - seen.crop[:, :2] + 1
            placed = None
            if seen.points is not None:
                placed = corner[:, None] + seen.points * sides[:, None] - 1
            boxes = seen.crop + moved * sides.repeat(1, 2)
            rows = Rows(boxes, seen.scores, seen.cells, seen.proposal, seen.crop, placed)
        return rows

    def _second(self, net: Part, image: Tensor, crops: Tensor, stages: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        side = SIDES[net.layout.number]
        scores, moves, points = [crops[:0, 0]], [crops[:0]], []
        for start in range(0, len(crops), CHUNK):
            stages.progress(start / len(crops), "looking closer")
            given = self.net.prepared(_crops(image, crops[start : start + CHUNK], side))
            logit, moved, ten = net(given)
            scores.append(logit[:, 0].sigmoid())
            moves.append(moved)
            if ten is not None:
                points.append(self._pairs(ten))
        there = bool(net.layout.points)
        none = crops.new_zeros(0, 5, 2)
        return torch.cat(scores), torch.cat(moves), torch.cat([none, *points]) if there else None

    def _pairs(self, ten: Tensor) -> Tensor:
        """Return landmarks (N, 10) as (N, 5, 2), in shares of the crop."""
        if self.net.assumed.get("points", "apart") == "pairs":
            return ten.view(-1, 5, 2)
        return ten.view(-1, 2, 5).transpose(1, 2)


@dataclass(frozen=True)
class _Kept:
    """The pyramid, with its size in bytes."""

    levels: list[tuple[float, Tensor, Tensor]]

    @property
    def nbytes(self) -> int:
        return sum(chance.nbytes + moved.nbytes for _, chance, moved in self.levels)


def _square(boxes: Tensor) -> Tensor:
    """Return boxes (N, 4) made square around their centres, of the longer side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.amax(1, keepdim=True)
    corner = boxes[:, :2] + sides / 2 - longest / 2
    return torch.cat([corner, corner + longest], 1)


def _crops(image: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Return what lies in boxes (N, 4), counted from 1 and cut off at the picture's border, as (N, 3, side, side)."""
    height, width = image.shape[-2:]
    found = []
    for x0, y0, x1, y1 in boxes.trunc().int().tolist():
        left, top = min(max(x0, 1), width) - 1, min(max(y0, 1), height) - 1
        right, bottom = max(min(x1, width), left + 1), max(min(y1, height), top + 1)
        found.append(functional.interpolate(image[..., top:bottom, left:right], size=(side, side), mode="area"))
    return torch.cat(found) if found else image.new_zeros(0, 3, side, side)


def _tiny() -> Cascade:
    shapes: dict[str, tuple[int, ...]] = {}
    layouts = {}
    for number, name in enumerate(PARTS):
        own: dict[str, tuple[int, ...]] = {}
        width = 3
        for at, side in enumerate(KERNELS[number]):
            own |= {f"conv{at}.weight": (6, width, side, side), f"prelu{at}.weight": (6,)}
            width = 6
        ends, more = (6 * 9, (1, 1) if not number else ()), 12 if number else 6
        if number:
            own |= {"dense.weight": (12, ends[0]), "prelu.weight": (12,)}
        own |= {f"{head}.weight": (count, more, *ends[1]) for head, count in (("score", 2), ("box", 4), ("points", 10))}
        names = [key.removesuffix(".weight") for key in own]
        layouts[name] = Layout(
            number,
            tuple(n for n in names if n.startswith("conv")),
            tuple(n for n in names if n.startswith("prelu")),
            "dense" if number else "",
            "score",
            "box",
            "points",
        )
        shapes |= {f"{name}.{key}": shape for key, shape in own.items()}
    made = Cascade(shapes, layouts, {})
    with torch.no_grad():
        for part in made.parts:
            part.get_submodule("score").bias.copy_(torch.tensor([0.0, 1.5]))  # pyright: ignore[reportCallIssue]
            part.get_submodule("box").weight.mul_(0.1)  # pyright: ignore[reportCallIssue]
    return made


ADAPTER = MtcnnAdapter
