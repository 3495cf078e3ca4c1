"""The engine's process: a loop that answers messages from the window. Started by the window's jobs, never by itself.

To the engine: ("run", id, Request). From it: ("ready", facts), ("progress", id, fraction, text), ("done", id, Answer).
"""

from __future__ import annotations

import faulthandler
import gc
import pickle
import signal
from multiprocessing.connection import Connection
from typing import Any, Protocol

from models.context import Context

FLAGS = 64


class Flags(Protocol):
    """Numbers shared by both processes: request n is called off while the flag at n modulo `FLAGS` is n."""

    def __getitem__(self, index: int, /) -> int: ...


def send(pipe: Connection, message: object) -> None:
    """Send a message; the arrays in it travel as pickle-5 buffers of their own."""
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


def serve(pipe: Connection, called_off: Flags) -> None:
    """Answer requests until the window is gone; between them, go on with idle work."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _loop(pipe, called_off)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _loop(pipe: Connection, called_off: Flags) -> None:
    gc.disable()  # collecting while torch is imported takes a sixth of the time and frees nothing
    from models.engine import Engine

    engine = Engine()
    gc.freeze()
    gc.enable()
    send(pipe, ("ready", {}))
    while True:
        if engine.idle_work and not pipe.poll(0):
            engine.work_idle()
            continue
        _, number, request = receive(pipe)

        def report(fraction: float | None, text: str, number: int = number) -> None:
            send(pipe, ("progress", number, fraction, text))

        def cancelled(number: int = number) -> bool:
            return called_off[number % FLAGS] == number

        send(pipe, ("done", number, engine.run(request, Context(report, cancelled))))
