"""The page on one's own model, followed literally: its listing is the example, its commands run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from latents import CHECKPOINTS, needed

from main import DONE, main
from models.cards import interpretation_file

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
WEIGHTS = CHECKPOINTS / "face_rfb320" / "version-RFB-320.pth"
COMMANDS = re.findall(r"^    python main\.py (.+)$", PAGE, re.MULTILINE)
CARD = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])


def test_the_listings_are_the_examples() -> None:
    listings = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for listing, name in zip(listings, ("red_things_adapter.py", "face_adapter.py"), strict=True):
        assert listing == (ROOT / "docs" / "examples" / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / link).is_file()


def test_the_adapter_file_is_what_the_panel_exports() -> None:
    listing = (ROOT / "docs" / "examples" / "red_things_adapter.py").read_text(encoding="utf-8")
    more = {"title": "Red things", "assume": CARD["assume"], "classes": CARD["classes"]}
    assert listing == interpretation_file.text("red_things.py:build", **more)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the commands name, where files may be written."""
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def boxes(checkout: Path) -> list[tuple[str, float]]:
    said = json.loads((checkout / "out" / "coffee.detect.json").read_text(encoding="utf-8"))
    return [(one["label"], one["score"]) for one in said["detections"]]


def test_one_network_goes_from_the_first_look_to_a_card_and_an_adapter_file(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look, flip, plain, adapter = (shlex.split(command) for command in COMMANDS if "red_things" in command)
    assert main(look) == DONE, capsys.readouterr().err
    (told,) = (checkout / "out").glob("coffee.interpretation.json")
    said = json.loads(told.read_text(encoding="utf-8"))
    assert [row["id"] for row in said["readings"]] == ["centre-pixels-1.5-6", "features"]
    assert said["outputs"][0]["shape"] == [1, 6, 2100]

    assert main(plain) == DONE
    by_itself = boxes(checkout)
    assert main(flip) == DONE
    right = boxes(checkout)
    assert by_itself == right, "by itself it takes values from 0 to 1"
    assert 0 < len(right) < 10 and {label for label, _ in right} == {"class 0"}

    (checkout / "docs" / "examples" / "red_things.json").write_text(json.dumps(CARD), encoding="utf-8")
    assert main(plain) == DONE
    named = boxes(checkout)
    assert [score for _, score in named] == pytest.approx([score for _, score in right])
    assert {label for label, _ in named} == {"red"}

    (checkout / "docs" / "examples" / "red_things.json").unlink()
    assert main(adapter) == DONE
    assert boxes(checkout) == named


@needed(WEIGHTS)
def test_every_other_command_does_what_it_says(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(WEIGHTS, checkout)
    others = [command for command in COMMANDS if "red_things" not in command]
    assert len(others) == 5
    for command in others:
        assert main(shlex.split(command)) == DONE, (command, capsys.readouterr().err)
    said = capsys.readouterr()
    assert "activations:" in said.out
    assert "astronaut.jpg: " in said.err and ", 1 boxes" in said.err
    written = {path.name for path in (checkout / "out").iterdir()}
    assert {"board.detect.png", "astronaut.detect.json", "astronaut.grad_cam.png"} <= written
    assert [name for name in written if name.startswith("astronaut.anchors.")]
