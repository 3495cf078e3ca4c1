"""Build the network that a family proposes for a state dict; let pictures decide what its tensors leave open."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from models import model_name
from models.cards.card import DIGITS, PHOTOS, Card, recognised
from models.families.find import find
from models.families.proposal import Proposal, grey
from models.families.statistics import clearly_closer, distances
from models.loading import architectures, backbones, preprocess_presets, weights
from models.loading.preprocess import FITS, ORDERS, Preprocess
from models.pictures import images

# Mean and spread of data sets that small networks are trained on, as published code has them.
DATA_SETS: dict[str, dict[str, Any]] = {
    "mnist": {"mean": (0.1307,) * 3, "std": (0.3081,) * 3},
    "fashion_mnist": {"mean": (0.2860,) * 3, "std": (0.3530,) * 3},
    "cifar10": {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)},
    "cifar10_pixels": {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2470, 0.2435, 0.2616)},
    "cifar100": {"mean": (0.5071, 0.4867, 0.4408), "std": (0.2675, 0.2565, 0.2761)},
}
TITLES = {
    "mnist": "MNIST's mean and spread",
    "fashion_mnist": "Fashion-MNIST's mean and spread",
    "cifar10": "CIFAR-10's mean, spread within pictures",
    "cifar10_pixels": "CIFAR-10's mean and spread",
    "cifar100": "CIFAR-100's mean and spread",
}
NAMES = {
    "title": "Class names",
    "help": "Names of the classes; the tensors hold only their number.",
    "titles": {"assumed": "those of the usual data set", "numbers": "numbers"},
}
DIGIT_CLASSES = tuple(str(digit) for digit in range(10))
INPUT_ORDER = "input order"
RIGHT, BETTER = 0.8, 0.15
ROUNDS = 5
MOST_SIDE = 320  # px of the pictures that decide
MOST_WORK = 40_000_000  # combinations times parameters
STEP = 0.05  # the least improvement, relative

State = Mapping[str, Tensor]
Rebuilt = tuple[nn.Module, Card, dict[str, dict[str, Any]]]


def rebuild(card: Card, state: State, given: Mapping[str, str]) -> Rebuilt | None:
    """Return the network that these tensors belong to, its card and the assumptions made; None if no family has them.

    Assumptions that pictures can decide are decided so, and the evidence is told. Raises Refusal for a choice that is
    not offered.
    """
    proposal = _proposed(state)
    if proposal is None:
        return None
    kept = proposal.renamed(state)
    offered = {name: dict(item) for name, item in proposal.offered.items()}
    evidence: list[str] = []
    ways = proposal.inputs
    if proposal.judged or (proposal.task == "classification" and proposal.compared):
        offered, right = _judged(proposal, kept, offered, given, evidence)
        ways = offered.pop(INPUT_ORDER, {}).get("choices", ways)
        if right >= RIGHT:
            proposal = replace(proposal, classes=DIGIT_CLASSES)
    own = {name: value for name, value in given.items() if name in offered}
    assumed = model_name.check(own, offered, name=card.name)
    net = _built(proposal, kept, assumed, card.name)
    note = f"Recognised by its tensors: {proposal.title}."
    about: dict[str, Any] = {"note": " ".join((note, *evidence)), **proposal.about, **proposal.stated(assumed)}
    classes = proposal.classes
    if proposal.task in ("classification", "segmentation") and {**card.about, **about}.keys() >= {"preprocessing"}:
        if "preprocessing" not in card.about:
            made, more = preprocess_presets.assumed(Preprocess.of(about["preprocessing"]), given)
            offered |= more
            about["preprocessing"] = made.about
    elif proposal.task == "classification":
        side = proposal.about.get("sides", {}).get(assumed.get("structure", assumed.get("smaller", "")), proposal.side)
        made, more = _inputs(ways, side, proposal.channels, given)
        offered |= more
        about["preprocessing"] = made.about
    about.pop("sides", None)
    named = bool(classes) and not classes[0].startswith("class ")
    if proposal.task == "classification" and named and not card.classes:
        offered["names"] = {**NAMES, "choices": ("assumed", "numbers")}
        if given.get("names") == "numbers":
            classes = tuple(f"class {number}" for number in range(len(classes)))
    made_card = recognised(card, architecture=proposal.title, task=proposal.task, classes=classes, about=about)
    return net, made_card, offered


def _proposed(state: State) -> Proposal | None:
    """Return what a family proposes for tensors, or what is a published classifier's body with another head."""
    if "layer1.0.conv1.weight" in state:  # a residual network not in a wrapper: its first layer may be changed
        return find(state) or backbones.propose(_shapes(state))
    return backbones.propose(_shapes(state)) or find(state)


