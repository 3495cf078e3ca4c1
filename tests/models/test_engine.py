"""The engine: failures as answers, the cache of stages, idle work, the vocabulary it speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.cards.card import Card
from models.detection.postprocess import Shown
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages, size_of
from models.types import Failure, Result, Source


@pytest.fixture
def engine() -> Engine:
    from models.adapters.ssd import SsdAdapter

    engine = Engine(threads=1)
    engine._models["tiny"] = registry.adapt(SsdAdapter.tiny(), Card("tiny", classes=("background", "a", "b", "c")))
    return engine


@pytest.fixture
def source(tmp_path: Path) -> Source:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    save_png(pixels, tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


def fail(answer: Any) -> Failure:
    assert isinstance(answer, Failure)
    return answer


def done(answer: Any) -> Result:
    assert isinstance(answer, Result), answer
    return answer


def test_what_cannot_be_is_a_failure_with_advice(engine: Engine, source: Source) -> None:
    assert "digits-ssd" in fail(engine.run(Request("detect", "nobody", source))).advice
    assert "detect" in fail(engine.run(Request("dtect", "tiny", source))).advice
    assert fail(engine.run(Request("detect", "tiny"))).advice
    missing = fail(engine.run(Request("detect", "tiny", Source("gone.png"))))
    assert "gone.png" in missing.message
    greyed = fail(engine.run(Request.make("detect", "tiny", source, {"rpn_iou": 0.5})))
    assert "one-stage" in greyed.text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("odd shape"), "odd shape"),
        (MemoryError(), "memory"),
        (RuntimeError("not enough memory: x"), "memory"),
    ],
)
def test_what_a_model_raises_is_a_failure(
    engine: Engine, source: Source, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def broken(*_: object) -> None:
        raise error

    tiny = engine.model("tiny")
    monkeypatch.setattr(tiny.net.backbone, "forward", broken)
    failure = fail(engine.run(Request("detect", "tiny", source)))
    assert said in failure.message
    assert "Traceback" in failure.details
    monkeypatch.undo()
    assert ("tiny" in engine._models) == (said != "memory"), "what memory is not enough for is let go"
    engine._models["tiny"] = tiny
    done(engine.run(Request("detect", "tiny", source)))


def test_thresholds_never_touch_the_network(engine: Engine, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    first = done(engine.run(Request("detect", "tiny", source)))
    assert "backbone" in first.meta["timings"]
    monkeypatch.setattr(engine.model("tiny").net.backbone, "forward", None)
    for values in ({"score": 0.4}, {"iou": 0.3}, {"agnostic": True}, {"max_detections": 3}, {"suppressed": True}):
        answer = done(engine.run(Request.make("detect", "tiny", source, values)))
        assert set(answer.meta["timings"]) <= {"nms", "own nms"}


def test_the_graph_is_built_in_idle_time_and_changes_nothing(engine: Engine, source: Source) -> None:
    def ask() -> Result:
        return done(engine.run(Request.make("detect", "tiny", source, {"iou": 0.35, "suppressed": True})))

    before = ask()
    assert engine.idle_work
    engine.finish_idle()
    stages = CachedStages(engine.cache, ("tiny", 0, None, source), Context())
    assert stages.peek("graph", (), False) is not None
    after = ask()
    assert len(after.arrays["removed_by"]) > 0
    assert all(np.array_equal(after.arrays[k], v) for k, v in before.arrays.items())


def test_a_changed_file_is_read_again(engine: Engine, source: Source) -> None:
    first = done(engine.run(Request("detect", "tiny", source)))
    save_png(np.full((50, 60, 3), 9, np.uint8), Path(source.path))
    again = done(engine.run(Request("detect", "tiny", Source.file(source.path))))
    assert first.meta["size"] == (120, 90)
    assert again.meta["size"] == (60, 50)


def test_the_cache_keeps_to_its_budget_and_drops_the_oldest() -> None:
    cache = Cache(budget_bytes=1000)
    for name in "abc":
        cache[name] = np.zeros(400, np.uint8)
    assert "a" not in cache
    assert cache["b"] is not None
    cache["d"] = np.zeros(400, np.uint8)
    assert "c" not in cache
    assert "b" in cache
    cache["huge"] = np.zeros(2000, np.uint8)
    assert "huge" not in cache
    assert cache.used_bytes == 800
    cache["b"] = np.zeros(100, np.uint8)
    assert cache.used_bytes == 500
    assert size_of({"x": [np.zeros(10, np.uint8), (np.zeros(5, np.uint8),)]}) == 15
    shown = Shown(*(np.zeros(4, np.float32) for _ in range(4)), {}, 0, *(np.zeros(4, np.float32) for _ in range(4)))
    assert size_of(shown) == 8 * 16 + 64, "a dataclass that does not tell its size counts by its fields"


def test_stages_are_made_once_and_timed() -> None:
    context, made = Context(), []
    stages = CachedStages(Cache(), "scope", context)
    for _ in range(3):
        assert stages.run("a", lambda: made.append(1) or 7, "key") == 7
    assert made == [1]
    assert set(context.timings) == {"a"}
    assert stages.run("a", lambda: 8, "other") == 8
    assert CachedStages(stages.cache, "elsewhere", context).peek("a", "key") is None


def test_messages_survive_the_pipe_with_their_arrays() -> None:
    from multiprocessing import Pipe

    from models.engine.process import receive, send

    ours, theirs = Pipe()
    sent = Result({"a": np.arange(12, dtype=np.float32).reshape(3, 4), "empty": np.zeros((0, 4))}, {"k": (1, "x")})
    send(ours, ("done", 3, sent))
    kind, number, got = receive(theirs)
    assert (kind, number, got.meta) == ("done", 3, sent.meta)
    assert all(np.array_equal(got.arrays[k], v) for k, v in sent.arrays.items())
    assert got.arrays["a"].flags.writeable


def test_weights_of_every_known_architecture_are_recognised() -> None:
    import torch

    from models.cards.card import CLASSIFIERS
    from models.loading.architectures import BUILDERS, OWN_CLASSES, build, class_names, recognise

    for name in (name for name in BUILDERS if name not in CLASSIFIERS):
        classes = len(OWN_CLASSES.get(name, range(7)))
        with torch.device("meta"):
            state = build(name, classes=classes).state_dict()
        found, count = recognise(state)
        same_tensors = {"fasterrcnn_mobilenet_v3_large_320_fpn": "fasterrcnn_mobilenet_v3_large_fpn"}
        assert (found, count) == (same_tensors.get(name, name), classes)
        assert len(class_names(found, count)) == classes


def test_weights_saved_from_frozen_normalisation_are_recognised() -> None:
    import torch

    from models.loading.architectures import build, recognise, set_frozen_eps

    with torch.device("meta"):
        net = build("fasterrcnn_resnet50_fpn", classes=91)
    state = {k: v for k, v in net.state_dict().items() if "num_batches" not in k}
    assert recognise(state) == ("fasterrcnn_resnet50_fpn", 91)
    set_frozen_eps(net, "fasterrcnn_resnet50_fpn", state)
    assert {m.eps for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.0}


@pytest.mark.parametrize("classes", [2, 4, 28, 91])
def test_ssdlite_of_any_number_of_classes_is_recognised(classes: int) -> None:
    import torch

    from models.loading.architectures import build, recognise

    with torch.device("meta"):
        state = build("ssdlite320_mobilenet_v3_large", classes=classes).state_dict()
    assert recognise(state) == ("ssdlite320_mobilenet_v3_large", classes)


def test_weights_replaced_on_disk_are_opened_again(tmp_path: Path, source: Source) -> None:
    import torch
    from safetensors.torch import save_file

    from models.bundled.digits import digits_ssd

    def save(seed: int) -> None:
        torch.manual_seed(seed)
        save_file(digits_ssd().state_dict(), str(tmp_path / "mine.safetensors"))

    engine, name = Engine(threads=1), str(tmp_path / "mine.safetensors")
    request = Request.make("detect", name, source, {"score": 0.01})
    save(0)
    first = done(engine.run(request))
    save(1)
    second = done(engine.run(request))
    assert first.meta["sha256"] != second.meta["sha256"]
    assert not np.array_equal(first.arrays["scores"], second.arrays["scores"])


def test_a_card_beside_weights_cannot_name_another_file(tmp_path: Path) -> None:
    import json

    from models.cards.card import beside

    body = {"name": "t", "architecture": "digits_ssd", "weights": "deep/t.safetensors"}
    (tmp_path / "t.json").write_text(json.dumps(body))
    assert beside(tmp_path / "t.safetensors") is None
    (tmp_path / "t.json").write_text(json.dumps({**body, "weights": "t.safetensors"}))
    card = beside(tmp_path / "t.safetensors")
    assert card is not None
    assert card.weights == tmp_path / "t.safetensors"


def test_a_picture_too_narrow_for_a_model_is_refused(tmp_path: Path) -> None:
    from models.adapters.rcnn import RcnnAdapter

    engine = Engine(threads=1)
    engine._models["tiny"] = registry.adapt(RcnnAdapter.tiny(), Card("tiny", classes=("background", "a", "b", "c")))
    save_png(np.zeros((1, 3000, 3), np.uint8), tmp_path / "thin.png")
    failure = fail(engine.run(Request("detect", "tiny", Source.file(tmp_path / "thin.png"))))
    assert "3000 x 1" in failure.message


def test_put_off_work_is_bounded(engine: Engine, tmp_path: Path) -> None:
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        save_png(pixels, tmp_path / f"{number}.png")
        done(engine.run(Request("detect", "tiny", Source.file(tmp_path / f"{number}.png"))))
    assert len(engine._idle) == 4
    engine.finish_idle()
    assert engine.cache.used_bytes > 0


def test_coverage_counts_the_boxes_over_each_part() -> None:
    from models.inspections.anchors import coverage

    rng = np.random.default_rng(0)
    corners = rng.uniform(-20, 120, (200, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1).astype(np.float32)
    counted = coverage(boxes, 100, 60, columns=20, rows=12)
    x, y = (np.arange(20) + 0.5) * 5, (np.arange(12) + 0.5) * 5
    inside_x = (boxes[:, :1] <= x) & (x < boxes[:, 2:3])
    inside_y = (boxes[:, 1:2] <= y) & (y < boxes[:, 3:4])
    assert np.array_equal(counted, np.einsum("ny,nx->yx", inside_y.astype(float), inside_x.astype(float)))
    assert counted.max() > 20
