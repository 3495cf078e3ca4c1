"""Adapter files: mistakes are told with their line, kept ones recognise weights, packages' ones wait to be allowed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models import files, model_name
from models.adapters.base.one_stage import OneStage
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Refusal, Result, Source
from models.user_code import consent, helpers, kept_adapters, outline

DETECTOR = """
import torch
from torch import nn
from vitrine import OneStage

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 8, stride=8)

    def forward(self, x):
        said = self.conv(x).permute(0, 2, 3, 1).reshape(len(x), -1, 6)
        return said[..., :2], said[..., 2:]

class Mine(OneStage):
    classes = ("cat", "dog")
    size = (48, 64)
    strides, sizes, ratios = (8,), ((10, 20),), ((1,),)

    @classmethod
    def build(cls):
        torch.manual_seed(1)
        return Net()

ADAPTER = Mine
"""
DECODE = "    def decode(self, offsets, anchors):\n        return offsets[:3]\n"
ADDS = "    def probabilities(self, logits):\n        return logits + 9\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(DETECTOR)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Source:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    save_png(pixels, tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


def allow(path: Path) -> None:
    consent.allow(path, files.sha256(path))


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_sigmoid_scores_boxes_and_gradients_are_the_networks_own(file: Path, picture: Source) -> None:
    allow(file)
    answer = Engine(threads=1).run(Request.make("detect", str(file), picture, {"score": 0.1, "iou": 1.0}))
    assert isinstance(answer, Result), answer
    model = registry.open_model(str(file))
    assert isinstance(model, OneStage)
    with torch.no_grad():
        x = model.transform([torch.from_numpy(_pixels(picture)).permute(2, 0, 1) / 255])[0].tensors
        assert x.shape == (1, 3, 48, 64)
        logits, offsets = (each[0] for each in model.net(x))
    scores = logits.sigmoid()
    ids = answer.arrays["ids"]
    assert len(ids) == min(200, int((scores > 0.1).sum()))
    assert np.abs(scores.flatten().numpy()[ids] - answer.arrays["scores"]).max() < 1e-6
    # SSD's rule by hand: the centre moves by 0.1 of the anchor's side, the sides grow by exp(0.2 t).
    row = int(ids[0]) // 2
    cell, side = divmod(row, 2)
    side = (10, 20)[side]
    t = offsets[row].numpy()
    x, y = (cell % 8 + 0.5) * 8 + 0.1 * t[0] * side, (cell // 8 + 0.5) * 8 + 0.1 * t[1] * side
    w, h = side * np.exp(0.2 * t[2:])
    box = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]).clip(0, [64, 48, 64, 48]) * 1.25
    assert np.abs(answer.arrays["boxes"][0] - box).max() < 1e-3
    assert model.card.classes == ("cat", "dog")


def _pixels(source: Source) -> np.ndarray:
    from models.pictures import images

    return images.read(source).pixels.copy()


@pytest.mark.parametrize(
    ("before", "after", "words", "at"),
    [
        ("return said[..., :2], said[..., 2:]", "return said", "gave a Tensor, not two tensors", ""),
        ("said[..., :2], said", "said[:, 1:, :2], said", "gave logits of 1 x 95 x 2, where its anchors ask for 1", ""),
        ("said[..., 2:]", "said[..., 2:] / 0", "gave offsets with NaN or infinite numbers", ""),
        ("said = self", "said = self.other, self", "AttributeError", "said = self.other"),
        ('classes = ("cat", "dog")', "pass", "Mine has no classes", "class Mine"),
        ("(8,), ((10, 20),)", "(8, 16), ((10, 20),)", "are of 2, 1, 1 levels", "class Mine"),
        ("return Net()", "return 3", "gave a int, not a network", ""),
        ("return Net()", "raise OSError('no disk')", "OSError: no disk", "raise OSError"),
        ("    @classmethod", DECODE, "decode of mine.py gave 3 x 4", "def decode"),
        ("    @classmethod", ADDS, "beyond 0 to 1", "def probabilities"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_words_with_the_line(
    file: Path, picture: Source, before: str, after: str, words: str, at: str
) -> None:
    assert before in DETECTOR
    if "def " in after:
        file.write_text(DETECTOR.replace(before, after + "\n" + before, 1))
    else:
        file.write_text(DETECTOR.replace(before, after, 1))
    allow(file)
    answer = Engine(threads=1).run(Request.make("detect", str(file), picture, {}))
    assert isinstance(answer, Failure)
    assert words in answer.message
    if at:
        assert f"mine.py, line {line_of(file, at)}" in answer.message
    assert str(file.parent) not in answer.message


def test_what_a_file_offers_is_read_and_not_run(tmp_path: Path) -> None:
    source = """
open("ran", "w")
from torch import nn
class Net(nn.Module):
    "A network."
    def __init__(self, width=3): pass
class Deep(Net):
    def __init__(self, depth): pass
class _Hidden(nn.Module): pass
def build(num_classes, *, weights=None):
    "Build it.\\n\\nMore."
