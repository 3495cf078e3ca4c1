"""Models that end, block or flood the engine, in real processes: the window lives on, tells it, and answers again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from misbehaving import model
from PySide6.QtCore import QTimer

from viewer.menus import edit as edit_menu
from viewer.session.engine_process import GRACE_S, TAIL_BYTES
from viewer.session.job_queue import ProcessLane
from viewer.session.session import OPENING

LENET = "digits-lenet"
SLOWEST_TICK_S = 0.5
SIGN = "sign"
Make = Callable[..., Any]


class Pulse:
    """The longest time in which the window's event loop did not come round."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(10)

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest_s, self._last = max(self.longest_s, now - self._last), now

    def stop(self) -> float:
        self._timer.stop()
        return self.longest_s


def start(desk: Make, picture: Path, *, confined: bool = True) -> Any:
    """A window over an engine in a process of its own, with an answer of a good model."""
    d = desk(picture, model=LENET, lane=ProcessLane(confined=confined), settle=False)
    d.until(lambda: "classify" in d.session.results)
    return d


def provoke(d: Any, name: str) -> Any:
    """Open a misbehaving model, which begins to misbehave as it is opened, and wait until the engine has begun."""
    d.settle()  # the document notes which methods are valid once that has been answered
    before = d.document
    d.session.open_model(name)
    d.until(lambda: d.session.jobs.slots[OPENING].running)
    return before


def provoke_later(d: Any, name: str, picture: Path) -> Any:
    """Open a model that behaves until its `SIGN` is there, then ask it about another picture."""
    d.session.open_model(name)
    d.until(lambda: d.document.model == name and "classify" in d.session.results)
    Path(name).with_name(SIGN).touch()
    d.session.open_paths([picture])
    d.until(lambda: d.session.shown is not None and d.session.shown.path == str(picture))
    return d.document


def good(d: Any) -> None:
    """Go back to a good model, which is answered."""
    d.session.open_model(LENET)
    d.until(lambda: d.document.model == LENET and "classify" in d.session.results)
    assert d.session.results["classify"][0].model == LENET


def told(d: Any, *words: str) -> bool:
    return any(all(word in text for word in words) for text in d.messages)


def details(d: Any) -> str:
    return "\n".join(message.details for message in d.window.toasts.messages)


def some(names: Iterable[str], chosen: str) -> list[Any]:
    """Parameters of which all but the chosen one are exhaustive."""
    return [pytest.param(name, marks=[] if name == chosen else [pytest.mark.exhaustive]) for name in names]


CRASHES = {
    "ctypes.string_at(0)": "it crashed (segmentation fault)",
    "os.kill(os.getpid(), signal.SIGKILL)": "it was ended by the system, probably because memory ran out",
    "os._exit(7)": "something in it called exit (exit code 7)",
}


@pytest.mark.parametrize("what", some(CRASHES, "ctypes.string_at(0)"))
def test_what_ends_the_engine_is_told_and_given_up(desk: Make, pictures: list[Path], tmp_path: Path, what: str) -> None:
    d = start(desk, pictures[0])
    pulse, how = Pulse(), CRASHES[what]
    before = provoke(d, model(tmp_path, "bad", f"print('last words', flush=True)\n{what}"))
    d.until(lambda: told(d, "The engine stopped 2 times while opening bad.py:build", how))
    assert told(d, "stopped unexpectedly while opening bad.py:build", how, "A fresh one takes over")
    assert "last words" in details(d)
    assert d.document == before and not d.session.jobs.busy
    good(d)
    assert pulse.stop() < SLOWEST_TICK_S


