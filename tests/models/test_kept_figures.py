"""An evaluation that a replaced engine had begun: the next goes on from it, unless the model is another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.cards.card import BUNDLED
from models.engine.engine import Engine
from models.evaluation import kept
from models.evaluation.measure import Measured
from models.requests import Request
from models.runtime import kept_folder, sandbox
from models.types import Result, Source

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that outlives engines, as the window makes one."""
    place = tmp_path / "kept"
    place.mkdir()
    kept_folder.use(str(place))
    yield place
    kept_folder.use("")


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    pictures = []
    for number, path in enumerate(SAMPLES):
        with Image.open(path) as picture:
            size = {"width": picture.width, "height": picture.height}
        pictures.append({"id": number, "file_name": str(path), **size})
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500} for n in range(3)]
    body = {"images": pictures, "annotations": boxes, "categories": [{"id": 1, "name": "3"}]}
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(body), encoding="utf-8")
    return Request.make("figures", "digits-ssd", Source.file(truth), {"collect": True})


def asked(engine: Engine, request: Request) -> Result:
    answer = engine.run(request)
    assert isinstance(answer, Result), answer
    return answer


def test_a_new_engine_goes_on_from_what_the_last_had_measured(
    folder: Path, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "EVERY_S", 0.0)
    first = Engine(threads=1)
    assert asked(first, request_).meta["resumed"] == 0
    first.work_idle(0.0)
    first.work_idle(0.0)
    had = asked(first, request_).meta["collected"]
    assert 0 < had < len(SAMPLES) and len(list(folder.glob("*.npz"))) == had
    second = Engine(threads=1)
    begun = asked(second, request_)
    assert begun.meta["resumed"] == begun.meta["collected"] == had
    second.finish_idle()
    whole = asked(second, request_)
    assert whole.meta["complete"]
    kept_folder.use("")
    alone = Engine(threads=1)
    asked(alone, request_)
    alone.finish_idle()
    wanted = asked(alone, request_)
    assert wanted.meta["resumed"] == 0
    for name, values in wanted.arrays.items():
        np.testing.assert_allclose(whole.arrays[name], values, rtol=1e-6, err_msg=name)


def test_what_another_model_or_a_broken_file_left_is_not_taken(folder: Path, request_: Request) -> None:
    engine = Engine(threads=1)
    asked(engine, request_)
    engine.finish_idle()
    files = sorted(folder.glob("*.npz"))
    assert files and asked(Engine(threads=1), request_).meta["resumed"] == len(SAMPLES)
    with np.load(files[0]) as columns:
        other = {name: columns[name] * (0.5 if name.endswith(".score") else 1) for name in columns.files}
    np.savez(files[0], **other)
    assert asked(Engine(threads=1), request_).meta["resumed"] == 0 and not list(folder.glob("*.npz"))
    (folder / files[0].name).write_bytes(b"PK\x03\x04 no archive")
    assert asked(Engine(threads=1), request_).meta["resumed"] == 0


def test_files_with_objects_in_them_are_not_unpickled(folder: Path) -> None:
    columns = {f"0.{name}": np.zeros(1) for name in kept.COLUMNS} | {"0.boxes": np.array([{"a": 1}], object)}
    np.savez(folder / "key-0.npz", **columns)
    assert kept.Kept(folder, "key").read(1) == {}


def test_another_ground_truth_or_setting_has_files_of_its_own(folder: Path, tmp_path: Path) -> None:
    one = kept.opened(folder, "model", (("rpn_score", 0.1),))
    other = kept.opened(folder, "model", (("rpn_score", 0.2),))
    assert one is not None and other is not None
    empty = np.zeros((0, 4), np.float32)
    row = Measured(
        empty, empty[:, 0], empty[:, 0].astype(np.int16), empty.astype(np.uint8), empty[:2], empty[:, 0], empty
    )  # type: ignore[arg-type]
    one.add(3, row)
    one.write()
    assert [*one.read(4)] == [3] and one.read(3) == {} and other.read(4) == {}
    assert kept.opened(None, "model") is None


def test_the_folder_is_writable_to_an_engine_and_goes_with_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = kept_folder.make()
    assert made and Path(made).is_dir()
    plan = sandbox.plan(made)
    assert made in plan.writable
    sandbox.remove(plan.scratch)
    kept_folder.remove(made)
    assert not Path(made).exists()
