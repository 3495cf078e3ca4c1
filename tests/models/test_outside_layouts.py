"""UMAP and PaCMAP in a process of their own: the libraries' own places, watched, ended when called off."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.embedding_maps import outside_layouts
from models.embedding_maps.layout_program import PACMAP, UMAP
from models.embedding_maps.outside_layouts import OutsideLayout
from models.runtime.context import Stops
from models.types import Refusal

PLAIN = {
    PACMAP: "import pacmap\nfound = pacmap.PaCMAP(n_neighbors=10, random_state=3).fit_transform(x, init=at)\n",
    UMAP: "import umap\nknown = g['rows'], g['distances']\nfound = umap.UMAP(n_neighbors=15, init=at, random_state=3, "
    "n_jobs=1, precomputed_knn=known).fit_transform(x)\n",
}


def blobs(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    of = np.arange(count) % 3
    return 6 * rng.normal(size=(3, 8))[of] + rng.normal(size=(count, 8)), of


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("method", "near"), [(PACMAP, 10), (UMAP, 15)])
def test_a_layout_is_the_librarys_own_and_is_seen_on_its_way(method: str, near: int, tmp_path: Path) -> None:
    if find_spec(outside_layouts.MODULES[method]) is None:
        pytest.skip(f"{outside_layouts.NAMES[method]} is not installed")
    data, of = blobs(150)
    work = OutsideLayout(method, data, near=near, seed=3)
    begin = work.places
    seen: list[int] = []
    while not work.complete:
        work.step()
        seen += [work.iteration] if work.iteration not in seen else []
    assert work.iteration == work.iterations > 100 and len(seen) > 2 and work.process_id == 0
    given = {"x": data.astype(np.float32), "at": begin.astype(np.float32)}
    if method == UMAP:  # a last bit of a distance is enough for another map
        given |= {"rows": np.hstack([np.arange(150, dtype=np.int32)[:, None], work.graph.rows])}
        given |= {"distances": np.hstack([np.zeros((150, 1), np.float32), work.graph.distances])}
    np.savez(tmp_path / "given.npz", **given)
    code = f"import numpy as np\ng = np.load('given.npz')\nx, at = g['x'], g['at']\n{PLAIN[method]}"
    code += "np.save('f.npy', found)\n"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert np.abs(work.places - np.load(tmp_path / "f.npy")).max() < 1e-3
    middles = np.stack([work.places[of == one].mean(0) for one in range(3)])
    assert (np.linalg.norm(work.places[:, None] - middles, axis=2).argmin(1) == of).all()
    further = work.place(data[:3] + 0.1)
    assert (np.linalg.norm(further[:, None] - middles, axis=2).argmin(1) == of[:3]).all()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A layout whose process has just been started."""
    monkeypatch.setattr(outside_layouts, "check", lambda method: None)
    work = OutsideLayout(PACMAP, blobs(30)[0], near=10)
    with contextlib.suppress(Refusal):
        work.step()
    yield work
    work.stop()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_layout_that_is_called_off_leaves_no_process(begun: OutsideLayout) -> None:
    pid = begun.process_id
    assert pid and isinstance(begun, Stops)
    begun.stop()
    assert gone(pid) and begun.process_id == 0 and not begun.begun
    begun.step()
    again = begun.process_id
    assert again not in (0, pid)
    del begun  # the fixture keeps it; `stop` there ends the second


def test_a_process_that_is_killed_is_said(begun: OutsideLayout) -> None:
    os.kill(begun.process_id, signal.SIGKILL)
    until = time.monotonic() + 60
    with pytest.raises(Refusal, match="PaCMAP's process ended before the map was done") as told:
        while time.monotonic() < until:
            begun.step()
    assert "fewer points" in told.value.advice and begun.process_id == 0


def test_what_is_missing_or_too_little_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_layouts, "find_spec", lambda name: None)
    with pytest.raises(Refusal, match="UMAP needs umap-learn") as told:
        outside_layouts.check(UMAP)
    assert "pip install umap-learn" in told.value.advice
    monkeypatch.setattr(outside_layouts, "find_spec", lambda name: name)
    with pytest.raises(Refusal, match="PaCMAP needs at least 10 pictures, there are 6"):
        OutsideLayout(PACMAP, blobs(6)[0], near=10)
