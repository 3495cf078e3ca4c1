"""Videos whose every frame carries its number, and a loopback server that streams such frames. No test is here."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.cards.card import BUNDLED
from models.live.capture import Capture
from models.pictures.images import read
from models.types import Pixels

STRIP, BITS, FPS = 16, 16, 30
SAMPLE = BUNDLED.parent / "samples" / "board.png"
CODES = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}
PATIENCE_S = 60.0


def numbered(number: int, *, size: tuple[int, int] = (320, 240)) -> Pixels:
    """A frame (H, W, 3) RGB: digits that move, and above them a strip with the number in black and white blocks."""
    width, height = size
    big = cv2.resize(read(SAMPLE).pixels, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    x, y = int(width * (0.5 + 0.4 * np.sin(number / 9))), int(height * (0.5 + 0.4 * np.cos(number / 7)))
    frame = np.ascontiguousarray(big[y : y + height, x : x + width])
    bits = (number >> np.arange(BITS)) & 1
    frame[:STRIP] = np.repeat(bits * 255, width // BITS).astype(np.uint8)[None, :, None]
    return frame


def number_in(frame: Pixels) -> int:
    """The number that a frame carries."""
    row, step = frame[STRIP // 2].mean(1), frame.shape[1] // BITS
    return int(sum(1 << bit for bit in range(BITS) if row[bit * step + step // 2] > 127))


def video(path: Path, frames: int, *, size: tuple[int, int] = (320, 240), fps: float = FPS) -> Path:
    """Write a video of numbered frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODES[path.suffix]), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(cv2.cvtColor(numbered(number, size=size), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def frames_of(path: Path) -> list[Pixels]:
    """Every frame of a video."""
    opened, found = Capture(str(path)), []
    while (pixels := opened.read()) is not None:
        found.append(pixels)
    opened.close()
    return found


def until(condition: Callable[[], Any], *, seconds: float = PATIENCE_S) -> Any:
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.002)
    return value


class Stream:
    """An MJPEG stream on 127.0.0.1: it may stall, break off, be away, and come back in another size."""

    def __init__(self) -> None:
        self.size = (320, 240)
        self.sent = 0
        self.away = self.stalled = False
        self.breaks = 0
        self.claims: int | None = None  # what a part says of its length, where that is not the truth; 0 for nothing
        stream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *given: Any) -> None: ...

            def do_GET(self) -> None:
                if stream.away:
                    self.send_error(503)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
                self.end_headers()
                breaks = stream.breaks
                while breaks == stream.breaks and not stream.closed.is_set():
                    if stream.stalled:
                        time.sleep(0.01)
                        continue
                    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(stream.picture(), cv2.COLOR_RGB2BGR))
                    length = len(jpeg) if stream.claims is None else stream.claims
                    head = "--next\r\nContent-Type: image/jpeg\r\n"
                    head += f"Content-Length: {length}\r\n\r\n" if length else "\r\n"
                    try:
                        self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
                    except OSError:
                        return
                    stream.sent += 1
                    time.sleep(0.01)

        self.closed = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/live.mjpg"

    def picture(self) -> Pixels:
        return numbered(self.sent, size=self.size)

    def close(self) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
