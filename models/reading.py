"""What the window has read in a process of its own, which can be ended whatever a file makes of its decoder: pictures,
thumbnails, ground truth. No torch, no Qt; what cannot be read is a Refusal, as everywhere.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from models import images
from models.images import Picture
from models.runtime import memory_limits
from models.thumbnail import thumbnail
from models.types import Refusal, Source

MOST_BYTES = 4 << 30
PICTURE, THUMBNAIL, TRUTH = "picture", "thumbnail", "truth"
Progress = Callable[[float | None, str], None]


def read(task: str, source: Source, option: int = 0, *, progress: Progress | None = None) -> Any:
    """Return a Picture, a thumbnail of `option` pixels (h, w, 3) or a Truth, read here and now. Raises Refusal."""
    match task:
        case "picture":
            return images.read(source)
        case "thumbnail":
            return thumbnail(source, side=option)
        case "truth":
            from models.truth.read import read as read_truth  # and with it XML and YAML, which pictures do not need

            return read_truth(source.path, progress=progress)
    raise ValueError(task)


def serve(pipe: Any) -> None:
    """Answer what comes through `pipe`, one after the other, until it is closed.

    Of each task come ("progress", fraction, text) and then ("refused", message, advice, details) or ("done", ...).
    """
    _settle()
    pipe.send(("ready",))
    with contextlib.suppress(EOFError, OSError):
        while True:
            _answer(pipe, *pipe.recv())


def receive(pipe: Any, message: tuple[Any, ...]) -> Any:
    """Return what a ("done", ...) stands for, with the arrays that follow it in `pipe`. Raises OSError or EOFError."""
    _, task, shape, note, columns = message
    if task == TRUTH:
        from models.truth import packed

        return packed.unpacked(columns)
    # A copy always: what is received cannot be written to.
    pixels = np.frombuffer(pipe.recv_bytes(), np.uint8).reshape(shape).copy()
    return Picture(pixels, note) if task == PICTURE else pixels


def _answer(pipe: Any, task: str, source: Source, option: int) -> None:
    try:
        found = read(task, source, option, progress=lambda *told: pipe.send(("progress", *told)))
    except Refusal as refusal:
        pipe.send(("refused", str(refusal), refusal.advice, refusal.details))
        return
    except MemoryError:
        text = f"{source.name} needs more memory than it may have ({MOST_BYTES >> 30} GB)."
        pipe.send(("refused", text, "Crop or shrink it in another program first.", ""))
        return
    except (EOFError, OSError):
        raise
    except Exception as error:  # whatever a decoder raises, the next picture is read
        text = f"{source.name} cannot be read: {type(error).__name__}."
        pipe.send(("refused", text, "Copy or export it again.", str(error)[:1000]))
        return
    if task == TRUTH:
        from models.truth import packed

        pipe.send(("done", task, (), "", packed.packed(found)))
        return
    pixels = found.pixels if isinstance(found, Picture) else found
    pipe.send(("done", task, pixels.shape, found.note if isinstance(found, Picture) else "", ()))
    pipe.send_bytes(np.ascontiguousarray(pixels).data.cast("B"))


def _settle() -> None:
    """Take what this process needs, and give up the rest: memory, and the window's streams, where decoders chatter."""
    memory_limits.keep()
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MOST_BYTES if hard == resource.RLIM_INFINITY else min(MOST_BYTES, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        os.close(quiet)
