"""Read PyTorch's pickles without unpickling: containers, texts, numbers and tensors; everything else stays inert.

A pickle is a program for a small stack machine. This one executes its opcodes itself and knows a fixed list of them.
No name in a file is ever imported: what would be made by a class or a function becomes a `Record` of that name, its
arguments and its state. Tensors are made from storages in the file, within its bounds.
"""

from __future__ import annotations

import io
import math
import pickletools
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.loading import archive_limits
from models.types import Refusal

MOST_OPERATIONS = 1_000_000
MOST_DIMENSIONS = 8
_TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in _TYPES.values()}
_REBUILT = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v3")
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_ORDERED = ("collections.OrderedDict", "builtins.dict", "__builtin__.dict")
_SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
# Numbers and shapes that training scripts keep beside the weights, which no one needs to make.
NUMBERS = (*_SCALAR, "numpy.dtype", "_codecs.encode", "collections.defaultdict", "builtins.set", "__builtin__.set")
NUMBERS += (
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.ndarray",
    "builtins.int",
)


@dataclass(eq=False)
class Record:
    """What a pickle would make by calling something: its name, the arguments, the state set on it, and its items."""

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Name:
    """A class or function that a pickle names."""

    name: str


@dataclass(frozen=True, eq=False)
class _Storage:
    """A block of numbers in the file."""

    key: str
    dtype: torch.dtype | None
    count: int


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds, and the names of classes and functions in it besides those of tensors and containers."""

    root: Any
    names: tuple[str, ...]


class _Mark:
    """The mark on the stack."""


def read(path: Path) -> Contents:
    """Return what a file of either of PyTorch's formats holds. Raises Refusal if it is damaged or exceeds the limits.

    The tensors are views of the file's numbers, of any size that the file claims: check it before copying them.
    """
    archive_limits.archive(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _of_archive(archive, path)
        if archive_limits.older(path):
            return _read_legacy(path)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"{path.name} is cut short or damaged.", advice="Copy or download it again.") from error
    raise Refusal(f"{path.name} is not a PyTorch file.", advice="Save it with torch.save, or as safetensors.")


def _of_archive(archive: zipfile.ZipFile, path: Path) -> Contents:
    members = {member.filename: member for member in archive.infolist()}
    (pickled,) = [name for name in members if name.endswith("data.pkl")]
    folder = pickled.removesuffix("data.pkl")
    order = members.get(f"{folder}byteorder")
    if order is not None and archive.read(order).strip() != sys.byteorder.encode():
        raise Refusal(f"{path.name} was saved on a machine of another byte order.", advice="Save it as safetensors.")

    def numbers(key: str, size: int) -> bytes:
        member = members[f"{folder}data/{key}"]
        if member.file_size < size:
            raise ValueError("a storage is shorter than it claims")
        return archive.read(member)

    machine = _Machine(numbers, path)
    machine.run(io.BytesIO(archive.read(pickled)))
    return machine.contents()


def _read_legacy(path: Path) -> Contents:
    """Read the older format: pickles of magic number, version, sizes, objects and keys; then the storages."""
    with path.open("rb") as file:
        content = io.BytesIO(file.read())
    for _ in range(3):
        _Machine(lambda key, size: b"", path).run(content)
    machine, late = _Machine(lambda key, size: b"", path), {}
    machine.deferred = late
    root = machine.run(content)
    keys = _Machine(lambda key, size: b"", path).run(content)
    if not isinstance(keys, list):
        raise ValueError("no keys")
    sizes = {storage.key: storage for storage in machine.storages}
    found: dict[str, bytes] = {}
    for key in map(str, keys):
        count = int.from_bytes(content.read(8), "little")
        storage = sizes[key]
        size = count * torch.empty(0, dtype=storage.dtype).element_size() if storage.dtype else -1
        if not 0 <= size <= len(content.getbuffer()):
            raise ValueError("a storage claims more than the file holds")
        found[key] = content.read(size)
    machine.numbers = lambda key, size: found[key]
    made = {id(record): machine.tensor(*record.args) for record in late.values()}
    _replaced(root, made)
    machine.root = made.get(id(root), root)
    return machine.contents()


def _replaced(root: Any, made: Mapping[int, Any]) -> None:
    """Put tensors where the older format left records of them, because its numbers follow its objects."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Record):
            if isinstance(value.state, Record):
                value.state = made.get(id(value.state), value.state)
            value.args = tuple(made.get(id(one), one) for one in value.args)
            waiting += [value.state, value.items, *value.args]
        holder: Any = value
        places: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for place, one in list(places):
            if id(one) in made:
                holder[place] = made[id(one)]
            else:
                waiting.append(one)
        if isinstance(value, tuple):
            waiting += value


