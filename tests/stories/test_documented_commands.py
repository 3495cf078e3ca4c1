"""Every command that the README and docs/command-line.md show, run as it stands there, in a folder with such files."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from latents import CHECKPOINTS
from programs import residual_graph
from safetensors.torch import load_file
from truths import xml
from videos import video

import main as program
from models.cards import card as cards
from models.pictures.images import save_png

ROOT = Path(__file__).resolve().parents[2]
FACE = CHECKPOINTS / "face_rfb320" / "version-RFB-320.pth"
COMMANDS = ("models", "inspections", "interpret", "run", "replay")
CODE = '''\
"""Somebody's network."""
import torch


def build():
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    return torch.nn.Sequential(*layers)
'''


def _documented() -> list[str]:
    found: dict[str, None] = {}
    for page in ("README.md", "docs/command-line.md"):
        for block in re.findall(r"```\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                if line.startswith("python main.py"):
                    found[line.split("  #")[0].strip()] = None
    return list(found)


DOCUMENTED = _documented()
# What has to be downloaded is tried against a server of the tests' own elsewhere.
PUBLISHED = [command for command in DOCUMENTED if "torchvision:" in command or "timm:" in command]
HEADLESS = [c for c in DOCUMENTED if c not in PUBLISHED and c.split()[2] in COMMANDS]
WINDOWS = [c for c in DOCUMENTED if c not in PUBLISHED and c.split()[2] not in COMMANDS]
OPENED = ("--sample", "net.py:build", "--truth")  # windows that every run opens: as it comes, own code, a data set


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every name of the documents stands for a file of that kind."""
    at = tmp_path_factory.mktemp("documents")
    for name in ("assets", "docs"):
        (at / name).symlink_to(ROOT / name)
    for name in ("a.png", "b.png"):
        shutil.copy(ROOT / "assets" / "samples" / "board.png", at / name)
    for name in ("a.jpg", "photo.jpg"):
        shutil.copy(ROOT / "assets" / "photos" / "cat.jpg", at / name)
    for name in ("a.mp4", "clip.mp4"):
        video(at / name, 4)
    truth = at / "TRUTH"
    for part in ("JPEGImages", "Annotations"):
        (truth / part).mkdir(parents=True)
    shutil.copy(ROOT / "assets" / "photos" / "coffee.jpg", truth / "JPEGImages" / "a.jpg")
    (truth / "Annotations" / "a.xml").write_text(xml(("RBC", (20, 20, 90, 90)), name="a.jpg"), encoding="utf-8")
    state = load_file(cards.BUNDLED / "photos-resnet.safetensors")
    torch.save({"state_dict": state, "ema_model": state}, at / "mine.ckpt")
    (at / "net.py").write_text(CODE, encoding="utf-8")
    torch.save({"0.weight": torch.ones(4, 3, 3, 3), "0.bias": torch.zeros(4)}, at / "w.pth")
    (at / "net.onnx").write_bytes(residual_graph(onnx).SerializeToString())
    if FACE.is_file():
        shutil.copy(FACE, at)
    rng = np.random.default_rng(0)
    for name, count in (("STRIPES", 10), ("NOISE", 20), ("CATS", 3), ("TRAINING/cat", 2), ("TRAINING/dog", 2)):
        (at / name).mkdir(parents=True)
        for number in range(count):
            save_png(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8), at / name / f"{number}.png")
    return at


def _words(command: str) -> list[str]:
    return shlex.split(command.replace("[--json]", "--json"))[2:]


@pytest.mark.parametrize("command", HEADLESS)
def test_a_documented_command_answers(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    words = _words(command)
    if "box=ID" in words:
        assert program.main(["run", "detect", "a.png", "--model", "digits-ssd", "--out", "found"]) == program.DONE
        found = json.loads(Path("found/a.detect.json").read_text(encoding="utf-8"))["detections"]
        words[words.index("box=ID")] = f"box={found[0]['id']}"
    if words[0] == "replay":
        stem, inspection = Path(words[1]).name.split(".")[:2]
        picture, model = next((p, m) for p, m in _asked(inspection) if Path(p).stem == stem)
        asking = ["run", inspection, picture, "--model", model, "--out", "results"]
        if not Path(picture).is_file():
            pytest.fail(f"{picture} is made nowhere")
        assert program.main(asking) == program.DONE, capsys.readouterr().err
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    done = program.main(words)
    said = capsys.readouterr()
    assert done == program.DONE, said.err
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert said.out if words[0] in ("models", "inspections", "interpret") else after != before


def _asked(inspection: str) -> list[tuple[str, str]]:
    """The picture and the model of each documented command that asks this."""
    asked = [shlex.split(c)[2:] for c in HEADLESS if c.split()[2:4] == ["run", inspection]]
    return [(words[2], words[words.index("--model") + 1]) for words in asked]


@pytest.mark.parametrize(
    "command",
    [pytest.param(c, marks=[] if any(s in c for s in OPENED) else [pytest.mark.exhaustive]) for c in WINDOWS],
)
def test_a_documented_command_opens_the_window(command: str, folder: Path, tmp_path: Path) -> None:
    words = _words(command)
    if "version-RFB-320.pth" in words and not FACE.is_file():
        pytest.skip("the shared checkpoints are not here")
    shot = tmp_path / "shot.png"
    if "--screenshot" in words:
        words[words.index("--screenshot") + 1] = str(shot)
    else:
        words += ["--screenshot", str(shot)]
    environment = {**os.environ, "VITRINE_HOME": str(tmp_path / "home"), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    from PIL import Image

    with Image.open(shot) as picture:
        assert np.asarray(picture.convert("L")).std() > 1
