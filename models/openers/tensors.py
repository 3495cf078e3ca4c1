"""Opens weights: bundled ones by name, any file by path. The network is known from a card, else from the tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models import files, model_name
from models.cards import card as cards
from models.cards.card import Card
from models.families.description import describe
from models.families.likeness import names_like
from models.families.weights_only import WeightsOnly, holds_layers
from models.loading import (
    architectures,
    checkpoint,
    companion_files,
    heads,
    likeness,
    plain_generators,
    preprocess_presets,
    rebuilt_networks,
    weights,
    whole_networks,
)
from models.loading.opened_model import Opened
from models.loading.preprocess import Preprocess
from models.runtime.context import Context
from models.types import Refusal
from models.user_code import networks
from models.zoo import rebuild

ARCHITECTURE = "architecture"
UNKNOWN = "Vitrine knows no network with these tensors, so nothing is found in pictures yet; its filters can be seen."


def match(base: str) -> bool:
    """Return whether this names bundled weights or a file that may hold weights."""
    if base in cards.bundled():
        return True
    return Path(base).suffix.lower() in files.WEIGHTS_SUFFIXES and not files.is_program(Path(base))


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the network with its weights.

    What a file's tensors leave open is assumed; another choice is added to its path: `FILE?activation=leaky_relu`.
    Tensors of no known network are opened as weights alone. Raises Refusal when the file cannot be read safely, or
    does not fit the network that its card names.
    """
    card = cards.bundled().get(base) or cards.of_file(Path(base))
    file = card.weights
    assert file is not None
    with context.stage("read weights"):
        found, pickled = _read_sets(file)
    given = dict(assumed)
    entry, scores = given.pop("entry", ""), {}
    parts = given.pop(companion_files.KEY, companion_files.TOGETHER)
    whole, beside = ({}, ()) if entry or card.architecture else companion_files.joined(found, file)
    if beside and parts == companion_files.ALONE:
        whole = {}
    found = {"state_dict": whole} if whole else found
    state = _widened(whole or checkpoint.plain(checkpoint.chosen(found, entry, file.name)))
    if not card.architecture and (served := networks.of_weights(state, card, str(file))) is not None:
        return replace(served, card=replace(served.card, sha256=files.sha256(file)))
    # What the network's adapter offers, rather than what the tensors leave open.
    scores = {key: given.pop(key) for key in (heads.KEY, "direction") if key in given}
    try:
        net, card = _network_or_parts(card, state, file, given)
    except architectures.UnknownWeights as unknown:
        networks.waiting(file.name)
        if given.keys() == {ARCHITECTURE}:
            net, card = likeness.chosen(card, state, given[ARCHITECTURE])
        elif given or not holds_layers(state):
            raise
        else:
            net, card = _weights_only(card, state, unknown)
    if pickled:
        note = " ".join(filter(None, (pickled, str(card.about.get("note", "")))))
        card = replace(card, about={**card.about, "note": note})
    if len(found) > 1:
        offered = {"entry": {**checkpoint.ENTRY, "choices": tuple(found), "value": entry or next(iter(found))}}
        card = replace(card, about={**card.about, "assumptions": {**card.about.get("assumptions", {}), **offered}})
    if beside:
        offered = {companion_files.KEY: {**companion_files.OFFERED, "value": parts}}
        card = replace(card, about={**card.about, "assumptions": {**card.about.get("assumptions", {}), **offered}})
    card = replace(card, sha256=files.sha256(file))
    return Opened(net, card, (cards.place(file), cards.own_place(file), *beside), assumed=scores)


def _read_sets(file: Path) -> tuple[dict[str, dict[str, torch.Tensor]], str]:
    """Return the state dicts in a file, and a sentence on it if it asks for code, of which nothing is run."""
    try:
        return weights.sets(file), ""
    except Refusal as refusal:
        if not weights.asks_for_code(refusal) or (held := whole_networks.read(file)) is None:
            raise
        return held.sets, held.note


def _weights_only(card: Card, state: Mapping[str, torch.Tensor], refusal: Refusal) -> tuple[torch.nn.Module, Card]:
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    nearest = str(refusal).partition(" The nearest is ")[2]
    like = names_like(shapes)
    note = " ".join(
        filter(None, (UNKNOWN, describe(shapes), like, f"The nearest known is {nearest}" if nearest else ""))
    )
    about: dict[str, Any] = {
        "note": note,
        "unknown": True,
        "alike": likeness.ranked(state),
        "differences": refusal.details,
    }
    made = cards.recognised(card, architecture="unknown", task="weights", about=about)
    return WeightsOnly(state), made


def _network_or_parts(
    card: Card, state: Mapping[str, torch.Tensor], file: Path, given: Mapping[str, str]
) -> tuple[torch.nn.Module, Card]:
    """Return the network of the tensors; if none is known, that of their names without a toolbox's parts.

    A published network whose tensors are all there, but under a toolbox's parts, is taken for itself first.
    """
    parts = None if card.architecture or given.keys() == {ARCHITECTURE} else checkpoint.without_parts(state)
    if parts is not None and _published(parts) and (whole := _of_parts(card, state, file, given)) is not None:
        return whole
    try:
        return _network(card, state, file, given)
    except architectures.UnknownWeights:
        if given.keys() == {ARCHITECTURE}:
            raise
        joined = _of_parts(card, state, file, given) or _held(card, state, file, given)
        if joined is None:
            raise
        return joined


