"""A small cache of ground truth by Source, so that changing a setting or picture does not parse it again."""

from __future__ import annotations

from collections import OrderedDict

from models.truth.gather import Progress
from models.truth.read import read
from models.truth.types import Truth
from models.types import Source

MOST_KEPT = 2
_kept: OrderedDict[Source, Truth] = OrderedDict()


def truth_at(source: Source, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth of a Source, reading it again if its stamp has changed. Raises Refusal."""
    if source not in _kept:
        _kept[source] = read(source.path, progress=progress)
    _kept.move_to_end(source)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return _kept[source]
