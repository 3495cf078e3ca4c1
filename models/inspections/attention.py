"""Attention: where the tokens of a vision transformer attend, per block and head, and rolled out over all blocks.

Arrays of the Result, over the grid (h, w) of patches and for one query, the class token or a patch: `map` (h, w) the
requested one; `heads` (H, h, w) of the requested block, of the last block for a rollout; `blocks` (B, h, w) each
block's mean over heads; `all` (B, H, h, w); `rollout` (h, w); `position` (h, w) the cosine similarity of the position
embeddings, absent where the network has none that are learned; `entropy` (B, H) of the query's attention, in bits. Rows
of attention sum to 1 over all tokens: `to_class` (B, H) is the share of the class token, absent without one.
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
    (rows, columns), skipped = found.layout.grid, int(found.has_class_token)
    heads = found.modules[0].num_heads
    for name, value, count in (
        ("block", params.block, len(found.modules)),
        ("head", params.head, heads),
        ("query", params.query, rows * columns),
    ):
        if value >= count:
            raise Refusal(f"There is no {name} {value}.", advice=f"They go from 0 to {count - 1}.")
    token = _token(params.query, skipped)

    def roll() -> Tensor:
        return attention.rolled(found, params.discard, lambda part: stages.progress(part, "rollout"))

    every = torch.stack(
        [
            attention.weights(module, tokens, token).mean(1)
            for module, tokens in zip(found.modules, found.tokens, strict=True)
        ]
    )
    rolled = stages.run("rollout", roll, subject.key, round(params.discard, 6))[token].mean(0)

    def grid(values: Tensor) -> np.ndarray:
        flat = values[..., skipped:]
        return np.ascontiguousarray(flat.reshape(*flat.shape[:-1], rows, columns).float().cpu().numpy())

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
    if skipped:
        arrays["to_class"] = every[..., 0].float().cpu().numpy()
    places = attention.position_embedding(subject.net, rows * columns + skipped)
    if places is not None:
        arrays["position"] = grid(functional.cosine_similarity(places[token].mean(0)[None], places))
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise Refusal("The attention came out with NaN or infinite values.", advice="Look at the weights.")
    meta = {
        "kind": KIND,
        "signed": False,
        "blocks": found.paths,
        "heads": heads,
        "grid": (rows, columns),
        "class_token": found.has_class_token,
        "block": params.block,
        "head": params.head,
        "query": params.query,
        "to_class": float(asked[0]) if skipped else None,
        "rollout_to_class": float(rolled[0]) if skipped else None,
        "extent": subject.extent,
    }
    return Result(arrays, meta)


def _token(query: int, skipped: int) -> slice:
    """Return the rows of a query: one patch, the class token, or all tokens if there is no class token."""
    if query >= 0:
        return slice(query + skipped, query + skipped + 1)
    return slice(0, 1) if skipped else slice(None)


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
