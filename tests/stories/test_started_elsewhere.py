"""Started in a folder of somebody else's: none of the modules that lie there runs, in no process of the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "socket",
    "json",
    "numpy",
    "torch",
    "PIL",
    "signal",
    "pickle",
    "argparse",
    "multiprocessing",
    "PySide6",
    "viewer",
)
NAMES += ("models", "vitrine", "main", "random", "sitecustomize", "usercustomize", "platformdirs", "site", "string")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder of modules that leave a mark when they run."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in NAMES:
        code = (
            f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r} + ' ')\nraise ImportError('a module of the folder')\n"
        )
        (folder / f"{name}.py").write_text(code)
    for name in ("cv2", "safetensors", "pyqtgraph"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n")
    return folder


def ran(trap: Path) -> str:
    mark = trap.parent / "ran"
    return mark.read_text() if mark.exists() else ""


def start(trap: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "VITRINE_HOME": str(trap.parent / "home"), **more}
    environment.pop("PYTHONSAFEPATH", None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=trap,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_the_window_and_its_engine(trap: Path) -> None:
    shot = trap.parent / "shot.png"
    done = start(trap, str(ROOT / "main.py"), "--sample", "--screenshot", str(shot))
    assert not ran(trap)
    assert done.returncode == 0 and shot.stat().st_size > 10_000, done.stderr[-2000:]


def test_the_command_line(trap: Path) -> None:
    sample = next((ROOT / "assets" / "samples").glob("*.png"))
    out = trap.parent / "out"
    done = start(trap, str(ROOT / "main.py"), "run", "detect", str(sample), "--model", "digits-ssd", "--out", str(out))
    assert not ran(trap)
    assert done.returncode == 0 and len(list(out.iterdir())) == 4, done.stderr[-2000:]


def test_processes_are_started_safely_whoever_starts_the_engine(trap: Path) -> None:
    """By an embedding program, after a change of folder, with the current folder on sys.path."""
    code = (
        "import sys, threading\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "if __name__ == '__main__':\n"
        "    from viewer.session.engine_process import ProcessLane\n"
        "    import os\n"
        f"    os.chdir({str(trap)!r})\n"
        "    sys.path.insert(0, '')\n"
        "    came = threading.Event()\n"
        "    lane = ProcessLane()\n"
        "    lane.start(lambda message: (print(message[0], *message[1:3]), came.set()))\n"
        "    came.wait(90)\n"
        "    lane.stop()\n"
    )
    program = trap.parent / "program.py"
    program.write_text(code)
    done = subprocess.run(
        [sys.executable, program],
        cwd=trap.parent,
        env={k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert not ran(trap)
    assert done.stdout.startswith("ready"), done.stderr[-2000:]


def test_pythonpath_stays_the_users(trap: Path) -> None:
    mine = trap.parent / "mine"
    mine.mkdir()
    (mine / "helper_of_mine.py").write_text("VALUE = 3\n")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    code += "from models.runtime.module_paths import leave_out_folder as l; l(); "
    done = start(mine, "-c", code + "import helper_of_mine; print(helper_of_mine.VALUE)", PYTHONPATH=str(mine))
    assert done.stdout.strip() == "3", done.stderr
    done = start(mine, "-c", code + "import helper_of_mine")
    assert "No module named 'helper_of_mine'" in done.stderr
