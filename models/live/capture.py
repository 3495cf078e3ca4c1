"""A video file, camera or stream opened with OpenCV: RGB frames in order, with seeking in files.

OpenCV is imported on first use. That is in the engine's process, except that the window imports it to write a path
through codes as a film.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from models import files
from models.live import multipart_stream
from models.pictures.media import camera_number, kind, title
from models.types import Pixels, Refusal, Source

OPEN_MS = 5000
READ_MS = 5000
NEAR = 32  # frames: up to this distance, reading on is faster than seeking
USUAL_FPS = 25.0
MOST_FPS = 1000.0
MOST_FRAMES = 1 << 31


class Capture:
    """An opened source. `next` is the number of the next frame; `count` is 0 if the length is unknown.

    Raises Refusal when it cannot be opened; for a stream, after at most `OPEN_MS`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.kind = kind(path)
        if self.kind == "video":
            files.check(path)
        self._cv2 = opencv()
        self._open()
        fps = float(self._capture.get(self._cv2.CAP_PROP_FPS))
        count = self._capture.get(self._cv2.CAP_PROP_FRAME_COUNT) if self.kind == "video" else 0
        self.fps = fps if 0 < fps <= MOST_FPS else USUAL_FPS
        self.count = int(count) if 0 < count < MOST_FRAMES else 0

    def read(self) -> Pixels | None:
        """Return the next frame (H, W, 3) uint8 RGB; None at the end, or when nothing came for `READ_MS`.

        Raises Refusal for a stream whose next frame is too large to be one.
        """
        try:
            ok, frame = self._capture.read()
            if not ok or frame is None or not frame.size:
                return None
            code = self._cv2.COLOR_GRAY2RGB if frame.ndim == 2 else self._cv2.COLOR_BGR2RGB
            pixels: Pixels = self._cv2.cvtColor(frame, code)
        except self._cv2.error:
            return None
        self.next += 1
        return pixels

    def skip(self) -> bool:
        """Skip the next frame. Return False at the end."""
        ok = bool(self._capture.grab())
        self.next += ok
        return ok

    def seek(self, number: int) -> None:
        """Make `number` the next frame to read. Only for files; past the end, `read` returns None."""
        if not 0 <= number - self.next <= NEAR:
            self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, number)
            self.next = number
            if round(self._capture.get(self._cv2.CAP_PROP_POS_FRAMES)) != number:  # a file without an index
                self.close()
                self._open()
        while self.next < number and self.skip():
            pass

    def close(self) -> None:
        """Release the file, device or connection."""
        self._capture.release()

    def _open(self) -> None:
        cv2, self.next = self._cv2, 0
        if self.kind == "camera":
            self._capture: Any = cv2.VideoCapture(camera_number(self.path))
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        elif (found := multipart_stream.opened(self.path, cv2, seconds=READ_MS / 1000)) is not None:
            self._capture = found
            return
        else:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MS]
            self._capture = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG, limits)
        if not self._capture.isOpened():
            raise _refusal(self.path)


def opencv() -> Any:
    """Import cv2 and silence its log: Vitrine words its own messages."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_MS // 1000))
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    cv2.setNumThreads(1)
    return cv2


def still(source: Source) -> Pixels:
    """Return one frame of a video file. Raises Refusal when it cannot be read, and for a camera or stream."""
    if kind(source.path) != "video":
        what = f"Frame {source.frame} of {title(source.path)} is gone."
        raise Refusal(what, advice="Play on and pause at another one.")
    capture = Capture(source.path)
    try:
        capture.seek(source.frame)
        pixels = capture.read() if capture.next == source.frame else None
    finally:
        capture.close()
    if pixels is None:
        raise Refusal(f"{source.name} cannot be read.", advice="The file may be cut short; choose an earlier frame.")
    return pixels


def _refusal(path: str) -> Refusal:
    name = title(path)
    match kind(path):
        case "camera":
            message = f"{name} is not there, or another program uses it."
            return Refusal(message, advice="Connect it, close the other program, or try another number.")
        case "stream":
            return Refusal(f"{name} does not answer with a video.", advice="Check the address and the network.")
    what = files.kind(Path(path))
    if what and what != "a video":
        return Refusal(f"{name} is not a video: it is {what}.", advice="Choose a video, such as an MP4 file.")
    message = f"{name} is cut short, damaged or of a kind that cannot be read."
    return Refusal(message, advice="Copy it again, or convert it to MP4 (H.264).")
