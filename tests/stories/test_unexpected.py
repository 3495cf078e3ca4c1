"""What nobody expected, told on the command line in a sentence: no traceback unless it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import main
from models.engine.engine import Engine

PICTURE = Path(__file__).resolve().parents[2] / "assets" / "samples" / "board.png"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "error", [KeyError("classes"), RuntimeError("two\nRuntimeError"), AssertionError(), OSError(5, "gone")]
)
def test_an_unexpected_exception_is_one_sentence(
    error: Exception, debug: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    def fail(*given: Any, **named: Any) -> None:
        raise error

    monkeypatch.setattr("viewer.export.answers.write", fail)
    given = ["run", "detect", str(PICTURE), "--model", "digits-ssd", "--out", str(tmp_path)]
    assert main.main([*given, "--debug"] if debug else given) == main.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert "Something went wrong that should not" in lines[0] and type(error).__name__ in lines[0]
    if debug:
        assert any(line.startswith("Traceback") for line in lines) and lines[-1].startswith(type(error).__name__)
    else:
        assert len(lines) == 1 and "--debug" in lines[0]


def test_the_details_of_a_failing_model_come_with_debug(tmp_path: Path, capsys: Any) -> None:
    code = (
        "from torch import nn\n\n\nclass Bad(nn.Module):\n    def forward(self, x):\n        raise KeyError('oops')\n"
    )
    (tmp_path / "bad.py").write_text(code)
    given = ["run", "classify", str(PICTURE), "--model", f"{tmp_path}/bad.py:Bad", "--allow", "--out", str(tmp_path)]
    assert main.main(given) == main.FAILED
    assert "KeyError" in (said := capsys.readouterr().err) and "Traceback" not in said


def test_ctrl_c_and_a_closed_pipe_are_no_errors(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def stop(*given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "run", stop)
    assert main.main(["inspections", "--model", "digits-ssd"]) == main.STOPPED
    assert capsys.readouterr().err.strip() == "Stopped."

    def closed(*given: Any, **named: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    assert main.main(["models"]) == main.DONE
