"""An engine where /dev/shm cannot be written to: requests are answered and called off, frames come through the pipe."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.cards.card import BUNDLED
from viewer.session import engine_start
from viewer.session.engine_start import FLAGS, FileFlags

MAIN = BUNDLED.parents[1] / "main.py"
SAMPLE = next((BUNDLED.parent / "samples").glob("*.png"))
linux = pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is Linux's")


def count(flags: Any, said: Any) -> None:
    said.send([flags[n] for n in range(FLAGS)])
    flags[3] = 17
    said.close()


@linux
def test_flags_in_a_file_are_seen_by_both_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("spawn")

    def denied(*given: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied", "/dev/shm")

    monkeypatch.setattr(context, "Array", denied)
    flags = engine_start.flags(context)
    assert isinstance(flags, FileFlags)
    flags[5] = 1 << 40
    heard, said = context.Pipe(duplex=False)
    process = context.Process(target=count, args=(flags, said))
    process.start()
    said.close()
    assert heard.recv() == [1 << 40 if n == 5 else 0 for n in range(FLAGS)]
    process.join()
    assert flags[3] == 17 and process.exitcode == 0


@linux
def test_the_window_works_over_shared_memory_that_is_read_only(tmp_path: Path) -> None:
    unshare, mount = shutil.which("unshare"), shutil.which("mount")
    if unshare is None or mount is None:
        pytest.skip("this system has no unshare or no mount")
    readonly = "mount -t tmpfs -o ro none /dev/shm && "
    if subprocess.run([unshare, "-m", "sh", "-c", readonly + "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount something else over /dev/shm")
    shot = tmp_path / "shot.png"
    command = [unshare, "-m", "sh", "-c", readonly + 'exec "$@"', "sh", sys.executable, str(MAIN)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [*command, "--screenshot", str(shot), str(SAMPLE)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and shot.exists(), done.stderr
    assert "Traceback" not in done.stderr and "shm" not in done.stderr, done.stderr
