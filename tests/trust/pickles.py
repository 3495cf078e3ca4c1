"""Hostile pickles and archives of weights, made and never loaded. `evil` names what would write the canary."""

from __future__ import annotations

import builtins
import copyreg
import functools
import io
import os
import pickle
import struct
import subprocess
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

Made = tuple[str, bytes]


class Call:
    """Pickles as a call of something."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> Any:
        return self.function, self.args

    def __call__(self) -> None:
        """Be callable, as what stands first in a reduction must be: its outcome is what is called."""


class Built:
    """Pickles as a call, and a state that is set on its outcome."""

    def __init__(self, function: Any, args: tuple[Any, ...], state: Any) -> None:
        self.parts = function, args, state

    def __reduce__(self) -> Any:
        return self.parts


def tricks(canary: Path) -> Iterator[tuple[str, Any]]:
    """Objects that write the canary when they are unpickled without care."""
    shell, code = f"touch {canary}", f"open({str(canary)!r}, 'w').close()"
    yield "system", Call(os.system, shell)
    yield "popen", Call(os.popen, shell)
    yield "subprocess", Call(subprocess.Popen, ["touch", str(canary)])
    yield "exec", Call(builtins.exec, code)
    yield "eval", Call(builtins.eval, f"open({str(canary)!r}, 'w')")
    yield "compile", Call(builtins.exec, Call(compile, code, "x", "exec"))
    yield "getattr", Call(Call(getattr, Call(__import__, "os"), "system"), shell)
    yield "open", Call(builtins.open, str(canary), "w")
    yield "nested", {"state_dict": {"w": [Call(os.system, shell)]}}
    yield "key", {"a": torch.zeros(2), "b": Call(builtins.exec, code)}
    yield "partial", Call(functools.partial, os.system, shell)
    yield "called-partial", Call(functools.partial(os.system, shell))
    yield "copyreg", Call(copyreg._reconstructor, Call, object, None)  # type: ignore[attr-defined]
    yield "numpy", Call(np.load, str(canary))
    yield "rebuild", Call(torch._utils._rebuild_tensor_v2, Call(os.system, shell), 0, (1,), (1,), False, OrderedDict())
    yield "parameter", Call(torch._utils._rebuild_parameter, Call(builtins.exec, code), False, OrderedDict())
    yield "hooks", Built(OrderedDict, (), {"x": Call(os.system, shell)})
    yield "type", Call(torch._tensor._rebuild_from_type_v2, os.system, torch.Tensor, (shell,), {})
    yield "import", Call(__import__, "antigravity")
    yield "delattr", Call(setattr, Call(__import__, "os"), "system", print)


def files(canary: Path) -> Iterator[Made]:
    """Every trick in both formats of PyTorch, and as bare pickles of several protocols."""
    for number, (name, thing) in enumerate(tricks(canary)):
        yield f"zip-{name}.pt", saved(thing)
        yield f"legacy-{name}.pth", saved(thing, legacy=True)
        yield f"bare-{name}.ckpt", pickle.dumps(thing, protocol=2 + number % 4)
    pickled = pickle.dumps(Call(os.system, f"touch {canary}"), protocol=2)
    yield "text-protocol.pt", f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode()
    yield "trailing.pth", saved({"a": torch.zeros(2)}, legacy=True) + pickled
    yield "second-pickle.ckpt", archive({"archive/data.pkl": pickle.dumps({}), "archive/other.pkl": pickled})
    yield "as-safetensors.safetensors", pickled
    yield "torchscript.pt", archive({"m/data.pkl": pickled, "m/code/x.py": b"import os\n", "m/constants.pkl": pickled})
    yield (
        "program.pt2",
        archive({"p/data.pkl": pickled, "p/archive_format": b"pt2", "p/serialized_exported_program.json": b"{"}),
    )
    yield "program-extra.pt2", archive({"../../x": b"x", "p/models/model.json": b"[" * 20_000})
    yield (
        "traversal.pt",
        archive(
            {"archive/data.pkl": tensors({"a": "0"}), "archive/data/0": bytes(64), "../../../vitrine-canary": b"x"}
        ),
    )
    yield (
        "absolute.pt",
        archive({"archive/data.pkl": tensors({"a": "0"}), "archive/data/0": bytes(64), str(canary): b"x"}),
    )
    yield "key-traversal.pt", archive({"archive/data.pkl": tensors({"a": "../../../etc/passwd"})})


def saved(thing: Any, *, legacy: bool = False) -> bytes:
    """What torch.save writes."""
    file = io.BytesIO()
    torch.save(thing, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def archive(members: dict[str, bytes], *, deflated: bool = False) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content, kind)
        made.writestr(zipfile.ZipInfo("archive/version"), "3\n")
    return file.getvalue()


class _Stored:
    def __init__(self, key: str, count: int) -> None:
        self.key, self.count = key, count


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Stored):
            return "storage", torch.FloatStorage, obj.key, "cpu", obj.count
        return None


def tensors(keys: dict[str, str], *, size: Any = (4,), stride: Any = (1,), offset: Any = 0, count: int = 16) -> bytes:
    """The pickle of a state dict whose tensors say what they are told to say."""
    file = io.BytesIO()
    rebuild = torch._utils._rebuild_tensor_v2
    made = {n: Call(rebuild, _Stored(k, count), offset, size, stride, False, OrderedDict()) for n, k in keys.items()}
    _Pickler(file, protocol=2).dump(made)
    return file.getvalue()


def shapes() -> Iterator[Made]:
    """Tensors that claim what is not there."""
    odd = {
        "negative-size": {"size": (-4,)},
        "negative-stride": {"stride": (-1,)},
        "huge-size": {"size": (2**40,)},
        "overflow": {"size": (2**31, 2**31, 4), "stride": (2**33, 4, 1)},
        "overflow-offset": {"offset": 2**62},
        "negative-offset": {"offset": -8},
        "many-dimensions": {"size": (1,) * 500, "stride": (1,) * 500},
        "text-size": {"size": "four"},
        "expanded": {"size": (2**15, 2**15), "stride": (0, 0)},
        "expanded-more": {"size": (2**20, 2**20), "stride": (0, 1), "count": 2**20},
        "mismatched": {"size": (2, 2), "stride": (1,)},
        "huge-storage": {"count": 2**40},
        "negative-storage": {"count": -1},
    }
    for name, how in odd.items():
        members = {"archive/data.pkl": tensors({"a.weight": "0"}, **how), "archive/data/0": bytes(64)}
        yield f"{name}.pt", archive(members)
    shared = tensors({f"layer{n}.weight": "0" for n in range(3000)}, size=(2**20,), count=2**20)
    yield "shared-many.pt", archive({"archive/data.pkl": shared, "archive/data/0": bytes(2**22)})
    yield "sparse.pt", saved({"a": torch.sparse_coo_tensor(torch.zeros(2, 0).long(), torch.zeros(0), (10**7, 10**7))})
    yield (
        "sparse-bad.pt",
        saved({"a": torch.sparse_coo_tensor(torch.full((1, 1), 9), torch.ones(1), (3,), check_invariants=False)}),
    )
    yield "quantised.pt", saved({"a": torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.quint8)})
    yield "meta.pt", saved({"a": torch.empty(2**20, 2**20, device="meta")})
    yield "half-expanded.pt", saved({"a.weight": torch.zeros(1, dtype=torch.half).expand(2**15, 2**15)})
    yield "complex.pt", saved({"a": torch.zeros(3, dtype=torch.complex64)})
    yield "no-names.pt", saved({n: torch.zeros(1) for n in range(3)})
    yield "odd-names.pt", saved({"<img src=x>\n\u202e": torch.zeros(1), "\0": torch.zeros(1)})
    yield "cyclic.ckpt", cyclic()
    yield "deep.pt", b"\x80\x02" + b"]" * 3_000_000 + b"a" * 2_999_999 + b"."
    yield "deep-tuple.ckpt", b"\x80\x02)" + b"\x85" * 3_000_000 + b"."
    yield "deep-inside.pt", archive({"archive/data.pkl": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."})
    yield "long-list.pt", archive({"archive/data.pkl": b"\x80\x02" + b"N0" * 9_000_000 + b"N."})
    yield "long-text.pt", b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x."
    yield "long-bytes.pt", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x."
    yield "long-number.pt", b"\x80\x02\x8b" + struct.pack("<I", 2**31 - 1) + b"\1" * 100 + b"."
    yield "memo.pt", b"\x80\x02Nr\xff\xff\xff\x7f."
    yield "legacy-storage.pth", legacy_claim()
    yield "laughs.pt", laughs()


def laughs() -> bytes:
    """Lists of ten lists of ten lists, forty deep, each of them once in the file."""
    thing: Any = [torch.zeros(1)]
    for _ in range(40):
        thing = [thing] * 10
    return saved({"state_dict": thing})


def cyclic() -> bytes:
    """A dictionary that holds itself."""
    thing: dict[str, Any] = {"a": torch.zeros(1)}
    thing["state_dict"] = thing
    return saved(thing)


def legacy_claim() -> bytes:
    """The older format, with a storage of a terabyte announced."""
    file = io.BytesIO()
    for each in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
        pickle.dump(each, file, protocol=2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            if isinstance(obj, _Stored):
                return "storage", torch.FloatStorage, obj.key, "cpu", obj.count, None
            return None

    call = Call(torch._utils._rebuild_tensor_v2, _Stored("0", 2**38), 0, (4,), (1,), False, OrderedDict())
    Pickler(file, protocol=2).dump({"a": call})
    pickle.dump(["0"], file, protocol=2)
    file.write(struct.pack("<q", 2**38))
    return file.getvalue()


def bombs() -> Iterator[Made]:
    """Archives of a few megabytes that unpack to many gigabytes."""
    yield (
        "bomb-storage.pt",
        bomb("archive/data/0", {"archive/data.pkl": tensors({"a": "0"}, size=(2**30,), count=2**30)}),
    )
    yield "bomb-pickle.ckpt", bomb("archive/data.pkl", {"archive/data/0": bytes(64)})
    yield "bomb-other.pt", bomb("archive/other", {"archive/data.pkl": tensors({"a": "0"}), "archive/data/0": bytes(64)})
    yield "bomb-program.pt2", bomb("p/data/weights/0", {"p/archive_format": b"pt2"})
    yield "bomb-torchscript.pt", bomb("m/data.pkl", {"m/code/__torch__.py": b"", "m/constants.pkl": b"\x80\x02)."})


def bomb(name: str, others: dict[str, bytes], *, gigabytes: int = 4) -> bytes:
    """A member of zeros, deflated once and repeated; its checksum is wrong, which is told only at its end."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeeze.compress(bytes(2**26)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    count = gigabytes * 2**30 // 2**26
    data, size = block * count + squeeze.flush(zlib.Z_FINISH), min(count * 2**26, 2**32 - 1)
    plain = archive(others)
    # The member goes in front, and its entry into the central directory, which moves by so much.
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 33, 0, len(data), size, len(name), 0) + name.encode()
    start = plain.rindex(b"PK\5\6")
    entries, length, offset = struct.unpack("<HII", plain[start + 10 : start + 20])
    shift = len(local) + len(data)
    directory = bytearray(plain[offset : offset + length])
    at = 0
    while at < len(directory):
        names = sum(struct.unpack("<HHH", directory[at + 28 : at + 34]))
        where = struct.unpack("<I", directory[at + 42 : at + 46])[0]
        directory[at + 42 : at + 46] = struct.pack("<I", where + shift)
        at += 46 + names
    own = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 8, 0, 33, 0, len(data), size, len(name), 0, 0, 0, 0, 0, 0
    )
    directory += own + name.encode()
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, entries + 1, entries + 1, len(directory), offset + shift, 0)
    return local + data + plain[:offset] + bytes(directory) + end
