"""Finds adapters and inspections by walking their packages, and opens a model by name or file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from models import adapters, architectures, assume, attributions, cards, inspections, weights
from models.attribution import Attribution
from models.capabilities import CAPABILITIES
from models.cards import Card
from models.files import sha256
from models.inspection import Description, Inspection
from models.networks import guess
from models.types import Refusal
from models.zoo.open import open_zoo


@cache
def adapter_classes() -> tuple[Any, ...]:
    """Return the adapter classes."""
    return tuple(module.ADAPTER for module in _walk(adapters))


@cache
def all_attributions() -> dict[str, Attribution]:
    """Return the attribution methods by id."""
    methods: list[Attribution] = [module.attribute for module in _walk(attributions)]
    return {method.id: method for method in methods}


@cache
def all_inspections() -> dict[str, Inspection]:
    """Return the inspections by id, the attribution methods among them."""
    found = [module.INSPECTION for module in _walk(inspections)]
    found += [method.inspection for method in all_attributions().values()]
    return {inspection.id: inspection for inspection in found}


def adapt(net: torch.nn.Module, card: Card) -> Any:
    """Return the adapter for a network. Raises Refusal when no family matches."""
    for candidate in adapter_classes():
        if candidate.match(net):
            return candidate(net, card)
    raise Refusal(f"No adapter knows {type(net).__name__} networks.", advice="Add a file to models/adapters/.")


def open_model(name: str) -> Any:
    """Open a bundled model by name, or a weights file by path, with frozen parameters, in evaluation mode.

    What a file's tensors leave open is assumed; another choice follows its path: `FILE?activation=leaky_relu`.
    The name of one of torchvision's architectures opens it with random weights, for its anchors are real.
    Raises Refusal saying which names there are, or what is wrong with the file.
    """
    base, assumed = assume.split(name)
    net, card = _opened(base, assumed)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return adapt(net.eval().to(device), card)


def _opened(base: str, assumed: Mapping[str, str]) -> tuple[torch.nn.Module, Card]:
    if cards.is_zoo(base):
        assume.check(assumed, {}, name=base)
        return open_zoo(base)
    card = _card(base)
    return _untrained(card) if card.weights is None else _loaded(card, card.weights, assumed)


def _untrained(card: Card) -> tuple[torch.nn.Module, Card]:
    if card.architecture in cards.CLASSIFIERS:
        about = architectures.classifier_about(card.architecture)
        names = about.pop("classes")
        net = architectures.untrained(card.architecture, classes=len(names))
        return net, replace(card, classes=names, about={**card.about, **about})
    person = card.architecture == architectures.KEYPOINTS
    names = architectures.PERSON if person else architectures.COCO
    return architectures.untrained(card.architecture, classes=len(names)), replace(card, classes=names)


def _loaded(card: Card, file: Path, assumed: Mapping[str, str]) -> tuple[torch.nn.Module, Card]:
    state = _read(file)
    architecture = card.architecture
    if not architecture and (found := guess.propose(state, file, assumed, _read)) is not None:
        net, about = found
        named = replace(card, title=card.name, task=about["task"], architecture=about["architecture"], about=about)
        return net, replace(named, sha256=sha256(file))
    assume.check(assumed, {}, name=card.name)
    classes = len(card.classes)
    if not architecture:
        architecture, classes = architectures.recognise(state)
        names = architectures.class_names(architecture, classes)
        about: dict[str, Any] = {"architecture": architecture, "note": "Recognised by its tensors."}
        if architecture in cards.CLASSIFIERS:
            about |= {"preprocessing": architectures.classifier_about(architecture)["preprocessing"]}
        task = architectures.task(architecture)
        card = replace(card, title=card.name, task=task, architecture=architecture, classes=names, about=about)
    with architectures.unfilled():
        net = architectures.build(architecture, classes=classes, points=architectures.points_in(state))
    weights.fits({k: tuple(v.shape) for k, v in net.state_dict().items()}, state, name=card.name)
    net.load_state_dict(state)
    architectures.set_frozen_eps(net, architecture, state)
    return net, replace(card, sha256=sha256(file))


def _read(file: Path) -> dict[str, torch.Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in weights.read(file).items()}


def describe(model: Any) -> Description:
    """Return what the window needs to know of an opened model."""
    generates = CAPABILITIES["Generates"]
    about = dict(model.card.about)
    if isinstance(model, generates):
        about |= {"latent": model.space.plain, "shape": model.shape}
    return Description(
        name=model.card.name,
        title=model.card.title,
        family=type(model.net).__name__,
        classes=model.card.classes,
        capabilities=tuple(name for name, kind in CAPABILITIES.items() if isinstance(model, kind)),
        stages={k: v.format(name=model.card.name) for k, v in model.stages.items()},
        offers={i.id: i.offer(model) for i in all_inspections().values()},
        device=str(next(model.net.parameters()).device),
        sha256=model.card.sha256,
        about=about,
    )


def _card(name: str) -> Card:
    known = cards.bundled()
    if name in known:
        return known[name]
    if name in cards.UNTRAINED:
        return cards.untrained(name)
    path = Path(name)
    if path.suffix or path.exists():
        return cards.beside(path) or Card(path.name, weights=path)
    raise Refusal(
        f"There is no model {name!r}.",
        advice=f"Bundled: {', '.join(known)}; or give a weights file, "
        f"or an architecture: {', '.join(cards.UNTRAINED)}.",
    )


def _walk(package: ModuleType) -> list[ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]