def _published(state: Mapping[str, torch.Tensor]) -> bool:
    """Return whether tensors are those of a network that is known by name."""
    try:
        architectures.recognise(state)
    except Refusal:
        return False
    return True


def _held(
    card: Card, state: Mapping[str, torch.Tensor], file: Path, given: Mapping[str, str]
) -> tuple[torch.nn.Module, Card] | None:
    """Return the network of tensors that all lie in one attribute of somebody's network, None if none is known."""
    inner = checkpoint.without_holder(state)
    if inner is None:
        return None
    try:
        return _network(card, inner, file, given)
    except architectures.UnknownWeights:
        return _held(card, inner, file, given)


def _named(card: Card, file: Path) -> Card:
    """Return a card with the names that a file states for as many classes as the network has."""
    if not card.classes or card.task not in ("classification", "segmentation"):
        return card
    stated = weights.stated_classes(file)
    if len(stated) != len(card.classes):
        return card
    note = f"{card.about.get('note', '')} The names of its classes are those in the file.".strip()
    return replace(card, classes=stated, about={**card.about, "note": note})


def _of_parts(
    card: Card, state: Mapping[str, torch.Tensor], file: Path, given: Mapping[str, str]
) -> tuple[torch.nn.Module, Card] | None:
    """Return the network of tensors whose names begin with a toolbox's parts, None if none is known."""
    whole = checkpoint.without_parts(state)
    if whole is None:
        return None
    try:
        net, found = _network(card, whole, file, given)
    except Refusal:
        return None
    note = f"{found.about.get('note', '')} Its parts (backbone, head) are joined.".strip()
    return net, replace(found, about={**found.about, "note": note})


def _network(
    card: Card, state: Mapping[str, torch.Tensor], file: Path, given: Mapping[str, str]
) -> tuple[torch.nn.Module, Card]:
    architecture, classes, named = card.architecture, len(card.classes), bool(card.classes)
    if architecture:
        model_name.check(given, {}, name=card.name)
        return _built(architecture, classes, state, card.name), card
    beside = card.about
    if (proposed := plain_generators.propose(state, file, given, _read)) is not None:
        net, about = proposed
        return net, cards.recognised(card, architecture=about["architecture"], task=about["task"], about=about)
    net, card, offered = _recognised(card, state, given)
    own_eps = "eps" in offered
    offered |= {} if own_eps else architectures.normalisation(net)
    if card.task == "classification" and "preprocessing" not in beside and "input" not in offered:
        published = card.about["preprocessing"]
        made, more = preprocess_presets.assumed(Preprocess.of(published), given)
        offered |= more
        card = replace(card, about={**card.about, "preprocessing": made.about})
    assumed = model_name.check(given, offered, name=card.name)
    if "eps" in given and not own_eps:
        architectures.set_eps(net, float(given["eps"]))
    items = {key: {**item, "value": assumed[key]} for key, item in offered.items()}
    card = replace(card, about={**card.about, "assumptions": items})
    return net, card if named else _named(card, file)


def _recognised(
    card: Card, state: Mapping[str, torch.Tensor], given: Mapping[str, str]
) -> tuple[torch.nn.Module, Card, dict[str, dict[str, Any]]]:
    """Return the network the tensors fit (ours, torchvision's, timm's, a family's), its card and the assumptions."""
    try:
        architecture, classes = architectures.recognise(state, file=card.name)
    except Refusal:
        try:
            found = rebuild.rebuild(card, state, given)
        except Refusal:  # of the zoo but for its head, for instance: a family may have it whole
            if (found := rebuilt_networks.rebuild(card, state, given)) is None:
                raise
        if (found := found or rebuilt_networks.rebuild(card, state, given)) is None:
            raise
        return found
    net = _built(architecture, classes, state, card.name)
    about: dict[str, Any] = {"note": "Recognised by its tensors."}
    if (task := architectures.task(architecture)) in ("classification", "segmentation"):
        about |= {"preprocessing": _preprocessing(architecture)}
    names = architectures.class_names(architecture, classes)
    return net, cards.recognised(card, architecture=architecture, task=task, classes=names, about=about), {}


def _preprocessing(architecture: str) -> dict[str, Any]:
    """Return the preprocessing of a classifier: that of torchvision's published weights, or of our own bundled ones."""
    if architecture in (*cards.CLASSIFIERS, *cards.SEGMENTERS):
        return architectures.classifier_about(architecture)["preprocessing"]
    own = next(card for card in cards.bundled().values() if card.architecture == architecture)
    return dict(own.about["preprocessing"])


def _built(architecture: str, classes: int, state: Mapping[str, torch.Tensor], name: str) -> torch.nn.Module:
    with architectures.unfilled():
        net = architectures.build(architecture, classes=classes, points=architectures.points_in(state))
    weights.load(net, state, name=name)
    architectures.set_frozen_eps(net, architecture, state)
    return net


def _read(file: Path) -> dict[str, torch.Tensor]:
    return _widened(weights.read(file))


def _widened(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
