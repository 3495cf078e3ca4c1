"""What detectors of no known family share: a table of output rows, each with scores and a box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.detector import anchor_table
from models.adapters.base.interpreted import Interpreted
from models.cards.card import Card, label_ids
from models.detection.box_rows import FIRST, LAST
from models.detection.evidence import Evidence
from models.detection.iou import iou
from models.detection.peaks import HeatMaps
from models.detection.prototypes import Prototypes
from models.interpretation import box_extras, heat_map_outputs
from models.interpretation.box_extras import Extras
from models.loading.probe_network import Found, device_of
from models.params import Value
from models.runtime.forward_passes import through
from models.subject import Rect, Subject
from models.types import Anchors, Candidates, Float, Int, Pixels, Refusal

LOWEST_SCORE = 0.01
FINAL = "{name} suppresses boxes itself, or gives one box an object: there is nothing left to suppress."
MOST_OF_A_CLASS = 400
ONE_STAGE = "{name} is a one-stage detector: it has no region proposals."
NO_PROPOSALS = "One stage: there are none."
NO_OBJECTNESS = "This network gives none: a score is that of the class alone."
NO_PLACE = "Its boxes come from no cell and no anchor of a grid."


@dataclass(frozen=True)
class Output:
    """The network's output for an image: raw `scores` (R, K), and `boxes` (R, 4) in network pixels.

    `factor` (R,) is the objectness that is a factor of the scores, None where there is none. `extras` (1, R, ...) are
    points, angles and mask coefficients of the rows.
    """

    scores: Tensor
    boxes: Tensor
    factor: Tensor | None = None
    extras: Extras = field(default_factory=Extras)

    @property
    def nbytes(self) -> int:
        """The size of the tensors in bytes."""
        factor = self.factor.nbytes if self.factor is not None else 0
        return self.scores.nbytes + self.boxes.nbytes + factor + self.extras.nbytes


class Rows(Interpreted):
    """An opened detector whose output is a table of scores and boxes: stages network, decode.

    `origin` is what a row comes from: "anchor", "cell" or "query", which lies nowhere.
    """

    origin: ClassVar[str] = "query"
    stages: Mapping[str, str] = {"rpn": "{name} shows no region proposals."}

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        assert found.boxes is not None
        self.net: Any = net.eval()
        self.card = card
        self.preprocess = found.preprocess
        self._found, self.kind = found, found.boxes
        # A last column of no object is DETR's, and so are centres in shares of few rows: each query is trained to give
        # an object of its own.
        queries = found.layout is None and (found.queries or self.kind.background == LAST)
        self._final = queries or (found.layout is not None and found.layout.final)
        if self._final:
            self.stages = {**self.stages, "nms": FINAL}
        layout = found.layout
        if layout is not None and layout.landmarks is not None:  # the capability FindsKeyPoints
            self.point_names, self.key_points = box_extras.point_names(layout), self._key_points
        if layout is not None and layout.has_masks:  # the capability Segments
            self.masks = self._masks
        if layout is not None and layout.coefficients is not None:  # the capability CombinesPrototypes
            self.prototypes = self._prototypes
        if layout is not None and layout.peaks:  # the capability DetectsPeaks
            self.heat_maps = self._heat_maps

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return device_of(self.net)

    @property
    def defaults(self) -> dict[str, Value]:
        """Common thresholds, because the network does not define any; peaks of heat maps need no suppression."""
        return {"score": 0.5, "iou": 1.0 if self._final or self._peaks else 0.45, "max_detections": 100}

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        return LOWEST_SCORE

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return the best boxes of every class above the floor, class by class."""
        return stages.run("decode", lambda: self._decode(pixels, self.output(pixels, stages)), self.floor)

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: the row of a detection, or the row whose box is nearest to a region."""
        row, label = self._chosen(pixels, stages, box=box, region=region)
        (h, w), extent = self.preprocess.size, self.preprocess.extent(pixels.shape[1], pixels.shape[0])
        scale = ((extent[2] - extent[0]) / w, (extent[3] - extent[1]) / h)
        found = self._found
        if found.layout is not None and found.layout.peaks:  # a cell that is no peak any more keeps its score
            found = replace(found, layout=replace(found.layout, peaks=False))
        run = through(self.behaviour, found.runner(self.net))

        def scores(x: Tensor) -> Tensor:
            made = run(x)
            corners = self.kind.corners(made[self.kind.part], (h, w))[:, row]
            placed = corners * corners.new_tensor(scale * 2) + corners.new_tensor(extent[:2] * 2)
            return torch.cat([self.kind.logits(made[self._found.part][:, row]), placed], 1)

        with torch.inference_mode(False):
            return Subject(
                net=self.net,
                input=self.preprocess.input(pixels, self.device),
                scores=scores,
                classes=self.card.classes,
                extent=extent,
                black=self.preprocess.black(self.device),
                link=self.kind.link,
                key=("box", row, label, region),
                about="the region drawn" if region is not None else f"box {row * len(self.card.classes) + label}",
                label=label,
                spread=2,
                **self.behaviour.about,
            )

    def _run(self, x: Tensor) -> list[Tensor]:
        return through(self.behaviour, self._found.runner(self.net))(x)

    def output(self, pixels: Pixels, stages: Any) -> Output:
        """Return the network's output for an image, with boxes as corners."""

        def make() -> Output:
            made = self._run(self.preprocess.input(pixels, self.device))
            boxes = self.kind.corners(made[self.kind.part][0].float(), self.preprocess.size)
            factor = made[2][0].float() if self._has_factor else None
            layout, rest = self._found.layout, made[2 + self._has_factor :]
            extras = Extras.of(layout, rest) if layout is not None else Extras()
            return Output(made[self._found.part][0].float(), boxes, factor, extras)

        return stages.run("network", make)

    def _decode(self, pixels: Pixels, output: Output) -> Candidates:
        height, width = self.preprocess.size
        scores = self.kind.probabilities(output.scores)
        known = [label for label in self._labels if label < scores.shape[1]]  # none, if the one class is background
        labels = torch.tensor(known, dtype=torch.long, device=scores.device)
        best, rows = scores[:, labels].topk(min(MOST_OF_A_CLASS, len(scores)), dim=0)
        above = (self.floor < best.T) & output.boxes.isfinite().all(1)[rows.T]
        anchor = rows.T[above]
        boxes = output.boxes[anchor].clamp_min(0).minimum(output.boxes.new_tensor((width, height) * 2))
        count = len(anchor)
        return Candidates(
            boxes=boxes.cpu().numpy(),
            drawn=self.mapping(pixels)(boxes.cpu().numpy()),
            score=best.T[above].cpu().numpy(),
            label=labels[above.nonzero()[:, 0]].cpu().numpy(),
            anchor=anchor.cpu().numpy(),
            proposal=np.full(count, -1, np.int64),
            proposals=np.zeros((0, 4), np.float32),
            objectness=np.zeros(0, np.float32),
        )

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Evidence:
        """Return the network's scores and boxes of every row, and where each comes from."""
        output = self.output(pixels, stages)
        height, width = self.preprocess.size
        most = np.array((width, height) * 2, np.float32)
        place = self.mapping(pixels)

        def scores(wanted: Int) -> Float:
            return self.kind.probabilities(output.scores[torch.from_numpy(wanted)]).cpu().numpy()

        def decoded(wanted: Int) -> Float:
            boxes = output.boxes[torch.from_numpy(wanted)].cpu().numpy().clip(0, most)
            return np.broadcast_to(boxes[:, None], (len(wanted), output.scores.shape[1], 4))

        queries = self.origin == "query"
        rows = np.arange(len(output.boxes))
        absent = {"Region proposals": NO_PROPOSALS}
        absent |= {"Objectness": NO_OBJECTNESS} if output.factor is None else {}
        absent |= {"Cells": NO_PLACE} if queries else {}
        absent |= {"NMS": FINAL.format(name=self.card.name)} if self._final else {}
        if queries:
            boxes = place(np.nan_to_num(decoded(rows)[:, 0] if len(rows) else np.zeros((0, 4), np.float32)))
            origins = anchor_table(boxes, [(1, len(rows))], [1])
        else:
            origins = self.origins(pixels, stages)
        return Evidence(
            origins=origins,
            anchor_free=self.origin != "anchor",
            source=rows,
            scores=scores,
            decoded=decoded,
            drawn=place,
            has_background=self.kind.background == FIRST,
            factor=output.factor.cpu().numpy() if output.factor is not None else None,
            combine=self._found.layout.combine if self._found.layout is not None else "product",
            queries=queries,
            absent=absent,
        )

    def box_extras(self, pixels: Pixels, stages: Any) -> dict[str, Float]:
        """Return by name what belongs to every row: `points` (R, P, 3) x, y in pixels of the original image and
        visibility, `angles` (R,) in radians, clockwise. Only what there is.
        """
        found = self.output(pixels, stages).extras

        def make() -> dict[str, Float]:
            more: dict[str, Float] = {}
            if found.points is not None:
                more["points"] = self._placed(pixels, found.points[0]).nan_to_num(0).cpu().numpy()
            if found.angles is not None:
                more["angles"] = found.angles[0].nan_to_num(0).cpu().numpy()
            return more

        return stages.run("extras", make)

    def _placed(self, pixels: Pixels, points: Tensor) -> Tensor:
        """Return points (..., 3) in network pixels in pixels of the original image."""
        x0, y0, x1, y1 = self.preprocess.extent(pixels.shape[1], pixels.shape[0])
        tall, wide = self.preprocess.size
        scale = points.new_tensor([(x1 - x0) / wide, (y1 - y0) / tall, 1])
        return points * scale + points.new_tensor([x0, y0, 0])

    def _row_of(self, output: Output, boxes: Float) -> Tensor:
        """Return the rows (K,) whose boxes are nearest to boxes (K, 4) in network pixels, the surest of equal ones."""
        height, width = self.preprocess.size
        own = output.boxes.clamp_min(0).minimum(output.boxes.new_tensor((width, height) * 2)).nan_to_num(-1e6)
        away = torch.cdist(torch.from_numpy(boxes).to(own), own, p=1)
        near = away <= away.amin(1, keepdim=True) + 1e-3
        return torch.where(near, self.kind.probabilities(output.scores).amax(1), -1.0).argmax(1)

    def _key_points(self, pixels: Pixels, boxes: Float, stages: Any) -> tuple[Float, Float, Float]:
        """Return points (K, P, 3) in original pixels, their visibility (K, P), and no maps (K, P, 1, 1)."""
        output = self.output(pixels, stages)
        assert output.extras.points is not None
        found = self._placed(pixels, output.extras.points[0][self._row_of(output, boxes)]).nan_to_num(0).cpu().numpy()
        return found, found[..., 2], found[..., 2][..., None, None]

    def _masks(self, pixels: Pixels, boxes: Float, labels: Int, stages: Any) -> Float:
        """Return mask probabilities (K, s, s) within boxes (K, 4) in network pixels."""
        output = self.output(pixels, stages)
        extras = output.extras
        assert extras.coefficients is not None and extras.prototypes is not None
        mine = extras.coefficients[0][self._row_of(output, boxes)]
        at = torch.from_numpy(boxes).to(mine)
        return box_extras.masks(extras.prototypes[0], mine, at, self.preprocess.size).cpu().numpy()

    def _prototypes(self, pixels: Pixels, boxes: Float, stages: Any) -> Prototypes:
        """Return the prototypes, and the coefficients of boxes (K, 4) in network pixels."""
        output = self.output(pixels, stages)
        extras = output.extras
        assert extras.coefficients is not None and extras.prototypes is not None
        mine = extras.coefficients[0][self._row_of(output, boxes)].cpu().numpy()
        extent = self.preprocess.extent(pixels.shape[1], pixels.shape[0])
        return Prototypes(extras.prototypes[0].cpu().numpy(), mine, extent)

    def _heat_maps(self, pixels: Pixels, stages: Any) -> HeatMaps:
        """Return the heat maps with what an object at each cell would have."""

        def make() -> HeatMaps:
            layout = self._found.layout
            assert layout is not None
            tensors = [tensor.detach() for _, tensor in self.raw_outputs(pixels, stages).tensors]
            return heat_map_outputs.read(layout, tensors, self.preprocess.size, self.mapping(pixels))

        return stages.run("heat maps", make)

    def origins(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the anchors or cells that rows come from, in pixels of the original image."""

        def make() -> Anchors:
            boxes, grids, per_cell = self._origins()
            return anchor_table(self.mapping(pixels)(boxes.numpy()), grids, per_cell)

        return stages.run("anchors", make)

    def _origins(self) -> tuple[Tensor, list[tuple[int, int]], list[int]]:
        """Return the origins (R, 4) xyxy in network pixels, and rows and columns and origins per cell of each level."""
        known = self._found.origins
        assert known is not None
        return known.boxes, known.grids, known.per_cell

    @property
    def _peaks(self) -> bool:
        return self._found.layout is not None and self._found.layout.peaks

    @property
    def _has_factor(self) -> bool:
        return self._found.layout is not None and self._found.layout.objectness is not None

    @property
    def _labels(self) -> tuple[int, ...]:
        """The label ids that are classes, without background."""
        own = label_ids(self.card.classes)
        return tuple(label for label in own if label) if self.kind.background == FIRST else own

    def mapping(self, pixels: Pixels) -> Callable[[Float], Float]:
        """Return a function that converts boxes (N, 4) or points (N, 2) from network pixels to pixels of the image."""
        x0, y0, x1, y1 = self.preprocess.extent(pixels.shape[1], pixels.shape[0])
        tall, wide = self.preprocess.size
        scale = np.array([(x1 - x0) / wide, (y1 - y0) / tall] * 2, np.float32)
        first = np.array([x0, y0] * 2, np.float32)
        return lambda rows: np.asarray(rows * scale[: rows.shape[-1]] + first[: rows.shape[-1]], np.float32)

    def _chosen(self, pixels: Pixels, stages: Any, *, box: int, region: Rect | None) -> tuple[int, int]:
        """Return the row and label of a box id; for -1 of the best candidate; for a region the nearest row and -1.

        Raises Refusal for an unknown box, or if nothing was found.
        """
        if region is not None:
            boxes = self.mapping(pixels)(self.output(pixels, stages).boxes.cpu().numpy())
            return int(np.nanargmax(iou(boxes, np.array(region, np.float32)[None]))), -1
        if box < 0:
            found = self.candidates(pixels, {}, stages)
            if not len(found):
                raise Refusal(
                    "Nothing was found in this picture, so there is no box to explain.",
                    advice="Hold Shift and drag a rectangle around an object to ask why it was missed.",
                )
            best = int(found.score.argmax())
            return int(found.anchor[best]), int(found.label[best])
        row, label = divmod(box, len(self.card.classes))
        if row >= len(self.output(pixels, stages).boxes):
            raise Refusal(f"There is no box {box} in this picture.", advice="Click a detection to choose it.")
        return row, label
