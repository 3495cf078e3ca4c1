"""Run the user's files of code once they are allowed, and report their errors with file and line."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from models import files
from models.types import Cancelled, Refusal
from models.user_code import helpers, imports

WRAPPED = "_orig_mod"

PREFIX = "vitrine_own_"
OURS = ("models", "viewer", "main")

_beside: set[str] = set()  # names of modules


def run(file: Path) -> ModuleType:
    """Run a file of code that the user has allowed and return it as a module.

    The bytes that are checked are the bytes that are compiled, so the file and what it imports from its folder cannot
    change in between. Raises Refusal if one of them is not allowed or fails.
    """
    content = files.check(file).read_bytes()
    digest = helpers.check(file, content)
    imports.guard(file.parent)
    imports.forget()
    name = f"{PREFIX}{digest[:16]}"
    module = ModuleType(name)
    module.__file__ = str(file)
    with told(file, "The file"):
        code = compile(content, str(file), "exec")
        sys.modules[name] = module
        try:
            with among(file):
                exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return module


@contextmanager
def among(file: Path) -> Iterator[None]:
    """Let the code inside the block import modules from its own folder, freshly read.

    If one of them has the name of a package of Vitrine's, such as `models`, the user's is found.
    """
    import vitrine  # noqa: F401 - must be imported before our own modules are hidden

    for name in _beside:
        sys.modules.pop(name, None)
    _beside.clear()
    importlib.invalidate_caches()
    folder = file.parent
    hidden = {}
    taken = [n for n in OURS if (folder / n).is_dir() or (folder / f"{n}.py").is_file()]
    if folder != Path(__file__).parents[2]:
        hidden = {n: m for n, m in list(sys.modules.items()) if n.split(".")[0] in taken}
    before = set(sys.modules) - set(hidden)
    for name in hidden:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            place = getattr(sys.modules[name], "__file__", None)
            if place and Path(place).is_relative_to(folder) and not name.startswith(PREFIX):
                if name in hidden or name.split(".")[0] in taken:
                    del sys.modules[name]
                else:
                    _beside.add(name)
        sys.modules.update(hidden)


def beside() -> tuple[Path, ...]:
    """Return the files that the code which ran last imported from beside itself."""
    return imports.loaded()


def member(module: ModuleType, name: str, file: Path) -> Any:
    """Return a callable of a module by name. Raises Refusal, listing what there is, if there is none of that name."""
    found = getattr(module, name, None)
    if callable(found):
        return found
    own = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    advice = f"It has {', '.join(own[:8])}." if own else "It defines no function."
    raise Refusal(f"There is no function {name!r} in {file.name}.", advice=advice)


def network(found: Any, what: str) -> nn.Module:
    """Return what user code returned if it is a network, without compile wrappers. Raises Refusal if it is not."""
    if isinstance(found, nn.Module):
        return plain(found)
    raise Refusal(f"{what} gave a {type(found).__name__}, not a network.", advice="It must return a torch.nn.Module.")


@contextmanager
def told(file: Path, what: str) -> Iterator[None]:
    """Turn an exception of the user's code into a Refusal that names the line."""
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    except (Refusal, Cancelled):
        raise
    except (Exception, SystemExit) as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else 0)
        where = f"{file.name}, line {line}" if line else file.name
        said = str(error).splitlines()[0] if str(error) else ""
        summary = f"{type(error).__name__}{': ' if said else ''}{said}"
        raise Refusal(f"{what} failed in {where}: {summary}.", advice="Fix it, then press F5.") from error


def where(error: BaseException) -> str:
    """Return file and line of the innermost frame of user code in an error's traceback, "" if there is none."""
    places = [
        f"{Path(frame.f_code.co_filename).name}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").startswith(PREFIX) or Path(frame.f_code.co_filename) in imports.loaded()
    ]
    return places[-1] if places else ""


def plain(net: nn.Module) -> nn.Module:
    """Return a network without compile wrappers; functions compiled inside its code run uncompiled."""
    if "torch._dynamo" not in sys.modules:  # nothing can have been compiled, and importing it takes seconds
        return net
    net = _inside(net)
    for module in list(net.modules()):
        for name, child in module._modules.items():
            if child is not None:
                module._modules[name] = _inside(child)
        module._compiled_call_impl = None
    torch.compiler.set_stance("force_eager")
    return net


def _inside(module: nn.Module) -> nn.Module:
    inside: Any = module
    while type(inside).__name__ == "OptimizedModule" and isinstance(getattr(inside, WRAPPED, None), nn.Module):
        inside = getattr(inside, WRAPPED)
    return inside
