"""Encoders of MP4 files: H.264 by the FFmpeg program of imageio-ffmpeg where that is installed, else OpenCV's MPEG-4.

imageio-ffmpeg is an optional extra, `video`: FFmpeg with x264 is under the GPL. It runs as a program of its own, to
which frames are piped.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from models.types import Pixels

MPEG_4 = "mp4v"  # MPEG-4 part 2: OpenCV's wheels include no H.264 encoder
H264_MARK, LOOK_BYTES = b"avc1", 1 << 20
QUALITY = 7  # of imageio-ffmpeg's 1 to 10
FAST = ("-preset", "veryfast", "-movflags", "+faststart", "-f", "mp4")
BROWSERS = (
    "Browsers may refuse this MP4, which is MPEG-4 part 2; with imageio-ffmpeg, the extra “video”, it would be H.264."
)


class Encoder(Protocol):
    """Writes frames (H, W, 3) RGB of the size it was opened with."""

    def write(self, frame: Pixels) -> None:
        """Append a frame; a failure shows in the file, whose frames are counted."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


@cache
def h264() -> bool:
    """Return whether FFmpeg is installed as an extra and can be started by this process."""
    try:
        import imageio_ffmpeg

        return bool(imageio_ffmpeg.get_ffmpeg_version())
    except Exception:  # whatever keeps it from running, OpenCV's encoder remains
        return False


def encoder(output_part: Path, size: tuple[int, int], fps: float) -> Encoder | None:
    """Return an encoder of an MP4 of even `size` (width, height) into its temporary file, None if that cannot be."""
    if h264():
        return _FFmpeg(output_part, size, fps)
    made = _OpenCV(output_part, size, fps)
    return made if made.opened else None


def note(path: Path) -> str:
    """Return what must be said of an MP4 file that browsers may refuse, "" for one in H.264."""
    with path.open("rb") as file:
        begin = file.read(LOOK_BYTES)
        file.seek(max(0, path.stat().st_size - LOOK_BYTES))
        return "" if H264_MARK in begin or H264_MARK in file.read(LOOK_BYTES) else BROWSERS


class _FFmpeg:
    def __init__(self, output_part: Path, size: tuple[int, int], fps: float) -> None:
        import imageio_ffmpeg

        self._pipe: Any = None
        self._frames: Generator[None, Any, None] | None = imageio_ffmpeg.write_frames(
            str(output_part),
            size,
            fps=fps,  # pyright: ignore[reportArgumentType]  # FFmpeg takes fractions
            codec="libx264",
            quality=QUALITY,
            macro_block_size=2,
            ffmpeg_log_level="quiet",
            output_params=list(FAST),
        )
        self._send(None)
        if self._frames is not None:
            self._pipe = inspect.getgeneratorlocals(self._frames)["p"].stdin

    def write(self, frame: Pixels) -> None:
        self._send(frame.tobytes())

    def close(self) -> None:
        if self._frames is not None:
            with contextlib.suppress(OSError):
                self._frames.close()
            self._frames = None

    def _send(self, data: bytes | None) -> None:
        if self._frames is not None:
            try:
                self._frames.send(data)
            except (OSError, StopIteration):  # FFmpeg ended, as on a full disk
                self._frames = None
                # imageio-ffmpeg leaves the pipe to an ended program open; closing it fails, but closes it.
                if self._pipe is not None:
                    with contextlib.suppress(OSError):
                        self._pipe.close()


class _OpenCV:
    def __init__(self, output_part: Path, size: tuple[int, int], fps: float) -> None:
        # Reading brings http.client along, and the window imports this module as it starts.
        from models.live.capture import opencv

        cv2 = opencv()
        self._cv2 = cv2
        self._writer = cv2.VideoWriter(str(output_part), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*MPEG_4), fps, size)

    @property
    def opened(self) -> bool:
        return bool(self._writer.isOpened())

    def write(self, frame: Pixels) -> None:
        self._writer.write(self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()
