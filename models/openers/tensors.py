"""Opens weights: bundled ones by name, anybody's by path. What they are is told by a card, else by their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models import architectures, assume, cards, files, weights
from models.cards import Card
from models.context import Context
from models.networks import guess
from models.opened import Opened


def match(base: str) -> bool:
    """Tell whether this names bundled weights or a file that may hold weights."""
    if base in cards.bundled():
        return True
    return Path(base).suffix.lower() in files.WEIGHTS_SUFFIXES and not files.is_program(Path(base))


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the network with its weights.

    What a file's tensors leave open is assumed; another choice follows its path: `FILE?activation=leaky_relu`.
    Raises Refusal when the file cannot be read safely, or belongs to no network that is known.
    """
    card = cards.bundled().get(base) or cards.of_file(Path(base))
    file = card.weights
    assert file is not None
    with context.stage("read weights"):
        state = _read(file)
    net, card = _network(card, state, file, assumed)
    return Opened(net, replace(card, sha256=files.sha256(file)), (cards.place(file),))


def _network(
    card: Card, state: Mapping[str, torch.Tensor], file: Path, assumed: Mapping[str, str]
) -> tuple[torch.nn.Module, Card]:
    architecture, classes = card.architecture, len(card.classes)
    if not architecture and (found := guess.propose(state, file, assumed, _read)) is not None:
        net, about = found
        return net, cards.recognised(card, architecture=about["architecture"], task=about["task"], about=about)
    assume.check(assumed, {}, name=card.name)
    if not architecture:
        architecture, classes = architectures.recognise(state)
        about: dict[str, Any] = {"note": "Recognised by its tensors."}
        if architecture in cards.CLASSIFIERS:
            about |= {"preprocessing": architectures.classifier_about(architecture)["preprocessing"]}
        names = architectures.class_names(architecture, classes)
        task = architectures.task(architecture)
        card = cards.recognised(card, architecture=architecture, task=task, classes=names, about=about)
    with architectures.unfilled():
        net = architectures.build(architecture, classes=classes, points=architectures.points_in(state))
    weights.fits({k: tuple(v.shape) for k, v in net.state_dict().items()}, state, name=card.name)
    net.load_state_dict(state)
    architectures.set_frozen_eps(net, architecture, state)
    return net, card


def _read(file: Path) -> dict[str, torch.Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in weights.read(file).items()}
