"""Hostile programs: torch.export and TorchScript whose names, sizes, operators and classes reach for more."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

Made = tuple[str, bytes]
JSON = "models/model.json"


class Small(nn.Module):
    """Has a part, a parameter, a buffer and a constant, and takes any number of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.register_buffer("scale", torch.ones(4, 1, 1))
        self.fixed = torch.ones(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return (self.inner(x) * self.scale + self.fixed).mean((2, 3))


def _exported() -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dims = ({0: torch.export.Dim("batch", min=1, max=8)},)
        torch.export.save(torch.export.export(Small().eval(), (torch.rand(2, 3, 8, 8),), dynamic_shapes=dims), file)
    return file.getvalue()


def _scripted() -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Small().eval()), file)
    return file.getvalue()


def changed(content: bytes, change: Callable[[str, bytes], bytes], more: dict[str, bytes] | None = None) -> bytes:
    """An archive with its members changed, and some more."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, change(name.partition("/")[2], old.read(name)))
        root = old.namelist()[0].partition("/")[0]
        for name, added in (more or {}).items():
            new.writestr(f"{root}/{name}", added)
    return made.getvalue()


def replaced(value: Any, old: str, new: Any) -> Any:
    """JSON with a text replaced wherever it stands, as a value or a key."""
    if isinstance(value, dict):
        return {(new if k == old and isinstance(new, str) else k): replaced(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(one, old, new) for one in value]
    return new if value == old else value


def names(canary: str) -> dict[str, str]:
    """What might stand where a name is expected."""
    call = f"__import__('os').system('touch {canary}')"
    return {
        "default": f"x={call}",
        "newline": f"x\n    {call}\n    y",
        "return": f"x\r    {call}",
        "quote": f'x"+str({call})+"',
        "bracket": f"x):\n    {call}\ndef g(y",
        "annotation": f"x: {call}",
        "comment": f"x # {call}",
        "keyword": "lambda",
        "dunder": "__class__",
        "nul": "x\0y",
        "alike": "ｅval",
        "cyrillic": "сonv",
        "empty": "",
        "long": "x" * 100_000,
        "dots": "x..y",
        "nested": f"inner.0.{call}",
        "star": "*x",
        "surrogate": "\ud800",
    }


def exported(canary: str) -> Iterator[Made]:
    """Programs of torch.export."""
    whole = _exported()

    def with_json(edit: Callable[[Any], Any], member: str = JSON) -> bytes:
        def change(name: str, content: bytes) -> bytes:
            return json.dumps(edit(json.loads(content))).encode() if name == member else content

        return changed(whole, change)

    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        program = json.loads(archive.read(next(n for n in archive.namelist() if n.endswith(JSON))))
    graph = program["graph_module"]["graph"]
    value = graph["nodes"][0]["outputs"][0]["as_tensor"]["name"]
    places = {
        "input": "x",
        "value": value,
        "parameter-value": "p_inner_0_weight",
        "parameter": "inner.0.weight",
        "buffer": "scale",
        "constant": "fixed",
        "module": "inner.0",
    }
    for place, old in places.items():
        for kind, text in names(canary).items():
            if place == "module" and kind == "empty":
                continue  # it is the network's own name
            yield f"exported-{place}-{kind}.pt2", with_json(lambda p, old=old, text=text: replaced(p, old, text))
    targets = (
        *("torch.load", "torch.ops.aten.save.default", "torch.ops.aten.from_file.default", "torch.ops.load_library"),
        *("torch.serialization.os.system", "_operator.attrgetter", "_operator.methodcaller", "_operator.call"),
        *("math.__loader__.load_module", "torch.ops.image.write_file.default", "torch.ops.higher_order.print", "#a:b"),
        *("torch.ops.aten.set_.source_Storage", "builtins.eval", "torch.ops.aten.relu.__class__", "torch._C._jit_init"),
        *("torch.ops.aten.relu .default", "torch.ops.aten.relu.default\n", "torch.hub.load", "os.system"),
    )
    for number, target in enumerate(targets):

        def aim(p: Any, target: str = target) -> Any:
            p["graph_module"]["graph"]["nodes"][0]["target"] = target
            return p

        yield f"exported-target-{number}.pt2", with_json(aim)
    tower = "9" + "**9" * 8
    deep = "Mod(" * 3000 + "s0" + ", 2)" * 3000
    sizes = (
        *(
            f"__import__('os').system('touch {canary}')",
            "9**9**9**9",
            tower,
            "Pow(Integer(9), Pow(Integer(9), 99))",
            deep,
        ),
        *(
            "s0.__class__",
            "Integer('1')",
            "(lambda: 1)()",
            "[1 for x in range(9)]",
            "Symbol('a', cls=eval)",
            "s0\n",
            "ｓ0",
        ),
        *("FloorDiv(" * 900 + "s0" + ", 2)" * 900, "1" * 5000, "factorial(9999)", "f'{1}'", "s0 if s0 else 1", "open"),
    )
    for number, text in enumerate(sizes):

        def size(p: Any, text: str = text) -> Any:
            found = p["graph_module"]["graph"]["tensor_values"][value]["sizes"]
            found[0] = {"as_expr": {"expr_str": text, "hint": None}}
            return p

        yield f"exported-size-{number}.pt2", with_json(size)

    def guarded(p: Any) -> Any:
        p["guards_code"] = [f"L['x'].size()[0] >= 1 or __import__('os').system('touch {canary}')"]
        return p

    def stacked(p: Any) -> Any:
        for node in p["graph_module"]["graph"]["nodes"]:
            node["metadata"]["nn_module_stack"] = f"k,inner.__import__('os').system('touch {canary}'),torch.nn.ReLU"
        return p

    def large(p: Any) -> Any:
        node = p["graph_module"]["graph"]["nodes"][0]
        node["target"] = "torch.ops.aten.expand.default"
        node["inputs"] = [
            {"name": "self", "arg": {"as_tensor": {"name": "fixed"}}, "kind": 1},
            {"name": "size", "arg": {"as_ints": [2**20, 2**20]}, "kind": 1},
        ]
        return p

    yield "exported-guard.pt2", with_json(guarded)
    yield "exported-stack.pt2", with_json(stacked)
    yield "exported-large.pt2", with_json(large)
    config = "data/weights/model_weights_config.json"

    def claims(p: Any) -> Any:
        for one in p["config"].values():
            one["tensor_meta"]["sizes"] = [{"as_int": 2**15}, {"as_int": 2**15}]
            one["tensor_meta"]["strides"] = [{"as_int": 0}, {"as_int": 0}]
        return p

    yield "exported-claims.pt2", with_json(claims, config)
    for member in (
        "data/aotinductor/model/x.so",
        "data/constants/custom_obj_0",
        "data/weights/model.pt",
        "models/b.json",
    ):
        yield f"exported-{member.replace('/', '-')}.pt2", changed(whole, lambda _, c: c, {member: b"x"})


def scripted(canary: str) -> Iterator[Made]:
    """TorchScript that reaches for more, by each way into its operators."""
    whole = _scripted()
    lines = (
        f'torch.save(x, "{canary}")',
        f'(x).save("{canary}", )',
        f'ops.aten.save(x, "{canary}")',
        f'ops.image.write_file("{canary}", x)',
        f'(ops. # x\n      image.write_file)("{canary}", x)',
        f'getattr(getattr(ops, "\\151mage"), "write_file")("{canary}", x)',
        f'getattr(ops.image, "write_file")("{canary}", x)',
        f'getattr(torch, "save")(x, "{canary}")',
        'torch.from_file("/etc/passwd")',
        'ops.image.read_file("/etc/passwd")',
        "ops.prim.PythonOp(x, )",
        "__torch__.torch.classes.profiling._RecordFunctionFast(x, )",
        "fork(x, )",
        "torch.manual_seed(0)",
    )
    for number, line in enumerate(lines):

        def change(name: str, content: bytes, line: str = line) -> bytes:
            if name.startswith("code/") and b"class Small" in content:
                return content.replace(b"x: Tensor) -> Tensor:\n", f"x: Tensor) -> Tensor:\n    y = {line}\n".encode())
            return content

        yield f"script-{number}.pt", changed(whole, change)
        load = f"  def __setstate__(self, x: Tensor) -> None:\n    y = {line}\n    return None\n".encode()

        def on_loading(name: str, content: bytes, load: bytes = load) -> bytes:
            return content + load if name.startswith("code/") and b"class Small" in content else content

        yield f"script-loading-{number}.pt", changed(whole, on_loading)
    yield "script-pickle.pt", changed(whole, lambda n, c: b"\x80\x02cposix\nsystem\n." if n == "data.pkl" else c)
