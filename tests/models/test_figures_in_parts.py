"""Figures measured in parts, as embeddings are: the same however many parts, by other processes, and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.cards.card import BUNDLED
from models.dataset_pass.forward import Forward
from models.dataset_pass.job import Job
from models.dataset_pass.products import measurements
from models.dataset_pass.products.measurements import COLUMNS, Measurements
from models.datasets.types import DataSet
from models.engine.engine import Engine
from models.evaluation.matched import Setting
from models.evaluation.store import Store
from models.inspections import figures
from models.pictures import images
from models.requests import Request
from models.truth import read
from models.types import Result, Source

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
MODEL = "digits-ssd"
GOOD = 7


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures with boxes, one of them annotated at another size, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("truth")
    pictures: list[dict[str, Any]] = []
    for number in range(GOOD + 1):
        path = folder / f"{number}.png"
        with Image.open(SAMPLES[number % len(SAMPLES)]) as picture:
            picture.rotate(90 * (number // len(SAMPLES)), expand=True).save(path)
        with Image.open(path) as picture:
            pictures.append({"id": number, "file_name": path.name, "width": picture.width, "height": picture.height})
    pictures[1]["width"] += 1
    (folder / "broken.png").write_bytes(b"no picture")
    pictures.append({"id": GOOD + 1, "file_name": "broken.png", "width": 9, "height": 9})
    boxes = [
        {"id": n, "image_id": n % GOOD, "category_id": 1, "bbox": [10 + 9 * n, 10, 50, 50], "area": 2500}
        for n in range(12)
    ]
    place = folder / "truth.json"
    place.write_text(json.dumps({"images": pictures, "annotations": boxes, "categories": [{"id": 1, "name": "3"}]}))
    return place


def test_1_3_and_8_parts_hold_what_one_after_the_other_gives(engine: Engine, truth: Path, tmp_path: Path) -> None:
    known, model = read.truth_at(Source.file(truth)), engine.model(MODEL)
    product = Measurements(str(truth), measurements.digest_of(known))
    paths = tuple(measurements.paths_of(known))
    assert len(paths) == GOOD + 2
    wanted = {}
    for row, one in enumerate(known.pictures):
        if row not in (1, GOOD + 1):
            wanted[row] = measurements.measured_of(model, images.read(one.path).pixels, one, {}, {})
    assert sum(len(one.score) for one in wanted.values()) and sum(len(one.iou) for one in wanted.values())
    for parts in (1, 3, 8):
        size = -(-len(paths) // parts)
        job = Job(
            Forward(model), DataSet("t", "truth", "", paths), (product,), "w", folder=tmp_path / str(parts), shard=size
        )
        job.run()
        found = {first + row: one for first, part in job.collected.parts for row, one in measurements.unpacked(part)}
        assert found.keys() == wanted.keys()
        for row, one in found.items():
            for name in COLUMNS:
                np.testing.assert_array_equal(getattr(one, name), getattr(wanted[row], name), err_msg=f"{row} {name}")
        failed = job.collected.failures
        assert failed.keys() == {1, GOOD + 1} and "was annotated at" in failed[1]


@pytest.mark.timeout(600)
def test_worker_processes_give_the_same_figures_which_the_next_engine_goes_on_from(engine: Engine, truth: Path) -> None:
    def asked(one: Engine, **more: Any) -> Result:
        request = Request.make("figures", MODEL, Source.file(truth), {"score": 0.05, **more})
        answer = one.run(request)
        while isinstance(answer, Result) and answer.meta["partial"]:
            one.finish_idle()
            answer = one.run(request)
        assert isinstance(answer, Result), answer
        return answer

    alone = asked(engine)
    assert alone.meta["resumed"] == 0 and alone.meta["collected"] == GOOD
    shared = asked(Engine(threads=1), workers=2)
    assert shared.meta["collected"] == alone.meta["collected"] and shared.meta["failed"] == alone.meta["failed"] == 2
    third = asked(Engine(threads=1))
    assert third.meta["resumed"] == GOOD
    for name, values in alone.arrays.items():
        np.testing.assert_allclose(shared.arrays[name], values, rtol=1e-6, err_msg=name)
        np.testing.assert_array_equal(third.arrays[name], shared.arrays[name], err_msg=name)


def test_who_cannot_go_on_is_said_and_the_rest_is_measured_here(engine: Engine, truth: Path, tmp_path: Path) -> None:
    known, model = read.truth_at(Source.file(truth)), engine.model(MODEL)
    store = Store(known, np.array([3]))
    product = Measurements(str(truth), "another digest")
    paths = tuple(measurements.paths_of(known))
    job = Job(Forward(model), DataSet("t", "truth", "", paths), (product,), "w", folder=tmp_path)
    parts = figures._Parts(job, store)
    parts.step()
    assert not parts.going and "has changed meanwhile" in parts.note and "goes on alone" in parts.note
    wanted = figures._Wanted(store, model, {}, False, parts)
    for _ in figures._collect(wanted):
        pass
    assert len(store.measured) == GOOD and len(store.failed) == 2
    assert store.figures(Setting(0.5, False, 100, 0.5, frozenset()), 0.05).meta["pictures"] == GOOD
