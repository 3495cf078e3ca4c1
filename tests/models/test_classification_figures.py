"""Classification figures equal scikit-learn's and closed forms, and list the pictures behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor, nn

from models.adapters.classifier import ClassifierAdapter
from models.cards.card import Card
from models.engine.engine import Engine
from models.evaluation import classification
from models.inspections.classification_figures import figures
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE = 8
NAMES = ("red", "green", "blue", "other", "more", "sixth")


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with ties, and labels; the last class never occurs."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 6)).astype(np.float32).round(1)
    truth = rng.integers(0, 5, 400)
    scores[np.arange(400), truth] += 1
    chances = np.exp(scores.round(1))
    return (chances / chances.sum(1, keepdims=True)).astype(np.float32), truth


def test_they_equal_scikit_learns(drawn: Any) -> None:
    chances, truth = drawn
    arrays, meta = figures(chances, truth)
    best = chances.argmax(1)
    assert meta["top1"] == pytest.approx(metrics.accuracy_score(truth, best))
    unequal = chances + np.linspace(0, 1e-6, 6)[::-1]  # ties by the order of the classes
    expected = metrics.top_k_accuracy_score(truth, unequal, k=5, labels=range(6))
    assert meta["top5"] == pytest.approx(expected)
    shown = arrays["shown"]
    np.testing.assert_array_equal(arrays["confusion"], metrics.confusion_matrix(truth, best, labels=shown))
    labels = arrays["labels"]
    assert labels.tolist() == [0, 1, 2, 3, 4]
    wanted = metrics.precision_recall_fscore_support(truth, best, labels=labels, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), wanted, strict=True):
        np.testing.assert_allclose(arrays[name], values, err_msg=name)
    for row, label in enumerate(labels):
        positive, scores = truth == label, chances[:, label]
        assert arrays["auc"][row] == pytest.approx(metrics.roc_auc_score(positive, scores))
        assert arrays["ap"][row] == pytest.approx(metrics.average_precision_score(positive, scores))
        a, b = arrays["roc_start"][row + 1 : row + 3]
        fpr, tpr, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
        np.testing.assert_allclose(arrays["fpr"][a:b], fpr)
        np.testing.assert_allclose(arrays["tpr"][a:b], tpr)
    onehot, plain = np.eye(6)[truth], chances.astype(float)
    assert meta["micro_auc"] == pytest.approx(metrics.roc_auc_score(onehot.ravel(), chances.ravel()))
    assert meta["micro_ap"] == pytest.approx(metrics.average_precision_score(onehot.ravel(), chances.ravel()))
    assert meta["log_loss"] == pytest.approx(
        metrics.log_loss(truth, plain / plain.sum(1, keepdims=True), labels=range(6)), rel=1e-5
    )
    assert meta["brier"] == pytest.approx(((chances - onehot) ** 2).sum(1).mean(), rel=1e-5)
    assert meta["balanced"] == pytest.approx(metrics.recall_score(truth, best, labels=labels, average="macro"))


def test_calibration_is_the_closed_form() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    mean, accuracy, count, ece = classification.reliability(confidence, right, bins=10)
    assert count.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 4] and ece == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert accuracy[9] == pytest.approx(0.75) and mean[5] == pytest.approx(0.55) and np.isnan(mean[0])
    *_, perfect = classification.reliability(np.ones(3), np.ones(3, bool))
    assert perfect == 0


class Colours(nn.Module):
    """Tells which colour is strongest."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3))
        return torch.cat([4 * mean, torch.zeros(len(x), 3)], 1)


def engine_of(classes: tuple[str, ...] = NAMES) -> Engine:
    about = {"preprocessing": {"resize": SIDE, "crop": SIDE, "mean": (0.0,) * 3, "std": (1.0,) * 3}}
    made = Engine(threads=1)
    made._models["tiny"] = ClassifierAdapter(Colours().eval(), Card("tiny", classes=classes, about=about))
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Class folders with planted mistakes: a blue picture among the red ones, a very green one among the blue."""
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    for name, colours in {
        "red": [(200, 20, 20), (180, 30, 10), (20, 20, 190)],
        "green": [(10, 200, 10)],
        "blue": [(10, 10, 220), (0, 255, 0)],
        "pink": [(250, 150, 150)],
    }.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for number, colour in enumerate(colours):
            picture = np.full((SIDE, SIDE, 3), colour, np.uint8)
            save_png(picture, tmp_path / "set" / name / f"{number}.png")
    (tmp_path / "set" / "red" / "broken.png").write_bytes(b"not a picture")
    return tmp_path / "set"


def whole(engine: Engine, folder: Path, **params: Any) -> Result:
    request = Request.make("classification_figures", "tiny", Source.file(folder), params)
    answer = engine.run(request)
    while isinstance(answer, Result) and answer.meta["partial"]:
        engine.work_idle(1.0)
        answer = engine.run(request)
    assert isinstance(answer, Result), answer
    return answer


def test_planted_mistakes_come_first_and_lie_behind_their_cells(folder: Path) -> None:
    engine = engine_of()
    result = whole(engine, folder)
    meta, arrays = result.meta, result.arrays
    assert meta["judged"] == 6 and meta["top1"] == pytest.approx(4 / 6) and meta["failed"] == 1
    assert meta["listed_paths"] == ("blue/1.png", "red/2.png"), "the surest mistake first"
    assert arrays["thumbnails"].shape == (2, 96, 96, 3) and arrays["thumbnails"][0, 48, 48].tolist() == [0, 255, 0]
    assert any("no class pink" in note for note in meta["notes"]) and "broken.png" in meta["problems"][0]
    assert arrays["confusion"].tolist() == [[2, 0, 1], [0, 1, 0], [0, 1, 1]]
    cell = whole(engine, folder, actual="red", predicted="red")
    assert set(cell.meta["listed_paths"]) == {"red/0.png", "red/1.png"}
    assert arrays["listed_loss"][0] > arrays["listed_loss"][1] and "hardest class" in meta["text"]
    named = whole(engine, folder, actual="red")
    assert named.meta["listed_paths"] == ("red/2.png",)
    again = whole(engine_of(), folder)
    for name, values in arrays.items():
        np.testing.assert_array_equal(again.arrays[name], values)


def test_one_class_alone_has_no_roc(folder: Path) -> None:
    arrays, meta = figures(np.array([[0.9, 0.1], [0.4, 0.6]], np.float32), np.array([0, 0]))
    assert arrays["auc"].tolist() == [-1] and meta["macro_auc"] == -1 and meta["top1"] == 0.5
    assert all(np.isfinite(values).all() for values in arrays.values())
    nothing, empty = figures(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    assert empty["top1"] == -1 and nothing["confusion"].size == 0


def test_what_has_no_known_labels_is_refused(folder: Path) -> None:
    for classes, words in ((("x", "y", "z", "u", "v", "w"), "knows none of the classes"),):
        request = Request.make("classification_figures", "tiny", Source.file(folder), {})
        answer = engine_of(classes).run(request)
        assert isinstance(answer, Failure) and words in answer.text, answer
    bare = Request.make("classification_figures", "tiny", Source.file(folder / "green"), {})
    answer = engine_of().run(bare)
    assert isinstance(answer, Failure) and "no labels" in answer.text, answer
