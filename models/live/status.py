"""What the window is told of a source that moves: where it is, how fast, and what is wrong. Plain values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.requests import Request
from models.types import Answer, Pixels, Source

State = Literal["playing", "paused", "ended"]


@dataclass(frozen=True)
class Facts:
    """The state of what plays.

    `number` is the frame shown, -1 before the first; `count` the frames there are, 0 where nobody knows; `fps` the
    source's own rate; `rate` frames per second shown lately; `dropped` frames passed over since it was opened because
    newer ones were there; `stages` ms by stage, smoothed; `lost` with the seconds `retry_s` until it is tried again;
    `every` says that no frame of a file is passed over; `recording` is the file that is written, with `recorded`
    frames; `note` is a sentence to tell the user.
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
    """What is to play: from frame `at`, playing or not, `every` frame or in real time. `again`: it was open before."""

    source: Source
    request: Request | None
    at: int = 0
    playing: bool = True
    every: bool = False
    again: bool = False


@dataclass(frozen=True)
class Shown:
    """A frame, when it was read in seconds, what was asked of it, and the answer; None where nothing was asked."""

    source: Source
    pixels: Pixels
    at: float
    request: Request | None
    answer: Answer | None
