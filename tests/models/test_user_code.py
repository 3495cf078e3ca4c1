"""Models built by the user's own code: `file.py:build`, after the file was allowed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from models import files, model_name
from models.cards import card
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Failure, Refusal, Result
from models.user_code import consent

CODE = """
import torch
from torchvision.models import resnet18
SEEN = []

def build():
    torch.manual_seed(3)
    return resnet18(weights=None, num_classes=5)

def no_network():
    return 3

def broken():
    return 1 / 0
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def allow(path: Path) -> None:
    consent.allow(path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_code_does_not_run_before_it_was_allowed_and_is_asked_again_when_it_changes(file: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    file.write_text(CODE + f"\nopen({str(trace)!r}, 'w').close()\n")
    engine, name = Engine(threads=1), f"{file}:build"
    answer = engine.run(Request("describe", name))
    assert isinstance(answer, Failure) and "has not been allowed" in answer.message
    assert answer.offer == ("allow", str(file), files.sha256(file))
    assert not trace.exists()

    consent.allow(*(Path(answer.offer[1]), answer.offer[2]))
    assert isinstance(engine.run(Request("describe", name)), Result)
    assert trace.exists()

    trace.unlink()
    file.write_text(file.read_text() + "\n# another line\n")
    answer = engine.run(Request("describe", name))
    assert isinstance(answer, Failure) and answer.offer[0] == "allow" and not trace.exists()


def test_what_the_code_builds_takes_the_weights(file: Path, tmp_path: Path) -> None:
    from torchvision.models import resnet18

    allow(file)
    torch.manual_seed(9)
    net = resnet18(weights=None, num_classes=5)
    torch.save(net.state_dict(), tmp_path / "w&1.pth")
    name = model_name.join(f"{file}:build", {"weights": str(tmp_path / "w&1.pth")})
    model = registry.open_model(name)
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model.net(picture), net.eval()(picture))
        assert not torch.equal(model.net(picture), registry.open_model(f"{file}:build").net(picture))
    assert model.card.sha256 == files.sha256(tmp_path / "w&1.pth")
    assert model.card.name == "mine.py:build" and model.card.about["architecture"] == "ResNet"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("nothing", "no function 'nothing'"),
        ("no_network", "gave a int, not a network"),
        ("broken", "line 14: ZeroDivisionError"),
    ],
)
def test_code_that_does_not_do_is_refused_with_the_place(file: Path, function: str, words: str) -> None:
    allow(file)
    with pytest.raises(Refusal, match=words):
        registry.open_model(f"{file}:{function}")


@pytest.mark.parametrize(
    ("code", "words"), [("x = (", "line 1: SyntaxError"), ("import sys\nsys.exit(4)", "line 2: SystemExit")]
)
def test_a_file_that_cannot_run_is_refused(file: Path, code: str, words: str) -> None:
    file.write_text(code)
    allow(file)
    with pytest.raises(Refusal, match=words):
        registry.open_model(f"{file}:build")


def test_weights_of_another_network_are_listed_by_name(file: Path, tmp_path: Path) -> None:
    allow(file)
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(Refusal, match="missing"):
        registry.open_model(model_name.join(f"{file}:build", {"weights": str(tmp_path / "other.pth")}))


def test_full_names_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert card.canonical("a.py:build?weights=w.pth") == f"{tmp_path}/a.py:build?weights={tmp_path}/w.pth"
    assert card.canonical("timm:resnet50.a1_in1k") == "timm:resnet50.a1_in1k"
    assert card.canonical("digits-ssd?precision=bfloat16") == "digits-ssd?precision=bfloat16"


def test_what_was_allowed_is_forgotten_with_its_file(file: Path, home: Path) -> None:
    allow(file)
    (home / consent.FILE).write_text("[" * 5000)
    assert consent.allowed() == {}
    allow(file)
    assert consent.allowed() == {files.sha256(file): str(file)}
    consent.revoke()
    with pytest.raises(consent.Consent):
        consent.check(file, file.read_bytes())
