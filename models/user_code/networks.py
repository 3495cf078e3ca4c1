"""Makes networks of what the user's code offers: what a function builds, what an adapter opens. It runs no file."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import files
from models.cards import card as cards
from models.cards.card import Card
from models.loading import weights
from models.loading.opened_model import Opened
from models.types import Refusal
from models.user_code import consent, helpers, imports, kept_adapters, run

State = Mapping[str, torch.Tensor]
Read = Callable[[], State | None]


def is_adapter(thing: Any) -> bool:
    """Tell whether this is a class that serves networks, and no network itself."""
    if not isinstance(thing, type) or issubclass(thing, nn.Module):
        return False
    return callable(getattr(thing, "build", None)) or callable(getattr(thing, "open", None))


def adapted(adapter: Any, file: Path, card: Card, *, named: str, read: Read) -> Opened:
    """Return an adapter's network with its weights: `open(weights)` gives it whole, else `build()` does without."""
    title = adapter.__name__
    if callable(getattr(adapter, "open", None)) and (named or not hasattr(adapter, "build")):
        with run.told(file, f"{title}.open"), run.among(file):
            net = run.network(adapter.open(named), f"{title}.open in {file.name}")
    else:
        net = built(adapter.build, f"{title}.build()", file, named=named, read=read, classes=len(card.classes))
    note = f"Served by {title} in {file.name}.{'' if named else ' Its weights are what the code gave them.'}"
    card = replace(
        card,
        name=Path(named).name if named else file.name,
        title=card.title if card.title not in ("", card.name) else getattr(adapter, "title", "") or title,
        classes=tuple(card.classes or map(str, getattr(adapter, "classes", ()))),
        about={"note": note, "code": str(file), "adapter": title, "architecture": type(net).__name__, **card.about},
    )
    serve: Callable[..., Any] = lambda net, card: _served(adapter, net, card, file)  # noqa: E731
    return Opened(net.float(), card, made_of(file, named), adapter=serve)


def made_of(file: Path, named: str) -> tuple[Path, ...]:
    """Return the files besides the weights that a network comes from: when one changes it is opened again."""
    return (file, *run.beside(), cards.place(Path(named) if named else file))


def _served(adapter: Any, net: nn.Module, card: Card, file: Path) -> Any:
    with run.told(file, adapter.__name__):
        made = adapter(net, card)
    for name in ("net", "card", "stages"):
        if not hasattr(made, name):
            text = f"{adapter.__name__} in {file.name} has no {name!r}."
            raise Refusal(text, advice="Derive it from vitrine.OneStage, or set net, card and stages.")
    return made


def built(build: Any, what: str, file: Path, *, named: str, read: Read, classes: str | int) -> nn.Module:
    """Return what a function builds, with its weights. It may ask for `num_classes`, and for `weights`, a path, which
    it then reads itself.
    """
    try:
        asks = inspect.signature(build).parameters
    except (TypeError, ValueError):
        asks = {}
    state = None if "weights" in asks else read()
    extra: dict[str, Any] = {}
    if "weights" in asks and (named or asks["weights"].default is inspect.Parameter.empty):
        if not named:
            raise Refusal(f"{what} in {file.name} asks for weights.", advice="Name their file with --weights.")
        extra["weights"] = named
    counted = _count(str(classes or ""), state, file)
    if "num_classes" in asks and (counted or asks["num_classes"].default is inspect.Parameter.empty):
        if not counted:
            text = f"{what} in {file.name} asks for num_classes."
            raise Refusal(text, advice=f"Say how many: --model '{file.name}:{what[:-2]}?num_classes=10'.")
        extra["num_classes"] = counted
    with run.told(file, what), run.among(file):
        net = run.network(build(**extra), f"{what[:-2]} in {file.name}")
    if state is not None:
        weights.load(net, state, name=Path(named).name)
    return net


def _count(given: str, state: State | None, file: Path) -> int:
    """Return the number of classes: what is said, else the first size of the weights' last tensor, 0 unknown."""
    if given:
        if not given.isdecimal() or not int(given):
            raise Refusal(f"num_classes cannot be {given!r}.", advice="It is a whole number from 1.")
        return int(given)
    sizes = [tuple(tensor.shape) for tensor in (state or {}).values() if tensor.ndim]
    return int(sizes[-1][0]) if sizes else 0


def of_weights(state: State, card: Card, named: str) -> Opened | None:
    """Return a network of the first kept adapter that recognises these weights, None where none does, or may run."""
    allowed = consent.allowed()
    for each in kept_adapters.kept():
        if files.sha256(each.path) in allowed:
            adapter, right = None, False
            # One that fails is told where it is opened itself: here it would stand in the way of all other weights.
            with suppress(Refusal):
                adapter = _found(each)
                with run.told(each.path, f"{each.name}.match"), run.among(each.path):
                    right = bool(adapter.match(state))
            if right:
                return adapted(adapter, each.path, card, named=named, read=lambda: state)
    return None


def waiting(name: str) -> None:
    """Raise Consent for the first kept adapter that may not run, or no longer: it might know the file `name`."""
    for each in kept_adapters.kept():
        check = consent.check if each.module else helpers.check
        check(each.path, files.check(each.path).read_bytes(), why=f"It may know {name}.")


def _found(each: kept_adapters.Kept) -> Any:
    """Return the class of a kept adapter that may run."""
    if not each.module:
        return run.member(run.run(each.path), each.name, each.path)
    consent.check(each.path, each.path.read_bytes())
    with run.told(each.path, "The package"):
        package = importlib.util.find_spec(each.module.partition(".")[0])
        for place in (package.submodule_search_locations or [package.origin]) if package else ():
            imports.trust(str(place))
        return getattr(importlib.import_module(each.module), each.name)
