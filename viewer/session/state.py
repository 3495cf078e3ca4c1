"""The state that the parts of a session share: document, jobs, results, and callbacks."""

from __future__ import annotations

from collections.abc import Callable

from models.inspection import Description
from models.requests import Request
from models.runtime.stage_cache import Cache
from models.types import Failure, Result, Source
from viewer.session.document import Document
from viewer.session.events import Listeners
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

    def tell_failure(self, slot: str, failure: Failure) -> None:
        """Report why something could not be answered or opened."""
        for call in self.on.failure:
            call(slot, failure)

    def tell_state(self) -> None:
        """Report that something started or ended."""
        for call in self.on.state:
            call()
