"""The pass over a whole data set: shards in order, part files that are kept, progress, and resuming."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.dataset_pass.forward import Forward
from models.dataset_pass.part_task import Lane, PartTask, Unable
from models.dataset_pass.product import Product
from models.dataset_pass.shard import Shard, ShardRun, Stamp, stamp
from models.datasets import kept_parts, part_files
from models.datasets.collected import Collected
from models.datasets.part_files import Part
from models.datasets.types import DataSet
from models.runtime import user_folders
from models.types import Refusal

FORMAT = 1  # raise it when the same recipe gives other values
SHARD = 256  # pictures; a multiple of every batch
STAMPED_EVERY = 2000  # files
POLL_S = 0.02  # for as long the engine waits for other processes before it looks whether there is a request


def parts_folder() -> Path:
    """Return the folder of part files: in the user's cache, or a temporary one where that cannot be written to."""
    wanted = user_folders.data_sets()
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError:
        return Path(tempfile.gettempdir(), "vitrine-data-sets")


def job_key(weights: str, products: Sequence[Product]) -> str:
    """Return the key of what is computed, without the pictures: the model's fingerprint and every product."""
    asked = [[product.name, product.version, dataclasses.asdict(product)] for product in products]
    return hashlib.sha256(json.dumps([FORMAT, weights, asked], sort_keys=True).encode()).hexdigest()


def stamps_of(data_set: DataSet, *, progress: Any = None) -> tuple[Stamp, ...]:
    """Return size and time of every file of a data set; `progress` gets the share done."""
    found = []
    for number, path in enumerate(data_set.paths):
        if progress is not None and number % STAMPED_EVERY == 0:
            progress(number / len(data_set), f"look at {number:,} of {len(data_set):,} files")
        found.append(stamp(path))
    return tuple(found)


