"""Find adapters, inspections and openers by walking their packages; open a model by name or file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from models import adapters, inspections, model_name, openers
from models.attributions import methods
from models.attributions.attribution import Attribution
from models.capabilities import CAPABILITIES
from models.cards import card as cards
from models.cards.card import Card
from models.engine import stated_assumptions as stated
from models.exported.operation_budget import Budget
from models.files import MODEL_SUFFIXES
from models.inspection import Description, Inspection
from models.loading import architectures, pass_behaviour, probe_network
from models.loading.opened_model import Elsewhere, Opened
from models.runtime import device, failures, sandbox
from models.runtime.context import Context
from models.types import Cancelled, Refusal


@cache
def adapter_classes() -> tuple[Any, ...]:
    """Return the adapter classes."""
    return tuple(module.ADAPTER for module in _walk(adapters))


@cache
def all_attributions() -> dict[str, Attribution]:
    """Return the attribution methods by id."""
    found: list[Attribution] = [module.attribute for module in _walk(methods)]
    return {method.id: method for method in found}


@cache
def all_inspections() -> dict[str, Inspection]:
    """Return the inspections by id, including the attribution methods."""
    found = [module.INSPECTION for module in _walk(inspections)]
    found += [method.inspection for method in all_attributions().values()]
    return {inspection.id: inspection for inspection in found}


def adapt(net: torch.nn.Module, card: Card, assumed: Mapping[str, str] | None = None, preparation: Any = None) -> Any:
    """Return the adapter for a network: its family's, otherwise a general one chosen by running the network.

    A general adapter names the kind of output it handles in `serves`. For networks that are not entirely of a known
    family, also find out how their passes behave. Raises Refusal for a network that no image runs through, and for
    assumptions that are not offered.
    """
    own, rest = pass_behaviour.taken(assumed or {})
    nameless = not card.classes
    card = replace(card, classes=architectures.names_for(net)) if nameless else card
    general = {kind.serves: kind for kind in adapter_classes() if hasattr(kind, "serves")}
    for candidate in adapter_classes():
        if candidate not in general.values() and candidate.match(net):
            if nameless and hasattr(candidate, "class_names"):
                card = replace(card, classes=candidate.class_names(net))
            if hasattr(candidate, "assuming"):
                if "code" in card.about:  # the user's code may have replaced the head, so run the network to find out
                    continue
                return pass_behaviour.settle(candidate.assuming(net, card, rest), own)
            model_name.check(rest, {}, name=card.name)
            made = candidate(net, card) if preparation is None else candidate(net, card, preparation)
            return pass_behaviour.settle(made, own)
    with pass_behaviour.kept(net):
        found, card = probe_network.examine(net, card, rest)
    return pass_behaviour.settle(general[found.serves](net, card, found), own)


@cache
def all_openers() -> tuple[ModuleType, ...]:
    """Return the modules that open models, each with `match` and `open_model`."""
    return tuple(_walk(openers))


def open_model(name: str, context: Context | None = None) -> Any:
    """Open a model by its full name and return its adapter; see `opened`."""
    return opened(name, context)[0]


def opened(name: str, context: Context | None = None) -> tuple[Any, Opened]:
    """Open a model by its full name; return its adapter and what it was made from.

    The network gets frozen parameters and evaluation mode, on the device and in the precision that the name requests.
    A name is that of a bundled model or of an architecture without weights, or the path of a file. What a file leaves
    open is assumed; another choice is appended: `FILE?activation=leaky_relu&precision=bfloat16`. Raises Refusal that
    lists the known names, or says what is wrong with the file.
    """
    base, given = model_name.split(name)
    place, assumed = device.take(given)
    try:
        opener = next((each for each in all_openers() if each.match(base)), None)
        if opener is None:
            raise _unknown(base)
        return _opened(opener, base, assumed, place, context or Context())
    except Refusal as refusal:
        if refusal.offer[:1] == ("assume",):  # turn the offered assumption into the full name of a model
            _, key, value, words = refusal.offer
            refusal.offer = ("model", model_name.join(base, {**given, key: value}), words)
        raise
    except Cancelled:
        raise
    except Exception as error:
        if failures.out_of_memory(error):
            raise  # the engine reports it with the available memory
        # The file's reader failed on something unknown: a sentence for the user, the traceback for the log.
        raise failures.unreadable(name, error) from error


def _opened(
    opener: ModuleType, base: str, assumed: Mapping[str, str], place: device.Runtime, context: Context
) -> tuple[Any, Opened]:
    opened = opener.open_model(base, assumed, context)
    found: Opened = _elsewhere(opened, assumed, context) if isinstance(opened, Elsewhere) else opened
    for parameter in found.net.parameters():
        parameter.requires_grad_(False)
    net = found.net.eval().to(place.device)
    card = replace(found.card, about={**found.card.about, "runtime": place.about, "parameters": _count(net)})
    if found.adapter:
        own, _ = pass_behaviour.taken(found.assumed)
        return pass_behaviour.settle(found.adapter(net, card), own), found
    with Budget(found.measured, name=card.name, check=context.check) if found.measured else nullcontext():
        own_adapt = partial(adapt, preparation=found.preparation)
        return stated.adapted(own_adapt, net, card, found.assumed), found


def _elsewhere(named: Elsewhere, given: Mapping[str, str], context: Context) -> Opened:
    """Open the model that an adapter file names, with what the file says of it. Raises Refusal."""
    base, own = model_name.split(named.name)
    opener = next((each for each in all_openers() if each.match(base)), None)
    if opener is None:
        raise _unknown(base)
    assumed = {**own, **given}
    found = opener.open_model(base, assumed, context)
    if isinstance(found, Elsewhere):
        raise Refusal(f"{Path(base).name} names another file itself.", advice="Name the file of the model.")
    about = {**found.card.about, stated.KEY: {**found.card.about.get(stated.KEY, {}), **named.assume}}
    about["read by"] = str(named.files[0])
    title, classes = named.title or found.card.title, named.classes or found.card.classes
    card = replace(found.card, title=title, classes=classes, about=about)
    return replace(found, card=card, files=(*found.files, *named.files))


def _channels(net: torch.nn.Module) -> int:
    """Return how many channels the first convolution of a network takes, 0 if it has none."""
    return next((part.in_channels for part in net.modules() if isinstance(part, torch.nn.Conv2d)), 0)


def _count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def _unknown(base: str) -> Refusal:
    if cards.is_file(base):
        suffixes = ", ".join(sorted(MODEL_SUFFIXES))
        return Refusal(f"{Path(base).name} is not a file that holds a model.", advice=f"Choose one of {suffixes}.")
    return Refusal(
        f"There is no model {base!r}.",
        advice=f"Bundled: {', '.join(cards.bundled())}; or give a model's file, "
        f"or an architecture: {', '.join(cards.UNTRAINED)}.",
    )


def describe(model: Any) -> Description:
    """Return what the window needs to know about an opened model."""
    generates = CAPABILITIES["Generates"]
    about = {**model.card.about, "confinement": sandbox.current().text}
    if (channels := _channels(model.net)) == 1:
        about.setdefault("channels", channels)
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
        device=str(about.get("runtime", {}).get("device", "cpu")),
        sha256=model.card.sha256,
        about=about,
    )


def _walk(package: ModuleType) -> list[ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg]
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]
