"""Two models on one picture, from the command line: a screenshot with both panes, and one when the second is broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "assets" / "samples" / "board.png"
YELLOW = (0xF0, 0xE4, 0x42)  # the class colour of the 3s


def shoot(shot: Path, *words: str) -> tuple[np.ndarray, subprocess.CompletedProcess[str]]:
    command = [sys.executable, "main.py", "--screenshot", str(shot), str(SAMPLE), "--theme", "dark", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    with Image.open(shot) as picture:
        return np.array(picture.convert("RGB")).astype(int), done


def columns(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The columns of both panes in which a colour is seen."""
    return np.flatnonzero((np.abs(pixels[70:760, :970] - np.array(colour)).max(2) < 12).any(0))


def test_a_screenshot_shows_both_models_boxes(tmp_path: Path) -> None:
    alone, done = shoot(tmp_path / "a.png", "--model", "digits-faster-rcnn")
    assert done.returncode == 0, done.stderr
    both, done = shoot(tmp_path / "b.png", "--model", "digits-faster-rcnn", "--beside", "digits-ssd")
    assert done.returncode == 0, done.stderr
    assert both.shape == alone.shape
    where = columns(both, YELLOW)
    assert where.min() < 480 and where.max() > 560, "the 3s have boxes in both panes"
    middle = np.abs(both[100:760, 530:545] - both[100, 530]).sum()
    assert middle > 0 and (np.abs(alone - both) > 40).any(2).mean() > 0.1


def test_a_second_model_that_is_not_there_leaves_the_first_one_shown(tmp_path: Path) -> None:
    pixels, done = shoot(tmp_path / "c.png", "--model", "digits-ssd", "--beside", "nowhere.pt")
    assert done.returncode == 0, "the first model's answer is there"
    where = columns(pixels, YELLOW)
    assert len(where) and where.max() < 530, "boxes in the first pane alone"
