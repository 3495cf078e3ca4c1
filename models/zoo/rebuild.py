"""Builds the architecture of the zoo that somebody's own weights belong to, told by their tensors. Reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from models import architectures, assume, cards, weights
from models.cards import Card
from models.types import Refusal
from models.zoo import open as opening
from models.zoo import recognise

ARCHITECTURE = {"title": "Architecture", "help": "These have the same tensors; what they do with them differs."}


def rebuild(
    card: Card, state: Mapping[str, Tensor], given: Mapping[str, str]
) -> tuple[nn.Module, Card, dict[str, dict[str, Any]]] | None:
    """Return the network that a state dict belongs to with its tensors, its card, and what is assumed of it.

    None where the zoo has no such network. Raises Refusal where timm is needed and missing, and for tensors that do
    not fit after all.
    """
    found = recognise.candidates({name: tuple(tensor.shape) for name, tensor in state.items()})
    if not found:
        return None
    names = [candidate.name for candidate in found]
    offered: dict[str, dict[str, Any]] = (
        {"architecture": {**ARCHITECTURE, "choices": tuple(names)}} if len(names) > 1 else {}
    )
    wanted = given.get("architecture", names[0])
    chosen = next((candidate for candidate in found if candidate.name == wanted), None)
    if chosen is None:
        assume.check(given, offered, name=card.name)
        raise AssertionError(wanted)
    library, _, architecture = chosen.name.rpartition(":")
    with architectures.unfilled():
        auxiliary = any(name.startswith("aux_classifier.") for name in state)
        net, about = (
            _timm(architecture, chosen.classes)
            if library
            else _torchvision(architecture, chosen.classes, auxiliary=auxiliary)
        )
    weights.load(net, state, name=card.name)
    classes = tuple(about.pop("classes"))
    about |= {"note": f"Recognised by its tensors{': ' + library if library else ''}."}
    made = cards.recognised(card, architecture=architecture, task=about.pop("task"), classes=classes, about=about)
    return net, made, offered


def _torchvision(name: str, classes: int, *, auxiliary: bool) -> tuple[nn.Module, dict[str, Any]]:
    from torchvision.models import get_model, get_model_builder, get_model_weights

    builder: Any = get_model_builder(name)
    segmenter = "segmentation" in builder.__module__
    more = {"weights_backbone": None, "aux_loss": auxiliary} if segmenter else {}
    net = get_model(name, weights=None, **({"num_classes": classes} if classes else {}), **more)
    kinds: Any = get_model_weights(name)
    published = kinds.DEFAULT
    names = tuple(published.meta["categories"])
    if classes and len(names) != classes:
        names = tuple(f"class {i}" for i in range(classes))
    task = "segmentation" if segmenter else "classification"
    return net, {"classes": names, "task": task, "preprocessing": architectures.preset(published)}


def _timm(name: str, classes: int) -> tuple[nn.Module, dict[str, Any]]:
    try:
        import timm
    except ImportError as error:
        text = f"These weights belong to timm's {name}, and timm is not installed."
        raise Refusal(text, advice=opening.NO_TIMM) from error
    net = timm.create_model(name, pretrained=False, num_classes=classes)
    return net, {**opening.timm_about(net), "task": "classification"}
