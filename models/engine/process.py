"""The engine's process: a loop that answers messages from the window. Only the window's jobs start it.

The first message to the engine is the plan of its sandbox, or None, with the folder that outlives it, or "". Then:
("run", id, Request), ("live", id, command, ...), ("finish",). From it: ("ready", facts), ("done", id, Answer),
("progress", id, fraction, text), ("finished",), ("live", id, ...) as in `models.live.frame_loop`. Playback continues
between requests.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import io
import os
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any, Protocol

from models.runtime import cluster_address, kept_folder, memory_limits, sandbox

FLAGS = 64
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in malloc.h
KEPT_BYTES, LARGEST_KEPT_BYTES = 256 << 20, 32 << 20


class Flags(Protocol):
    """Numbers shared by both processes: request n is cancelled while the flag at n modulo `FLAGS` equals n."""

    def __getitem__(self, index: int, /) -> int: ...


def send(pipe: Connection, message: object) -> None:
    """Send a message; its arrays travel as separate pickle-5 buffers."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    pipe.send_bytes(len(buffers).to_bytes(4, "little") + body)
    for buffer in buffers:
        pipe.send_bytes(buffer.raw())


def receive(pipe: Connection) -> Any:
    """Return the next message. Raises EOFError when the other side is gone."""
    head = pipe.recv_bytes()
    buffers = [bytearray(pipe.recv_bytes()) for _ in range(int.from_bytes(head[:4], "little"))]
    return pickle.loads(memoryview(head)[4:], buffers=buffers)


def serve(pipe: Connection, called_off: Flags, said: Connection) -> None:
    """Answer requests until the window is gone; do idle work between them. Printed text goes to `said`.

    Once everything is imported, and before any file is opened, the process is sandboxed according to the plan.
    What the engine after this one is to have goes to the folder that comes with it.
    """
    _print_to(said)
    memory_limits.keep()
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _loop(pipe, called_off)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _print_to(said: Connection) -> None:
    """Redirect stdout and stderr of this process and its children to a pipe that the window empties.

    Otherwise a model's output would fill the terminal or a log file.
    """
    if sys.platform == "win32":
        import msvcrt

        number = msvcrt.open_osfhandle(said.fileno(), os.O_WRONLY)
    else:
        number = said.fileno()
    for stream in (1, 2):
        os.dup2(number, stream)
    sys.stdout = io.open(1, "w", buffering=1, errors="replace", closefd=False)  # noqa: SIM115, UP020 - kept open
    sys.stderr = io.open(2, "w", buffering=1, errors="replace", closefd=False)  # noqa: SIM115, UP020


def _loop(pipe: Connection, called_off: Flags) -> None:
    _keep_memory()
    gc.disable()  # during the import of torch, collection would take a sixth of the time and free nothing
    from models.engine.engine import Engine
    from models.live.frame_loop import Show
    from models.live.shared_frames import SharedMemoryReader, SharedMemoryWriter
    from models.runtime import device

    engine = Engine()
    gc.freeze()
    gc.enable()
    device.start_graphics()  # the driver's set-up may need rights that the sandbox takes away
    plan, kept, cluster, allow = receive(pipe)
    cluster_address.use(cluster, allow=allow)
    kept_folder.use(kept)
    sandbox.close(plan)
    send(pipe, ("ready", {}))
    show = Show(
        engine,
        lambda message: send(pipe, message),
        lambda number: called_off[number % FLAGS] == number,
        share=SharedMemoryWriter().put,
        fetch=SharedMemoryReader().fetch,
    )
    try:
        while True:
            _answer(pipe, called_off, engine, show)
    finally:
        show.close()


def _keep_memory() -> None:
    """Make the C library keep freed tensor memory, up to `KEPT_BYTES`.

    By default glibc returns it to the system, and every page allocated again costs a fault: a third of the time with
    large frames. Other systems have no `mallopt`.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
            mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _answer(pipe: Connection, called_off: Flags, engine: Any, show: Any) -> None:
    """Answer the next message; if there is none, advance playback or idle work."""
    from models.runtime import failures
    from models.runtime.context import Context

    if not pipe.poll(0):
        wait = show.advance()
        if wait is None and engine.idle_work:
            engine.work_idle()
            return
        if not pipe.poll(wait):
            return
    match receive(pipe):
        case ("live", number, command, *given):
            show.handle(number, command, *given)
        case ("run", number, request):

            def report(fraction: float | None, text: str) -> None:
                send(pipe, ("progress", number, fraction, text))

            context = Context(report, lambda: called_off[number % FLAGS] == number)
            answer = engine.run(request, context)
            try:
                send(pipe, ("done", number, answer))
            except (EOFError, OSError):
                raise
            except Exception as error:  # the answer holds something that cannot be pickled
                send(pipe, ("done", number, failures.failure(request, error)))
        case ("finish",):
            show.close()
            send(pipe, ("finished",))
