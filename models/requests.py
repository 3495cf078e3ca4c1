"""Requests to the engine: frozen, hashable, picklable values that are their own cache keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.params import Value
from models.types import Source


@dataclass(frozen=True)
class Request:
    """One inspection of one model on one source. Omitted parameters take the model's own defaults."""

    inspection: str
    model: str
    source: Source | None = None
    params: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def make(
        cls, inspection: str, model: str, source: Source | None = None, params: Mapping[str, Value] | None = None
    ) -> Request:
        """Return a request with its parameters in canonical order."""
        return cls(inspection, model, source, tuple(sorted((params or {}).items())))

    @property
    def subject(self) -> tuple[object, ...]:
        """What the request is about: the same for requests that differ only in parameters."""
        return self.inspection, self.model, self.source

    @property
    def stem(self) -> str:
        """The prefix of this request's file names: `a.detect` for a.png."""
        return f"{self.source.stem if self.source else Path(self.model).stem}.{self.inspection}"

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters as a dictionary."""
        return dict(self.params)
