"""TorchScript is code: it asks first, and what is not a network's is refused before any of it runs, allowed or not."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import programs
import pytest
import torch
import torchvision
from torch import Tensor, nn

from models import command_line, files
from models.engine.engine import Engine
from models.exported import allowed_operators, torchscript, torchscript_objects, torchscript_source, torchscript_text
from models.requests import Request
from models.types import Failure, Refusal, Result
from models.user_code import consent

CODE = "code/__torch__/programs.py"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return programs.script(programs.residual(), tmp_path_factory.mktemp("script") / "net.pt")


def opened(path: Path) -> torch.jit.ScriptModule:
    return torchscript.opened(path.read_bytes(), name=path.name)


def test_it_asks_before_it_runs_and_opens_afterwards(plain: Path) -> None:
    engine = Engine(threads=1)
    answer = engine.run(Request("describe", str(plain)))
    assert isinstance(answer, Failure) and answer.offer == ("allow", str(plain), files.sha256(plain))
    assert "TorchScript" in answer.advice and "holds code" in answer.message
    command_line.named(str(plain), {}, allow=True)
    assert isinstance(engine.run(Request("describe", str(plain))), Result)
    assert consent.before(plain)[0] == files.sha256(plain)


def test_another_content_under_the_same_name_asks_again(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(plain.read_bytes())
    command_line.named(str(path), {}, allow=True)
    other = programs.script(programs.residual(classes=5), tmp_path / "other.pt")
    path.write_bytes(other.read_bytes())
    answer = Engine(threads=1).run(Request("describe", str(path)))
    assert isinstance(answer, Failure) and answer.offer[0] == "allow"


def test_weights_need_no_word_and_take_none(tmp_path: Path) -> None:
    torch.save(programs.residual().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(Refusal, match="not a file of code"):
        command_line.named(str(tmp_path / "weights.pt"), {}, allow=True)


def test_what_is_shown_before_it_is_allowed_is_its_code(plain: Path) -> None:
    text = torchscript_text.text_of(plain.read_bytes())
    assert "def forward(self: __torch__.programs.Residual" in text and "torch.conv2d" in text and "PK" not in text
    assert torchscript_text.text_of(b"import os\n") == "import os\n"


class Writes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, "vitrine-canary")
        return x


class Reads(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.from_file("/etc/passwd", size=4, dtype=torch.uint8).sum()


class WritesPicture(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        # What it gives is used, or the call would be left out as dead.
        return x + torch.ops.image.write_file("vitrine-canary", x[0, 0, 0].to(torch.uint8)).numel()


class Deep(nn.Module):
    """A file is read in a block of a block of a function of a part."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.ReLU(), Reads())

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            if x.sum() > 1e9:
                x = self.inner(x)
        return x


