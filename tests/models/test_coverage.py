"""Coverage against brute force over every anchor, k-means against planted clusters, both through the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from models.adapters.rcnn import RcnnAdapter
from models.adapters.ssd import SsdAdapter
from models.detection import anchor_fit as fit
from models.detection import anchor_layout as layout
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.truth import read
from models.truth.types import Annotated, Truth
from models.types import Failure, Result, Source

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"


def annotated(path: Path, boxes: np.ndarray, size: tuple[int, int], *, crowd: int = 0) -> Annotated:
    """Ground truth of one picture; the first boxes are `crowd`."""
    count = len(boxes)
    labels = np.arange(count) % 3
    return Annotated(str(path), size, boxes.astype(np.float32), labels, np.arange(count) < crowd)


def boxes(seed: int, count: int, width: int, height: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.9, (count, 2)) * (width, height)
    far = np.minimum(corner + np.exp(rng.uniform(np.log(4), np.log(200), (count, 2))), (width, height))
    return np.concatenate([corner, far], 1).astype(np.float32)


@pytest.fixture
def data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Pictures of four sizes; one says no size and has to be looked up, one is not there, one has no object."""
    sizes = [(640, 480), (480, 640), (1000, 300), (333, 500)]
    pages = [annotated(tmp_path / f"{i}.png", boxes(i, 12, *size), size, crowd=1) for i, size in enumerate(sizes)]
    save_png(np.zeros((90, 160, 3), np.uint8), tmp_path / "unsized.png")
    pages.append(annotated(tmp_path / "unsized.png", boxes(9, 6, 160, 90), (0, 0)))
    pages.append(annotated(tmp_path / "gone.png", boxes(8, 6, 160, 90), (0, 0)))
    pages.append(annotated(tmp_path / "empty.png", boxes(8, 0, 160, 90), (160, 90)))
    truth = Truth("some", "COCO", ("a", "b", "c"), tuple(pages))
    monkeypatch.setattr(read, "read", lambda path, progress=None: truth)
    monkeypatch.setattr(read, "_kept", type(read._kept)())
    (tmp_path / "truth.json").write_text("{}")
    return Source.file(tmp_path / "truth.json")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def asked(engine: Engine, request: Request) -> Result:
    answer = engine.run(request)
    assert isinstance(answer, Result), answer
    return answer


@pytest.mark.parametrize("adapter", [RcnnAdapter, SsdAdapter])
@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_of_each_shape_is_the_best_of_all(adapter: type, seed: int) -> None:
    net = adapter.tiny().eval()
    generator, _ = layout.parts(net)
    padded = (96, 96) if adapter is SsdAdapter else (96, 160)
    cells = layout.grids(net, padded)
    anchors, truth = layout.lay_out(generator, padded, cells), boxes(seed, 300, padded[1], padded[0])
    expected = box_iou(torch.from_numpy(truth), anchors).max(dim=1).values.numpy()
    ours = fit.best_overlaps(truth, anchors.numpy(), cells, generator.num_anchors_per_location())
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert ours.std() > 0.1


@pytest.mark.parametrize("model", [SSD, RCNN])
@pytest.mark.parametrize("fg", [0.3, 0.5, 0.7])
def test_coverage_equals_brute_force_on_a_small_data_set(
    engine: Engine, data_set: Source, model: str, fg: float
) -> None:
    """Torchvision's transform resizes pictures and boxes, its generator makes all anchors, `box_iou` compares all."""
    answer = asked(engine, Request.make("coverage", model, data_set, {"fg": fg}))
    net, best, labels, areas = engine.model(model).net, [], [], []
    truth, generator = read.truth_at(data_set), layout.parts(net)[0]
    for page in truth.pictures:
        size = (160, 90) if page.path.endswith("unsized.png") else page.size
        if not any(size) or not len(page):
            continue
        given = torch.from_numpy(page.boxes[~page.crowd])
        batch, targets = net.transform([torch.zeros(3, size[1], size[0])], [{"boxes": given}])
        with torch.inference_mode():
            maps = list(net.backbone(batch.tensors).values())
        best.append(box_iou(targets[0]["boxes"], generator(batch, maps)[0]).max(dim=1).values.numpy())
        labels.append(page.labels[~page.crowd])
        areas.append((given[:, 2:] - given[:, :2]).prod(dim=1).numpy())
    wanted, label, area = (np.concatenate(c) for c in (best, labels, areas))
    meta, arrays = answer.meta, answer.arrays
    assert meta["objects"] == len(wanted) == 50 and meta["pictures"] == 5 and meta["left_out"] == 4 + 6
    assert meta["covered"] == (wanted >= fg).sum() and 0 < meta["covered"] < 50
    assert meta["mean"] == pytest.approx(wanted.mean(), abs=1e-6)
    np.testing.assert_array_equal(arrays["histogram"], np.histogram(wanted, np.linspace(0, 1, 21))[0])
    for c in range(3):
        assert arrays["class_objects"][c] == (label == c).sum()
        assert arrays["class_covered"][c] == ((label == c) & (wanted >= fg)).sum()
    for row, (low, high) in enumerate([(0, 32**2), (32**2, 96**2), (96**2, np.inf)]):
        inside = (area >= low) & (area < high)
        assert arrays["size_objects"][row] == inside.sum()
        assert arrays["size_covered"][row] == (inside & (wanted >= fg)).sum()


