"""Files of models with random damage: opening one ends in a model or in one sentence, never in an unforeseen exception.

The damage is drawn from a seed, so that a failure repeats. `VITRINE_MUTATIONS` makes more of each kind than the suite.
"""

from __future__ import annotations

import json
import os
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import programs
import pytest
import torch

from models.engine.engine import Engine
from models.exported import torch_archive, torch_export, torchscript
from models.files import sha256
from models.requests import Request
from models.types import Failure, Refusal, Result
from models.user_code import consent

COUNT = int(os.environ.get("VITRINE_MUTATIONS", "25"))
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**31, 2**63, -(2**70), 1e400, float("nan"), 0.5, [], {}, [[]], {"a": 1}, [None]),
    *("", "a", "\0", "\n", "\ud800", "import os", "9**9**9**9", "é", "../../x", "x" * 5000, "__class__", "lambda"),
    *("torch.ops.aten.save.default", "torch.ops.aten.relu.default", "L['x'].size()[0] > 2", "s0", "forward"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("whole")
    net = programs.residual()
    programs.pt2(net, made / "net.pt2", batch=True)
    programs.script(net, made / "script.pt")
    torch.save({"state_dict": net.state_dict(), "epoch": 3}, made / "weights.pt")
    torch.save(net.state_dict(), made / "legacy.pth", _use_new_zipfile_serialization=False)
    from safetensors.torch import save_file

    save_file(net.state_dict(), made / "net.safetensors")
    return made


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def bytes_changed(rng: random.Random, content: bytes) -> bytes:
    """Return a file's bytes with some flipped, cut out, put in twice, or missing at the end."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        at = rng.randrange(len(found)) if found else 0
        match rng.randrange(5):
            case 0:
                found[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del found[at : at + rng.choice((1, 4, 64))]
            case 2:
                found[at:at] = found[at : at + rng.choice((1, 8, 200))]
            case 3:
                found[at : at + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff"))
            case _ if rng.random() < 0.2:
                del found[at:]
    return bytes(found)


def json_changed(rng: random.Random, value: Any) -> Any:
    """Return JSON with one or a few of its values, keys or items replaced, left out, or put in twice."""
    for _ in range(rng.choice((1, 1, 1, 3))):
        places: list[tuple[Any, Any]] = []
        waiting = [value]
        while waiting:
            one = waiting.pop()
            inside = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
            for key, inner in inside:
                places.append((one, key))
                waiting.append(inner)
        holder, key = rng.choice(places)
        match rng.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, json.loads(json.dumps(holder[key])))
            case 1:
                holder[str(rng.choice(ODD))[:5000]] = holder.pop(key)
            case _:
                holder[key] = rng.choice(ODD)
    return value


def member_changed(rng: random.Random, source: Path, target: Path) -> None:
    """Write an archive with one of its members changed or left out."""
    with zipfile.ZipFile(source) as old:
        names = [name.partition("/")[2] for name in old.namelist()]
    chosen = rng.choice(names)

    def change(name: str, content: bytes) -> bytes | None:
        if name != chosen:
            return content
        if rng.random() < 0.2:
            return None
        if name.endswith(".json") and rng.random() < 0.8:
            return json.dumps(json_changed(rng, json.loads(content))).encode("utf-8", "surrogatepass")
        return bytes_changed(rng, content)

    programs.rewritten(source, target, change)


def told(engine: Engine, path: Path) -> str:
    """Open a file as the window does; return "" where that ended as it should, else what it ended in."""
    answer = engine.run(Request("describe", str(path)))
    engine._models.clear()
    if isinstance(answer, Result) or (isinstance(answer, Failure) and answer.memory):
        return ""
    assert isinstance(answer, Failure)
    if len(answer.message) < 15 or "\n" in answer.message or len(answer.message) > 1500:
        return f"no sentence: {answer.message!r}"
    return answer.details if "could not be read" in answer.message or " failed at " in answer.message else ""


def outcomes(engine: Engine, path: Path, make: Callable[[random.Random, Path], None]) -> list[tuple[int, str]]:
    wrong = []
    for seed in range(COUNT):
        make(random.Random(seed), path)
        if path.suffix == ".pt" and path.stem == "script":
            consent.allow(path, sha256(path))
        if found := told(engine, path):
            wrong.append((seed, found[-1500:]))
    return wrong


@pytest.mark.parametrize("name", ["net.pt2", "script.pt", "weights.pt", "legacy.pth", "net.safetensors"])
def test_flipped_bytes_end_in_a_sentence(name: str, folder: Path, engine: Engine, tmp_path: Path) -> None:
    whole = (folder / name).read_bytes()
    path = tmp_path / name
    assert not outcomes(engine, path, lambda rng, to: to.write_bytes(bytes_changed(rng, whole)) and None)


@pytest.mark.parametrize("name", ["net.pt2", "script.pt", "weights.pt"])
def test_changed_members_end_in_a_sentence(name: str, folder: Path, engine: Engine, tmp_path: Path) -> None:
    assert not outcomes(engine, tmp_path / name, lambda rng, to: member_changed(rng, folder / name, to))


def test_changed_json_of_programs_ends_in_a_sentence(folder: Path, engine: Engine, tmp_path: Path) -> None:
    def make(rng: random.Random, to: Path) -> None:
        def change(name: str, content: bytes) -> bytes:
            if name != torch_archive.MODEL:
                return content
            return json.dumps(json_changed(rng, json.loads(content))).encode("utf-8", "surrogatepass")

        programs.rewritten(folder / "net.pt2", to, change)

    assert not outcomes(engine, tmp_path / "net.pt2", make)


def test_changed_cards_end_in_a_sentence(folder: Path, engine: Engine, tmp_path: Path) -> None:
    card = {
        "name": "net",
        "weights": "net.pt2",
        "classes": ["a", "b", "c", "d"],
        "task": "classification",
        "licence": "MIT",
        "bytes": 12,
        "sha256": "",
        "preprocessing": {
            "fit": "crop",
            "resize": 32,
            "crop": [32, 32],
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "range": 1.0,
        },
        "input": [3, 32, 32],
        "assumptions": {"scores": {"value": "logits"}},
    }
    path = tmp_path / "net.pt2"
    path.write_bytes((folder / "net.pt2").read_bytes())
    beside = tmp_path / "net.json"

    def make(rng: random.Random, _: Path) -> None:
        if rng.random() < 0.2:
            beside.write_bytes(bytes_changed(rng, json.dumps(card).encode()))
            return
        changed = json_changed(rng, json.loads(json.dumps(card)))
        if isinstance(changed, dict) and rng.random() < 0.8:
            changed |= {"name": "net", "weights": "net.pt2"}
        beside.write_bytes(json.dumps(changed).encode("utf-8", "surrogatepass"))

    assert not outcomes(engine, path, make)


def fields_changed(rng: random.Random, model: Any) -> None:
    """Change one thing in an ONNX graph: a field's value, a message less or twice, a name that leads elsewhere."""
    holders: list[Any] = [model]
    waiting = [model]
    while waiting:
        for field, value in waiting.pop().ListFields():
            many = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
            if field.message_type is not None:
                inner = list(value) if many else [value]
                waiting += inner
                holders += inner
    holder = rng.choice([one for one in holders if one.ListFields()])
    field, value = rng.choice(holder.ListFields())
    many = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
    if rng.random() < 0.2:
        holder.ClearField(field.name)
    elif many and len(value) and rng.random() < 0.5:
        del value[rng.randrange(len(value))]
    elif field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64, field.CPPTYPE_UINT64, field.CPPTYPE_ENUM):
        odd = rng.choice((-1, 0, 1, 2, 7, 2**20, 2**31 - 1, -(2**31)))
        with suppress(ValueError):  # no such number of an enumeration
            if many:
                value[rng.randrange(len(value))] = odd
            else:
                setattr(holder, field.name, odd)
    elif field.cpp_type == field.CPPTYPE_STRING:
        text = rng.choice(("", "x", "Relu", "Expand", "Tile", "Shape", "a.b.c", "lambda", "é", "x" * 3000, "constants"))
        raw = text.encode() if field.type == field.TYPE_BYTES else text
        if many:
            value[rng.randrange(len(value))] = raw
        else:
            setattr(holder, field.name, raw)
    elif many and len(value) and field.message_type is not None:
        value.add().CopyFrom(value[rng.randrange(len(value))])


