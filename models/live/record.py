"""Writes frames to an MP4 file, timed by the source file's frames or by a camera's clock."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models import output_files
from models.live.capture import opencv
from models.live.encoders import Encoder, encoder
from models.output_files import OutputFiles
from models.types import Pixels, Refusal

ROOM_BYTES = 64 << 20
LOOK_EVERY = 30
LONGEST_GAP_S = 60.0


class Recording:
    """One MP4 file being written. Its size is that of the first frame; other frames are scaled to it.

    The file appears when it is closed, or together with other `files`. Raises Refusal when it cannot be written.
    """

    def __init__(self, path: str, *, fps: float, files: OutputFiles | None = None) -> None:
        self.path = Path(path)
        self.fps = fps
        self.written = 0
        self._begin: float | None = None
        self._writer: Encoder | None = None
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
        """Append a frame (H, W, 3) RGB.

        With `at` in seconds it is repeated, or dropped, to match the time since the first frame. Raises Refusal when
        the disk is nearly full; what was written so far is playable.
        """
        cv2 = opencv()
        if self._writer is None:
            height, width = pixels.shape[:2]
            # Codecs need even sizes, and OpenCV would cut off an odd row, so the last row or column is repeated.
            self._size = (width + width % 2, height + height % 2)
            self._writer = encoder(self._part, self._size, self.fps)
            if self._writer is None:
                raise Refusal(f"{self.path.name} cannot be written.", advice="Choose another name or folder.")
        if self.written % LOOK_EVERY == 0:
            self._room()
        frame = np.ascontiguousarray(pixels)
        width, height = self._size
        if 0 <= width - frame.shape[1] <= 1 and 0 <= height - frame.shape[0] <= 1:
            rim = (0, height - frame.shape[0], 0, width - frame.shape[1])
            frame = cv2.copyMakeBorder(frame, *rim, cv2.BORDER_REPLICATE) if any(rim) else frame
        else:
            frame = cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)
        for _ in range(self._times(at)):
            self._writer.write(np.asarray(frame, np.uint8))
            self.written += 1

    def close(self) -> None:
        """Finish the file; one without frames is removed.

        The encoder does not report failures, so the frames in the file are counted. Raises Refusal when some are
        missing. A file of its own keeps the frames it has, and is playable.
        """
        if self._writer is not None:
            self._writer.close()
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
    """Write frames (H, W, 3) RGB as an MP4 file together with others.

    Raises OSError, also when frames are missing in the file.
    """
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
    """Return the number of frames a file claims to hold."""
    cv2 = opencv()
    film = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    count = int(film.get(cv2.CAP_PROP_FRAME_COUNT)) if film.isOpened() else 0
    film.release()
    return count
