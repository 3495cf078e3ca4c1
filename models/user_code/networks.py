"""Create networks from user code: the result of a function, or the network an adapter opens."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
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
from models.user_code import arguments, consent, helpers, imports, kept_adapters, run

State = Mapping[str, torch.Tensor]
Read = Callable[[], State | None]


def is_adapter(thing: Any) -> bool:
    """Return whether this is an adapter class: a class with `build` or `open` that is not itself a network."""
    if not isinstance(thing, type) or issubclass(thing, nn.Module):
        return False
    return callable(getattr(thing, "build", None)) or callable(getattr(thing, "open", None))


def adapted(adapter: Any, file: Path, card: Card, *, named: str, read: Read) -> Opened:
    """Return an adapter's network with its weights: from `open(weights)`, or from `build()` and the weights loaded
    here.
    """
    title = adapter.__name__
    if callable(getattr(adapter, "open", None)) and (named or not hasattr(adapter, "build")):
        with run.refusing_errors(file, f"{title}.open"), run.among(file):
            net = run.network(adapter.open(named), f"{title}.open in {file.name}")
    else:
        net, _ = built(adapter.build, f"{title}.build()", file, named=named, read=read, classes=len(card.classes))
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
    """Return the files besides the weights that a network depends on; it is reopened when one of them changes."""
    return (file, *run.beside(), cards.place(Path(named) if named else file))


def _served(adapter: Any, net: nn.Module, card: Card, file: Path) -> Any:
    with run.refusing_errors(file, adapter.__name__):
        made = adapter(net, card)
    for name in ("net", "card", "stages"):
        if not hasattr(made, name):
            text = f"{adapter.__name__} in {file.name} has no {name!r}."
            raise Refusal(text, advice="Derive it from vitrine.OneStage, or set net, card and stages.")
    return made


def built(
    build: Any,
    what: str,
    file: Path,
    *,
    named: str,
    read: Read,
    classes: str | int,
    given: Mapping[str, str] | None = None,
    ran: run.Ran | None = None,
) -> tuple[nn.Module, str]:
    """Return the network that a function or class builds, with its weights loaded, and a sentence on its arguments.

    The function may have the parameters `num_classes` (under any usual name) and `weights`; the latter is a path, and
    the function then loads the weights itself. Other arguments are `given`, or those that the file `ran` calls it with.
    """
    if isinstance(build, nn.Module):  # the file has built it itself
        state = read()
        net = run.network(build, what)
        if state is not None:
            weights.load(net, state, name=Path(named).name)
        return net, ""
    asks = _parameters(build)
    required = [name for name, each in asks.items() if each.default is inspect.Parameter.empty]
    state = None if "weights" in asks else read()
    extra: dict[str, Any] = {}
    if "weights" in asks and (named or "weights" in required):
        if not named:
            raise Refusal(f"{what} in {file.name} asks for weights.", advice="Name their file with --weights.")
        extra["weights"] = named
    key = "num_classes" if "num_classes" in asks else next((n for n in required if n in arguments.CLASSES), "")
    counted = _count(str(classes or ""), state, file)
    if key and counted and key not in (given or {}):
        extra[key] = counted
    with run.refusing_errors(file, what), run.among(file):
        chosen = {**extra, **arguments.values(given or {})}
        args, extra, note = _filled(build, what, file, (required, chosen), ran)
    with run.refusing_errors(file, what), run.among(file):
        net = run.network(build(*args, **extra), f"{what[:-2]} in {file.name}")
    if state is not None:
        weights.load(net, state, name=Path(named).name)
    return net, note


def _parameters(build: Any) -> dict[str, inspect.Parameter]:
    try:
        found = inspect.signature(build).parameters
    except (TypeError, ValueError):
        return {}
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: each for name, each in found.items() if each.kind not in several}


def _filled(
    build: Any, what: str, file: Path, arguments_: tuple[Sequence[str], Mapping[str, Any]], ran: run.Ran | None
) -> tuple[tuple[Any, ...], dict[str, Any], str]:
    """Return what a function is called with, of the arguments it requires and those that are chosen, and a sentence.

    Raises Refusal that names those nothing tells.
    """
    required, chosen = arguments_
    module, tree = (ran.module, ran.tree) if ran is not None else (None, None)
    try:
        return arguments.filled(build, required, chosen, module=module, tree=tree, name=what[:-2])
    except arguments.Open as missing:
        text = f"{what} in {file.name} asks for {', '.join(missing.names)}."
        value = {name: "10" if name in arguments.CLASSES else "…" for name in missing.names}
        said = "&".join(f"{name}={each}" for name, each in value.items())
        how = "Say how many" if list(value) == ["num_classes"] else "Say what they are"
        raise Refusal(text, advice=f"{how}: --model '{file.name}:{what[:-2]}?{said}'.") from missing


def _count(given: str, state: State | None, file: Path) -> int:
    """Return the number of classes: the given one, else the first size of the weights' last tensor; 0 if unknown."""
    if given:
        if not given.isdecimal() or not int(given):
            raise Refusal(f"num_classes cannot be {given!r}.", advice="It is a whole number from 1.")
        return int(given)
    sizes = [tuple(tensor.shape) for tensor in (state or {}).values() if tensor.ndim]
    return int(sizes[-1][0]) if sizes else 0


def of_weights(state: State, card: Card, named: str) -> Opened | None:
    """Return the network of the first permitted kept adapter that recognises these weights, None if there is none."""
    allowed = consent.allowed()
    for each in kept_adapters.kept():
        if files.sha256(each.path) in allowed:
            adapter, right = None, False
            # A failing adapter is reported when it is opened itself; here it must not prevent other weights from
            # opening.
            with suppress(Refusal):
                adapter = _found(each)
                with run.refusing_errors(each.path, f"{each.name}.match"), run.among(each.path):
                    right = bool(adapter.match(state))
            if right:
                return adapted(adapter, each.path, card, named=named, read=lambda: state)
    return None


def waiting(name: str) -> None:
    """Raise Consent for the first kept adapter that is not (or no longer) allowed.

    It might recognise the file `name`.
    """
    for each in kept_adapters.kept():
        check = consent.check if each.module else helpers.check
        check(each.path, files.check(each.path).read_bytes(), why=f"It may know {name}.")


def _found(each: kept_adapters.Kept) -> Any:
    """Return the class of a kept adapter that is allowed to run."""
    if not each.module:
        return run.member(run.run(each.path).module, each.name, each.path)
    consent.check(each.path, each.path.read_bytes())
    with run.refusing_errors(each.path, "The package"):
        package = importlib.util.find_spec(each.module.partition(".")[0])
        for place in (package.submodule_search_locations or [package.origin]) if package else ():
            imports.trust(str(place))
        return getattr(importlib.import_module(each.module), each.name)
