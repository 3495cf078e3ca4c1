"""Read weights as tensors from safetensors or PyTorch files, without running code from a file.

All weights are read here and nowhere else.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO

import safetensors.torch
import torch

from models import files
from models.files import WEIGHTS_SUFFIXES, sha256
from models.loading import archive_limits, checkpoint, inert_pickle
from models.runtime.network_state import lazy
from models.types import Refusal

__all__ = ["WEIGHTS_SUFFIXES", "fits", "load", "read", "sets", "sha256"]

fits = checkpoint.fits

_PLAIN = re.compile(
    r"torch\.(\w*Storage|Size|device|Tensor|(b?float|u?int|complex|bool)\w*|_utils\._rebuild\w+|nn\.parameter\.\w+)"
    r"|collections\.\w+|_codecs\.encode"
)
_LOOKED_AT = 200_000
_NOT_RUN = "Nothing in it was run."
_ADVICE_SAVE = "Where it was made, save only the tensors: torch.save(model.state_dict(), …), or safetensors."
_ADVICE_AGAIN = "Copy or download it again."
_ADVICE_KINDS = f"Choose a weights file ({', '.join(sorted(WEIGHTS_SUFFIXES))})."


def read(path: str | Path, entry: str = "") -> dict[str, torch.Tensor]:
    """Return the state dict in a file, on the CPU, in the stored types, including half precision.

    Wrappers such as {"state_dict": ...} are removed, preferring the plain weights to their moving average, and so are
    the prefixes that DataParallel, torch.compile and Lightning add to every name. `entry` selects one of several state
    dicts. Raises Refusal if the file cannot be read, is damaged, contains anything but tensors, or would run code.
    """
    return checkpoint.plain(checkpoint.chosen(sets(path), entry, Path(path).name))


def sets(path: str | Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return every state dict in a file by the name the file gives it, the preferred one first. Raises like `read`."""
    file = files.check(path)
    suffix = file.suffix.lower()
    if suffix not in WEIGHTS_SUFFIXES:
        raise Refusal(f"{file.name} is not a weights file.", advice=_ADVICE_KINDS)
    with files.Quiet():
        loaded = _safetensors(file) if suffix == ".safetensors" else _pytorch(file)
    found = checkpoint.sets(loaded, file.name)
    archive_limits.tensors(found, file)
    return found


def stated_classes(path: Path) -> tuple[str, ...]:
    """Return the class names that a PyTorch file states beside its tensors, () if there are none."""
    if path.suffix.lower() == ".safetensors":
        return ()
    with suppress(Refusal), files.Quiet():
        return checkpoint.stated_classes(_pytorch(path, mapped=zipfile.is_zipfile(path)))
    return ()


def asks_for_code(refusal: Refusal) -> bool:
    """Return whether a file was refused because loading it would run code."""
    return refusal.advice.startswith(_NOT_RUN)


def imports(content: bytes) -> list[str]:
    """Return the names that pickles in a file's bytes would import, except those for tensors.

    Found by reading opcodes.
    """
    return _globals(io.BytesIO(content))


def load(net: torch.nn.Module, state: Mapping[str, torch.Tensor], *, name: str) -> None:
    """Load tensors into a network, without a prefix that its own names lack.

    Raises Refusal listing what does not fit.
    """
    own = net.state_dict()
    # A lazy layer takes any shape, and learns its sizes from the file's.
    waiting = {k for k, v in own.items() if lazy(v)}
    wanted = {k: tuple(v.shape) for k, v in own.items() if k not in waiting}
    given = checkpoint.suited(state, {**wanted, **{k: tuple(state[k].shape) for k in waiting if k in state}})
    wanted |= {k: tuple(given[k].shape) if k in given else () for k in waiting}
    checkpoint.fits(wanted, given, name=name)
    with torch.no_grad():
        net.load_state_dict(given)


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safetensors.safe_open(path, "pt") as opened:
            archive_limits.count(len(opened.keys()), path)
        # Cloned, because the tensors are memory-mapped: if the file is overwritten, reading them would crash the
        # process.
        return {name: tensor.clone() for name, tensor in safetensors.torch.load_file(path).items()}
    except Refusal:
        raise
    except Exception as exc:
        raise _not_readable(path, exc, wanted="a safetensors file") from exc