class OnLoading(nn.Module):
    """A file is written by a method that torch runs while it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.training = False

    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, bool]:
        return torch.zeros(1), self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, bool]) -> None:
        self.training = state[1]
        torch.save(state[0], "vitrine-canary")


class Seeds(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return x


@pytest.mark.parametrize("kind", [Writes, Reads, WritesPicture, Deep, OnLoading, Seeds])
def test_what_no_network_calls_is_refused_though_it_was_allowed(
    kind: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = programs.script(kind(), tmp_path / "net.pt")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    command_line.named(str(path), {}, allow=True)
    answer = Engine(threads=1).run(Request("describe", str(path)))
    assert isinstance(answer, Failure) and "which no network does" in answer.message, answer
    assert not answer.details and not list(work.iterdir())


def test_the_trap_of_loading_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = programs.script(OnLoading(), tmp_path / "net.pt")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(str(path))
    assert (work / "vitrine-canary").exists(), "torch runs __setstate__ while it loads"


# Each takes the place of the first statement in `forward`, whose argument is x.
LINES = {
    "a comment": "  y = (ops. # x\n      image.write_file)('vitrine-canary', x)",
    "getattr of operators": '    y = getattr(getattr(ops, "\\151mage"), "write_file")("vitrine-canary", x)',
    "getattr with an escape": '    y = getattr(x, "\\163ave")("vitrine-canary")',
    "getattr that is called": '    y = getattr(x, "save")("vitrine-canary")',
    "a method of a tensor": '    y = (x).save("vitrine-canary", )',
    "a method under another name": '    f = (x).save\n    y = f("vitrine-canary", )',
    "an operator under another name": "    f = torch.save\n    y = f(x, )",
    "a namespace under another name": "    f = ops\n    y = f.image.write_file(x, )",
    "torch under another name": "    torch0 = torch\n    y = torch0.save(x, )",
    "another meaning of a name": "    torch = x",
    "a namespace that is unknown": "    y = ops.somebody.thing(x, )",
    "a file": '    y = torch.from_file("/etc/passwd")',
    "a file of the picture library": '    y = ops.image.read_file("/etc/passwd")',
    "an operator with spaces": '    y = torch . save(x, "vitrine-canary")',
    "an operator over lines": '    y = torch.\\\nsave(x, "vitrine-canary")',
    "an operator in brackets": '    y = (torch).save(x, "vitrine-canary")',
    "a class of torch's": "    y = __torch__.torch.classes.profiling._RecordFunctionFast(x, )",
    "Python": "    y = ops.prim.PythonOp(x, )",
    "a thread": "    y = fork(x, )",
    "a semicolon": '    y = x; z = torch.save(x, "a")',
    "a text in other quotes": "    y = torch.format('a')",
    "a text with a prefix": '    y = torch.format(f"{x}")',
    "a walrus": "    y = (z := torch.neg(x))",
    "a lambda": "    y = (lambda: x)()",
    "a comprehension": "    y = [x for x in [x]]",
    "letters that look alike": "    y = torch.sаve(x)",
    "an import": "    import os",
    "an item of operators": '    y = [torch.save][0](x, "a")',
    "a dunder": "    y = x.__class__.__init__(x)",
    "a change of self": "    self = x\n    y = self.save(x)",
    "something of the process": "    y = torch.manual_seed(0)",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_code_that_reaches_for_more_is_refused(line: str, plain: Path, tmp_path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        if name != CODE:
            return content
        head, mark, rest = content.decode().partition("    x: Tensor) -> Tensor:\n")
        assert mark
        return f"{head}{mark}{line}\n{rest}".encode()

    path = programs.rewritten(plain, tmp_path / "net.pt", change)
    with pytest.raises(Refusal, match="which no network does") as caught:
        opened(path)
    assert "Nothing of it was run" in caught.value.advice and str(caught.value).isascii()


def test_a_method_that_bears_an_operators_name_is_only_ones_own() -> None:
    own = "class A(Module):\n  def save(self, x: str) -> str:\n    return x\n"
    own += '  def forward(self, x: Tensor) -> str:\n    return (%s).save("a", )\n'
    torchscript_source.check([("a", own % "self")])
    with pytest.raises(torchscript_source.ForeignError):
        torchscript_source.check([("a", own % "x")])


PICKLES = {
    "a function": b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.",
    "a class of torch's": b"\x80\x02c__torch__.torch.classes.profiling\n_RecordFunctionFast\n)\x81.",
    "a storage that is not there": b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"
    b"9X\x03\x00\x00\x00cpuJ\xff\xff\xff\x7ftQ.",
    "an opcode of another protocol": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x01a.",
    "a text of terabytes": b"\x80\x02X\xff\xff\xff\x7fa.",
    "nothing": b"",
    "an object of a text": b"\x80\x02X\x01\x00\x00\x00a)\x81.",
}


@pytest.mark.parametrize("content", PICKLES.values(), ids=PICKLES)
def test_pickles_of_more_than_a_network_are_refused(content: bytes, plain: Path, tmp_path: Path) -> None:
    path = programs.rewritten(plain, tmp_path / "net.pt", lambda n, c: content if n == "data.pkl" else c)
    with pytest.raises(Refusal, match=r"keeps .*which no network does"):
        opened(path)


def test_a_tensor_beyond_its_storage_is_refused(plain: Path) -> None:
    with zipfile.ZipFile(plain) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
        content = archive.read(name)
        sizes = {n.rpartition("/")[2]: archive.getinfo(n).file_size for n in archive.namelist() if "/data/" in n}
    torchscript_objects.check(content, sizes, file_bytes=len(content))
    with pytest.raises(torchscript_objects.ForeignError):
        torchscript_objects.check(content, {key: size - 4 for key, size in sizes.items()}, file_bytes=len(content))


@pytest.mark.parametrize("other", ["code/os.py", "lib/x.so", "code/__torch__/../x.py", "__init__.py"])
def test_members_of_no_network_are_refused(other: str, plain: Path, tmp_path: Path) -> None:
    path = programs.rewritten(plain, tmp_path / "net.pt", lambda n, c: c)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{archive.namelist()[0].partition('/')[0]}/{other}", b"x")
    with pytest.raises(Refusal, match="which no network does"):
        opened(path)


def models() -> dict[str, Callable[[], nn.Module]]:
    m = torchvision.models
    return {
        "resnet": lambda: m.resnet18(weights=None),
        "mobilenet": lambda: m.mobilenet_v3_small(weights=None),
        "shufflenet": lambda: m.shufflenet_v2_x0_5(weights=None),
        "swin": lambda: m.SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=10),
        "vit": lambda: m.VisionTransformer(64, 16, 2, 2, 32, 64, num_classes=10),
    }


def saved(net: nn.Module, path: Path, how: str) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = (
            torch.jit.script(net)
            if how == "script"
            else torch.jit.trace(net, torch.randn(1, 3, 64, 64), check_trace=False)
        )
        made.save(str(path))  # type: ignore[union-attr]
    return path


@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("name", models())
def test_networks_of_torchvision_open_and_answer_alike(name: str, how: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = models()[name]().eval()
    path = saved(net, tmp_path / "net.pt", how)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(opened(path)(x), net(x))


def test_a_detector_of_torchvision_opens(tmp_path: Path) -> None:
    build = torchvision.models.detection.ssdlite320_mobilenet_v3_large
    net = build(weights=None, weights_backbone=None, num_classes=3).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = opened(saved(net, tmp_path / "net.pt", "script"))
        boxes = found([torch.rand(3, 64, 64)])[1][0]["boxes"]
    assert boxes.shape[1] == 4


def test_a_quantised_network_opens(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torchvision.models.quantization.shufflenet_v2_x0_5(weights=None, quantize=True).eval()
        found = opened(saved(net, tmp_path / "net.pt", "trace"))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(found(x), net(x))


def test_everything_left_of_a_file_is_told_in_one_sentence(plain: Path, tmp_path: Path) -> None:
    whole = plain.read_bytes()
    for content in (whole[: len(whole) // 2], b"PK\3\4" + bytes(90), io.BytesIO().getvalue()):
        with pytest.raises(Refusal):
            torchscript.opened(content, name="net.pt")
    (tmp_path / "net.json").write_text(json.dumps({"name": "x", "weights": "net.pt"}))


def test_an_allowed_list_holds_no_operator_of_files() -> None:
    names: list[Any] = [
        "save",
        "from_file",
        "manual_seed",
        "set_num_threads",
        "load",
        "seed",
        "resize",
        "set_",
        "resize_",
    ]
    assert not [name for name in names if torchscript_source.operator(name)]
    assert not allowed_operators.script_operator("image", "write_file") and not allowed_operators.script_operator(
        "prim", "PythonOp"
    )
