"""Lazy layers, which learn the sizes of their weights from the first picture: that picture is given to them here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from models.cards.card import Card
from models.loading import wanted_inputs
from models.loading.preprocess import Preprocess
from models.loading.wanted_inputs import Size
from models.runtime.network_state import lazy
from models.types import Cancelled, Refusal

COLOURED, GREY = (224, 32, 64, 256), (28, 32, 64, 224)


def filled(net: nn.Module, card: Card, given: Mapping[str, str]) -> tuple[nn.Module, Card]:
    """Return a network without lazy layers, and its card, which says what size of picture decided theirs.

    Raises Refusal if the network runs on no picture.
    """
    if not any(lazy(tensor) for tensor in (*net.parameters(), *net.buffers())):
        for module in list(net.modules()):
            _learned(module)
        return net, card
    first = next((p for p in net.parameters() if lazy(p) or p.ndim == 4), None)
    channels = 3 if first is None or lazy(first) else int(first.shape[1])
    net = net.eval()
    for side in _sides(card, given) or [(s, s) for s in (GREY if channels == 1 else COLOURED)]:
        try:
            with torch.no_grad():
                net(torch.zeros(1, channels, *side))
        except (Refusal, Cancelled):
            raise
        except Exception:  # a network may raise anything for a size that is not its own
            continue
        if not any(lazy(tensor) for tensor in (*net.parameters(), *net.buffers())):
            note = f"Its lazy layers got their sizes from a picture of {side[1]} × {side[0]} px, and random weights."
            note = " ".join(filter(None, (str(card.about.get("note", "")), note)))
            return net, replace(card, about={**card.about, "note": note})
    raise Refusal(
        f"{card.name} has lazy layers, whose sizes are decided by the first picture, and none of the usual sizes runs.",
        advice="Say the size after its name, such as ?size=64x64, or name its weights with --weights: they tell it.",
    )


def _sides(card: Card, given: Mapping[str, str]) -> list[Size]:
    """Return the size (h, w) that the user or the card says, if one does."""
    if "size" in given:
        return [wanted_inputs.size_of(given["size"])]
    return [Preprocess.of(card.about["preprocessing"]).size] if "preprocessing" in card.about else []


def _learned(module: nn.Module) -> None:
    """Make a lazy layer whose weights were read from a file the plain layer that its first input would make of it."""
    if not isinstance(module, LazyModuleMixin):
        return
    weight, own = getattr(module, "weight", None), vars(module)
    for name, at in (("in_features", 1), ("in_channels", 1), ("num_features", 0)):
        if own.get(name) == 0 and isinstance(weight, torch.Tensor):
            own[name] = int(weight.shape[1 - at if "Transposed" in type(module).__name__ else at])
    for name in ("_initialize_hook", "_load_hook"):
        if name in own:
            own.pop(name).remove()
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