def _shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _built(proposal: Proposal, state: State, assumed: Mapping[str, str], name: str) -> nn.Module:
    with architectures.unfilled():
        net = proposal.build(assumed)
    weights.load(net, state, name=name)
    return net.eval()


def _inputs(
    ways: Sequence[str], side: int, channels: int, given: Mapping[str, str]
) -> tuple[Preprocess, dict[str, dict[str, Any]]]:
    """Return the preprocessing of a small classifier, and the assumptions in it."""
    known = known_inputs(channels)
    offered: dict[str, dict[str, Any]] = {
        "input": {
            **preprocess_presets.INPUT,
            "choices": (*ways, *(name for name in known if name not in ways)),
            "titles": {**preprocess_presets.INPUT["titles"], **TITLES},
        },
        "fit": {**preprocess_presets.FIT, "choices": ("crop", *(fit for fit in FITS if fit not in ("crop", "whole")))},
    }
    if channels == 3:
        order = ORDERS[::-1] if given.get("input") in preprocess_presets.BGR else ORDERS
        offered["colours"] = {**preprocess_presets.COLOURS, "choices": order}
    chosen = model_name.check({k: v for k, v in given.items() if k in offered}, offered, name="This model")
    made = prepared(chosen["input"], side)
    return replace(made, fit=chosen["fit"], order=chosen.get("colours", "rgb")), offered


def known_inputs(channels: int) -> tuple[str, ...]:
    """Return the names of the ways in which values may be scaled, for grey pictures without those for colours."""
    presets = [name for name in preprocess_presets.PRESETS if channels == 3 or name not in preprocess_presets.COLOURED]
    own = [name for name in DATA_SETS if name.endswith("mnist") == (channels == 1)]
    return (*own, *presets)


def prepared(name: str, side: int) -> Preprocess:
    """Return the preprocessing with a known scaling of values, for pictures of `side` px."""
    fields = DATA_SETS.get(name) or preprocess_presets.PRESETS[name]
    resize = side if side < preprocess_presets.SMALL_PX else int(side * 256 / 224)
    return Preprocess(resize=resize, crop=side, **fields)


def _judged(
    proposal: Proposal,
    state: State,
    offered: dict[str, dict[str, Any]],
    given: Mapping[str, str],
    evidence: list[str],
) -> tuple[dict[str, dict[str, Any]], float]:
    """Return the assumptions, of which those that pictures decide have the best choice first; add the evidence.

    Where the usual choices do not fit, the one change that fits best is made, and again, up to ROUNDS times; for small
    networks all combinations but those of structures are tried before. Values scaled otherwise are tried too. The
    number is the share of bundled digits that are right.
    """
    sides = proposal.about.get("sides", {})
    current = {name: given.get(name, item["choices"][0]) for name, item in offered.items()}
    fixed = Preprocess.of(proposal.about["preprocessing"]) if "preprocessing" in proposal.about else None
    fixed = prepared("zero_one", proposal.side) if proposal.measure is not None else fixed
    current["input"] = "zero_one" if fixed else given.get("input", proposal.inputs[0])
    choices = {name: offered[name]["choices"] for name in proposal.judged if name not in given}
    if "input" not in given and fixed is None:
        choices["input"] = proposal.inputs
    measure = _measure(proposal)
    known: dict[tuple[str, ...], tuple[float, float]] = {}

    def tried(assumed: Mapping[str, str]) -> tuple[float, float]:
        key = tuple(assumed.values())
        if key not in known:
            rest = {name: value for name, value in assumed.items() if name != "input"}
            try:
                net = _built(proposal, state, {**rest}, "these weights")
                side = sides.get(rest.get("structure", ""), proposal.side)
                known[key] = measure(net, fixed or prepared(assumed["input"], side))
            except (RuntimeError, ValueError, KeyError):
                known[key] = (0.0, 1e6)
        return known[key]

    usual = dict(current)
    if current["input"] not in known_inputs(proposal.channels) or any(
        value not in offered[name]["choices"] for name, value in current.items() if name in offered
    ):
        return offered, 0.0  # refused where the choices are checked
    first = tried(current)
    doubtful = _doubtful(first, proposal.fits)
    rest = {name: options for name, options in choices.items() if name != "structure"}
    work = math.prod(map(len, rest.values())) * sum(tensor.numel() for tensor in state.values())
    if doubtful and work < MOST_WORK:
        ways = [dict(zip(rest, way, strict=True)) for way in itertools.product(*rest.values())]
        current = min(({**current, **way} for way in ways), key=lambda one: _rank(tried(one)))
    if doubtful and "input" in choices:
        current = min(({**current, "input": way} for way in choices["input"]), key=lambda one: _rank(tried(one)))
    if doubtful and proposal.measure is not None and "structure" in choices:
        # A wrong structure hides what else is right: each is tried with one other change.
        pairs = [{"structure": one} for one in choices["structure"]]
        pairs += [{**one, name: option} for one in pairs for name in rest for option in rest[name]]
        current = min([current, *({**usual, **pair} for pair in pairs)], key=lambda one: _rank(tried(one)))
    for _ in range(ROUNDS if doubtful else 0):
        others = [{**current, name: option} for name, options in choices.items() for option in options]
        best = min(others, key=lambda one: _rank(tried(one)), default=current)
        if _rank(tried(best)) >= _rank(tried(current)) * (1 - STEP):
            break
        current = best
    lost = proposal.measure is not None and tried(current)[1] > proposal.far
    if lost or not _clearly_better(tried(current), first):
        current = usual  # what is wrong under every choice tells nothing about them
    changed = current != usual
    if first[0] >= RIGHT or tried(current)[1] < float("inf"):
        evidence.append(_evidence_text(proposal, first, tried(current), changed=changed))
    result = {
        name: {**item, "choices": _leading(current[name], item["choices"])} if name in choices else item
        for name, item in offered.items()
    }
    ways = _leading(current["input"], proposal.inputs) if "input" in choices else proposal.inputs
    return {**result, INPUT_ORDER: {"choices": ways}}, tried(current)[0]