def test_what_ends_the_engine_later_is_told_and_given_up(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = start(desk, pictures[0])
    before = provoke_later(d, model(tmp_path, "bad", "os._exit(7)", sign=SIGN), pictures[2])
    for question in ("classify", "verdicts"):  # the workspace of a classifier asks both
        text = f"The engine stopped 2 times at {question} with bad.py:build"
        d.until(lambda text=text: told(d, text, "exit code 7"))
    assert told(d, "stopped unexpectedly at classify with bad.py:build", "A fresh one takes over")
    assert d.document == before and not d.session.jobs.busy
    good(d)


def test_a_crash_names_the_line(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = start(desk, pictures[0])
    provoke(d, model(tmp_path, "bad", "ctypes.string_at(0)"))
    d.until(lambda: told(d, "stopped unexpectedly"))
    assert "bad.py" in details(d) and "in forward" in details(d)


HANGS = {
    "python": "while True: pass",
    "c": "ctypes.PyDLL(None).sleep(1000000)",  # holds the interpreter: no thread of it runs
    "stubborn": "while True:\n    try: time.sleep(1000)\n    except BaseException: pass",
}


@pytest.mark.parametrize("what", some(HANGS, "c"))
def test_what_never_returns_is_cancelled_in_time(desk: Make, pictures: list[Path], tmp_path: Path, what: str) -> None:
    d = start(desk, pictures[0])
    first = d.session.jobs.lane.pid
    before = provoke(d, model(tmp_path, "bad", f"print('in forward', flush=True)\n{HANGS[what]}"))
    d.qtbot.wait(700)
    pulse, begun = Pulse(), time.perf_counter()
    edit_menu.cancel(d.window)
    d.until(lambda: told(d, "bad.py:build did not stop within 2 s when asked, so the engine was replaced"))
    assert time.perf_counter() - begun < GRACE_S + 1
    d.until(lambda: d.session.jobs.ready)
    assert d.session.jobs.lane.pid != first and not _lives(first)
    assert d.document == before
    good(d)
    assert pulse.stop() < SLOWEST_TICK_S


def test_what_never_returns_later_is_cancelled_in_time(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = start(desk, pictures[0])
    before = provoke_later(d, model(tmp_path, "bad", HANGS["python"], sign=SIGN), pictures[2])
    d.until(lambda: d.session.jobs.slots["classify"].running)
    d.qtbot.wait(700)
    edit_menu.cancel(d.window)
    d.until(lambda: told(d, "bad.py:build did not stop within 2 s when asked, so the engine was replaced"))
    d.until(lambda: d.session.jobs.ready)
    assert d.document == before and not d.session.jobs.busy
    good(d)


def test_another_model_opens_although_one_hangs(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = start(desk, pictures[0])
    provoke(d, model(tmp_path, "bad", "while True: pass"))
    d.qtbot.wait(500)
    good(d)


def test_a_gigabyte_of_prints_neither_blocks_nor_fills_anything(
    desk: Make, pictures: list[Path], tmp_path: Path
) -> None:
    d = start(desk, pictures[0])
    flood = "line = 'x' * 1_000_000\nfor _ in range(1000): print(line)\nos.write(2, b'the end'); os._exit(3)"
    used = _resident()
    pulse = Pulse()
    provoke(d, model(tmp_path, "bad", flood))
    d.until(lambda: told(d, "stopped unexpectedly while opening"))
    text = details(d)
    assert text.endswith("the end") and len(text) <= TAIL_BYTES
    assert _resident() - used < 100e6
    assert pulse.stop() < SLOWEST_TICK_S
    good(d)


def test_what_it_prints_is_in_the_log(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = start(desk, pictures[0])
    provoke(d, model(tmp_path, "bad", "print('seen', tuple(x.shape)); print('and told', file=sys.stderr)"))
    d.until(lambda: "seen (1, 1024)" in d.log.text.toPlainText() and "and told" in d.log.text.toPlainText())


def test_what_it_started_ends_with_the_engine(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = start(desk, pictures[0], confined=False)  # it writes a note
    note = tmp_path / "pids"
    what = (
        "threading.Thread(target=lambda: [time.sleep(1) for _ in range(10**6)]).start()\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"open({str(note)!r}, 'a').write(f'{{child.pid}} ')\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    )
    name = model(tmp_path, "bad", what)
    provoke(d, name)
    d.until(lambda: d.document.model == name and "classify" in d.session.results)
    engine, children = d.session.jobs.lane.pid, [int(pid) for pid in note.read_text().split()]
    assert children and all(_lives(pid) for pid in (engine, *children))
    d.session.jobs.lane.restart()
    d.until(lambda: d.session.jobs.ready and not any(_lives(pid) for pid in (engine, *children)))


def test_children_of_an_engine_that_crashes_end_with_it(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    d = start(desk, pictures[0], confined=False)  # it writes a note
    note = tmp_path / "pids"
    what = f"open({str(note)!r}, 'a').write(f'{{subprocess.Popen([\"sleep\", \"1000\"]).pid}} ')\nctypes.string_at(0)"
    provoke(d, model(tmp_path, "bad", what))
    d.until(lambda: told(d, "The engine stopped 2 times"))
    children = [int(pid) for pid in note.read_text().split()]
    assert len(children) == 2
    d.until(lambda: not any(_lives(pid) for pid in children))


def test_memory_is_refused_with_numbers_and_the_engine_lives_on(
    desk: Make, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_MEMORY_GB", "3")
    d = start(desk, pictures[0])
    first = d.session.jobs.lane.pid
    pulse = Pulse()
    provoke(d, model(tmp_path, "bad", "while True: self.kept.append(torch.ones(25_000_000))"))
    d.until(lambda: told(d, "There is not enough memory for this. bad.py:build asked for more", "may have 3.0 GB here"))
    good(d)
    assert d.session.jobs.lane.pid == first
    assert _resident(first) < 1.5e9, "what it took is given back"
    assert pulse.stop() < SLOWEST_TICK_S


def test_memory_that_no_limit_sees_ends_the_engine_with_words(
    desk: Make, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_MEMORY_GB", "2")
    d = start(desk, pictures[0])
    # Shared pages are none of a process's own data, so that no limit of it holds.
    what = "import mmap\nm = mmap.mmap(-1, 3 << 30)\nfor i in range(0, 3 << 30, 4096): m[i] = 1"
    provoke(d, model(tmp_path, "bad", what))
    d.until(lambda: told(d, "The engine stopped while opening bad.py:build: it took more memory than this machine can"))
    good(d)


def test_an_engine_goes_with_its_window(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, os, time\n"
        "from viewer.session.job_queue import ProcessLane\n"
        "if __name__ == '__main__':\n"
        "    lane = ProcessLane(); lane.start(lambda m: (print(lane.pid, flush=True) if m[0] == 'ready' else None))\n"
        "    time.sleep(60)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    root = Path(__file__).resolve().parents[2]
    named = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=named) as window:
        assert window.stdout is not None
        pid = int(window.stdout.readline())
        os.kill(pid, 19)  # it hears of nothing any more
        window.kill()
        end = time.monotonic() + 5
        while _lives(pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _resident(pid: int | str = "self") -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
