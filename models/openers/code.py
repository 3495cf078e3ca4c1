"""Opens the user's own code: a function or a network, `path/file.py:build`, or an adapter, `path/file.py`.

The user allows that file first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import assume, cards, checkpoint, files, outline, own, weights
from models.cards import Card
from models.context import Context
from models.opened import Opened
from models.types import Refusal

State = Mapping[str, torch.Tensor]
Read = Callable[[], State | None]


def match(base: str) -> bool:
    """Tell whether this names a file of code, or something in one."""
    return files.code_of(base) is not None


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return what the code builds, with the weights that `weights` names, served by its adapter where it is one.

    Raises Refusal when the file may not run yet, fails, or builds no network, and where the weights do not fit it.
    """
    found = files.code_of(base)
    assert found is not None
    file, name = found
    name = name or chosen(file)
    thing = own.member(own.run(file), name, file)
    given = dict(assumed)
    named, entry = given.pop("weights", ""), given.pop("entry", "")

    def read() -> State | None:
        if not named:
            return None
        with context.stage("read weights"):
            return checkpoint.chosen(weights.sets(named), entry, Path(named).name)

    card = replace(cards.of_file(Path(named) if named else file), sha256=files.sha256(named) if named else "")
    if is_adapter(thing):
        assume.check(given, {}, name=file.name)
        return adapted(thing, file, card, named=named, read=read)
    classes = given.pop("num_classes", "")
    assume.check(given, {}, name=file.name)
    net = _built(thing, f"{name}()", file, named=named, read=read, classes=classes or len(card.classes))
    note = "" if named else "Its weights are what the code gave them."
    about = {"note": f"Built by {name} in {file.name}. {note}".strip(), "code": str(file)}
    card = cards.recognised(
        replace(card, name=f"{file.name}:{name}"), architecture=type(net).__name__, task="", about=about
    )
    return Opened(net.float(), card, _made_of(file, named))


def chosen(file: Path) -> str:
    """Return the adapter of a file. Raises Refusal, with what else it offers, where it has none. Nothing is run."""
    found = outline.read(file)
    if found and found[0].name == outline.ADAPTER:
        return outline.ADAPTER
    if not found:
        text = f"{file.name} holds no adapter, no function that builds a network and no network."
        raise Refusal(text, advice=f"Write a function that returns one, or {outline.ADAPTER} = your class.")
    names = ", ".join(choice.name for choice in found[:8])
    raise Refusal(
        f"{file.name} has no {outline.ADAPTER}: say what of it is the model.",
        advice=f"It has {names}; {file.name}:{found[0].name} opens the first.",
        offer=("choose", str(file)),
    )


def is_adapter(thing: Any) -> bool:
    """Tell whether this is a class that serves networks, and no network itself."""
    if not isinstance(thing, type) or issubclass(thing, nn.Module):
        return False
    return callable(getattr(thing, "build", None)) or callable(getattr(thing, "open", None))


def adapted(adapter: Any, file: Path, card: Card, *, named: str, read: Read) -> Opened:
    """Return an adapter's network with its weights: `open(weights)` gives it whole, else `build()` does without."""
    title = adapter.__name__
    if callable(getattr(adapter, "open", None)) and (named or not hasattr(adapter, "build")):
        with own.told(file, f"{title}.open"), own.among(file):
            net = own.network(adapter.open(named), f"{title}.open in {file.name}")
    else:
        net = _built(adapter.build, f"{title}.build()", file, named=named, read=read, classes=len(card.classes))
    note = f"Served by {title} in {file.name}.{'' if named else ' Its weights are what the code gave them.'}"
    card = replace(
        card,
        name=Path(named).name if named else file.name,
        title=card.title if card.title not in ("", card.name) else getattr(adapter, "title", "") or title,
        classes=tuple(card.classes or map(str, getattr(adapter, "classes", ()))),
        about={"note": note, "code": str(file), "architecture": type(net).__name__, **card.about},
    )
    serve: Callable[..., Any] = lambda net, card: _served(adapter, net, card, file)  # noqa: E731
    return Opened(net.float(), card, _made_of(file, named), adapter=serve)


def _made_of(file: Path, named: str) -> tuple[Path, ...]:
    return (file, *own.beside(), cards.place(Path(named) if named else file))


def _served(adapter: Any, net: nn.Module, card: Card, file: Path) -> Any:
    with own.told(file, adapter.__name__):
        made = adapter(net, card)
    for name in ("net", "card", "stages"):
        if not hasattr(made, name):
            text = f"{adapter.__name__} in {file.name} has no {name!r}."
            raise Refusal(text, advice="Derive it from vitrine.OneStage, or set net, card and stages.")
    return made


def _built(build: Any, what: str, file: Path, *, named: str, read: Read, classes: str | int) -> nn.Module:
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
    with own.told(file, what), own.among(file):
        net = own.network(build(**extra), f"{what[:-2]} in {file.name}")
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