class Job:
    """A pass over a data set, done in steps of one batch. It fits `models.runtime.context.Work`.

    `weights` is the model's `fingerprint`, `stamps` are those of the files if they are known. Parts that are already in
    `folder` are taken as they are. `lane` returns who computes some tasks, None for this process; without it, or for a
    model without a `model_name`, that is this process.
    """

    lane: Callable[[Sequence[PartTask]], Lane | None] | None = None
    model_name = ""

    def __init__(
        self,
        forward: Forward,
        data_set: DataSet,
        products: Sequence[Product],
        weights: str,
        *,
        folder: str | Path | None = None,
        shard: int = SHARD,
        stamps: Sequence[Stamp] | None = None,
        progress: Any = None,
    ) -> None:
        """Look which parts are done. Raises Refusal for an empty data set; exceptions of `progress` propagate."""
        if not len(data_set):
            raise Refusal("The data set has no pictures.", advice="Choose another one.")
        self.forward, self.data_set, self.products = forward, data_set, tuple(products)
        self.weights = weights
        self.key = job_key(weights, products)
        root = Path(folder) if folder is not None else parts_folder()
        self.folder = root / self.key[:24]
        kept_parts.use(self.folder)
        self.pruned_bytes = kept_parts.prune(root, self.folder)
        self.failure: Exception | None = None
        self.retried = False
        stamps = stamps_of(data_set, progress=progress) if stamps is None else stamps
        firsts = range(0, len(data_set), shard)
        self.shards = {
            first: Shard.of(data_set.paths[first : first + shard], stamps[first : first + shard], self.key)
            for first in firsts
        }
        self._parts: dict[int, Part] = {}
        self._run: tuple[int, ShardRun] | None = None
        self._collected: Collected | None = None
        self._seconds = 0.0
        self._passed = 0
        self._elsewhere: Lane | None = None
        self._polled: tuple[float, int] = (0.0, 0)
        self._alone = False
        self.note = ""
        self.look()

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return 500 * len(self.data_set)

    def look(self) -> None:
        """Take in the parts that are there, such as those that another process has written."""
        for first, shard in self.shards.items():
            if first not in self._parts and (part := part_files.read(self.folder, shard.key)) is not None:
                self._parts[first] = part

    @property
    def missing(self) -> list[int]:
        """The first rows of the shards that are still to be done."""
        return [first for first in self.shards if first not in self._parts]

    @property
    def done_parts(self) -> list[tuple[int, str]]:
        """The first row and the key of each part that is done."""
        return [(first, self.shards[first].key) for first in sorted(self._parts)]

    @property
    def complete(self) -> bool:
        """Whether every part is done."""
        return len(self._parts) == len(self.shards)

    @property
    def alone(self) -> bool:
        """Whether nobody else computes parts, so that they are computed in this process."""
        return self._alone

    @property
    def collected(self) -> Collected:
        """The parts so far."""
        if self._collected is None or len(self._collected.parts) != len(self._parts):
            self._collected = Collected(self.data_set, tuple(sorted(self._parts.items())))
        return self._collected

    @property
    def looked_at(self) -> int:
        """How many pictures were looked at, those of the shard that is being done included."""
        going = (self._run[1].done if self._run else 0) + (self._elsewhere.looked_at if self._elsewhere else 0)
        return sum(len(part.paths) for part in self._parts.values()) + going

    @property
    def about(self) -> dict[str, Any]:
        """How far it is, for a Result's meta: `collected`, `failed`, `of`, `pace` in pictures a second (0 unknown).

        `pruned_bytes` of the parts of older jobs were removed to make room. `where` says who computes, "" for this
        process, and `where_note` why it is not who was meant to.
        """
        failed = len(self.collected.failures) + (len(self._run[1].errors) if self._run else 0)
        pace = self._passed / self._seconds if self._seconds else 0.0
        return {
            "collected": self.looked_at - failed,
            "failed": failed,
            "of": len(self.data_set),
            "pace": pace,
            "pruned_bytes": self.pruned_bytes,
            "where": self._elsewhere.busy if self._elsewhere else "",
            "where_note": self.note,
        }

    def tasks(self) -> list[PartTask]:
        """Return the parts that are still to be done as tasks for other processes."""
        folder = str(self.folder)
        return [
            PartTask(self.model_name, self.weights, self.products, self.shards[first], folder) for first in self.missing
        ]

    def stop(self) -> None:
        """End the processes that compute for this job, if any; the next step starts others."""
        if self._elsewhere is not None:
            self._elsewhere.stop()
            self._elsewhere = None

    def step(self) -> None:
        """Do the next batch, or see what others have done; write the part when its pictures are done.

        Raises Refusal, such as for a full disk.
        """
        if self._run is None and self._others():
            return
        if self._run is None:
            first = next((first for first in self.shards if first not in self._parts), None)
            if first is None:
                return
            there = part_files.read(self.folder, self.shards[first].key)
            if there is not None:
                self._parts[first] = there
                return
            self._run = first, ShardRun(self.forward, self.products, self.shards[first])
        first, run = self._run
        began, before = time.perf_counter(), run.done
        if not run.complete:
            run.step()
        self._seconds += time.perf_counter() - began
        self._passed += run.done - before
        if run.complete:
            part = run.part()
            part_files.write(self.folder, run.shard.key, part)
            self._parts[first] = part_files.read(self.folder, run.shard.key) or part
            self._run = None

    def _others(self) -> bool:
        """Let others go on with the parts; return whether there are any."""
        if self._elsewhere is not None and not self._elsewhere.running:  # another pass has taken the processes
            self._elsewhere = None
        try:
            if self._elsewhere is None:
                if self._alone or self.lane is None or not self.model_name or not (tasks := self.tasks()):
                    return False
                self._elsewhere = self.lane(tasks)
                if self._elsewhere is None:
                    self._alone = True
                    return False
                self._polled = time.perf_counter(), self.looked_at
            self._elsewhere.poll(POLL_S)
        except Unable as unable:
            self._elsewhere, self._alone, self.note = None, True, str(unable)
            self.look()
            return not self.missing
        except Refusal:
            self._elsewhere = None
            self.look()
            raise
        self._take_finished(self._elsewhere)
        return True

    def _take_finished(self, others: Lane) -> None:
        """Take in the parts that others have written, and let them go when they have done all."""
        written = set(others.finished)
        for first in [first for first in self.missing if self.shards[first].key in written]:
            if (part := part_files.read(self.folder, self.shards[first].key)) is not None:
                self._parts[first] = part
        now, looked_at = time.perf_counter(), self.looked_at
        self._seconds += now - self._polled[0]
        self._passed += max(0, looked_at - self._polled[1])
        self._polled = now, looked_at
        if all(self.shards[first].key in written for first in self.missing):
            self._alone = not self.complete  # what cannot be read here is computed here
            self.stop()

    def run(self, *, progress: Any = None) -> Collected:
        """Do all of it, telling `progress` the share and a text after each batch. Exceptions of it propagate."""
        try:
            while not self.complete:
                self.step()
                if progress is not None:
                    done, of = self.looked_at, len(self.data_set)
                    progress(done / of, f"looked at {done:,} of {of:,} pictures")
        finally:
            self.stop()
        return self.collected

    def retry(self) -> int:
        """Drop the parts that have failed pictures, so that they are done again; return how many pictures failed."""
        count = 0
        self.stop()
        for first, part in list(self._parts.items()):
            if part.errors:
                count += len(part.errors)
                part_files.remove(self.folder, self.shards[first].key)
                del self._parts[first]
        self._collected = None
        return count


def first_readable(data_set: DataSet, read: Any, *, most: int = 64) -> Any:
    """Return the pixels of the first picture that can be read, spread over the first `most` and some others.

    Raises Refusal that says why the first one cannot.
    """
    count = len(data_set)
    tried = dict.fromkeys([*range(min(most, count)), *range(0, count, max(1, count // most))])
    why: Refusal | None = None
    for row in tried:
        try:
            return read(data_set.paths[row]).pixels
        except Refusal as refusal:
            why = why or refusal
    first = Path(data_set.paths[0]).name if count else ""
    text = f"None of the pictures of {data_set.name} that were tried can be read. {first}: {why}"
    raise Refusal(text, advice="Choose another data set.")
