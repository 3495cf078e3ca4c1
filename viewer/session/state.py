"""The state that the parts of a session share: document, jobs, results, and callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from models.inspection import Description
from models.live.status import Shown
from models.pictures.images import Picture
from models.requests import Request
from models.runtime.stage_cache import Cache
from models.truth.types import Truth
from models.types import Failure, Result, Source
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.job_queue import Jobs, Lane

PICTURES_BYTES = 300_000_000


class SessionState:
    """A store, jobs and the last good results: `results` by slot, each with its request.

    `wanted` are the document's current requests, `failed` those given up, which are not repeated automatically. `shown`
    is the picture on screen, `reading` says that another one is being read, `pictures` holds the last pictures read.
    """

    def __init__(self, lane: Lane, document: Document | None, deliver: Callable[..., None]) -> None:
        self.store = Store(document)
        self.jobs = Jobs(lane, deliver)
        self.on = Listeners()
        self.descriptions: dict[str, Description] = {}
        self.results: dict[str, tuple[Request, Result]] = {}
        self.failed: dict[str, Request] = {}
        self.wanted: dict[str, Request] = {}
        self.shown: Source | None = None
        self.reading = False
        self.pictures = Cache(PICTURES_BYTES)

    @property
    def description(self) -> Description | None:
        """The description of the document's model, once the engine has opened it."""
        return self.descriptions.get(self.store.document.model)

    def report_failure(self, slot: str, failure: Failure) -> None:
        """Report why something could not be answered or opened."""
        for call in self.on.failure:
            call(slot, failure)

    def report_state(self) -> None:
        """Report that something started or ended."""
        for call in self.on.state:
            call()


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
