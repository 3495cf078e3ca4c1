"""A Hugging Face folder through `main()`: detections on the command line, dropped on the window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hugging_face_folders import make

import main
from models.cards.card import PHOTOS

pytest.importorskip("transformers", reason="the extra transformers is not installed")


def test_a_folder_detects_on_the_command_line_and_the_window_knows_what_a_drop_does(tmp_path: Path) -> None:
    from viewer.window.drag_and_drop import hint

    folder = make("rt_detr", tmp_path / "rt-detr-mine")
    out, picture = tmp_path / "out", PHOTOS / "astronaut.jpg"
    given = ["run", "detect", str(picture), "--model", str(folder), "--out", str(out), "--set", "score=0.05"]
    assert main.main(given) == main.DONE
    found = json.loads((out / "astronaut.detect.json").read_text())
    assert found["detections"] and {one["label"] for one in found["detections"]} <= {f"class {i}" for i in range(5)}
    assert np.isfinite([one["box"] for one in found["detections"]]).all()
    assert hint([str(folder)]) == "Drop to open rt-detr-mine as the model"
    assert hint([str(folder / "config.json")]) == "Drop to open config.json as the model"


def test_a_folder_that_wants_its_own_code_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "vit", "auto_map": {"AutoModel": "mine.Mine"}}')
    (tmp_path / "mine.py").write_text("raise SystemExit('ran')")
    assert main.main(["inspections", "--model", str(tmp_path)]) == main.FAILED
    assert "wants code of its own to be run" in capsys.readouterr().err
