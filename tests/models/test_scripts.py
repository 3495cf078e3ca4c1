"""Strangers' files of code: scripts that train, notebooks, packages, arguments, encodings, GPUs."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models.engine import registry
from models.types import Refusal
from models.user_code import helpers, needed, outline, source

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def opened(path: Path, name: str = "", assumed: str = "") -> Any:
    helpers.allow(path)
    return registry.open_model(f"{path}{':' if name else ''}{name}{assumed}")


SCRIPTS = {
    "a download and a loop": "import torchvision\nfrom torch.utils.data import DataLoader\n"
    "data = torchvision.datasets.NoSuchData('./data', download=True)\nloader = DataLoader(data)\n"
    + NET
    + "net = Net()\nfor epoch in range(2):\n    for x, y in loader:\n        net(x)\nprint('done')\n"
    "torch.save(net.state_dict(), 'never.pth')\n",
    "options": "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--data', required=True)\n"
    "args = parser.parse_args()\n" + NET + "model = Net()\n",
    "packages that only the training needs": "import no_such_logger\nfrom no_such_bar import bar\n"
    + NET
    + "no_such_logger.init(project='x')\n",
    "arguments of the command line": "import sys\n"
    + NET
    + "net = Net()\nnet.load_state_dict(torch.load(sys.argv[1]))\n",
}


@pytest.mark.parametrize("case", SCRIPTS)
def test_of_a_script_only_what_the_network_needs_is_run(tmp_path: Path, case: str) -> None:
    model = opened(write(tmp_path / "train.py", HEAD + SCRIPTS[case]), "Net")
    assert model.net.fc.out_features == 5 and "Only what it needs of the file was run" in model.card.about["note"]
    assert not (tmp_path / "never.pth").exists()


def test_seeds_and_what_changes_the_network_belong_to_it(tmp_path: Path) -> None:
    code = HEAD + "torch.manual_seed(4)\n" + NET
    net = "net = Net()\nnet.fc = nn.Linear(4, 7)\nnet.eval()\nlog = open('log.txt', 'w')\nwhile False:\n    pass\n"
    file = write(tmp_path / "train.py", code + net)
    one, two = opened(file, "net").net, opened(file, "net").net
    assert one.fc.out_features == 7 and torch.equal(one.conv.weight, two.conv.weight)
    assert not (tmp_path / "log.txt").exists()
    tree = ast.parse(code + net)
    part = needed.of(tree, "Net")
    assert part is not None and [node.lineno for node in part.body] == [1, 2, 3, 4, 6]
    assert needed.of(tree, "other") is None and not needed.is_script(ast.parse(code))


def test_the_only_network_opens_by_itself_and_what_the_file_made_of_it(tmp_path: Path) -> None:
    block = "class Block(nn.Module):\n    def __init__(self, channels):\n        super().__init__()\n"
    user = NET.replace(
        "self.conv = nn.Conv2d(3, 4, 3)", "self.conv = nn.Conv2d(3, 4, 3)\n        self.block = Block(4)"
    )
    file = write(tmp_path / "one.py", HEAD + block + user)
    assert type(opened(file).net).__name__ == "Net"
    weights = "model = Net()\nmodel.load_state_dict(torch.load('weights/net.pth'))\nmodel.eval()\n"
    (tmp_path / "weights").mkdir()
    space: dict[str, Any] = {}
    exec(HEAD + NET, space)
    net = space["Net"]()
    torch.save(net.state_dict(), tmp_path / "weights/net.pth")
    found = opened(write(tmp_path / "two.py", HEAD + NET + weights))
    assert torch.equal(found.net.fc.weight, net.fc.weight)
    with pytest.raises(Refusal, match="several models"):
        opened(write(tmp_path / "three.py", HEAD + NET + NET.replace("class Net", "class Other")))
    assert (
        opened(write(tmp_path / "four.py", HEAD + "model = nn.Sequential(nn.Conv2d(3, 2, 1))\n")).net[0].out_channels
        == 2
    )


ARGUMENTS = """
class Wide(nn.Module):
    def __init__(self, n_channels, width, n_classes, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(n_channels, width, 3, bias=bias)
        self.fc = nn.Linear(width, n_classes)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
"""


def test_arguments_are_those_of_the_files_own_calls_or_said(tmp_path: Path) -> None:
    called = ARGUMENTS + "WIDTH = 6\nif __name__ == '__main__':\n    print(Wide(3, WIDTH, n_classes=2))\n"
    model = opened(write(tmp_path / "called.py", HEAD + called))
    assert (model.net.conv.out_channels, model.net.fc.out_features) == (6, 2)
    assert "Built as line" in model.card.about["note"]
    file = write(tmp_path / "open.py", HEAD + ARGUMENTS)
    with pytest.raises(Refusal, match=r"asks for width, and nothing in the file"):
        opened(file)
    with pytest.raises(Refusal, match=r"asks for width, n_classes") as asked:
        opened(file, "Wide")
    assert "?width=…&n_classes=10" in asked.value.advice
    net = opened(file, "Wide", "?width=5&n_classes=3&bias=False").net
    assert net.conv.weight.shape == (5, 3, 3, 3) and net.fc.out_features == 3 and net.conv.bias is None
    torch.save(net.state_dict(), tmp_path / "w.pth")
    again = opened(file, "Wide", f"?bias=False&weights={tmp_path / 'w.pth'}&width=5").net
    assert torch.equal(again.fc.weight, net.fc.weight)


def notebook(path: Path, *cells: str) -> Path:
    made = [{"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": []} for cell in cells]
    return write(path, json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Hi"]}, *made], "nbformat": 4}))


def test_notebooks_are_code(tmp_path: Path) -> None:
    first, last = f"!pip install x\n%matplotlib inline\n{HEAD}", "for i in range(3):\n    fit(net)"
    cells = (first, NET, "%%time\nx = 1", "net = Net()", last)
    file = notebook(tmp_path / "mine.ipynb", *cells)
    assert [each.name for each in outline.read(file)] == ["Net", "net"]
    assert opened(file).net.fc.out_features == 5
    assert "class Net" in source.shown(file.read_bytes(), file.name)
    with pytest.raises(Refusal, match="not a Jupyter notebook"):
        outline.read(write(tmp_path / "broken.ipynb", "{"))


def test_encodings(tmp_path: Path) -> None:
    korean = f"# 신경망\n{HEAD}{NET}"
    assert opened(write(tmp_path / "plain.py", korean, "cp949")).net.fc.out_features == 5
    assert opened(write(tmp_path / "said.py", f"# -*- coding: euc-kr -*-\n{korean}", "euc-kr")).net.fc.out_features == 5
    assert opened(write(tmp_path / "mark.py", korean, "utf-8-sig")).net.fc.out_features == 5


def test_packages_and_the_folder_that_code_is_run_from(tmp_path: Path) -> None:
    part = "class Block(nn.Module):\n    def __init__(self, c):\n        super().__init__()\n"
    part += "        self.c = nn.Conv2d(c, c, 1)\n"
    user = NET.replace(
        "self.conv = nn.Conv2d(3, 4, 3)", "self.conv = nn.Conv2d(3, 4, 3)\n        self.block = Block(4)"
    )
    for folder, line in (("dots", "from .blocks import Block\n"), ("root", "from models.blocks import Block\n")):
        write(tmp_path / folder / "models/__init__.py", "")
        write(tmp_path / folder / "models/blocks.py", HEAD + part)
        model = opened(write(tmp_path / folder / "models/net.py", HEAD + line + user))
        assert model.net.block.c.out_channels == 4
    helper = tmp_path / "root/models/blocks.py"
    helper.write_text(helper.read_text() + "# changed\n")
    with pytest.raises(Refusal, match=r"blocks\.py, which net\.py imports, holds code"):
        registry.open_model(str(tmp_path / "root/models/net.py"))


def test_code_for_a_gpu_runs_on_the_cpu(tmp_path: Path) -> None:
    body = NET.replace("return self.fc(", "x = x.cuda() + torch.zeros(1, device='cuda:0')\n        return self.fc(")
    build = "device = torch.device('cuda')\ndef get_model():\n    return Net().cuda().to(device)\n"
    model = opened(write(tmp_path / "gpu.py", HEAD + body + build), "get_model")
    assert model.net(torch.rand(1, 3, 32, 32)).shape == (1, 5) and "run on the CPU" in model.card.about["note"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("import torch\nprint 'hello'\n", "Python 2"),
        ("def build():\n    if True:\n        pass\n\treturn 1\n", "tabs"),
        ("import tensorflow as tf\ndef build():\n    return tf.keras.Model()\n", "export the network as ONNX"),
        ("from no_such_package import part\ndef build():\n    return part()\n", "pip install no_such_package"),
        ("import torch\ndef build():\n    return torch.load('gone.pth')\n", "--weights"),
    ],
    ids=["Python 2", "tabs", "TensorFlow", "a package", "a path"],
)
def test_what_cannot_run_says_what_to_do(tmp_path: Path, code: str, advice: str) -> None:
    with pytest.raises(Refusal) as refused:
        opened(write(tmp_path / "mine.py", code), "build")
    assert advice in refused.value.advice
