"""Says what a model of another framework is, and the command that exports it to a file that opens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.cards import foreign_files
from models.loading.opened_model import Opened
from models.runtime.context import Context


def match(base: str) -> bool:
    """Return whether this names a file or folder of another framework."""
    return foreign_files.is_foreign(Path(base))


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Raise the Refusal that says what the file is and what to do."""
    del assumed, context
    path = Path(base)
    found = foreign_files.recognise(path)
    assert found is not None
    raise found.refusal(path.name)
