"""Reading files in a separate process: pictures, thumbnails and ground truth.

The process can be ended if a file makes its decoder hang or crash. What cannot be read raises a Refusal.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from models.pictures import images
from models.pictures.images import Picture, thumbnail
from models.runtime import memory_limits
from models.types import Refusal, Source

MOST_BYTES = 4 << 30
PICTURE, THUMBNAIL, TRUTH = "picture", "thumbnail", "truth"
Progress = Callable[[float | None, str], None]


def read(task: str, source: Source, option: int = 0, *, progress: Progress | None = None) -> Any:
    """Read a Picture, a thumbnail (h, w, 3) of `option` pixels, or a Truth in this process. Raises Refusal."""
    match task:
        case "picture":
            return images.read(source)
        case "thumbnail":
            return thumbnail(source, side=option)
        case "truth":
            from models.truth.read import read as read_truth  # imports XML and YAML, which pictures do not need

            return read_truth(source.path, progress=progress)
    raise ValueError(task)


def serve(pipe: Any, *inherited: Any) -> None:
    """Answer tasks that arrive through `pipe`, one after the other, until it is closed.

    `inherited` are pipes that a forked process has of its parent and closes.

    The answers to a task are ("progress", fraction, text), any number of times, then ("done", ...) or
    ("refused", message, advice, details).
    """
    for other in inherited:
        other.close()
    _settle()
    pipe.send(("ready",))
    with contextlib.suppress(EOFError, OSError):
        while True:
            _answer(pipe, *pipe.recv())


def receive(pipe: Any, message: tuple[Any, ...]) -> Any:
    """Return the result of a ("done", ...), with the arrays that follow it in `pipe`. Raises OSError or EOFError."""
    _, task, shape, note, columns = message
    if task == TRUTH:
        from models.truth import packed

        return packed.unpacked(columns)
    # Copy, because an array over received bytes is read-only.
    pixels = np.frombuffer(pipe.recv_bytes(), np.uint8).reshape(shape).copy()
    return Picture(pixels, note) if task == PICTURE else pixels


def _answer(pipe: Any, task: str, source: Source, option: int) -> None:
    try:
        found = read(task, source, option, progress=lambda *done: pipe.send(("progress", *done)))
    except Refusal as refusal:
        pipe.send(("refused", str(refusal), refusal.advice, refusal.details))
        return
    except MemoryError:
        text = f"{source.name} needs more memory than it may have ({MOST_BYTES >> 30} GB)."
        pipe.send(("refused", text, "Crop or shrink it in another program first.", ""))
        return
    except (EOFError, OSError):
        raise
    except Exception as error:  # a decoder may raise anything, and the process must go on to the next picture
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
    """Limit this process's memory, and redirect its standard streams, to which decoders print, to the null device."""
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
