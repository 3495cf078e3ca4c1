"""Region pooling: one proposal on its way through the second stage: level, bins, sampling points, patch, scores.

The backbone, the first stage and the box head's answers come from cached stages; a change of a control pools one
region again and runs the box head on it alone.

Arrays of the Result, boxes and points in pixels of the original image: `proposals` (P, 4) with `objectness` (P,),
`levels` (P,), `best` (P,) the label of the highest score and `best_score` (P,); `chosen` (1, 4) the region, `bins`
(K, 4) and `points` (N, 2) of RoIAlign, `points_cells` (N, 2) and `bins_cells` (K, 4) the same in cells of the map, and
`region_cells` (1, 4). `map` (h, w) is the channel shown of the level's map, `patches` (C, rows, columns) the pooled
values of all channels, `own_patches` those pooled as in training. `scores` and `own_scores` (L,) are the head's, empty
where it does not take a patch of this size.

Meta: `level` of `maps`, `rule`, `stride`, `extent` of the map, `channel`, `pooling`, `kept` and `change` over the
`compared` most confident proposals, `text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions.target import region_of
from models.detection import region_pooling
from models.detection.region_pooling import Levels, Pooling
from models.inspection import Inspection
from models.params import param
from models.subject import Rect
from models.types import Float, Int, Pixels, Refusal, Result

OWN, YES, NO = "own", "yes", "no"
KINDS = {"align": "RoIAlign", "pool": "RoIPool", "pyramid": "Spatial pyramid"}
CONFIDENT = 0.5
COMPARED = 32


@dataclass(frozen=True)
class Params:
    """Which proposal, how it is pooled, and what is shown of it."""

    proposal: int = param(
        0, "Proposal", "Which proposal, from 0 for that with the highest objectness.", low=0, high=100_000, step=1
    )
    region: str = param("", "Region", 'A rectangle "x0,y0,x1,y1" in pixels instead of a proposal.')
    pooling: str = param(
        OWN,
        "Pooled by",
        "How the region becomes a patch of fixed size; the network was trained with its own way.",
        choices=(OWN, *KINDS),
        titles=("As in training", *KINDS.values()),
    )
    sampling: str = param(
        OWN,
        "Points in a bin",
        "Sampling points along each side of a bin; adaptive takes as many as the bin has cells.",
        choices=(OWN, "1", "2", "4", "-1"),
        titles=("As in training", "1", "2", "4", "Adaptive (-1)"),
        only=("pooling", OWN, "align"),
    )
    aligned: str = param(
        OWN,
        "Aligned",
        "Shift the points by half a cell, so that they lie where the region is.",
        choices=(OWN, YES, NO),
        titles=("As in training", "Yes", "No"),
        only=("pooling", OWN, "align"),
    )
    level: int = param(
        -1, "Level", "The map it is pooled from, 0 the finest.", low=-1, high=9, step=1, titles=("By the rule",)
    )
    channel: int = param(
        -1, "Channel", "Which channel is drawn.", low=-1, high=1_000_000, step=1, titles=("The strongest",)
    )


def lacks(model: Any) -> Mapping[str, str]:
    """Return why the regions cannot be followed, under "" as it then concerns everything."""
    heads = getattr(getattr(model, "net", None), "roi_heads", None)
    if heads is None or not hasattr(model, "second_stage"):
        return {"": f"{model.card.name} pools no regions of torchvision's R-CNN kind."}
    if region_pooling.own_pooling(heads.box_roi_pool) is None:
        return {
            "": f"{model.card.name} pools its regions in a way of its own, not by torchvision's MultiScaleRoIAlign."
        }
    return {}


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the way of one region. Raises Refusal for one that does not exist."""
    heads = model.net.roi_heads
    seen = model.front(pixels, stages)
    pool, rows, logits, _ = model.second_stage(seen, {}, stages)
    levels: Levels = region_pooling.levels_of(heads.box_roi_pool, dict(seen.features), seen.images.image_sizes)
    own = region_pooling.own_pooling(heads.box_roi_pool)
    assert own is not None
    how = _pooling(own, params)
    boxes = pool.boxes[rows]
    every: Float = stages.run("proposal scores", lambda: logits.softmax(-1).cpu().numpy())
    given = region_of(params.region)
    if given is None and params.proposal >= len(boxes):
        raise Refusal(
            f"There is no proposal {params.proposal}.",
            advice=f"They go from 0 to {len(boxes) - 1}." if len(boxes) else "Drag a rectangle with Shift instead.",
        )
    box = boxes[[params.proposal]] if given is None else _network_region(seen, given).to(logits.device)
    by_rule = int(levels.of(box)[0])
    level = by_rule if params.level < 0 else params.level
    if level >= len(levels.maps):
        raise Refusal(f"There is no level {level}.", advice=f"They go from 0 to {len(levels.maps) - 1}.")
    drawing = stages.time("pool", lambda: _drawing(levels, box, level, how))
    own_patches = region_pooling.pooled(levels, box, np.array([by_rule]), own)
    patches = region_pooling.pooled(levels, box, np.array([level]), how)
    channel = _channel(params.channel, patches[0])
    own_scores = _head(heads, own_patches)
    scores = _head(heads, patches) if tuple(patches.shape[2:]) == own.size else np.zeros(0, np.float32)

    def compare() -> tuple[int, float, float]:
        return _compared(heads, levels, boxes, every, how)

    fits = how.kind != "pyramid"
    compared = stages.run("proposals pooled otherwise", compare, how) if fits and how != own else (0, 1.0, 0.0)
    stride = 1 / levels.scales[level]
    to_picture = np.array([seen.original[1] / seen.size[1], seen.original[0] / seen.size[0]], np.float32)
    scale = np.float32(stride) * np.concatenate([to_picture, to_picture])
    height, width = levels.maps[level].shape[1:]
    best = every[:, 1:].argmax(1) + 1 if len(every) else np.zeros(0, np.int64)
    half = np.float32(0.5)
    arrays = {
        "proposals": seen.drawn(boxes),
        "objectness": pool.objectness[rows].cpu().numpy(),
        "levels": levels.of(boxes),
        "best": best,
        "best_score": every[np.arange(len(every)), best].astype(np.float32),
        "chosen": seen.drawn(box),
        "bins": drawing["bins"] * scale + (half * scale if how.kind == "align" else 0),
        # Cell i of a map covers the pixels from i to i + 1 strides: its value stands in the middle.
        "points": (drawing["points"] + half) * scale[:2],
        "points_cells": drawing["points"],
        "bins_cells": drawing["bins"],
        "region_cells": box.cpu().numpy() * np.float32(levels.scales[level]),
        "map": levels.maps[level][channel].float().cpu().numpy(),
        "patches": patches[0].float().cpu().numpy(),
        "own_patches": own_patches[0].float().cpu().numpy(),
        "scores": scores,
        "own_scores": own_scores,
    }
    meta = {
        "kind": "region pooling",
        "classes": model.card.classes,
        "proposal": params.proposal if given is None else -1,
        "level": level,
        "maps": len(levels.maps),
        "by_rule": by_rule,
        "rule": levels.rule(box[0].cpu().numpy()),
        "stride": stride,
        "network": (seen.size[1], seen.size[0]),
        "map_size": (int(width), int(height)),
        "extent": (0.0, 0.0, float(width * scale[0]), float(height * scale[1])),
        "channel": channel,
        "channels": len(patches[0]),
        "pooling": how.kind,
        "size": how.size,
        "sampling": how.sampling,
        "aligned": how.aligned,
        "own": how == own and level == by_rule,
        "own_sampling": own.sampling,
        "feature_change": _change(patches, own_patches),
        "compared": compared[0],
        "kept": compared[1],
        "change": compared[2],
    }
    meta["text"] = _words(meta, arrays)
    return Result(arrays, meta)


