"""Run the user's files of code once they are allowed, and report their errors with file and line."""

from __future__ import annotations

import ast
import copy
import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from models import files
from models.runtime.module_paths import ROOT
from models.types import Cancelled, Refusal
from models.user_code import consent, helpers, home, imports, lightning_stand_in, needed, source

WRAPPED = "_orig_mod"

PREFIX = "vitrine_own_"
OURS = ("models", "viewer", "main")

OTHERS = {"tensorflow": "TensorFlow", "keras": "Keras", "jax": "JAX", "flax": "Flax"}
OTHERS |= {"paddle": "PaddlePaddle", "mxnet": "MXNet", "caffe": "Caffe", "tflite_runtime": "TensorFlow Lite"}
FIX = "Fix it, then press F5."
_homes: dict[Path, home.Home] = {}  # of the files that ran
_beside: set[str] = set()  # names of modules


@dataclass(frozen=True)
class Ran:
    """A file that was run: its `module`, its syntax `tree`, and the lines of statements that were left out."""

    module: ModuleType
    tree: ast.Module
    left_out: tuple[int, ...] = ()

    @property
    def on_cpu(self) -> bool:
        """Whether the file asks for a GPU, and was run without."""
        return not torch.cuda.is_available() and source.wants_gpu(self.tree)


def run(file: Path, wanted: str = "") -> Ran:
    """Run a file of code that the user has allowed, or what the object `wanted` of it needs where the file is a script.

    The bytes that are checked are the bytes that are compiled, so the file and what it imports from its folder cannot
    change in between. Raises Refusal if one of them is not allowed or fails.
    """
    content = files.check(file).read_bytes()
    digest = helpers.check(file, content)
    own = _homes[file] = home.of(file, content)
    for root in own.roots:
        imports.guard(root)
    imports.forget()
    source.use_cpu(not torch.cuda.is_available())
    name = f"{PREFIX}{digest[:16]}"
    try:
        tree = source.tree(content, file.name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _unparsed(file, content, error) from error
    part = needed.of(tree, wanted)
    small = part is not None and len(part.body) < len(tree.body)
    if part is not None and small and needed.is_script(tree):
        return Ran(_executed(file, part, name), tree, needed.left_out(tree, part))
    try:
        return Ran(_executed(file, tree, name), tree)
    except (consent.Consent, imports.NotSource):
        raise
    except Refusal:
        if part is None or not small:
            raise
    return Ran(_executed(file, part, name), tree, needed.left_out(tree, part))


def _executed(file: Path, tree: ast.Module, name: str) -> ModuleType:
    """Return the module that statements of a file make. Raises Refusal that names the line if one fails."""
    module = ModuleType(name)
    module.__file__ = str(file)
    if package := _homes[file].package:
        module.__package__ = ".".join(package)
    with refusing_errors(file, "The file"):
        code = compile(source.runnable(copy.deepcopy(tree)), str(file), "exec", dont_inherit=True)
        sys.modules[name] = module
        try:
            with among(file):
                exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return module


def _unparsed(file: Path, content: bytes, error: Exception) -> Refusal:
    line = getattr(error, "lineno", None)
    where = f"{file.name}, line {line}" if line else file.name
    said = str(getattr(error, "msg", "") or error).rstrip(".?!")
    text = f"The file failed in {where}: {type(error).__name__}: {said}."
    advice = FIX
    if isinstance(error, SyntaxError):
        advice = source.advice(error, source.text(content, file.name))
    return Refusal(text, advice=advice)


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
    roots = [each for each in (_homes[file].roots if file in _homes else (file.parent,)) if each != ROOT]
    hidden = {}
    taken = [n for n in OURS if any((root / n).is_dir() or (root / f"{n}.py").is_file() for root in roots)]
    if roots:
        hidden = {n: m for n, m in list(sys.modules.items()) if n.split(".")[0] in taken}
    before = set(sys.modules) - set(hidden)
    for name in hidden:
        del sys.modules[name]
    added = [str(root) for root in roots or [file.parent]]
    sys.path[:0] = added
    arguments, sys.argv = sys.argv, [str(file)]
    here = _folder_now()
    os.chdir(file.parent)  # scripts name their weights from their own folder
    try:
        with lightning_stand_in.there():
            yield
    finally:
        os.chdir(here)
        sys.argv = arguments
        for each in added:
            if each in sys.path:
                sys.path.remove(each)
        for name in set(sys.modules) - before:
            place = getattr(sys.modules[name], "__file__", None)
            if place and _lies_in(place, roots or [file.parent]) and not name.startswith(PREFIX):
                if name in hidden or name.split(".")[0] in taken:
                    del sys.modules[name]
                else:
                    _beside.add(name)
        sys.modules.update(hidden)


def _folder_now() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text, to go back to
    except OSError:  # it was deleted
        return os.sep


def _lies_in(place: str, roots: Sequence[Path]) -> bool:
    return imports.is_checked(place) and any(Path(place).is_relative_to(root) for root in roots)


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
def refusing_errors(file: Path, what: str) -> Iterator[None]:
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
        raise Refusal(f"{what} failed in {where}: {summary}.", advice=_advice(error)) from error


def _advice(error: BaseException) -> str:
    """Return what to do about an error of the user's code."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if top in OTHERS:
            return f"{OTHERS[top]} is not PyTorch: export the network as ONNX there, and open that."
        return f"Install the package {top} into Vitrine's Python (pip install {top}), or put it beside the file."
    if isinstance(error, FileNotFoundError):
        return "Paths count from the file's own folder: put the file there, or name weights with --weights."
    return FIX


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
