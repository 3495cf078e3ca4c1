"""UMAP and PaCMAP in a process of their own, watched while they run and ended when they are called off.

`models.embedding_maps.layout_program` is that process. Neighbours are found here first, exactly; PaCMAP finds its own.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import weakref
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.nearest import EUCLIDEAN, Vectors, nearest
from models.datasets.neighbour_graph import Graph
from models.embedding_maps.layout_program import PACMAP, UMAP
from models.embedding_maps.tsne import first_places
from models.runtime import kept_folder, sandbox
from models.runtime.module_paths import ROOT, SAFE_PATH
from models.types import Refusal

ENTRY = "models.embedding_maps.layout_program"
NAMES = {UMAP: "UMAP", PACMAP: "PaCMAP"}
MODULES = {UMAP: "umap", PACMAP: "pacmap"}
PACKAGES = {UMAP: "umap-learn", PACMAP: "pacmap"}
LEAST = 10  # pictures
WAIT_S = 0.02  # for as long a step waits for news, before the engine looks whether there is a request
PLACED_BY = 10  # neighbours, whose places a further picture stands in the middle of
CACHE = "NUMBA_CACHE_DIR"
Double = NDArray[np.float64]


def check(method: str) -> None:
    """Raise Refusal where the method's library is missing."""
    if find_spec(MODULES[method]) is None:
        name, package = NAMES[method], PACKAGES[method]
        raise Refusal(
            f"{name} needs {package}, which is not installed.",
            advice=f"Install it with: pip install {package}. Principal components need nothing more.",
        )


class OutsideLayout:
    """The layout of N vectors (N, D): `places` (N, 2) after `iteration` of `iterations`, both 0 until it begins.

    It fits `models.runtime.context.Work` and `Stops`: what was stopped begins anew with the next step.
    """

    def __init__(self, method: str, vectors: Double, *, near: int, least: float = 0.1, seed: int = 0) -> None:
        """`near` neighbours are kept close, `least` is UMAP's least distance. Raises Refusal."""
        check(method)
        if len(vectors) < LEAST:
            text = f"{NAMES[method]} needs at least {LEAST} pictures, there are {len(vectors):,}."
            raise Refusal(text, advice="Take PCA instead.")
        self.method, self.vectors, self.seed, self.least = method, vectors, seed, least
        self.near = min(near, len(vectors) - 1)
        self.places: Double = first_places(vectors, seed)
        self.iteration = self.iterations = 0
        self.complete = False
        self.failure: Exception | None = None
        self._among = Vectors.of([(0, vectors.astype(np.float32))], len(vectors))
        self.graph = Graph(self._among, count=max(1, self.near - 1), metric=EUCLIDEAN)
        self._said: queue.Queue[list[Any] | None] = queue.Queue()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Any = None

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return self.vectors.nbytes + self.graph.nbytes

    @property
    def begun(self) -> bool:
        """Whether there are places."""
        return self.iteration > 0

    @property
    def process_id(self) -> int:
        """The process that lays out, 0 for none."""
        return self._process.pid if self._process is not None else 0

    @property
    def searching(self) -> float:
        """The share of the pictures whose neighbours are known; 1 for a library that finds its own."""
        return self.graph.done / len(self.vectors) if self.method == UMAP else 1.0

    def step(self) -> None:
        """Find further neighbours, start the process, or take in what it says. Raises Refusal if it ended."""
        if self.method == UMAP and not self.graph.complete:
            self.graph.step()
            return
        if self._process is None:
            self._start()
        with contextlib.suppress(queue.Empty):
            said = self._said.get(timeout=WAIT_S)
            while True:
                self._take(said)
                if self.complete:
                    break
                said = self._said.get_nowait()

    def run(self) -> OutsideLayout:
        """Do all of it."""
        try:
            while not self.complete:
                self.step()
        finally:
            self.stop()
        return self

    def stop(self) -> None:
        """End the process; the places stay as they are."""
        if self._end is not None:
            self._end()
        self._process = self._end = None
        self._said = queue.Queue()

    def place(self, vectors: Double) -> Double:
        """Return the middle (K, 2) of the places of the nearest neighbours of further vectors (K, D)."""
        count = min(PLACED_BY, len(self.vectors))
        found, _ = nearest(np.asarray(vectors, np.float32), self._among, count=count, metric=EUCLIDEAN)
        return self.places[found].mean(1)

    def _start(self) -> None:
        places = first_places(self.vectors, self.seed)
        arrays: dict[str, Any] = {"vectors": self.vectors, "places": places}
        if self.method == UMAP:
            arrays |= {"rows": self.graph.rows, "distances": self.graph.distances}
        about = {"method": self.method, "near": self.near, "least": self.least, "seed": self.seed}
        content = io.BytesIO()
        content.write(json.dumps({**about, "arrays": list(arrays)}).encode("ascii") + b"\n")
        for array in arrays.values():
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
        searched = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        own = {SAFE_PATH: "1", "PYTHONPATH": os.pathsep.join(searched)}
        own |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        if sandbox.current().writing_closed:
            # Not in the user's cache: what a model wrote there would run outside of the sandbox another day.
            own[CACHE] = str(kept_folder.current() or tempfile.gettempdir())
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", ENTRY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **own}
            )
        except OSError as error:
            raise Refusal(f"{NAMES[self.method]}'s process could not be started ({error.strerror}).") from error
        self._process = process
        self._end = weakref.finalize(self, _kill, process)
        self.iteration = 0
        threading.Thread(target=_tell, args=(process, content.getvalue()), daemon=True).start()
        threading.Thread(target=_listen, args=(process, self._said), daemon=True).start()

    def _take(self, said: list[Any] | None) -> None:
        match said:
            case ["at", int(iteration), int(of), str(places)]:
                self.places, self.iteration, self.iterations = _places(places), iteration, of
            case ["done", str(places)]:
                self.places, self.complete = _places(places), True
                self.iterations = self.iteration = max(self.iterations, 1)
                self.stop()
            case ["failed", why]:
                self.stop()
                advice = "Take PCA instead, or another version of the library."
                raise Refusal(f"{NAMES[self.method]} failed: {why}.", advice=advice)
            case None:
                code = self._process.wait() if self._process is not None else None
                self.stop()
                text = f"{NAMES[self.method]}'s process ended before the map was done (exit code {code})."
                raise Refusal(text, advice="Ask again, with fewer points if memory was short.")


def _places(text: str) -> Double:
    return np.frombuffer(base64.b64decode(text), np.float32).reshape(-1, 2).astype(np.float64)


def _tell(process: subprocess.Popen[bytes], content: bytes) -> None:
    """Send all, which waits until it is read; that the process has ended is seen by its output."""
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):
        process.stdin.write(content)
        process.stdin.close()


def _listen(process: subprocess.Popen[bytes], said: queue.Queue[list[Any] | None]) -> None:
    """Pass on what a process says until it has ended, which None stands for."""
    assert process.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                said.put(json.loads(line))
    said.put(None)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and wait until it has."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError, ValueError):
                pipe.close()
