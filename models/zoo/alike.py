"""Published architectures that are like a state dict: of about as many parameters, with tensors of the same shapes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import torch
from torch import Tensor

from models.cards import zoo_catalogue

MOST, LARGEST = 16, 1.35  # architectures that are built, and how many times more or fewer parameters they may have
LEAST = 0.3
COUNTER = "num_batches_tracked"


def of_timm(state: Mapping[str, Tensor], check: Callable[[float], None]) -> dict[str, float]:
    """Return the share of a state dict's tensors by the full names of architectures, {} if timm is not installed.

    The networks are built without memory for their tensors. `check` is called with the part that is done.
    """
    try:
        import timm
    except ImportError:
        return {}
    given = Counter(tuple(t.shape) for name, t in state.items() if not name.endswith(COUNTER))
    classes = _classes(state)
    found = {}
    names = near(zoo_catalogue.TIMM, state)
    for at, name in enumerate(names):
        check(at / len(names))
        with suppress(Exception), torch.device("meta"):
            net = timm.create_model(name, pretrained=False, num_classes=classes or 1000)
            own = Counter(tuple(t.shape) for key, t in net.state_dict().items() if not key.endswith(COUNTER))
            share = sum((given & own).values()) / max(sum(given.values()), sum(own.values()))
            if share >= LEAST:
                found[f"{zoo_catalogue.TIMM}:{name}"] = share
    return found


def near(library: str, state: Mapping[str, Tensor]) -> list[str]:
    """Return a library's architectures whose number of parameters is nearest to a state dict's, one for each set."""
    count, classes = sum(t.numel() for t in state.values()), _classes(state)
    rows = zoo_catalogue.raw(library)["models"]
    apart: dict[str, float] = {}
    seen = set()
    for name, row in rows.items():
        whole = row.get("body", 0) + classes * row.get("per_class", 0)
        if whole and count and row.get("fingerprint") not in seen:
            ratio = abs(math.log(whole / count))
            if ratio <= math.log(LARGEST):
                seen.add(row.get("fingerprint"))
                apart[name] = ratio
    return sorted(apart, key=lambda name: (apart[name], name))[:MOST]


def _classes(state: Mapping[str, Tensor]) -> int:
    return next((t.shape[0] for t in reversed(list(state.values())) if t.ndim == 2), 0)
