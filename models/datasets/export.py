"""A data set with what was found of it as files: a table as Parquet or CSV, and the vectors as NPY.

The Parquet opens in Embedding Atlas and Renumics Spotlight, which recognise its columns: `image` the path, `label`,
`prediction`, `confidence`, `embedding` the vector, `x` and `y` its first two principal components, and `neighbors` with
`ids` (rows of this table) and `distances`. Without pyarrow the table is a CSV file, which leaves out the vectors.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.datasets.collected import DONE, FAILED, Collected
from models.datasets.nearest import COSINE, Vectors
from models.datasets.neighbour_graph import Graph
from models.output_files import OutputFiles
from models.types import Float

MOST_COMPARED = 20_000  # pictures whose neighbours are found for the table
ROUNDS = 40  # of the iteration that finds principal components
STATES = {DONE: "done", FAILED: "failed"}


def has_parquet() -> bool:
    """Return whether tables can be written as Parquet."""
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


def add(files: OutputFiles, place: Path, found: Collected, *, classes: Sequence[str], array: str) -> list[str]:
    """Add table and vectors (the array of that name) of a data set to the files to write; return their kinds.

    They will appear at `place` with the suffix of their kind.

    Row r of both is picture r. `classes` are the model's. Raises OSError.
    """
    pieces = found.chunks(array)
    kinds = []
    if pieces:
        with files.part(place.with_name(f"{place.name}.npy")).open("wb") as file:
            _write_vectors(file, pieces, len(found.data_set))
        kinds.append("npy")
    columns = columns_of(found, classes)
    if has_parquet():
        _parquet(files.part(place.with_name(f"{place.name}.parquet")), found, columns, pieces)
        return [*kinds, "parquet"]
    files.add(place.with_name(f"{place.name}.csv"), _csv(columns))
    return [*kinds, "csv"]


def columns_of(found: Collected, classes: Sequence[str]) -> dict[str, list[Any]]:
    """Return the plain columns of the table, one value per picture; None where there is none."""
    data_set = found.data_set
    count = len(data_set)
    prediction = found.column("prediction", -1, np.int64)
    columns: dict[str, list[Any]] = {
        "id": list(range(count)),
        "image": list(data_set.paths),
        "path": [data_set.shown(row) for row in range(count)],
        "label": [data_set.label(row) or None for row in range(count)],
        "prediction": [classes[row] if 0 <= row < len(classes) else None for row in prediction.tolist()],
        "state": [STATES.get(state, "waiting") for state in found.state.tolist()],
    }
    if data_set.splits:
        columns["split"] = list(data_set.splits)
    own = ("prediction",)
    for name in found.names:
        if name not in own:
            columns[name] = [None if value == "" else value for value in found.column(name, None, object).tolist()]
    return columns


def principal(pieces: Sequence[tuple[int, Float]], count: int, known: np.ndarray) -> Float:
    """Return the first two principal components (N, 2) of vectors, NaN where there is none, by subspace iteration."""
    width = int(pieces[0][1].shape[1])
    placed = np.full((count, 2), np.nan, np.float32)
    total, mean = 0, np.zeros(width)
    for first, piece in pieces:
        rows = np.asarray(piece)[known[first : first + len(piece)]]
        mean += rows.sum(0, dtype=np.float64)
        total += len(rows)
    if total < 2:
        return placed
    mean /= total
    ways = np.random.default_rng(0).standard_normal((width, min(2, width)))
    for _ in range(ROUNDS):
        made = np.zeros_like(ways)
        for first, piece in pieces:
            rows = np.asarray(piece)[known[first : first + len(piece)]] - mean
            made += rows.T @ (rows @ ways)
        ways = np.linalg.qr(made)[0] if np.abs(made).max() > 0 else ways
    for first, piece in pieces:
        placed[first : first + len(piece), : ways.shape[1]] = (np.asarray(piece) - mean) @ ways
    return placed


def _write_vectors(file: Any, pieces: Sequence[tuple[int, Float]], count: int) -> None:
    """Write vectors (N, D) float32 piece by piece, NaN for rows without one."""
    width = int(pieces[0][1].shape[1])
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, width)}
    np.lib.format.write_array_header_2_0(file, header)
    at = 0
    for first, piece in sorted(pieces, key=lambda each: each[0]):
        file.write(np.full((first - at, width), np.nan, "<f4").tobytes())
        file.write(np.ascontiguousarray(piece, "<f4").tobytes())
        at = first + len(piece)
    file.write(np.full((count - at, width), np.nan, "<f4").tobytes())


def _csv(columns: dict[str, list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(["" if value is None else value for value in row])
    return text.getvalue()


def _parquet(part: Path, found: Collected, columns: dict[str, list[Any]], pieces: Sequence[tuple[int, Float]]) -> None:
    import pyarrow
    from pyarrow import parquet

    count = len(found.data_set)
    fields = {name: _typed(name, values) for name, values in columns.items()}
    more: dict[str, Any] = {}
    if pieces:
        vectors = Vectors.of(pieces, count)
        placed = principal(pieces, count, vectors.known)
        more["x"], more["y"] = (pyarrow.array(column.tolist(), pyarrow.float32()) for column in placed.T)
        if count <= MOST_COMPARED:
            more["neighbors"] = _neighbours(vectors)
    table = pyarrow.table({**fields, **more})
    if not pieces:
        parquet.write_table(table, part)
        return
    width = int(pieces[0][1].shape[1])
    kind = pyarrow.list_(pyarrow.float32())
    schema = table.schema.append(pyarrow.field("embedding", kind))
    with parquet.ParquetWriter(part, schema) as writer:
        for first, piece in _covering(pieces, count, width):
            rows = table.slice(first, len(piece))
            lists = [None if np.isnan(vector[:1]).any() else vector for vector in np.asarray(piece, np.float32)]
            writer.write_table(rows.append_column("embedding", pyarrow.array(lists, kind)))


def _covering(pieces: Sequence[tuple[int, Float]], count: int, width: int) -> Iterator[tuple[int, Float]]:
    """Yield pieces that cover all rows, of NaN where there is none."""
    at = 0
    for first, piece in [*sorted(pieces, key=lambda each: each[0]), (count, np.zeros((0, width), np.float32))]:
        if first > at:
            yield at, np.full((first - at, width), np.nan, np.float32)
        if len(piece):
            yield first, piece
        at = first + len(piece)


def _typed(name: str, values: list[Any]) -> Any:
    """Return a column as Arrow's type: text unless every value is a number."""
    import pyarrow

    there = [value for value in values if value is not None]
    if not there:
        return pyarrow.array(values, pyarrow.string())
    if all(isinstance(value, int) and not isinstance(value, bool) for value in there):
        return pyarrow.array(values, pyarrow.int64())
    if all(isinstance(value, int | float) for value in there):
        return pyarrow.array([None if value is None else float(value) for value in values], pyarrow.float64())
    return pyarrow.array([None if v is None else _text(v) for v in values], pyarrow.string())


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _neighbours(vectors: Vectors) -> Any:
    import pyarrow

    graph = Graph(vectors, metric=COSINE).run()
    rows = [
        {"ids": near[near >= 0].tolist(), "distances": far[near >= 0].astype(float).tolist()}
        for near, far in zip(graph.rows, graph.distances, strict=True)
    ]
    kind = pyarrow.struct({"ids": pyarrow.list_(pyarrow.int64()), "distances": pyarrow.list_(pyarrow.float64())})
    return pyarrow.array(rows, kind)
