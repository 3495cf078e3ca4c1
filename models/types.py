"""The vocabulary shared by both processes: sources, results, failures, candidates, anchors."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.pictures.media import is_endless, is_live, title

Float = NDArray[np.float32]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
Real = NDArray[np.floating]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """Where a picture comes from. `stamp` distinguishes states of one file, so that caches notice a change.

    `frame` is the frame number, from 0, in a video, camera or stream; -1 for a still picture or for all of it.
    """

    path: str
    stamp: tuple[int, int] = (0, 0)
    frame: int = -1

    @classmethod
    def file(cls, path: str | Path) -> Source:
        """Return the source for a file: absolute path, with size in bytes and modification time in ns if it exists.

        A camera or stream is stamped with the current time, because it never shows the same frame again.
        """
        if isinstance(path, str) and is_endless(path):
            return cls(path, (time.time_ns(), 0))
        absolute = Path(path).absolute()
        try:
            status = absolute.stat()
        except (OSError, ValueError):  # ValueError: a name that the system does not accept
            return cls(str(absolute))
        return cls(str(absolute), (status.st_size, status.st_mtime_ns))

    @property
    def moving(self) -> bool:
        """Whether this is a video, camera or stream as a whole rather than one of its frames."""
        return self.frame < 0 and is_live(self.path)

    @property
    def name(self) -> str:
        """The file's name, for titles and messages."""
        return title(self.path) if self.frame < 0 else f"{title(self.path)}, frame {self.frame}"

    @property
    def stem(self) -> str:
        """The prefix of the names of files made from this."""
        plain = title(self.path)
        stem = re.sub(r"\W+", "-", plain).strip("-") if is_endless(self.path) else Path(plain).stem
        return stem if self.frame < 0 else f"{stem}-{self.frame}"


class Refusal(Exception):  # noqa: N818 - an expected answer, not an error of ours
    """The user's input cannot be used: `str()` says what happened, `advice` what to do about it.

    `details` hold more, for the log. `offer` is a remedy that the interface can apply: ("allow", file, its SHA-256),
    ("model", full name, label), ("layer", its id, label) or ("download", name in the zoo). Code that opens models may
    also raise ("assume", assumption, choice, label), which the registry turns into the full name of the model under
    this choice.
    """

    def __init__(self, message: str, *, advice: str = "", details: str = "", offer: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.advice = advice
        self.details = details
        self.offer = offer


class Cancelled(Exception):  # noqa: N818
    """The work was cancelled, by the user or because a newer request replaced it."""


@dataclass(frozen=True)
class Failure:
    """An answer without a result: one sentence on what happened, one on what to do, details for the log.

    `offer` is that of a Refusal. `memory` marks exhausted memory.
    """

    message: str
    advice: str = ""
    details: str = ""
    cancelled: bool = False
    memory: bool = False
    offer: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The message and the advice as one line."""
        return f"{self.message} {self.advice}".strip()


@dataclass(frozen=True)
class Result:
    """Named arrays and plain metadata; each inspection documents its own in its module."""

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


Answer = Result | Failure


@dataclass(frozen=True)
class Candidates:
    """The boxes a detector considered for one image, before suppression, as columns of equal length N.

    `boxes` (N, 4) xyxy in pixels of the *resized* image, the network's input, where suppression is decided; `drawn`
    (N, 4) the same boxes in pixels of the original image; `score` (N,); `label` (N,), the model's own label ids,
    background excluded; `anchor` (N,) row of the anchor a box was decoded from; `proposal` (N,) row of its proposal in
    `proposals`, or -1 if the family has none. `proposals` (P, 4) are in pixels of the original image, `objectness` (P,)
    their scores.
    """

    boxes: Float
    drawn: Float
    score: Float
    label: Int
    anchor: Int
    proposal: Int
    proposals: Float
    objectness: Float

    def __len__(self) -> int:
        return len(self.score)

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return sum(getattr(self, name).nbytes for name in self.__dataclass_fields__)


@dataclass(frozen=True, eq=False)
class Growth:
    """A growing generator and its critic at one stage: a `level` whose own branch has the weight `alpha`.

    Pictures (S, S, C) float32 from 0 to 1: the mixture `picture`, the level `before`, enlarged, the level's `own`;
    `halved` (S/2, S/2, C) is what the critic's branch of the level before gets. Scores are before the sigmoid: of the
    mixture as it is judged at this stage, and by the critic's two branches alone.
    """

    level: int
    alpha: float
    picture: Float
    before: Float
    own: Float
    halved: Float
    score: float
    score_before: float
    score_own: float


@dataclass(frozen=True)
class Translation:
    """A picture that a network made of a picture.

    `picture` (H, W, 3) float32 RGB is from 0 to 1 where it is sound; `given` (h, w, 3) uint8 is what the network got.
    Both lie at `extent`, x0 y0 x1 y1 in pixels of the original image. A side of `picture` is `times` that of `given`.
    It was made in `tiles`; `seam` is the largest step, from 0 to 1, where two of them meet.
    """

    picture: Float
    given: Pixels
    extent: tuple[float, ...]
    times: float = 1.0
    tiles: int = 1
    seam: float = 0.0

    @property
    def nbytes(self) -> int:
        """The size of both pictures in bytes."""
        return self.picture.nbytes + self.given.nbytes


@dataclass(frozen=True)
class Anchors:
    """Every anchor of a detector for one image size, in pixels of the original image.

    `boxes` (N, 4) xyxy ordered by level, row, column, anchor of the cell. Per level l of L: `grid` (L, 2) rows and
    columns, `per_cell` (L,) anchors per cell, `start` (L + 1,) first row of the level in `boxes`.
    """

    boxes: Float
    grid: Int
    per_cell: Int
    start: Int

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return self.boxes.nbytes + self.grid.nbytes + self.per_cell.nbytes + self.start.nbytes

    def level(self, rows: Int) -> Int:
        """Return the pyramid level of each anchor row."""
        return (np.searchsorted(self.start, rows, side="right") - 1).astype(np.int64)
