"""Opens the user's own code: a function or a network, `path/file.py:build`, or an adapter, `path/file.py`.

The code runs only after the user has allowed that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import files, model_name
from models.cards import card as cards
from models.cards.interpretation_file import Interpretation
from models.loading import (
    checkpoint,
    code_autoencoders,
    code_networks,
    lazy_layers,
    pass_behaviour,
    several_inputs,
    wanted_inputs,
    weights,
)
from models.loading.opened_model import Elsewhere, Opened
from models.runtime.context import Context
from models.types import Refusal
from models.user_code import arguments, lightning_stand_in, networks, outline, run

OWN_WEIGHTS = "Its weights are what the code gave them."
WITHOUT_LIGHTNING = "Lightning is not installed; only its training is missing."
ON_CPU = "It asks for a GPU; it was run on the CPU."
MOST_LINES = 6


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
    ran = run.run(file, name)
    thing = run.member(ran.module, name, file)
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
    given, rest = arguments.taken(thing, given)
    more: dict[str, Any] = {"classes": classes or len(card.classes), "given": given, "ran": ran}
    net, how = networks.built(thing, f"{name}()", file, named=named, read=read, **more)
    stands_in = isinstance(net, lightning_stand_in.LightningModule)
    notes = [f"Built by {name} in {file.name}.", how, _left_out(ran), WITHOUT_LIGHTNING if stands_in else ""]
    notes.append("" if named else OWN_WEIGHTS)
    about = {"note": " ".join(filter(None, notes)), "code": str(file)}
    card = cards.recognised(
        replace(card, name=f"{file.name}:{name}"), architecture=type(net).__name__, task="", about=about
    )
    net, card = lazy_layers.filled(net.float(), card, rest)
    passes, own = pass_behaviour.taken(rest)
    rest, whole = code_autoencoders.asked_whole(rest)
    made = None if whole else code_autoencoders.of_module(net, card, own)
    made = made or code_networks.of_module(net, wanted_inputs.required(net), card, own)
    if made is not None:
        model_name.check(passes, {}, name=card.name)
        return Opened(*made, networks.made_of(file, named))
    return Opened(several_inputs.wrapped(net, card), card, networks.made_of(file, named), assumed=rest)


def _left_out(ran: run.Ran) -> str:
    """Return in words what of a script was not run, and that what it says of a GPU was not heeded."""
    lines = ran.left_out
    shown = f"{', '.join(map(str, lines[:MOST_LINES]))}{', …' if len(lines) > MOST_LINES else ''}"
    part = f"Only what it needs of the file was run; the statements in line {shown} were not." if lines else ""
    return f"{part} {ON_CPU if ran.on_cpu else ''}".strip()


def _elsewhere(thing: type[Interpretation], file: Path) -> Elsewhere:
    """Return the model that an adapter's `file` names, relative to the adapter's own. Raises Refusal for none."""
    base, own = model_name.split(str(thing.file))
    if not base or not isinstance(thing.assume, Mapping):
        what = "assume that is not a dictionary" if base else "no file"
        text = f"{thing.__name__} in {file.name} has {what}."
        raise Refusal(text, advice='Write file = "mine.onnx" and assume = {"reading": "…"}.')
    path = str(file.parent / Path(base).expanduser()) if cards.is_file(base) else base
    if "weights" in own:
        own["weights"] = str(file.parent / Path(own["weights"]).expanduser())
    assume = {str(key): str(value) for key, value in thing.assume.items()}
    names = tuple(map(str, thing.classes))
    return Elsewhere(model_name.join(path, own), assume, names, str(thing.title), files=(file, *run.beside()))


def chosen(file: Path) -> str:
    """Return the name of a file's adapter, or of the only network in it, found without running the file.

    Raises Refusal if there is none, or a choice, listing what the file offers.
    """
    found = outline.read(file)
    if (meant := outline.likely(found)) is not None:
        return meant.name
    if not found and (networks_ := outline.unfilled(outline.text(file), file.name)):
        first, asks = next(iter(networks_.items()))
        text = f"{first} in {file.name} asks for {', '.join(asks)}, and nothing in the file says what they are."
        said = "&".join(f"{each}=…" for each in asks)
        raise Refusal(text, advice=f"Open {file.name}:{first}?{said}, or write a function that builds it.")
    if not found and (loaded := outline.hub_call(outline.text(file), file.name)) is not None:
        repository, entry = loaded
        text = f"{file.name} loads its network with torch.hub.load, which downloads code and runs it: that is not done."
        advice = (
            f"Open torchvision:{entry}, the same network with its published weights."
            if repository.startswith("pytorch/vision") and entry
            else f"Download {repository or 'the repository'} yourself, and open its hubconf.py"
            f"{f', as hubconf.py:{entry}' if entry else ''}: it asks before it runs."
        )
        raise Refusal(text, advice=advice)
    if not found:
        text = f"{file.name} defines no adapter, no function that builds a network and no network."
        raise Refusal(text, advice=f"Write a function that returns one, or {outline.ADAPTER} = your class.")
    names = ", ".join(choice.name for choice in found[:8])
    raise Refusal(
        f"{file.name} defines several models: say which one is meant.",
        advice=f"It has {names}; {file.name}:{found[0].name} opens the first.",
        offer=("choose", str(file)),
    )
