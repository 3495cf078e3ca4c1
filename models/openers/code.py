"""Opens the user's own code: a function or a network, `path/file.py:build`, or an adapter, `path/file.py`.

The code runs only after the user has allowed that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from models import files, model_name
from models.cards import card as cards
from models.cards.interpretation_file import Interpretation
from models.loading import checkpoint, pass_behaviour, weights
from models.loading.opened_model import Elsewhere, Opened
from models.runtime.context import Context
from models.types import Refusal
from models.user_code import networks, outline, run


def match(base: str) -> bool:
    """Return whether this names a file of code, or an object in one."""
    return files.code_of(base) is not None


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened | Elsewhere:
    """Return the network that the code builds, with the weights named by `weights`, or the user's adapter for it.

    An adapter that only says how another file is read returns that file's name. Raises Refusal when the file may not
    run yet, fails, or builds no network, and when the weights do not fit.
    """
    place = files.code_of(base)
    assert place is not None
    file, name = place
    name = name or chosen(file)
    thing = run.member(run.run(file), name, file)
    if isinstance(thing, type) and issubclass(thing, Interpretation):
        return _elsewhere(thing, file)
    given = dict(assumed)
    named, entry = given.pop("weights", ""), given.pop("entry", "")

    def read() -> networks.State | None:
        if not named:
            return None
        with context.stage("read weights"):
            return checkpoint.chosen(weights.sets(named), entry, Path(named).name)

    card = replace(cards.of_file(Path(named) if named else file), sha256=files.sha256(named) if named else "")
    if networks.is_adapter(thing):
        passes, rest = pass_behaviour.taken(given)
        model_name.check(rest, {}, name=file.name)
        found = networks.adapted(thing, file, card, named=named, read=read)
        return replace(found, assumed=passes)
    classes = given.pop("num_classes", "")
    net = networks.built(thing, f"{name}()", file, named=named, read=read, classes=classes or len(card.classes))
    note = "" if named else "Its weights are what the code gave them."
    about = {"note": f"Built by {name} in {file.name}. {note}".strip(), "code": str(file)}
    card = cards.recognised(
        replace(card, name=f"{file.name}:{name}"), architecture=type(net).__name__, task="", about=about
    )
    return Opened(net.float(), card, networks.made_of(file, named), assumed=given)


def _elsewhere(thing: type[Interpretation], file: Path) -> Elsewhere:
    """Return the model that an adapter's `file` names, relative to the adapter's own. Raises Refusal for none."""
    base, own = model_name.split(str(thing.file))
    if not base or not isinstance(thing.assume, Mapping):
        what = "assume that is no dictionary" if base else "no file"
        text = f"{thing.__name__} in {file.name} has {what}."
        raise Refusal(text, advice='Write file = "mine.onnx" and assume = {"reading": "…"}.')
    path = str(file.parent / Path(base).expanduser()) if cards.is_file(base) else base
    if "weights" in own:
        own["weights"] = str(file.parent / Path(own["weights"]).expanduser())
    assume = {str(key): str(value) for key, value in thing.assume.items()}
    told = tuple(map(str, thing.classes))
    return Elsewhere(model_name.join(path, own), assume, told, str(thing.title), files=(file, *run.beside()))


def chosen(file: Path) -> str:
    """Return the name of a file's adapter, found without running the file.

    Raises Refusal if it has none, listing what else the file offers.
    """
    found = outline.read(file)
    if found and found[0].name == outline.ADAPTER:
        return outline.ADAPTER
    if not found:
        text = f"{file.name} holds no adapter, no function that builds a network and no network."
        raise Refusal(text, advice=f"Write a function that returns one, or {outline.ADAPTER} = your class.")
    names = ", ".join(choice.name for choice in found[:8])
    raise Refusal(
        f"{file.name} has no {outline.ADAPTER}: say which object in it is the model.",
        advice=f"It has {names}; {file.name}:{found[0].name} opens the first.",
        offer=("choose", str(file)),
    )
