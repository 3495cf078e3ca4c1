"""Lists of callbacks for the events of a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from models.images import Picture
from models.inspection import Description
from models.live.status import Shown
from models.requests import Request
from models.truth.types import Truth
from models.types import Failure, Result, Source


@dataclass
class Listeners:
    """Callbacks by event: each list is called with what its name says."""

    picture: list[Callable[[Source, Picture], None]] = field(default_factory=list)
    result: list[Callable[[str, Request, Result], None]] = field(default_factory=list)
    described: list[Callable[[Description], None]] = field(default_factory=list)
    failure: list[Callable[[str, Failure], None]] = field(default_factory=list)
    progress: list[Callable[[float | None, str], None]] = field(default_factory=list)
    state: list[Callable[[], None]] = field(default_factory=list)
    unreadable: list[Callable[[Source, Failure], None]] = field(default_factory=list)
    opened: list[Callable[[str, str], None]] = field(default_factory=list)
    truth: list[Callable[[Truth | None], None]] = field(default_factory=list)
    frame: list[Callable[[Shown], None]] = field(default_factory=list)
    live: list[Callable[[], None]] = field(default_factory=list)
