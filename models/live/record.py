"""Writing painted frames to an MP4 file: its time follows a file's frames, or a camera's clock. It paints nothing."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models import output_files
from models.live.capture import opencv
from models.output_files import OutputFiles
from models.types import Pixels, Refusal

SUFFIX = ".mp4"
CODE = "mp4v"  # MPEG-4 part 2: the wheels of OpenCV carry no encoder for H.264
ROOM_BYTES = 64 << 20
LOOK_EVERY = 30
LONGEST_GAP_S = 60.0


class Recording:
    """One MP4 file that is being written. The first frame's size is the file's; others are scaled to it.

    It appears once it is closed, or with other `files` when those do. Raises Refusal when it cannot be written.
    """

    def __init__(self, path: str, *, fps: float, files: OutputFiles | None = None) -> None:
        self.path = Path(path)
        self.fps = fps
        self.written = 0
        self._begin: float | None = None
        self._writer = None
        self._size = (0, 0)
        self._own = OutputFiles() if files is None else None
        try:
            self._part = (files or self._own or OutputFiles()).part(self.path)
        except OSError as error:
            raise output_files.refusal(self.path, error) from error
        try:
            self._room()
        except Refusal:
            self._discard()
            raise

    def write(self, pixels: Pixels, *, at: float | None = None) -> None:
        """Append a frame (H, W, 3) RGB; with `at` in seconds as often as the time since the first one asks for.

        Raises Refusal when the disk is as good as full; what was written can be played.
        """
        cv2 = opencv()
        if self._writer is None:
            height, width = pixels.shape[:2]
            # The codec works on pairs of pixels; OpenCV would cut off an odd row.
            self._size = (width + width % 2, height + height % 2)
            code = cv2.VideoWriter_fourcc(*CODE)
            self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, code, self.fps, self._size)
            if not self._writer.isOpened():
                raise Refusal(f"{self.path.name} cannot be written.", advice="Choose another name or folder.")
        if self.written % LOOK_EVERY == 0:
            self._room()
        frame = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
        width, height = self._size
        if 0 <= width - frame.shape[1] <= 1 and 0 <= height - frame.shape[0] <= 1:
            rim = (0, height - frame.shape[0], 0, width - frame.shape[1])
            frame = cv2.copyMakeBorder(frame, *rim, cv2.BORDER_REPLICATE) if any(rim) else frame
        else:
            frame = cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)
        for _ in range(self._times(at)):
            self._writer.write(frame)
            self.written += 1

    def close(self) -> None:
        """Finish the file; one without a frame is taken away.

        The encoder does not say when it fails, so what was written is counted. Raises Refusal where frames are missing:
        of a file of its own those that are there are kept, and can be played.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        if not self.written:
            self._discard()
            return
        found = _count(self._part)
        if self._own is not None:
            try:
                (self._own.commit if found else self._own.discard)()
            except OSError as error:
                raise output_files.refusal(self.path, error) from error
        if found != self.written:
            message = f"Only {found} of {self.written} frames of {self.path.name} could be written."
            raise Refusal(message, advice=output_files.ADVICE)

    def _discard(self) -> None:
        if self._own is not None:
            self._own.discard()

    def _times(self, at: float | None) -> int:
        if at is None:
            return 1
        self._begin = at if self._begin is None else self._begin
        due = round((at - self._begin) * self.fps) + 1
        return max(0, min(due - self.written, int(LONGEST_GAP_S * self.fps)))

    def _room(self) -> None:
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self.path.parent).free < ROOM_BYTES:
                message = f"The disk is nearly full, so {self.path.name} ends here."
                raise Refusal(message, advice="Make room, or record to another disk.")


def write_film(files: OutputFiles, path: Path, frames: Iterable[Pixels], *, fps: float) -> None:
    """Write frames (H, W, 3) RGB as an MP4 file among others. Raises OSError, also where frames are missing in it."""
    try:
        recording = Recording(str(path), fps=fps, files=files)
        try:
            for pixels in frames:
                recording.write(pixels)
        finally:
            recording.close()
    except Refusal as refusal:
        raise OSError(errno.ENOSPC, str(refusal).rstrip("."), str(path)) from refusal


def _count(file: Path) -> int:
    """Return how many frames can be read in a file."""
    cv2 = opencv()
    film = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    count = int(film.get(cv2.CAP_PROP_FRAME_COUNT)) if film.isOpened() else 0
    film.release()
    return count
