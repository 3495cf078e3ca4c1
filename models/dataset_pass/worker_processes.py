"""Worker processes for a pass over a data set: one place that starts them, hands out tasks and ends them.

They are started by `subprocess`, because the engine's process is daemonic, to which `multiprocessing` gives no
children. A worker reads a task a line and answers in lines of JSON: ["ready"], ["looked", n], ["written"], ["refused",
message, advice] and ["unable", why]. It is in the engine's sandbox and process group, writes to a pipe that breaks
when the engine ends, and on Linux is ended with it by the kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.dataset_pass.part_task import ENTRY, PartTask, Unable
from models.runtime import kept_folder, memory_limits
from models.runtime.device import threads
from models.runtime.module_paths import ROOT, SAFE_PATH
from models.types import Refusal

MOST_ENDS = 2  # of workers on one part: then it is the part's fault
MOST_STARTS = 3  # of a worker's place


@dataclass(eq=False)
class _Worker:
    """A process, what it computes, and how many pictures of that it has looked at."""

    process: subprocess.Popen[bytes]
    ready: bool = False
    task: PartTask | None = None
    looked_at: int = 0

    def tell(self, text: str) -> None:
        """Send a line; that the process has ended is seen by its output."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(text.encode("ascii") + b"\n")
            self.process.stdin.flush()


class WorkerProcesses:
    """A lane of `count` processes, which share the cores and the memory that an engine may use."""

    def __init__(self, tasks: Sequence[PartTask], count: int) -> None:
        """Start them; tasks are handed out in order."""
        _end_others()
        self.count = max(1, min(count, len(tasks)))
        self.finished: list[str] = []
        self._waiting = deque(tasks)
        self._ends: Counter[str] = Counter()
        self._starts = 0
        self._said: queue.Queue[tuple[_Worker, list[Any] | None]] = queue.Queue()
        self._workers: list[_Worker] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._end = weakref.finalize(self, _kill, self._processes)
        _current[:] = [weakref.ref(self)]
        for _ in range(self.count):
            self._start()

    @property
    def busy(self) -> str:
        """Who computes."""
        return f"{len(self._workers)} worker processes"

    @property
    def running(self) -> bool:
        """Whether it was not stopped."""
        return bool(self._workers)

    @property
    def looked_at(self) -> int:
        """How many pictures were looked at of the parts that are being computed."""
        return sum(worker.looked_at for worker in self._workers)

    @property
    def process_ids(self) -> list[int]:
        """The processes that run."""
        return [worker.process.pid for worker in self._workers]

    def poll(self, wait_s: float) -> None:
        """Hand out tasks and take in what was done, waiting so long at most. Raises Refusal and Unable."""
        for worker in self._workers:
            if worker.ready and worker.task is None and self._waiting:
                worker.task, worker.looked_at = self._waiting.popleft(), 0
                worker.tell(worker.task.text)
        try:
            worker, said = self._said.get(timeout=wait_s)
            while True:
                self._take(worker, said)
                worker, said = self._said.get_nowait()
        except queue.Empty:
            return
        except (Refusal, Unable):
            self.stop()
            raise

    def stop(self) -> None:
        """End the processes. Parts that were written stay."""
        self._workers.clear()
        _kill(self._processes)

    def _take(self, worker: _Worker, said: list[Any] | None) -> None:
        if worker not in self._workers:
            return
        match said:
            case ["ready"]:
                worker.ready = True
            case ["looked", int(count)]:
                worker.looked_at = count
            case ["written"] if worker.task is not None:
                self.finished.append(worker.task.shard.key)
                worker.task, worker.looked_at = None, 0
            case ["refused", message, advice]:
                raise Refusal(str(message), advice=str(advice))
            case ["unable", why]:
                raise Unable(str(why))
            case None:
                self._ended(worker)

    def _ended(self, worker: _Worker) -> None:
        """Have what a process was computing computed again."""
        self._workers.remove(worker)
        worker.process.wait()
        if not worker.ready:
            raise Unable(f"A worker process did not start (exit code {worker.process.returncode}).")
        if worker.task is not None:
            self._waiting.appendleft(worker.task)
            self._ends[worker.task.shard.key] += 1
            if self._ends[worker.task.shard.key] >= MOST_ENDS:
                raise _fatal(worker.task, worker.process.returncode)
        if self._starts < self.count * MOST_STARTS:
            self._start()
        elif not self._workers:
            raise Unable("The worker processes ended again and again.")

    def _start(self) -> None:
        share = memory_limits.allowed_bytes() // self.count
        searched = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        own = {SAFE_PATH: "1", "PYTHONPATH": os.pathsep.join(searched)}
        if share:
            own[memory_limits.VARIABLE] = f"{max(share, memory_limits.LEAST_BYTES) / 1e9:.3f}"
        own |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if name not in os.environ}
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", ENTRY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **own}
            )
        except OSError as error:
            self.stop()
            raise Unable(f"A worker process could not be started ({error.strerror}).") from error
        self._starts += 1
        worker = _Worker(process)
        self._processes.append(process)
        self._workers.append(worker)
        kept = str(kept_folder.current() or "")
        worker.tell(json.dumps({"threads": max(1, threads() // self.count), "kept": kept}))
        threading.Thread(target=_listen, args=(worker, self._said), daemon=True).start()


def _fatal(task: PartTask, code: int | None) -> Refusal:
    first, last = Path(task.shard.paths[0]).name, Path(task.shard.paths[-1]).name
    pictures = f"the pictures from {first} to {last}"
    return Refusal(
        f"{MOST_ENDS} worker processes ended (exit code {code}) while they looked at {pictures}.",
        advice="The parts that are done are kept. Give it more memory with fewer workers, or leave these pictures out.",
    )


def _listen(worker: _Worker, said: queue.Queue[tuple[_Worker, list[Any] | None]]) -> None:
    """Pass on what a process says until it has ended, which None stands for."""
    assert worker.process.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        for line in worker.process.stdout:
            with contextlib.suppress(ValueError):
                said.put((worker, json.loads(line)))
    said.put((worker, None))


_current: list[weakref.ref[WorkerProcesses]] = []  # one pass at a time has workers


def _end_others() -> None:
    for known in _current:
        if (lane := known()) is not None:
            lane.stop()


def _kill(processes: list[subprocess.Popen[bytes]]) -> None:
    """End processes and wait until they have."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()
    processes.clear()
