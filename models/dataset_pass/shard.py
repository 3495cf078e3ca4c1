"""From some pictures to one part file: the pure function that every engine runs, and its steps of one batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from models import files
from models.dataset_pass.batch import Batch
from models.dataset_pass.forward import Forward, Prepared
from models.dataset_pass.product import Collector, Product
from models.datasets import part_files
from models.datasets.part_files import ERROR, Part
from models.pictures import images
from models.runtime.failures import out_of_memory
from models.types import Cancelled, Refusal, Source

Stamp = tuple[int, int]


@dataclass(frozen=True)
class Shard:
    """R pictures of a data set, with size and time of each file; `key` names the part and depends on all of it."""

    paths: tuple[str, ...]
    stamps: tuple[Stamp, ...]
    key: str

    @classmethod
    def of(cls, paths: Sequence[str], stamps: Sequence[Stamp], job_key: str) -> Shard:
        """Return a shard of a job."""
        digest = hashlib.sha256(job_key.encode())
        for path, stamp in zip(paths, stamps, strict=True):
            digest.update(f"{path}\0{stamp[0]}\0{stamp[1]}\0".encode("utf-8", "surrogateescape"))
        return cls(tuple(paths), tuple(stamps), f"part-{digest.hexdigest()[:24]}")


@dataclass
class ShardRun:
    """A shard while it is computed, batch by batch. Batches begin at fixed places, so that a shard's size which is a
    multiple of a batch does not change any value.
    """

    forward: Forward
    products: Sequence[Product]
    shard: Shard
    done: int = 0
    errors: dict[int, str] = field(default_factory=dict)
    facts: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    good: list[int] = field(default_factory=list)
    collectors: list[Collector] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.collectors = [product.collector(self.forward) for product in self.products]
        self._passes = not all(getattr(product, "own_pass", False) for product in self.products)
        self._inputs = tuple(dict.fromkeys(name for product in self.products for name in product.wants_inputs))

    @property
    def complete(self) -> bool:
        """Whether every picture was looked at."""
        return self.done >= len(self.shard.paths)

    def step(self) -> None:
        """Read and pass the next batch. Pictures that fail are noted and never raise; Cancelled does."""
        last = min(self.done + self.forward.batch, len(self.shard.paths))
        read: dict[int, Prepared] = {}
        for row in range(self.done, last):
            try:
                pixels = images.read(self.shard.paths[row]).pixels
                self.forward.settle(pixels)
                prepared = self.forward.prepare(pixels)
                digest = files.sha256(self.shard.paths[row])
                self.facts[row] = (*prepared.size, digest)
                read[row] = prepared
            except Cancelled:
                raise
            except Refusal as refusal:
                self.errors[row] = sentence(refusal)
            except Exception as error:
                self.errors[row] = self._failed(error)
        for rows in _alike(read, single=self.forward.batch == 1):
            self._pass(rows, [read[row] for row in rows])
        self.done = last

    def part(self) -> Part:
        """Return the part when all pictures are done."""
        count = len(self.shard.paths)
        columns: dict[str, list[Any]] = {
            "width": [self.facts[row][0] if row in self.facts else None for row in range(count)],
            "height": [self.facts[row][1] if row in self.facts else None for row in range(count)],
            "sha256": [self.facts[row][2] if row in self.facts else "" for row in range(count)],
            ERROR: [self.errors.get(row, "") for row in range(count)],
        }
        arrays, merged = {}, {}
        for collector in self.collectors:
            own, rows, more = collector.part(self.good, count)
            columns |= own
            arrays |= rows
            merged |= more
        return Part(self.shard.paths, columns, arrays, merged)

    def _pass(self, rows: Sequence[int], pictures: Sequence[Prepared]) -> None:
        try:
            paths = [self.shard.paths[row] for row in rows]
            batch = replace(self._run(pictures), pixels=[each.pixels for each in pictures], paths=paths)
            for collector in self.collectors:
                collector.check(batch)
        except Cancelled:
            raise
        except Exception as error:
            failure = error
        else:
            for collector in self.collectors:
                collector.add(batch)
            self.good += rows
            return
        for collector in self.collectors:
            collector.forget()
        if len(rows) == 1:
            self.errors[rows[0]] = sentence(failure) if isinstance(failure, Refusal) else self._failed(failure)
            return
        # One of them fails, or memory is short: one by one, as far as that goes.
        del failure
        for row, picture in zip(rows, pictures, strict=True):
            self._pass([row], [picture])

    def _run(self, pictures: Sequence[Prepared]) -> Batch:
        if not self._passes:
            return Batch([each.size for each in pictures], [each.extent for each in pictures])

        def see(call: Any, value: torch.Tensor) -> None:
            for collector in self.collectors:
                collector.see(call, value)

        def see_input(name: str, value: torch.Tensor) -> None:
            for collector in self.collectors:
                collector.see_input(name, value)

        return self.forward.run(pictures, see, inputs=self._inputs, see_input=see_input)

    def _failed(self, error: Exception) -> str:
        if out_of_memory(error):
            return "There is not enough memory for this picture."
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return f"The model failed: {first}"


def compute(
    forward: Forward,
    products: Sequence[Product],
    shard: Shard,
    folder: str | Path,
    *,
    progress: Callable[[int], object] = int,
) -> Part:
    """Compute a part and write it to a folder, or return the one that is there. Raises Refusal and Cancelled.

    `progress` gets the number of pictures looked at after each batch. Exceptions of it propagate.
    """
    if (there := part_files.read(folder, shard.key)) is not None:
        return there
    run = ShardRun(forward, products, shard)
    while not run.complete:
        run.step()
        progress(run.done)
    part = run.part()
    part_files.write(folder, shard.key, part)
    return part


def sentence(refusal: Refusal) -> str:
    """Return a refusal's message and advice in one line."""
    return f"{refusal} {refusal.advice}".strip()


def stamp(path: str) -> Stamp:
    """Return size and modification time of a file, (0, 0) if it is missing."""
    return Source.file(path).stamp


def _alike(read: dict[int, Prepared], *, single: bool) -> list[list[int]]:
    """Return the rows in groups whose inputs have one shape."""
    groups: dict[Any, list[int]] = {}
    for row, picture in read.items():
        shape = row if single or picture.input is None else tuple(picture.input.shape)
        groups.setdefault(shape, []).append(row)
    return list(groups.values())