def test_k_means_finds_planted_clusters() -> None:
    rng = np.random.default_rng(0)
    planted = np.array([[10, 20], [40, 40], [60, 150], [200, 90], [300, 320]], np.float64)
    members = np.array([300, 50, 200, 120, 80])
    shapes = np.repeat(planted, members, axis=0) * np.exp(rng.normal(0, 0.03, (members.sum(), 2)))
    found = fit.cluster(rng.permutation(shapes), 5)
    order = np.argsort(planted.prod(axis=1))
    np.testing.assert_allclose(found.shapes, planted[order], rtol=0.02)
    np.testing.assert_array_equal(found.members, members[order])
    naive = np.mean([max(naive_iou(s, c) for c in found.shapes) for s in shapes])
    assert found.mean == pytest.approx(naive, abs=1e-6) and found.mean > 0.93
    assert fit.cluster(shapes, 2).mean < found.mean < fit.cluster(shapes, 12).mean


def naive_iou(a: np.ndarray, b: np.ndarray) -> float:
    shared = min(a[0], b[0]) * min(a[1], b[1])
    return shared / (a[0] * a[1] + b[0] * b[1] - shared)


def test_k_means_is_the_same_each_time_and_never_asks_for_more_than_there_are() -> None:
    shapes = np.exp(np.random.default_rng(1).normal(3, 1, (400, 2)))
    one, other = fit.cluster(shapes, 7, seed=3), fit.cluster(shapes, 7, seed=3)
    np.testing.assert_array_equal(one.shapes, other.shapes)
    few = fit.cluster(np.array([[4.0, 4], [4, 4], [9, 9]]), 10)
    np.testing.assert_allclose(few.shapes, [[4, 4], [9, 9]])
    assert few.mean == 1 and few.members.tolist() == [2, 1]


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_a_suggestion_covers_what_the_model_does_not(
    engine: Engine, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wide, flat objects, which neither digit detector has anchors for; what is suggested is what is then measured."""
    rng = np.random.default_rng(2)
    corner = rng.uniform(0, 400, (300, 2))
    shape = np.array([120, 22]) * np.exp(rng.normal(0, 0.15, (300, 2)))
    flat = annotated(tmp_path / "a.png", np.concatenate([corner, corner + shape], 1), (640, 640))
    truth = Truth("flat", "COCO", ("a", "b", "c"), (flat,))
    monkeypatch.setattr(read, "read", lambda path, progress=None: truth)
    (tmp_path / "flat.json").write_text("{}")
    source = Source.file(tmp_path / "flat.json")
    answer = asked(engine, Request.make("coverage", model, source, {"fg": 0.5, "suggest": True}))
    meta = answer.meta
    assert meta["covered"] < 0.25 * 300 and meta["suggested_mean"] > meta["mean"] + 0.15
    assert meta["suggested_covered"] > 0.6 * 300 and meta["clusters_mean"] > 0.85
    texts = {name: meta[f"suggested_{name}"] for name in ("scales", "ratios")}
    again = asked(engine, Request.make("coverage", model, source, {"fg": 0.5, **texts}))
    assert again.meta["covered"] == meta["suggested_covered"] and again.meta["mean"] == meta["suggested_mean"]
    np.testing.assert_array_equal(again.arrays["histogram"], answer.arrays["suggested_histogram"])


def test_it_can_be_called_off_and_says_when_there_is_nothing(
    engine: Engine, data_set: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks: list[int] = []
    request = Request.make("coverage", SSD, data_set, {"suggest": True, "seed": 5})
    answer = engine.run(request, Context(cancelled=lambda: len(asks) > 12 or asks.append(1) is not None))
    assert isinstance(answer, Failure) and answer.cancelled
    monkeypatch.setattr(read, "read", lambda path, progress=None: Truth("none", "COCO", (), ()))
    (Path(data_set.path).parent / "none.json").write_text("{}")
    answer = engine.run(Request.make("coverage", SSD, Source.file(Path(data_set.path).parent / "none.json")))
    assert isinstance(answer, Failure) and "contains no object" in answer.text
