"""State of a moving source as sent to the window: position, rate, problems, and the frame shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.requests import Request
from models.types import Answer, Pixels, Source

State = Literal["playing", "paused", "ended"]


@dataclass(frozen=True)
class Facts:
    """The state of what is playing.

    `number` is the frame shown, -1 before the first; `count` the number of frames, 0 if unknown; `fps` the source's own
    rate; `rate` the frames per second shown recently; `dropped` the frames skipped since opening because newer ones had
    arrived; `stages` milliseconds per stage, smoothed; `lost` whether the connection is lost, with `retry_s` seconds
    until the next try; `every` whether every frame of a file is shown; `recording` the file being written, with
    `recorded` frames; `note` a sentence for the user.
    """

    state: State = "playing"
    number: int = -1
    count: int = 0
    fps: float = 0.0
    rate: float = 0.0
    dropped: int = 0
    stages: Mapping[str, float] = field(default_factory=dict)
    lost: bool = False
    retry_s: float = 0.0
    every: bool = False
    recording: str = ""
    recorded: int = 0
    note: str = ""


@dataclass(frozen=True)
class Opening:
    """What to play: from frame `at`, playing or paused, `every` frame or in real time. `again`: it was open before."""

    source: Source
    request: Request | None
    at: int = 0
    playing: bool = True
    every: bool = False
    again: bool = False


@dataclass(frozen=True)
class Shown:
    """A frame, the time it was read in seconds, and the request made for it with its answer; None without a request."""

    source: Source
    pixels: Pixels
    at: float
    request: Request | None
    answer: Answer | None