@pytest.mark.parametrize("name", ["plain", "residual_graph", "transformer", "odd"])
def test_changed_onnx_graphs_end_in_a_sentence(name: str, engine: Engine, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    whole = getattr(programs, name)(onnx)

    def make(rng: random.Random, to: Path) -> None:
        model = onnx.ModelProto()
        model.CopyFrom(whole)
        if rng.random() < 0.3:
            to.write_bytes(bytes_changed(rng, model.SerializeToString()))
            return
        for _ in range(rng.choice((1, 1, 2))):
            fields_changed(rng, model)
        to.write_bytes(model.SerializeToString())

    assert not outcomes(engine, tmp_path / "net.onnx", make)


def test_what_the_readers_raise_themselves_is_a_refusal(folder: Path, tmp_path: Path) -> None:
    """The general boundary of the engine hides nothing here: the readers are asked directly."""
    for seed in range(COUNT):
        rng = random.Random(seed)
        path = tmp_path / "net.pt2"
        member_changed(rng, folder / "net.pt2", path)
        with suppress(Refusal):
            torch_export.unflatten(torch_archive.exported(path), name="net.pt2")
        content = bytes_changed(rng, (folder / "script.pt").read_bytes())
        with suppress(Refusal):
            torchscript.opened(content, name="script.pt")
