"""The page on one's own model, followed literally: its listing is the example, its commands run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from latents import CHECKPOINTS, needed

from main import DONE, main

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
WEIGHTS = CHECKPOINTS / "face_rfb320" / "version-RFB-320.pth"
COMMANDS = re.findall(r"^    python main\.py (.+)$", PAGE, re.MULTILINE)


def test_the_listing_is_the_example() -> None:
    listing = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert listing == [(ROOT / "docs" / "examples" / "face_adapter.py").read_text(encoding="utf-8")]
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / link).is_file()


@needed(WEIGHTS)
def test_every_command_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("assets", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(WEIGHTS, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 5
    for command in COMMANDS:
        assert main(shlex.split(command)) == DONE, (command, capsys.readouterr().err)
    said = capsys.readouterr()
    assert "activations:" in said.out
    assert "astronaut.jpg: " in said.err and ", 1 boxes" in said.err
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"board.detect.png", "astronaut.detect.json", "astronaut.grad_cam.png"} <= written
    assert [name for name in written if name.startswith("astronaut.anchors.")]