class _Machine:
    """Executes one pickle. `numbers(key, size)` returns the bytes of a storage, at least `size` of them."""

    def __init__(self, numbers: Callable[[str, int], bytes], path: Path) -> None:
        self.numbers, self.path = numbers, path
        self.root: Any = None
        self.storages: list[_Storage] = []
        self.deferred: dict[int, Record] | None = None
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._names: dict[str, None] = {}
        self._made: dict[str, Tensor] = {}

    def contents(self) -> Contents:
        """Return what was read."""
        return Contents(self.root, tuple(self._names))

    def run(self, file: io.BytesIO) -> Any:
        """Execute the pickle at the file's position and return its result."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count > MOST_OPERATIONS:
                raise Refusal(f"{self.path.name} describes more than any network has.", advice=archive_limits.ADVICE)
            if opcode.name == "STOP":
                break
            self._do(opcode.name, argument)
        self.root = self._stack.pop()
        return self.root

    def _do(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _PUSHED:
            stack.append(argument)
            return
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
            return
        match name:
            case "PROTO" | "FRAME":
                return
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_SET":
                stack.append(Record("builtins.set"))
            case "MARK":
                stack.append(_Mark)
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._marked()
            case "DUP":
                stack.append(stack[-1])
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "LIST":
                stack.append(self._marked())
            case "DICT":
                stack.append(_pairs(self._marked()))
            case "FROZENSET":
                stack.append(Record("builtins.frozenset", tuple(self._marked())))
            case "APPEND":
                value = stack.pop()
                _extend(stack[-1], [value])
            case "APPENDS" | "ADDITEMS":
                values = self._marked()
                _extend(stack[-1], values)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _update(stack[-1], [key, value])
            case "SETITEMS":
                values = self._marked()
                _update(stack[-1], values)
            case _:
                self._do_named(name, argument)

    def _do_named(self, name: str, argument: Any) -> None:
        """Execute an opcode that keeps, names or calls something."""
        stack = self._stack
        match name:
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[int(argument)] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[int(argument)])
            case "GLOBAL":
                stack.append(self._name(*str(argument).split(" ", 1)))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(self._name(_text(module), _text(attribute)))
            case "BINPERSID":
                stack.append(self._stored(stack.pop()))
            case "REDUCE" | "NEWOBJ":
                args, called = stack.pop(), stack.pop()
                stack.append(self._called(called, args))
            case "NEWOBJ_EX":
                named, args, called = stack.pop(), stack.pop(), stack.pop()
                stack.append(self._called(called, (*args, named)))
            case "OBJ":
                called, *args = self._marked()
                stack.append(self._called(called, tuple(args)))
            case "INST":
                args = tuple(self._marked())
                stack.append(self._called(self._name(*str(argument).split(" ", 1)), args))
            case "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], Record):
                    stack[-1].state = state
            case _:
                raise Refusal(
                    f"{self.path.name} is a pickle with {name[:40]}, which no network needs.",
                    advice=archive_limits.ADVICE,
                )

    def _marked(self) -> list[Any]:
        """Take everything above the topmost mark from the stack, and the mark."""
        at = len(self._stack) - 1
        while self._stack[at] is not _Mark:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return values

    def _name(self, module: str, attribute: str) -> _Name:
        name = f"{module}.{attribute}"
        own = name in (*_REBUILT, *_PARAMETERS, *_ORDERED, "torch.Size", "torch.device")
        if not own and not (module in ("torch", "torch.storage") and (attribute in _TYPES or attribute in _DTYPES)):
            self._names[name[:200]] = None
        return _Name(name)

    def _stored(self, given: Any) -> Any:
        """Return the storage that a persistent id names; the older format also keeps classes so, with their source."""
        if isinstance(given, tuple) and len(given) == 4 and given[0] == "module" and isinstance(given[1], _Name):
            return given[1]
        if not isinstance(given, tuple) or len(given) < 5 or given[0] != "storage" or not isinstance(given[1], _Name):
            raise ValueError("no storage")
        kind = given[1].name.rpartition(".")[2]
        count = given[4]
        if type(count) is not int or count < 0 or not isinstance(given[2], str | int):
            raise ValueError("no storage")
        found = _Storage(str(given[2]), _TYPES.get(kind, torch.uint8 if kind == "UntypedStorage" else None), count)
        self.storages.append(found)
        return found

    def _called(self, called: Any, args: Any) -> Any:
        """Return what calling something makes: a tensor, a container, or a record."""
        if not isinstance(called, _Name):
            return Record(called.name if isinstance(called, Record) else "?", args if isinstance(args, tuple) else ())
        if not isinstance(args, tuple):
            raise ValueError("no arguments")
        name = called.name
        if name in _REBUILT and args and isinstance(args[0], _Storage):
            if self.deferred is not None:
                record = Record(name, (name, *args))
                self.deferred[id(record)] = record
                return record
            return self.tensor(name, *args)
        if name in _PARAMETERS and args:
            return args[0]
        if name in _ORDERED:
            return _pairs([part for pair in args[0] for part in pair]) if args and isinstance(args[0], list) else {}
        if name == "torch.Size":
            return args[0] if args else ()
        if name == "copyreg._reconstructor" and args and isinstance(args[0], _Name):
            return Record(args[0].name)
        return Record(name, args)

    def tensor(self, name: str, storage: _Storage, offset: Any, size: Any, stride: Any, *more: Any) -> Any:
        """Return the tensor that a storage, an offset, a size and strides describe. Raises ValueError out of bounds."""
        dtype = storage.dtype
        if name.endswith("_v3"):
            dtype = (
                _DTYPES.get(more[2].name.rpartition(".")[2]) if len(more) > 2 and isinstance(more[2], _Name) else None
            )
        if dtype is None:
            return Record(name)
        sizes, strides = _whole(size), _whole(stride)
        if len(sizes) != len(strides) or len(sizes) > MOST_DIMENSIONS or type(offset) is not int or offset < 0:
            raise ValueError("a tensor's shape is damaged")
        held = self._numbers(storage, dtype)
        last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True)) + 1
        if math.prod(sizes) and last > len(held):
            raise ValueError("a tensor claims more than its storage holds")
        return held.as_strided(sizes, strides, offset if math.prod(sizes) else 0)

    def _numbers(self, storage: _Storage, dtype: torch.dtype) -> Tensor:
        """Return a storage's numbers as a flat tensor."""
        key = f"{storage.key} {dtype}"
        if key not in self._made:
            wide = torch.empty(0, dtype=dtype).element_size()
            own = torch.empty(0, dtype=storage.dtype).element_size() if storage.dtype else wide
            size = storage.count * own
            content = bytearray(self.numbers(storage.key, size)[:size])
            if len(content) < size:
                raise ValueError("a storage is shorter than it claims")
            content = content[: size // wide * wide]
            made = torch.frombuffer(content, dtype=torch.uint8) if content else torch.zeros(0, dtype=torch.uint8)
            self._made[key] = made.view(dtype)
        return self._made[key]


_NUMBERS_PUSHED = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS_PUSHED = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_BYTES_PUSHED = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_PUSHED = frozenset((*_NUMBERS_PUSHED, *_TEXTS_PUSHED, *_BYTES_PUSHED))
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no name")
    return value


def _whole(sizes: Any) -> tuple[int, ...]:
    if not isinstance(sizes, tuple) or not all(type(one) is int and 0 <= one < 1 << 62 for one in sizes):
        raise ValueError("a tensor's shape is damaged")
    return sizes


def _key(value: Any) -> Any:
    """Return a key of a dictionary: texts and numbers as they are, because hashing anything else may take forever."""
    return value if isinstance(value, str | int | float | None) else Record("a key")


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise ValueError("a key without a value")
    return {_key(values[at]): values[at + 1] for at in range(0, len(values), 2)}


def _update(held: Any, values: list[Any]) -> None:
    if isinstance(held, Record):
        held = held.items
    if isinstance(held, dict):
        held.update(_pairs(values))


def _extend(held: Any, values: list[Any]) -> None:
    if isinstance(held, Record):
        held.items.update({len(held.items) + at: value for at, value in enumerate(values)})
    elif isinstance(held, list):
        held.extend(values)


def networks(root: Any) -> Iterator[tuple[str, Record]]:
    """Yield the networks pickled whole in what a file holds: by the key they have there, "" for the file itself."""
    if isinstance(root, Record) and _is_network(root):
        yield "", root
    for key, value in list(root.items()) if isinstance(root, dict) else ():
        if isinstance(value, Record) and _is_network(value):
            yield str(key), value


def _is_network(record: Record) -> bool:
    return isinstance(record.state, dict) and isinstance(record.state.get("_modules"), dict)


def state_of(network: Record) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a network pickled whole, by their names in its state dict, and its layers' class names."""
    found: dict[str, Tensor] = {}
    kinds: dict[str, str] = {}
    waiting: list[tuple[str, Record, int]] = [("", network, 0)]
    seen: set[int] = set()
    while waiting:
        prefix, record, depth = waiting.pop()
        if id(record) in seen or depth > 60:
            continue
        seen.add(id(record))
        state = record.state if isinstance(record.state, dict) else {}
        kinds[prefix.rstrip(".")] = record.name
        for part in ("_parameters", "_buffers"):
            with suppress(AttributeError):
                found |= {f"{prefix}{n}": t for n, t in state.get(part, {}).items() if isinstance(t, Tensor)}
        modules = state.get("_modules")
        inside = modules.items() if isinstance(modules, dict) else ()
        waiting += [
            (f"{prefix}{name}.", one, depth + 1) for name, one in reversed(list(inside)) if isinstance(one, Record)
        ]
    return found, kinds
