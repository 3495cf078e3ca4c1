"""Attention: where the tokens of a vision transformer attend, per block and head, and rolled out over all blocks.

Arrays of the Result, over the grid (h, w) of patches and for one query, the class token or a patch: `map` (h, w) the
requested one; `heads` (H, h, w) of the requested block, of the last block for a rollout; `blocks` (B, h, w) each
block's mean over heads; `all` (B, H, h, w); `rollout` (h, w); `position` (h, w) the cosine similarity of the position
embeddings, absent where the network has none that are learned; `entropy` (B, H) of the query's attention, in bits. Rows
of attention sum to 1 over all tokens: `to_class` (B, H) is the share of the class token, `to_others` (B, H) that of
all further tokens without a place (distillation, registers, detection tokens), each absent without such tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.attributions.attribution import KIND
from models.features import attention
from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """Whose attention to show, and how to combine blocks and heads."""

    block: int = param(-1, "Block", "Counted from 0; -1 is the rollout through all of them.", low=-1, high=999, step=1)
    head: int = param(-1, "Head", "Counted from 0; -1 is the mean of all.", low=-1, high=999, step=1)
    query: int = param(
        -1,
        "Query",
        "The patch that attends, counted row by row from 0; -1 is the class token, or the mean of all without one.",
        low=-1,
        high=65535,
        step=1,
    )
    discard: float = param(
        0.0, "Discard", "The share of the weakest attention that a rollout leaves out.", high=0.95, step=0.05
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the attention of one query. Raises Refusal for a block, head or patch that does not exist."""
    subject = model.subject(pixels, stages)
    found = attention.seen(subject, stages)
    (rows, columns), extra, heads = found.layout.grid, found.extra, found.heads
    for name, value, count in (
        ("block", params.block, len(found.modules)),
        ("head", params.head, heads),
        ("query", params.query, rows * columns),
    ):
        if value >= count:
            raise Refusal(f"There is no {name} {value}.", advice=f"They go from 0 to {count - 1}.")
    token = _token(params.query, found)

    def roll() -> Tensor:
        return attention.rolled(found, params.discard, lambda part: stages.progress(part, "rollout"))

    every = torch.stack([found.weights(block, token).mean(1) for block in range(len(found.modules))])
    rolled = stages.run("rollout", roll, subject.key, round(params.discard, 6))[token].mean(0)

    def grid(values: Tensor) -> np.ndarray:
        return np.ascontiguousarray(found.grid(values).float().cpu().numpy())

    chosen = every[params.block]
    asked = chosen.mean(0) if params.head < 0 else chosen[params.head]
    asked = rolled if params.block < 0 else asked
    arrays = {
        "map": grid(asked),
        "heads": grid(chosen),
        "blocks": grid(every.mean(1)),
        "all": grid(every),
        "rollout": grid(rolled),
        "entropy": _entropy(every),
    }
    skipped = found.has_class_token
    if skipped:
        arrays["to_class"] = every[..., 0].float().cpu().numpy()
    if others := extra[int(skipped) :]:
        arrays["to_others"] = every[..., others].sum(-1).float().cpu().numpy()
    if (learned := attention.position_embedding(subject.net, found)) is not None:
        arrays["position"] = _similar(*learned, params.query, rows * columns).reshape(rows, columns)
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise Refusal("The attention came out with NaN or infinite values.", advice="Look at the weights.")
    meta = {
        "kind": KIND,
        "signed": False,
        "blocks": found.paths,
        "heads": heads,
        "grid": (rows, columns),
        "class_token": skipped,
        "others": len(others),
        "block": params.block,
        "head": params.head,
        "query": params.query,
        "to_class": float(asked[0]) if skipped else None,
        "rollout_to_class": float(rolled[0]) if skipped else None,
        "extent": subject.extent,
    }
    return Result(arrays, meta)


def _token(query: int, found: attention.Seen) -> slice:
    """Return the rows of a query: one patch, the class token, or all patches if there is no class token."""
    first = found.layout.before
    if query >= 0:
        return slice(query + first, query + first + 1)
    places = found.layout.grid[0] * found.layout.grid[1]
    return slice(0, 1) if first else slice(first, first + places)


def _similar(places: Tensor, first: int, query: int, count: int) -> np.ndarray:
    """Return the cosine similarity (count,) of the patches' positions to that of the query."""
    patches = places[first : first + count]
    asked = patches[query] if query >= 0 else places[0] if first else patches.mean(0)
    return functional.cosine_similarity(asked[None], patches).cpu().numpy()


def _entropy(every: Tensor) -> np.ndarray:
    return -(every * every.clamp(min=1e-30).log2()).sum(-1).float().cpu().numpy()


def _lacks(model: Any) -> Mapping[str, str]:
    if attention.attends(model.net):
        return {}
    return {"": f"{model.card.name} has no attention over the whole picture: this is for vision transformers."}


INSPECTION = Inspection(
    id="attention",
    title="Attention",
    help="Where the tokens of a vision transformer look. It shows what is read, which need not be what decides.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=_lacks,
)
