"""Builds the published architecture that the tensors of a user's weights file belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from models import model_name
from models.cards import card as cards
from models.cards.card import Card
from models.loading import architectures, weights
from models.types import Refusal
from models.zoo import open_published as opening
from models.zoo import recognise

ARCHITECTURE = {"title": "Architecture", "help": "These have the same tensors; what they do with them differs."}


def rebuild(
    card: Card, state: Mapping[str, Tensor], given: Mapping[str, str]
) -> tuple[nn.Module, Card, dict[str, dict[str, Any]]] | None:
    """Return the network for a state dict with its tensors loaded, its card, and the assumptions made.

    Return None if the zoo has no such network. Raises Refusal if timm is needed but not installed, and if the tensors
    do not fit after all.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    # The classifiers of torchvision that `architectures.recognise` leaves out are ambiguous by their tensors.
    found = [candidate for candidate in recognise.candidates(shapes) if candidate.name not in cards.CLASSIFIERS]
    if not found:
        return None
    names = [candidate.name for candidate in found]
    offered: dict[str, dict[str, Any]] = (
        {"architecture": {**ARCHITECTURE, "choices": tuple(names)}} if len(names) > 1 else {}
    )
    wanted = given.get("architecture", names[0])
    chosen = next((candidate for candidate in found if candidate.name == wanted), None)
    if chosen is None:
        model_name.check(given, offered, name=card.name)
        raise AssertionError(wanted)
    library, _, architecture = chosen.name.rpartition(":")
    with architectures.unfilled():
        auxiliary = any(name.startswith("aux_classifier.") for name in state)
        net, about = (
            _timm(architecture, chosen.classes)
            if library
            else _segmenter(architecture, chosen.classes, auxiliary=auxiliary)
        )
    weights.load(net, state, name=card.name)
    classes = tuple(about.pop("classes"))
    about |= {"note": f"Recognised by its tensors{': ' + library if library else ''}."}
    made = cards.recognised(card, architecture=architecture, task=about.pop("task"), classes=classes, about=about)
    return net, made, offered


def _segmenter(name: str, classes: int, *, auxiliary: bool) -> tuple[nn.Module, dict[str, Any]]:
    from torchvision.models import get_model

    net = get_model(name, weights=None, weights_backbone=None, aux_loss=auxiliary, num_classes=classes)
    about = {"classes": architectures.class_names(name, classes), "task": "segmentation"}
    return net, {**about, "preprocessing": architectures.classifier_about(name)["preprocessing"]}


def _timm(name: str, classes: int) -> tuple[nn.Module, dict[str, Any]]:
    try:
        import timm
    except ImportError as error:
        text = f"These weights belong to timm's {name}, and timm is not installed."
        raise Refusal(text, advice=opening.NO_TIMM) from error
    net = timm.create_model(name, pretrained=False, num_classes=classes)
    return net, {**opening.timm_about(net), "task": "classification"}
