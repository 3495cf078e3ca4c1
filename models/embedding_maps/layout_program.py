"""The program that lays a map out by UMAP or PaCMAP: `python -m models.embedding_maps.layout_program`.

It is a process of its own because both need numba, which takes seconds to import and longer to compile, and holds the
interpreter meanwhile. Standard input is a line of JSON and then arrays as .npy: `vectors` (N, D) and `places` (N, 2),
where the optimisation begins; for UMAP `rows` (N, K) and `distances` (N, K) of the nearest neighbours. It answers in
lines of JSON: ["at", iteration, iterations, places], as base64 of float32, at last ["done", places], or ["failed",
why]. What the library does is not changed: its loop is only looked at.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from models.runtime import memory_limits

UMAP, PACMAP = "umap", "pacmap"
TELL_EVERY_S = 0.1
Say = Callable[..., None]


class Watch:
    """Tells how far a library's loop is, at most ten times a second."""

    def __init__(self, say: Say) -> None:
        self._say, self._told, self._begun = say, 0.0, False

    def __call__(self, iteration: int, of: int, places: Any) -> None:
        """Tell the places (N, 2) after an iteration; not those that are not finite."""
        now = time.monotonic()
        if iteration < of and self._begun and now - self._told < TELL_EVERY_S:
            return
        if not np.isfinite(places).all():
            return
        self._told, self._begun = now, True
        self._say("at", iteration, of, as_text(places))


def as_text(places: Any) -> str:
    """Return places (N, 2) as base64 of float32."""
    return base64.b64encode(np.ascontiguousarray(places, np.float32).tobytes()).decode("ascii")


def umap(given: dict[str, Any], arrays: dict[str, Any], watch: Watch) -> Any:
    """Return the places (N, 2) of UMAP, from neighbours that are known."""
    from umap import layouts, umap_

    found: dict[str, Any] = {}
    optimise: Any = umap_.optimize_layout_euclidean

    def optimised(places: Any, *others: Any, **named: Any) -> Any:
        found["places"] = places  # which the library moves in place
        return optimise(places, *others, **named)

    def counted(iterations: Iterable[int], **named: Any) -> Iterator[int]:
        of = len(iterations)  # type: ignore[arg-type]
        for iteration in iterations:
            yield iteration
            watch(iteration + 1, of, found["places"])

    umap_.optimize_layout_euclidean = optimised
    layouts.tqdm = counted
    rows, distances = arrays["rows"], arrays["distances"]
    itself = np.arange(len(rows), dtype=rows.dtype)[:, None]  # the library counts a point among its neighbours
    known = np.hstack([itself, rows]), np.hstack([np.zeros_like(distances[:, :1]), distances])
    library = umap_.UMAP(
        n_neighbors=known[0].shape[1],
        min_dist=float(given["least"]),
        init=arrays["places"].astype(np.float32),
        random_state=int(given["seed"]),
        n_jobs=1,
        precomputed_knn=known,
    )
    return library.fit_transform(arrays["vectors"].astype(np.float32))


def pacmap(given: dict[str, Any], arrays: dict[str, Any], watch: Watch) -> Any:
    """Return the places (N, 2) of PaCMAP."""
    import pacmap as library

    module: Any = sys.modules[library.PaCMAP.__module__]
    move: Any = module.update_embedding_adam
    made = library.PaCMAP(n_components=2, n_neighbors=int(given["near"]), random_state=int(given["seed"]))
    of = sum(made.num_iters)

    def moved(places: Any, *others: Any) -> Any:
        done = move(places, *others)
        watch(int(others[-1]) + 1, of, places)
        return done

    module.update_embedding_adam = moved
    vectors = arrays["vectors"].astype(np.float32)
    if vectors.shape[1] < 2:  # the library wants a second component
        vectors = np.pad(vectors, ((0, 0), (0, 1)))
    return made.fit_transform(vectors, init=arrays["places"].astype(np.float32))


def main() -> None:
    """Lay out what standard input holds. What a library prints goes to standard error."""
    read = os.fdopen(os.dup(0), "rb")
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    memory_limits.keep(own_group=False)

    def say(*words: object) -> None:
        said.write(json.dumps(words).encode("ascii") + b"\n")
        said.flush()

    given = json.loads(read.readline())
    content = io.BytesIO(read.read())
    arrays = {name: np.load(content, allow_pickle=False) for name in given["arrays"]}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            places = {UMAP: umap, PACMAP: pacmap}[given["method"]](given, arrays, Watch(say))
        if not np.isfinite(places).all():
            raise ValueError("some places are not numbers")
    except Exception as error:  # whatever the libraries raise
        say("failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return
    say("done", as_text(places))


if __name__ == "__main__":
    main()