def _network_region(seen: Any, region: Rect) -> Tensor:
    """Convert a rectangle in pixels of the original image to network pixels (1, 4)."""
    scale = torch.tensor([seen.size[1] / seen.original[1], seen.size[0] / seen.original[0]] * 2)
    return (torch.tensor([region]) * scale).float()


def _pooling(own: Pooling, params: Params) -> Pooling:
    """Return the way to pool that the parameters ask for."""
    kind = own.kind if params.pooling == OWN else params.pooling
    if kind != "align":
        return Pooling("pool" if kind == "pool" else "pyramid", own.size)
    sampling = own.sampling if params.sampling == OWN else int(params.sampling)
    aligned = own.aligned if params.aligned == OWN else params.aligned == YES
    return Pooling("align", own.size, sampling, aligned)


def _drawing(levels: Levels, box: Tensor, level: int, how: Pooling) -> dict[str, Float]:
    plain, scale = box[0].cpu().numpy(), levels.scales[level]
    height, width = (int(n) for n in levels.maps[level].shape[1:])
    points = np.zeros((0, 2), np.float32)
    if how.kind == "align":
        points = region_pooling.align_points(plain, scale, how).reshape(-1, 2)
    return {"bins": region_pooling.bins_of(plain, scale, how, (height, width)), "points": points}


