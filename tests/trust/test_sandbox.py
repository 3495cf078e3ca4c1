"""The engine's process is closed in: code that was allowed to run still writes nothing elsewhere and reads no keys."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models import files
from models.live.status import Facts
from models.requests import Request
from models.runtime import sandbox
from models.types import Failure, Result, Source
from models.user_code import consent
from viewer.session.engine_process import ProcessLane
from viewer.session.job_queue import Jobs

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has Landlock")

# What allowed code tries; what came of it is its error's text.
CODE = """
import json, os, signal, subprocess, sys, tempfile
from pathlib import Path

def tried(work):
    try:
        work()
        return "done"
    except OSError as error:
        return type(error).__name__

def build():
    home, outside = Path.home(), Path(OUTSIDE)
    child = lambda text: subprocess.run(["sh", "-c", text], check=True, capture_output=True)
    found = {
        "home": tried(lambda: (home / "written").write_text("x")),
        "outside": tried(lambda: (outside / "written").write_text("x")),
        "append": tried(lambda: (outside / "mine.txt").open("a")),
        "truncate": tried(lambda: os.truncate(outside / "mine.txt", 0)),
        "remove": tried(lambda: (outside / "mine.txt").unlink()),
        "rename": tried(lambda: (outside / "mine.txt").rename(outside / "yours.txt")),
        "folder": tried(lambda: (outside / "made").mkdir()),
        "link": tried(lambda: (outside / "link").symlink_to("mine.txt")),
        "key": tried(lambda: (home / ".ssh" / "id_ed25519").read_text()),
        "key by link": tried(lambda: (home / "to-ssh" / "id_ed25519").read_text()),
        "cookies": tried(lambda: (home / ".config" / "chromium" / "Default" / "Cookies").read_text()),
        "other settings": tried(lambda: (home / ".config" / "other.toml").read_text()),
        "consents": tried(lambda: Path(os.environ["VITRINE_HOME"], "allowed.json").write_text("{}")),
        "read": tried(lambda: (outside / "mine.txt").read_text()),
        "scratch": tried(lambda: tempfile.NamedTemporaryFile("w").write("x")),
        "cache": tried(lambda: (home / ".cache" / "torch" / "x").write_text("x")),
        "null": tried(lambda: open("/dev/null", "w").write("x")),
        "window": tried(lambda: os.kill(WINDOW, 0)),
    }
    try:
        child(f"echo x > {outside}/by-child")
        found["child"] = "done"
    except subprocess.CalledProcessError:
        found["child"] = "PermissionError"
    raise ValueError(json.dumps(found))