def _doubtful(measured: tuple[float, float], fits: float) -> bool:
    """Return whether pictures can decide, and say that the usual choices do not fit."""
    right, distance = measured
    return right < RIGHT and (distance > fits if distance < float("inf") else right > 0)


def _rank(measured: tuple[float, float]) -> float:
    """Return a number that is smaller the better a network does, above 0."""
    right, distance = measured
    if right >= RIGHT:
        return 1e-6 * (1.001 - right)
    return max(distance, 1e-5) if distance < float("inf") else 1.001 - right


def _leading(first: str, choices: Sequence[str]) -> tuple[str, ...]:
    return (first, *(choice for choice in choices if choice != first))


def _clearly_better(other: tuple[float, float], current: tuple[float, float]) -> bool:
    """Return whether a share of digits that were right, or a distance from the training's statistics, is better."""
    if other[0] >= RIGHT or current[0] >= RIGHT:
        return other[0] > current[0] + BETTER
    return clearly_closer(other[1], current[1])


def _evidence_text(
    proposal: Proposal, before: tuple[float, float], after: tuple[float, float], *, changed: bool
) -> str:
    """Return the evidence in a sentence."""
    if after[0] >= RIGHT:
        usual = f", with the usual choices {before[0]:.0%}" if changed else ""
        return f"Of ten bundled digits it tells {after[0]:.0%} right{usual}."
    usual = f" (with the usual choices {before[1]:.2g})" if changed else ""
    text = proposal.evidence.format(number=f"{after[1]:.2g}") + usual
    return (
        f"{text}: that is far, so something assumed here is probably wrong." if after[1] > proposal.far else f"{text}."
    )


def _measure(proposal: Proposal) -> Callable[[nn.Module, Preprocess], tuple[float, float]]:
    """Return a function that tells how well a network does on bundled pictures.

    It returns the share of the ten digits that are right (0 for networks of another kind), and the mean distance in
    nats of what reaches the normalisation layers from what they saw in training (infinite without any).
    """
    digits = proposal.channels == 1 and len(proposal.classes) == len(DIGIT_CLASSES)
    folder, kind = (DIGITS, "*.png") if proposal.channels == 1 else (PHOTOS, "*.jpg")
    pixels = [images.read(path).pixels for path in sorted(folder.glob(kind))]
    plain: dict[int, Tensor] = {}

    def measure(net: nn.Module, preprocess: Preprocess) -> tuple[float, float]:
        side = min(preprocess.size[0], MOST_SIDE)
        if side not in plain:
            unscaled = prepared("zero_one", side)
            plain[side] = torch.cat([unscaled.input(one, torch.device("cpu")) for one in pixels])
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (preprocess.mean, preprocess.std))
        inputs = plain[side].flip(1) if preprocess.order == "bgr" else plain[side]
        if proposal.measure is not None:
            with torch.inference_mode():
                return 0.0, proposal.measure(net, inputs)
        inputs = (inputs * preprocess.range - mean) / std
        inputs = grey(inputs) if proposal.channels == 1 else inputs
        with torch.inference_mode():
            scores, distance = distances(net, inputs)
        right = 0.0
        if digits and isinstance(scores, Tensor) and scores.shape == (len(DIGIT_CLASSES), len(DIGIT_CLASSES)):
            labels = torch.arange(len(DIGIT_CLASSES))
            right = float((scores.argmax(1) == labels).float().mean())
        return right, distance

    return measure