def helper(x, y): pass
def _private(): pass
"""
    path = tmp_path / "code.py"
    path.write_text(source)
    found = outline.read(path)
    assert [(c.name, c.kind, c.line) for c in found] == [("Net", "network", 4), ("build", "function", 10)]
    assert found[1].help == "Build it."
    with pytest.raises(Refusal, match="several models") as refused:
        registry.open_model(str(path))
    assert refused.value.offer == ("choose", str(path))
    assert "It has Net, build" in refused.value.advice
    path.write_text("x = (")
    with pytest.raises(Refusal, match=r"code.py, line 1"):
        registry.open_model(str(path))


def test_kept_adapters_recognise_weights(file: Path, tmp_path: Path) -> None:
    allow(file)
    net = registry.open_model(str(file)).net
    torch.save({k: v + 1 for k, v in net.state_dict().items()}, tmp_path / "w.pth")
    assert registry.open_model(str(tmp_path / "w.pth")).card.about["unknown"]
    kept_adapters.keep(file)
    model = registry.open_model(str(tmp_path / "w.pth"))
    assert isinstance(model, OneStage)
    assert torch.equal(model.net.conv.bias, net.conv.bias + 1)
    assert model.card.sha256 == files.sha256(tmp_path / "w.pth")

    file.write_text(DETECTOR + "\n# changed\n")
    with pytest.raises(consent.Consent) as asked:
        registry.open_model(str(tmp_path / "w.pth"))
    assert asked.value.offer == ("allow", str(file), files.sha256(file))
    assert "w.pth" in asked.value.advice
    assert registry.open_model("digits-ssd").card.name == "digits-ssd"
    kept_adapters.forget(file)
    assert registry.open_model(str(tmp_path / "w.pth")).card.about["unknown"]
    assert kept_adapters.paths() == ()


def test_a_kept_adapter_that_fails_stands_in_nobodys_way(file: Path, tmp_path: Path) -> None:
    from torchvision.models import resnet18

    file.write_text("1 / 0")
    allow(file)
    kept_adapters.keep(file)
    torch.save(resnet18(num_classes=3).state_dict(), tmp_path / "r.pth")
    assert registry.open_model(str(tmp_path / "r.pth")).card.classes[:1] == ("class 0",)


def test_an_installed_packages_adapter_runs_only_once_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, trace = tmp_path / "site", tmp_path / "ran"
    package, facts = site / "faraway", site / "faraway-1.0.dist-info"
    package.mkdir(parents=True)
    facts.mkdir()
    (package / "__init__.py").write_text(f"open({str(trace)!r}, 'w').close()\n")
    (package / "mine.py").write_text(DETECTOR)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: faraway\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[vitrine.adapters]\nmine = faraway.mine:Mine\n")
    monkeypatch.syspath_prepend(site)
    sys.modules.pop("faraway", None)
    assert [(k.path, k.name) for k in kept_adapters.kept()] == [(package / "mine.py", "Mine")]
    space: dict[str, object] = {}
    exec(DETECTOR, space)
    torch.save(space["Net"]().state_dict(), tmp_path / "w.pth")  # type: ignore[operator]
    with pytest.raises(consent.Consent, match=r"mine\.py"):
        registry.open_model(str(tmp_path / "w.pth"))
    assert not trace.exists()
    allow(package / "mine.py")
    assert registry.open_model(str(tmp_path / "w.pth")).card.about["adapter"] == "Mine"
    assert trace.exists()


def test_code_that_needs_its_classes_or_reads_its_weights_itself(tmp_path: Path) -> None:
    path = tmp_path / "nets.py"
    path.write_text(
        "import torch\nfrom torchvision.models import resnet18\n"
        "def counted(num_classes):\n    return resnet18(num_classes=num_classes)\n"
        "def own(weights):\n    net = resnet18(num_classes=2)\n"
        "    net.load_state_dict(torch.load(weights, weights_only=True)['inside']['it'])\n    return net\n"
    )
    allow(path)
    with pytest.raises(Refusal, match="asks for num_classes"):
        registry.open_model(f"{path}:counted")
    assert registry.open_model(f"{path}:counted?num_classes=7").net.fc.out_features == 7
    with pytest.raises(Refusal, match="cannot be 'many'"):
        registry.open_model(f"{path}:counted?num_classes=many")
    from torchvision.models import resnet18

    net = resnet18(num_classes=4)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    model = registry.open_model(model_name.join(f"{path}:counted", {"weights": str(tmp_path / "w.pth")}))
    assert torch.equal(model.net.fc.weight, net.fc.weight)
    with pytest.raises(Refusal, match="asks for weights"):
        registry.open_model(f"{path}:own")
    two = resnet18(num_classes=2)
    torch.save({"inside": {"it": two.state_dict()}}, tmp_path / "odd.pth")
    model = registry.open_model(model_name.join(f"{path}:own", {"weights": str(tmp_path / "odd.pth")}))
    assert torch.equal(model.net.fc.weight, two.fc.weight)


def test_code_imports_what_lies_beside_it_even_under_a_name_of_ours(tmp_path: Path) -> None:
    names = []
    for folder, classes in (("one", 3), ("two", 5)):
        inner = tmp_path / folder / "models"
        inner.mkdir(parents=True)
        (inner / "__init__.py").write_text("")
        (inner / "nets.py").write_text(
            f"from torchvision.models import resnet18\ndef net():\n    return resnet18(num_classes={classes})\n"
        )
        code = tmp_path / folder / "code.py"
        code.write_text("def build():\n    from models.nets import net\n    return net()\n")
        helpers.allow(code)
        names.append(f"{code}:build")
    assert [registry.open_model(name).net.fc.out_features for name in names] == [3, 5]
    import models.engine.registry as ours

    assert ours is registry
    assert Path(sys.modules["models"].__file__ or "").parent == Path(registry.__file__).parents[1]
    (tmp_path / "one" / "models" / "nets.py").write_text(
        "from torchvision.models import resnet18\ndef net():\n    return resnet18(num_classes=9)\n"
    )
    with pytest.raises(consent.Consent, match=r"models/nets\.py, which code\.py imports"):
        registry.open_model(names[0])
    helpers.allow(tmp_path / "one" / "code.py")
    assert registry.open_model(names[0]).net.fc.out_features == 9