def _pytorch(path: Path, *, mapped: bool = False) -> object:
    """Return what a PyTorch file holds; `mapped` leaves its tensors in the file until they are used."""
    archive_limits.archive(path)
    try:
        if not zipfile.is_zipfile(path) and not archive_limits.older(path):
            raise ValueError("neither of PyTorch's formats")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as exc:
        if (held := _harmless(path)) is not None:
            return held
        asked = re.search(r"(?i:global):? (?:GLOBAL )?([\w.]+\.\w+)", str(exc))
        name = asked[1] if asked else next(iter(_globals(path)), "")
        if name.startswith("__torch__") or "TorchScript" in str(exc):
            message = f"{path.name} was not loaded: it is a TorchScript archive, which holds code."
        elif name:
            message = f"{path.name} was not loaded: besides tensors it asks for {name[:100]}, and that could run code."
        elif "Unsupported operand" in str(exc) and (protocol := _protocol(path)) > 2:
            message = f"{path.name} was not loaded: it is a pickle of protocol {protocol}, too new to be read safely."
        else:
            raise _not_readable(path, exc, wanted="a PyTorch file") from exc
        raise Refusal(message, advice=f"{_NOT_RUN} {_ADVICE_SAVE}") from exc


def _harmless(path: Path) -> object | None:
    """Return what a file holds if that is tensors and numbers alone, such as NumPy's; None otherwise."""
    with suppress(Refusal):
        contents = inert_pickle.read(path)
        if set(contents.names) <= set(inert_pickle.NUMBERS):
            return contents.root
    return None


def _not_readable(path: Path, exc: Exception, *, wanted: str) -> Refusal:
    if isinstance(exc, FileNotFoundError | PermissionError):
        return files.refusal(path, exc)
    what = files.kind(path)
    if what == "a pickle" or (what == "a zip archive" and not _other_zip(path)):
        what = "a PyTorch file"
    if what == wanted:
        return Refusal(f"{path.name} is cut short or damaged.", advice=_ADVICE_AGAIN)
    known = what in {"a PyTorch file", "a safetensors file"}
    advice = "Give it the suffix of its own kind." if known else _ADVICE_KINDS
    return Refusal(f"{path.name} is not {wanted}{what and f': it is {what}'}.", advice=advice)


def _other_zip(path: Path) -> bool:
    """Return whether a file is an intact zip archive that holds something other than weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(n.endswith("data.pkl") for n in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


@contextmanager
def _pickled(path: Path | io.BytesIO) -> Iterator[IO[bytes]]:
    """Open the pickle in a file of either of PyTorch's formats. Raises whatever a damaged archive raises."""
    if not zipfile.is_zipfile(path):
        if isinstance(path, io.BytesIO):
            path.seek(0)
            yield path
            return
        with path.open("rb") as file:
            yield file
        return
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(next(n for n in archive.namelist() if n.endswith("data.pkl"))) as file,
    ):
        yield file


def _protocol(path: Path) -> int:
    """Return the protocol a pickle declares, 0 if it declares none."""
    with suppress(Exception), _pickled(path) as file:
        start = file.read(2)
        return start[1] if start[:1] == b"\x80" else 0
    return 0


def _globals(path: Path | io.BytesIO) -> list[str]:
    """Return the names that pickles in a file would import, except those for tensors; found by reading opcodes."""
    found: list[str] = []
    # Errors in the opcodes are ignored here: `torch.load` has already refused the file.
    with suppress(Exception), _pickled(path) as file:
        # The older format is a sequence of pickles: magic number, version, sizes, the objects.
        for _ in range(4):
            for name in _imports(file):
                found.append(name)  # one at a time, to keep the names found before damaged data
                if len(found) > _LOOKED_AT:
                    return found
    return found


def _imports(file: IO[bytes]) -> Iterator[str]:
    texts: list[str] = []
    kept: dict[int, str] = {}
    for opcode, argument, _ in islice(pickletools.genops(file), _LOOKED_AT):
        found = ""
        if opcode.name in {"GLOBAL", "INST"}:
            found = str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            found = ".".join(texts[-2:])
        elif opcode.name in {"MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"}:
            kept[len(kept) if argument is None else int(argument)] = texts[-1] if texts else ""
        elif opcode.name in {"BINGET", "LONG_BINGET", "GET"}:
            texts.append(kept.get(int(argument or 0), ""))
        elif isinstance(argument, str):
            texts.append(argument)
        if found and not _PLAIN.fullmatch(found):
            yield found