"""


class Engine:
    """An engine in its process, asked one thing after the other."""

    def __init__(self, *, confined: bool = True) -> None:
        self.lane = ProcessLane(confined=confined)
        self.came: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self.lane.start(self.came.put)
        self.number = 0

    def until(self, wanted: Callable[[tuple[Any, ...]], bool]) -> tuple[Any, ...]:
        while True:
            message = self.came.get(timeout=90)
            if wanted(message):
                return message

    def ask(self, request: Request) -> Any:
        self.number += 1
        self.lane.submit(self.number, request)
        return self.until(lambda message: message[:2] == ("done", self.number))[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with keys, a browser's profile and other settings."""
    made = tmp_path / "user"
    for name in (".ssh/id_ed25519", ".config/chromium/Default/Cookies", ".config/other.toml", "pictures/a.txt"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("secret")
    (made / "to-ssh").symlink_to(made / ".ssh")
    monkeypatch.setenv("HOME", str(made))
    for name in ("XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file of code that tries everything, allowed to run; beside it a file of the user's."""
    path = tmp_path / "work" / "net.py"
    path.parent.mkdir()
    (path.parent / "mine.txt").write_text("mine")
    path.write_text(f"OUTSIDE, WINDOW = {str(path.parent)!r}, {os.getpid()}\n{CODE}")
    consent.allow(path, files.sha256(path))
    return path


@pytest.fixture
def engines() -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(**given: Any) -> Engine:
        made.append(Engine(**given))
        return made[-1]

    yield make
    for engine in made:
        engine.lane.stop()


def outcome(answer: Any) -> dict[str, str]:
    assert isinstance(answer, Failure), answer
    return json.loads("{" + answer.text.partition("{")[2].partition("}")[0] + "}")


def landlock() -> bool:
    code = "from models.runtime import sandbox; print(sandbox.close(sandbox.plan()).text)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return "writing outside" in done.stdout


def test_allowed_code_writes_nothing_elsewhere_and_reads_no_keys(
    home: Path, code: Path, engines: Callable[..., Engine]
) -> None:
    if not landlock():
        pytest.skip("this kernel has no Landlock")
    engine = engines()
    found = outcome(engine.ask(Request("describe", f"{code}:build")))
    open_ = {name for name, came in found.items() if came == "done"}
    assert open_ == {"read", "scratch", "cache", "null", "other settings"}
    assert set(found.values()) == {"done", "PermissionError"}
    assert {path.name for path in code.parent.iterdir()} == {"net.py", "mine.txt"}
    assert (code.parent / "mine.txt").read_text() == "mine"
    text = engine.ask(Request("describe", "digits-ssd")).meta["description"].about["confinement"]
    assert "writing outside its own folder" in text and ".ssh" in text and "open" not in text
    scratch = Path(engine.lane._plan.scratch)  # type: ignore[union-attr]
    assert scratch.is_dir()
    engine.lane.stop()
    assert not scratch.exists()


def test_it_can_be_turned_off_for_code_that_must_write(home: Path, code: Path, engines: Callable[..., Engine]) -> None:
    engine = engines(confined=False)
    found = outcome(engine.ask(Request("describe", f"{code}:build")))
    assert found["home"] == found["outside"] == found["key"] == found["child"] == "done"
    about = engine.ask(Request("describe", "digits-ssd")).meta["description"].about
    assert "may write wherever you may" in about["confinement"]


def test_what_came_into_the_home_later_is_read_by_a_fresh_engine(home: Path, engines: Callable[..., Engine]) -> None:
    if not landlock():
        pytest.skip("this kernel has no Landlock")
    sample = next((ROOT / "assets" / "samples").glob("*.png")).read_bytes()
    told: list[tuple[Any, ...]] = []
    came: queue.Queue[tuple[Any, ...]] = queue.Queue()
    jobs = Jobs(ProcessLane(), lambda *event: told.append(event))
    jobs.start(came.put)
    try:
        for folder in (home / "pictures", home, home / "new"):
            folder.mkdir(exist_ok=True)
            (folder / "late.png").write_bytes(sample)
            jobs.want("detect", Request("detect", "digits-ssd", Source.file(folder / "late.png")))
            until = time.monotonic() + 90
            while not any(event[0] == "done" for event in told):
                assert time.monotonic() < until
                jobs.handle(came.get(timeout=90))
            (answer,) = (event[3] for event in told if event[0] == "done")
            assert isinstance(answer, Result), answer
            assert sum(event[0] == "lost" for event in told) == (folder != home / "pictures")
            told.clear()
    finally:
        jobs.stop()


def test_a_recording_reaches_its_place(tmp_path: Path, home: Path, engines: Callable[..., Engine]) -> None:
    """The engine may not write there: it records into its own folder, and the window brings it where it belongs."""
    import cv2
    import numpy as np

    film = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for shade in range(5):
        writer.write(np.full((48, 64, 3), 40 * shade, np.uint8))
    writer.release()
    engine = engines()
    engine.lane.live(1, "open", _opening(film))
    shown = engine.until(lambda message: message[0] == "live" and message[2] == "shown")
    place = tmp_path / "made" / "out.mp4"
    place.parent.mkdir()
    engine.lane.live(1, "record", str(place))
    pixels = shown[-1].pixels
    for number in range(3):
        engine.lane.live(1, "write", pixels, number / 25)
    engine.lane.live(1, "ack")
    told = engine.until(lambda message: any(isinstance(p, Facts) and p.recorded for p in message))
    assert next(p for p in told if isinstance(p, Facts)).recording == str(place)
    engine.lane.finish()
    assert place.stat().st_size > 500 and {path.name for path in place.parent.iterdir()} == {"out.mp4"}


def _opening(film: Path) -> Any:
    from models.live.status import Opening

    return Opening(Source.file(film), None, every=True)


def test_a_kernel_without_landlock_is_told() -> None:
    code = (
        "from models.runtime import sandbox\n"
        "sandbox.CREATE_RULESET = 100_000\n"
        "print(sandbox.close(sandbox.plan()).text)\n"
        "open('/tmp/vitrine-probe', 'w').close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "no Landlock" in done.stdout and "new privileges" in done.stdout
    Path("/tmp/vitrine-probe").unlink()


def test_a_wall_that_does_not_hold_is_told(home: Path) -> None:
    """What is said to be closed was tried, not assumed."""
    code = (
        "from models.runtime import sandbox\n"
        "sandbox._allow = lambda libc, rules, path, access, inode=0: None\n"
        "sandbox._restrict = lambda libc, given: ''\n"
        "print(sandbox.close(sandbox.plan()).text)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Still open, though it should not be" in done.stdout and str(home) in done.stdout
    assert "writing outside" not in done.stdout and "reading" not in done.stdout


def test_a_plan_knows_what_it_reaches(home: Path) -> None:
    given = sandbox.plan()
    try:
        assert given.reaches(str(home / "pictures" / "later.png")) and given.reaches("/etc/hostname")
        (home / "later.png").touch()
        (home / "pictures" / "later.png").touch()
        assert given.reaches(str(home / "pictures" / "later.png")) and not given.reaches(str(home / "later.png"))
        assert given.reaches(str(home / ".ssh" / "id_ed25519")), "a fresh engine would not help"
        (home / "pictures" / "a.txt").unlink()
        (home / "pictures" / "a.txt").touch()
        assert given.reaches(str(home / "pictures" / "a.txt"))
    finally:
        sandbox.remove(given.scratch)
