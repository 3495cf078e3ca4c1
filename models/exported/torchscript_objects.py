"""Check the pickles of a TorchScript file without creating any of their objects.

Each name in a pickle stands for a placeholder that records its arguments; no object is created and no function called.
Tensors are checked against the size of their storages.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from models.exported.torchscript_source import PARAMETERS

MOST_BYTES = 8 << 20  # of a pickle: twenty times that of DenseNet-201
RATIO, ROOM_BYTES = 8, 1 << 24
CLASS = re.compile(r"__torch__(\.[\w]+)*", re.ASCII)
STORAGES = {
    **{
        "DoubleStorage": 8,
        "FloatStorage": 4,
        "HalfStorage": 2,
        "BFloat16Storage": 2,
        "LongStorage": 8,
        "IntStorage": 4,
    },
    **{"ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "ComplexFloatStorage": 8},
    **{"ComplexDoubleStorage": 16, "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4},
}
LISTS = {"build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag"}
KNOWN = {
    *(("torch.jit._pickle", name) for name in LISTS),
    *(("torch", name) for name in (*STORAGES, "device", "per_tensor_affine", "per_channel_affine", "Size")),
    *(("torch._utils", name) for name in ("_rebuild_tensor_v2", "_rebuild_qtensor", "_rebuild_parameter")),
    ("collections", "OrderedDict"),
}
# The opcodes that TorchScript writes, pickle protocol 2
_OPCODES = """
PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2
TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS BINPUT LONG_BINPUT BINGET LONG_BINGET BINPERSID GLOBAL
"""
OPCODES = tuple(_OPCODES.split())


class ForeignError(Exception):
    """A pickle contains what no TorchScript file does."""


class Mark:
    """Placeholder for a name in a pickle and for the objects made with it: arguments and state are recorded, never
    used.
    """

    def __init__(self, name: str, args: tuple[Any, ...] = ()) -> None:
        self.name, self.args = name, args

    def __call__(self, *args: Any) -> Mark:
        return Mark(self.name, args)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Accept an item of a dictionary."""

    def __setstate__(self, state: Any) -> None:
        """Accept a state."""


class _Reader(pickle._Unpickler):  # type: ignore[name-defined]
    """Reads a pickle of protocol 2 into placeholders and plain values."""

    dispatch: ClassVar[Any] = {
        getattr(pickle, code)[0]: pickle._Unpickler.dispatch[getattr(pickle, code)[0]]  # type: ignore[attr-defined]
        for code in OPCODES
    }

    def __init__(self, content: bytes, sizes: Mapping[str, int]) -> None:
        super().__init__(io.BytesIO(content))
        self._sizes = sizes
        self.claimed = 0

    def find_class(self, module: str, name: str) -> Any:
        """Return the placeholder of a name. Raises ForeignError for a name that TorchScript does not write."""
        full = f"{module}.{name}"
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("torch._utils", "_rebuild_qtensor"):
            return self._tensor
        if (module, name) in KNOWN:
            return Mark(full)
        foreign = full.startswith("__torch__.torch.classes") and not PARAMETERS.fullmatch(full)
        if CLASS.fullmatch(full) and not foreign:
            return Mark(full)
        raise ForeignError(full)

    def persistent_load(self, pid: Any) -> Any:
        """Return the placeholder of a storage. Raises ForeignError if the file holds fewer bytes than it claims."""
        match pid:
            case ("storage", Mark(name=kind), str(key), str(), int(count)):
                size = STORAGES.get(kind.removeprefix("torch."), 0)
                if size and 0 <= count * size <= self._sizes.get(key, -1):
                    return Mark("storage", (count, size))
        raise ForeignError("a storage that the file does not hold")

    def load_newobj(self) -> None:
        args = self.stack.pop()  # type: ignore[attr-defined]
        kind = self.stack.pop()  # type: ignore[attr-defined]
        if not isinstance(kind, Mark):
            raise ForeignError("an object of no class")
        self.append(kind(*args))  # type: ignore[attr-defined]

    def load_reduce(self) -> None:
        args = self.stack.pop()  # type: ignore[attr-defined]
        made = self.stack.pop()  # type: ignore[attr-defined]
        if not isinstance(made, Mark) and made != self._tensor:
            raise ForeignError("a call of no function")
        self.append(made(*args))  # type: ignore[attr-defined]

    def load_build(self) -> None:
        self.stack.pop()  # type: ignore[attr-defined]
        if not isinstance(self.stack[-1], Mark):  # type: ignore[attr-defined]
            raise ForeignError("a state of no object")

    def _tensor(self, *args: Any) -> Mark:
        """Return the placeholder of a tensor. Raises ForeignError if it reaches beyond its storage."""
        storage, offset, size, stride = args[:4]
        sides = [*size, *stride, offset]
        if not isinstance(storage, Mark) or storage.name != "storage" or len(size) != len(stride) or len(size) > 64:
            raise ForeignError("a tensor of no numbers")
        if not all(type(side) is int and 0 <= side < 2**62 for side in sides):
            raise ForeignError("a tensor with invalid sizes")
        count, (held, width) = math.prod(size), storage.args
        if count and offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True)) >= held:
            raise ForeignError("a tensor that is larger than its storage")
        self.claimed += count * width
        return Mark("tensor", (count,))


_Reader.dispatch = {  # type: ignore[misc]
    **_Reader.dispatch,
    pickle.NEWOBJ[0]: _Reader.load_newobj,
    pickle.REDUCE[0]: _Reader.load_reduce,
    pickle.BUILD[0]: _Reader.load_build,
}


def check(content: bytes, sizes: Mapping[str, int], *, file_bytes: int) -> None:
    """Raise ForeignError unless a pickle holds only what TorchScript writes.

    `sizes` are the storages' bytes by name.
    """
    if len(content) > MOST_BYTES:
        raise ForeignError(f"a list of {len(content):,} bytes")
    reader = _Reader(content, sizes)
    try:
        reader.load()
    except ForeignError:
        raise
    except Exception as error:  # a broken pickle may raise anything
        raise ForeignError(f"what cannot be read ({type(error).__name__})") from error
    if reader.claimed > RATIO * file_bytes + ROOM_BYTES:
        raise ForeignError("tensors that claim far more than the file holds")
