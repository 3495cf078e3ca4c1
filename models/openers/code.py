"""Opens a network that the user's own code builds: `path/file.py:build`. The user allows that file first."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from models import assume, cards, checkpoint, consent, files, weights
from models.context import Context
from models.opened import Opened
from models.types import Refusal

SUFFIX = ".py"
WEIGHTS = {"title": "Weights", "help": "The file with the network's tensors."}


def match(base: str) -> bool:
    """Tell whether this names a function in a file of code."""
    found = files.code_of(base)
    return found is not None and bool(found[1])


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return what the function builds, with the weights that `weights` names.

    Raises Refusal when the file may not run yet, fails, or builds no network, and where the weights do not fit it.
    """
    found = files.code_of(base)
    assert found is not None
    file, function = found
    module = run(file)
    build = _inside(module, function, file)
    with _told(file, f"{function}()"):
        net = build()
    if not isinstance(net, nn.Module):
        raise Refusal(
            f"{function} in {file.name} gave a {type(net).__name__}, not a network.",
            advice="It must return a torch.nn.Module.",
        )
    given = dict(assumed)
    named = given.pop("weights", "")
    card = cards.of_file(Path(named) if named else file)
    if named:
        with context.stage("read weights"):
            state = checkpoint.chosen(weights.sets(named), given.pop("entry", ""), Path(named).name)
        weights.load(net, state, name=Path(named).name)
        card = replace(card, sha256=files.sha256(named))
    assume.check(given, {}, name=file.name)
    note = "" if named else "Its weights are what the code gave them."
    about = {"note": f"Built by {function} in {file.name}. {note}".strip(), "code": str(file)}
    card = cards.recognised(
        replace(card, name=f"{file.name}:{function}"), architecture=type(net).__name__, task="", about=about
    )
    return Opened(net.float(), card, (file, cards.place(Path(named) if named else file)))


def run(file: Path) -> ModuleType:
    """Run a file of code that the user has allowed and return it as a module. Raises Refusal when it may not, or fails.

    What was allowed is what runs: the bytes that are checked are the bytes that are compiled.
    """
    content = files.check(file).read_bytes()
    digest = consent.check(file, content)
    name = f"vitrine_own_{digest[:16]}"
    module = ModuleType(name)
    module.__file__ = str(file)
    with _told(file, "the file"):
        code = compile(content, str(file), "exec")
        sys.modules[name] = module
        sys.path.insert(0, str(file.parent))
        try:
            exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            sys.path.remove(str(file.parent))
    return module


def _inside(module: ModuleType, function: str, file: Path) -> Any:
    build = getattr(module, function, None)
    if callable(build):
        return build
    names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    advice = f"It has {', '.join(names[:8])}." if names else "It defines no function."
    raise Refusal(f"There is no function {function!r} in {file.name}.", advice=advice)


@contextmanager
def _told(file: Path, what: str) -> Iterator[None]:
    """Turn what the user's code raises into a Refusal that names the line."""
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    except (Exception, SystemExit) as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else 0)
        where = f"{file.name}, line {line}" if line else file.name
        said = str(error).splitlines()[0] if str(error) else ""
        summary = f"{type(error).__name__}{': ' if said else ''}{said}"
        raise Refusal(
            f"{what[0].upper()}{what[1:]} failed in {where}: {summary}.", advice="Mend it, then F5."
        ) from error