def _head(heads: Any, patches: Tensor) -> Float:
    """Return the class scores (L,) of one patch."""
    return heads.box_predictor(heads.box_head(patches))[0].softmax(-1)[0].float().cpu().numpy()


def _channel(wanted: int, patches: Tensor) -> int:
    """Return the channel to draw: the wanted one, or that of the largest mean in the patch. Raises Refusal."""
    if wanted < 0:
        return int(patches.flatten(1).mean(1).argmax())
    if wanted >= len(patches):
        raise Refusal(f"There is no channel {wanted}.", advice=f"They go from 0 to {len(patches) - 1}.")
    return wanted


def _compared(heads: Any, levels: Levels, boxes: Tensor, scores: Float, how: Pooling) -> tuple[int, float, float]:
    """Return how many confident proposals were pooled this way, the share that keeps its class, and how much the
    probability of that class changes on average.
    """
    best = scores[:, 1:].max(1) if len(scores) else np.zeros(0, np.float32)
    at: Int = np.argsort(-best, kind="stable")[:COMPARED]
    at = at[best[at] >= CONFIDENT]
    if not len(at):
        return 0, 1.0, 0.0
    chosen = boxes[torch.from_numpy(at)]
    patches = region_pooling.pooled(levels, chosen, levels.of(chosen), how)
    found = heads.box_predictor(heads.box_head(patches))[0].softmax(-1).cpu().numpy()
    label = scores[at].argmax(1)
    rows = np.arange(len(at))
    change = found[rows, label] - scores[at, label]
    return len(at), float((found.argmax(1) == label).mean()), float(change.mean())


def _change(patches: Tensor, own: Tensor) -> float:
    """Return the length of the difference over that of the own patch; 0 where the sizes differ."""
    if patches.shape != own.shape:
        return 0.0
    return float((patches - own).norm() / own.norm().clamp(min=1e-12))


def _words(meta: dict[str, Any], arrays: dict[str, Any]) -> str:
    own, label = arrays["own_scores"], int(arrays["own_scores"].argmax())
    name = meta["classes"][label] if label < len(meta["classes"]) else str(label)
    said = [f"Pooled from level {meta['level']} (stride {meta['stride']:g}): {name} with {own[label]:.3f}."]
    if meta["pooling"] == "pyramid":
        said.append("The pyramid gives 1 + 4 + 16 = 21 bins, which the trained head does not take: no scores.")
    elif not meta["own"]:
        said.append(
            f"{KINDS[meta['pooling']]} as chosen gives {name} {arrays['scores'][label]:.3f}; the patch differs by "
            f"{meta['feature_change']:.0%}."
        )
        if meta["compared"]:
            said.append(
                f"Of the {meta['compared']} most confident proposals {meta['kept']:.0%} keep their class, and its "
                f"probability changes by {meta['change']:+.3f} on average."
            )
        said.append("The network was trained with its own way: another is no correction of it.")
    return " ".join(said)


INSPECTION = Inspection(
    id="region_pooling",
    title="Region pooling",
    help="How a proposal is cut out of the feature map (RoIAlign, RoIPool), and what the head says of the patch.",
    needs=("Detects", "Proposes"),
    params=Params,
    answer=answer,
    lacks=lacks,
)
