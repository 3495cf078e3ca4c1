"""The measured pictures of a data set as they arrive, and the metrics over those available so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.evaluation.figures import Prepared, figures, pictures_of_cell, prepare
from models.evaluation.kept import Kept
from models.evaluation.matched import Setting
from models.evaluation.measure import Measured
from models.evaluation.survival import survival
from models.evaluation.table import Bytes, Table, assemble
from models.truth.types import Annotated, Truth
from models.types import Anchors, Int, Result

GROWTH = 1.2


@dataclass(frozen=True, eq=False)
class _Built:
    key: tuple[int, bool]
    table: Table
    rows: list[int]


class Store:
    """Pictures by their row in the truth: `measured`, or the reason in `failed`. About 17 KB for 350 candidates.

    `anchors` are those of the last picture, keyed by its size, on which alone they depend. `files` keep the pictures
    for an engine that replaces this one; `resumed` are how many came from an engine before.
    """

    def __init__(self, truth: Truth, label_ids: Int, files: Kept | None = None) -> None:
        self.truth = truth
        self.resumed = 0
        self.parts: object = None  # the pass in parts that fills it, which this room does not know
        self._files = files
        self.label_ids = label_ids
        self.measured: dict[int, Measured] = {}
        self.failed: dict[int, str] = {}
        self.anchors: dict[tuple[int, int], Anchors] = {}
        self.nbytes = 0
        self._across: dict[int, Bytes] = {}
        self._built: _Built | None = None
        self._prepared: tuple[object, Prepared] | None = None
        self._result: tuple[object, Result] | None = None

    def add(self, row: int, measured: Measured, *, keep: bool = True) -> None:
        """Add a measured picture, and `keep` it in the files."""
        self.measured[row] = measured
        self.nbytes += measured.nbytes
        if keep and self._files is not None:
            self._files.add(row, measured)

    def keep(self) -> None:
        """Write the pictures that are not in the files yet."""
        if self._files is not None:
            self._files.write()

    def fail(self, row: int, why: str) -> None:
        """Record why a picture cannot be measured."""
        self.failed[row] = why

    def missing(self, *, agnostic: bool) -> int | None:
        """Return the first row still to be done, or None."""
        done = self._across if agnostic else self.measured
        return next(
            (row for row in range(len(self.truth.pictures)) if row not in done and row not in self.failed), None
        )

    def across(self, row: int) -> None:
        """Compute a measured picture's survival under suppression across classes."""
        one = self.measured[row]
        self._across[row] = survival(one.boxes, one.score, None)
        self.nbytes += self._across[row].nbytes

    def figures(self, setting: Setting, score: float) -> Result:
        """Return the figures of the pictures available so far.

        While pictures arrive, the figures are recomputed whenever their number has grown by a fifth, and after the last
        one.
        """
        prepared = self._prepare(setting)
        if self._result is None or self._result[0] != (prepared, score):
            self._result = ((prepared, score), figures(prepared, score))
        return self._result[1]

    def pictures_of_cell(self, setting: Setting, score: float, row: int, column: int) -> tuple[list[int], list[int]]:
        """Return the pictures behind a cell of the confusion matrix, rows of the ground truth, and how often each."""
        prepared = self._prepare(setting)
        pictures, counts = pictures_of_cell(prepared.matched, score, row, column)
        rows = self._built.rows if self._built is not None else []
        return [rows[picture] for picture in pictures.tolist()], counts.tolist()

    def _prepare(self, setting: Setting) -> Prepared:
        done = self._across if setting.agnostic else self.measured
        count = len(done)
        built = self._built
        whole = self.missing(agnostic=setting.agnostic) is None
        stale = built is None or built.key[1] != setting.agnostic or built.key[0] > count
        if built is None or stale or (count > built.key[0] and (whole or count >= built.key[0] * GROWTH)):
            built = self._built = _Built(
                (count, setting.agnostic), self._table(sorted(done), agnostic=setting.agnostic), sorted(done)
            )
        key = (built.table, setting)
        if self._prepared is None or self._prepared[0] != key:
            self._prepared = (key, prepare(built.table, setting))
        return self._prepared[1]

    def _table(self, rows: Sequence[int], *, agnostic: bool) -> Table:
        truth: list[Annotated] = [self.truth.pictures[row] for row in rows]
        flags = [self._across[row] for row in rows] if agnostic else None
        return assemble([self.measured[row] for row in rows], truth, self.label_ids, flags)
