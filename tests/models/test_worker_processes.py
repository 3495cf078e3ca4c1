"""Worker processes of a pass over a data set: the same table, whoever computes it, and nothing lost when one ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.dataset_pass import lane_choice
from models.dataset_pass.fingerprint import fingerprint
from models.dataset_pass.forward import CPU_BATCH, Forward
from models.dataset_pass.job import Job
from models.dataset_pass.layer_choice import choose
from models.dataset_pass.part_task import ENTRY, PartTask, can_be_named
from models.dataset_pass.products.embeddings import Embeddings
from models.dataset_pass.products.patches import Patches
from models.dataset_pass.products.predictions import Predictions
from models.dataset_pass.shard import Shard
from models.dataset_pass.worker_processes import WorkerProcesses
from models.datasets.opening import open_data_set
from models.datasets.types import DataSet
from models.engine.engine import Engine
from models.pictures import images
from models.runtime.module_paths import ROOT
from models.types import Cancelled, Refusal

MODEL = "photos-resnet"
COUNT, BAD, WAIT_S = 64, 21, 60
MERGED = ("top", "top_row", "top_at", "fires")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / f"{number:02}.png")
    (folder / f"{BAD}.png").write_bytes(b"no picture")
    return open_data_set(folder)


@pytest.fixture(scope="module")
def begin(pictures: DataSet) -> Callable[..., Job]:
    """Return a job over the pictures, in shards of one batch."""
    engine = Engine(threads=1)
    model = engine.model(MODEL)
    forward = Forward(model)
    seen = images.read(pictures.paths[0]).pixels
    forward.settle(seen)
    products = Embeddings.of(choose(forward, forward.prepare(seen))), Predictions(), Patches.of(COUNT)
    weights = fingerprint(MODEL, model, engine.files_of(MODEL))

    def made(folder: Path, *, workers: int = 1, weights: str = weights, shard: int = CPU_BATCH) -> Job:
        job = Job(forward, pictures, products, weights, folder=folder, shard=shard)
        job.model_name, job.lane = MODEL, partial(lane_choice.lane, workers=workers)
        return job

    return made


def lane_of(job: Job) -> WorkerProcesses:
    found = job._elsewhere
    assert isinstance(found, WorkerProcesses)
    return found


def until(happened: Callable[[], bool], job: Job) -> None:
    """Step until something has happened."""
    for _ in range(50 * WAIT_S):
        if happened():
            return
        job.step()
    pytest.fail("it did not happen")


def same(one: Job, other: Job) -> None:
    """Compare two tables: plain values exactly, numbers to what another number of threads may change."""
    a, b = one.collected, other.collected
    assert a.names == b.names and a.failures == b.failures and len(a.failures) == 1
    for name in a.names:
        ours, theirs = a.column(name, None, object).tolist(), b.column(name, None, object).tolist()
        assert ours == (theirs if name != "confidence" else pytest.approx(theirs, abs=2e-6)), name
    for name in ("vector.0", "probabilities"):
        assert np.allclose(a.array(name), b.array(name), atol=1e-6, equal_nan=True), name
    for name in MERGED:
        for (first, ours), (again, theirs) in zip(
            a.merged(f"patches.{name}"), b.merged(f"patches.{name}"), strict=True
        ):
            assert first == again and np.allclose(ours, theirs, atol=1e-5, equal_nan=True), name


def test_two_workers_give_the_table_of_one_also_when_one_is_killed(begin: Any, tmp_path: Path) -> None:
    alone = begin(tmp_path / "alone")
    alone.run()
    assert alone.about["where"] == "" and alone.complete

    shared = begin(tmp_path / "shared", workers=2)
    shared.step()
    assert shared.about["where"] == "2 worker processes" and len(set(lane_of(shared).process_ids)) == 2
    until(lambda: any(worker.task for worker in lane_of(shared)._workers), shared)
    victim = next(worker for worker in lane_of(shared)._workers if worker.task)
    victim.process.kill()
    told: list[int] = []
    shared.run(progress=lambda share, text: told.append(round(share * COUNT)))
    assert shared.complete and not shared.note and told[-1] == COUNT and len(set(told)) > 2
    assert shared.about["pace"] > 0 and not shared.about["where"]
    same(alone, shared)
    assert victim.process.returncode == -signal.SIGKILL

    again = begin(tmp_path / "shared", workers=2)
    assert again.complete, "nothing is computed twice"


def test_calling_it_off_and_another_pass_end_the_workers(begin: Any, tmp_path: Path) -> None:
    first, second = begin(tmp_path / "first", workers=2), begin(tmp_path / "second", workers=2)
    first.step()
    processes = [worker.process for worker in lane_of(first)._workers]
    second.step()
    assert all(process.poll() is not None for process in processes), "one pass at a time has workers"
    processes = [worker.process for worker in lane_of(second)._workers]

    def call_off(share: float, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        second.run(progress=call_off)
    assert all(process.poll() is not None for process in processes)
    assert not second.complete and second._elsewhere is None


def test_a_worker_that_opens_another_model_computes_nothing(begin: Any, tmp_path: Path) -> None:
    """As with a file that has changed since, or code that is not allowed any more: the engine goes on alone."""
    job = begin(tmp_path, weights="0" * 64, shard=COUNT, workers=2)
    until(lambda: bool(job.note), job)
    assert "other weights" in job.note and job._elsewhere is None and job.missing == [0]
    job.run()
    assert job.complete and job.about["where"] == ""


def test_pictures_that_end_two_workers_are_told_and_the_engine_stays(
    begin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = tmp_path / "models" / "engine" / "part_worker.py"
    ending.parent.mkdir(parents=True)
    ending.write_text("import os\nprint('[\"ready\"]', flush=True)\ninput(), input()\nos.abort()\n")
    monkeypatch.setattr("models.dataset_pass.worker_processes.ROOT", tmp_path)
    job = begin(tmp_path / "parts", workers=2)
    with pytest.raises(Refusal, match=r"^2 worker processes ended .* from (00|08)\.png to (07|15)\.png") as told:
        until(lambda: False, job)
    assert "parts that are done are kept" in told.value.advice and job._elsewhere is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends with its next word to the engine")
def test_a_worker_ends_with_its_engine(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        f"worker = subprocess.Popen([sys.executable, '-m', {ENTRY!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "worker.stdin.write(b'{}\\n'); worker.stdin.flush()\n"
        "worker.stdout.readline()\n"
        "print(worker.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    engine = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "VITRINE_HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert engine.stdout is not None and engine.stdin is not None
    worker = int(engine.stdout.readline())
    engine.kill()
    engine.wait()
    engine.stdout.close()
    engine.stdin.close()
    until_gone = time.monotonic() + WAIT_S
    while _runs(worker):
        assert time.monotonic() < until_gone
        time.sleep(0.05)


def _runs(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_workers_are_started_only_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = [8]
    monkeypatch.setattr(lane_choice, "free_cores", lambda: cores[0])
    monkeypatch.setattr("models.runtime.memory_limits.allowed_bytes", lambda: 64 << 30)
    assert lane_choice.suitable(100, on_cpu=True) == 8 and lane_choice.suitable(5, on_cpu=True) == 5
    assert lane_choice.suitable(3, on_cpu=True) == lane_choice.suitable(100, on_cpu=False) == 1
    cores[0] = 3
    assert lane_choice.suitable(100, on_cpu=True) == 1
    cores[0] = 8
    monkeypatch.setattr("models.runtime.memory_limits.allowed_bytes", lambda: 7 << 30)
    assert lane_choice.suitable(100, on_cpu=True) == 2


def test_a_task_survives_the_way_to_another_process(tmp_path: Path) -> None:
    products = Embeddings((("layer3", "mean"),), (0.25, 0.5)), Predictions(), Patches(every=4)
    shard = Shard.of(["/a/ü.png", "/b/\udc80.png"], [(1, 2), (3, 4)], "key")
    task = PartTask("photos-resnet?scores=sigmoid", "f" * 64, products, shard, str(tmp_path))
    assert PartTask.of(task.text) == task and task.text.isascii() and "\n" not in task.text

    class Own(Embeddings):
        """Of the same name, but other values."""

    assert can_be_named(products) and not can_be_named((*products, Own(())))
