"""Influence: a planted duplicate comes first; captum's SimilarityInfluence and TracInCPFast give the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.influence import SimilarityInfluence, TracInCP, TracInCPFast
from torch import Tensor, nn

from models.adapters.classifier import ClassifierAdapter
from models.cards.card import Card
from models.engine.engine import Engine
from models.pictures.images import read, save_png
from models.requests import Request
from models.types import Failure, Result, Source

SIDE = 8
CLASSES = ("cat", "dog", "owl")


class Small(nn.Module):
    def __init__(self, *, channels: int = 4, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels, len(CLASSES), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


def made(seed: int, **given: Any) -> Small:
    torch.manual_seed(seed)
    net = Small(**given)
    nn.init.normal_(net.norm.running_mean, std=0.1)  # type: ignore[arg-type]
    return net.eval().requires_grad_(False)


def engine_of(net: nn.Module) -> Engine:
    about = {"preprocessing": {"resize": SIDE, "crop": SIDE}}
    engine = Engine(threads=1)
    engine._models["tiny"] = ClassifierAdapter(net, Card("tiny", classes=CLASSES, about=about))
    return engine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of each class, and a copy of the open picture among the dogs."""
    base, rng = tmp_path_factory.mktemp("influence"), np.random.default_rng(0)
    for label in CLASSES:
        (base / "train" / label).mkdir(parents=True)
        for number in range(6):
            drawn = rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
            save_png(drawn, base / "train" / label / f"{label}{number}.png")
    save_png(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8), base / "open.png")
    (base / "train" / "dog" / "copy.png").write_bytes((base / "open.png").read_bytes())
    for number in (1, 2):
        (base / "points").mkdir(exist_ok=True)
        torch.save(made(number).state_dict(), base / "points" / f"epoch{number}.pt")
    return base


def ask(net: nn.Module, base: Path, **params: Any) -> Any:
    source = Source.file(base / "open.png")
    given = {"folder": str(base / "train"), "target": "dog", "count": 20, **params}
    return engine_of(net).run(Request.make("influence", "tiny", source, given))


def batch(net: nn.Module, folder: Path) -> tuple[Tensor, Tensor, list[str], Tensor]:
    """The training pictures as inputs with labels and paths, and the open one."""
    prepared = engine_of(net).model("tiny").preprocess
    paths = [path for label in CLASSES for path in sorted((folder / "train" / label).glob("*.png"))]
    x = torch.cat([prepared.input(read(path).pixels, torch.device("cpu")) for path in paths])
    labels = torch.tensor([CLASSES.index(path.parent.name) for path in paths])
    return (
        x,
        labels,
        [str(path) for path in paths],
        prepared.input(read(folder / "open.png").pixels, torch.device("cpu")),
    )


def by_path(result: Result) -> dict[str, float]:
    meta, arrays = result.meta, result.arrays
    found = dict(zip(meta["support_paths"], arrays["support"].tolist(), strict=True))
    return found | dict(zip(meta["oppose_paths"], arrays["opposition"].tolist(), strict=True))


def test_a_planted_duplicate_is_named_first_and_classes_take_sides(folder: Path) -> None:
    result = ask(made(0), folder, layer="conv")
    assert isinstance(result, Result), result
    assert Path(result.meta["support_paths"][0]).name == "copy.png" and result.arrays["support"][0] > 0.9999
    assert set(result.meta["support_labels"]) == {"dog"} and set(result.meta["oppose_labels"]) == {"cat", "owl"}
    assert (np.diff(result.arrays["support"]) <= 0).all() and (np.diff(result.arrays["opposition"]) <= 0).all()
    assert "copy.png supports dog most" in result.meta["text"] and result.meta["among"] == 19
    assert result.arrays["supporting"].shape == (7, 72, 72, 3)
    tracin = ask(made(0), folder, method="tracin")
    assert (tracin.arrays["support"] > 0).all() and (tracin.arrays["opposition"] < 0).all()
    assert set(tracin.meta["oppose_labels"]) <= {"cat", "owl"}, "what has the answer's label cannot speak against it"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_similarity_is_captums(folder: Path, tmp_path: Path) -> None:
    net = made(0)
    x, labels, paths, own = batch(net, folder)

    class Rows(torch.utils.data.Dataset[Tensor]):
        def __len__(self) -> int:
            return len(x)

        def __getitem__(self, row: int) -> Tensor:
            return x[row]

    def cosine(test: Any, train: Any) -> Tensor:
        test, train = (values[0] if isinstance(values, list | tuple) else values for values in (test, train))
        return torch.nn.functional.cosine_similarity(test.flatten(1)[:, None], train.flatten(1)[None], dim=2)

    theirs: Any = SimilarityInfluence(
        net, ["conv"], Rows(), str(tmp_path), "m", similarity_metric=cosine, batch_size=19
    )
    rows, scores = theirs.influence(own, top_k=len(x))["conv"]
    result = by_path(ask(net, folder, layer="conv", cells=SIDE))
    for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True):
        assert result[paths[row]] == pytest.approx(score, abs=1e-5)
    assert len(result) == len(labels) == len(rows[0])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("bias", [True, False])
def test_tracin_is_captums_over_the_checkpoints(folder: Path, tmp_path: Path, bias: bool) -> None:
    points = []
    for number in (1, 2, 3):
        points.append(tmp_path / f"e{number}.pt")
        torch.save(made(number, bias=bias).state_dict(), points[-1])
    net = made(0, bias=bias)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    result = by_path(ask(net, folder, method="tracin", checkpoints=str(tmp_path)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    x, labels, paths, own = batch(net, folder)
    theirs = made(0, bias=bias).requires_grad_(True)

    def load(model: nn.Module, path: str) -> float:
        model.load_state_dict(torch.load(path, weights_only=True))
        return 1.0

    data = torch.utils.data.TensorDataset(x, labels)
    loss = nn.CrossEntropyLoss(reduction="sum")
    given: Any = {"checkpoints_load_func": load, "loss_fn": loss, "batch_size": 7}
    files = [str(p) for p in points]
    # captum's fast form leaves the bias out, its general one does not.
    tracin: Any = TracInCPFast(theirs, theirs.head, data, files, **given)
    if bias:
        tracin = TracInCP(theirs, data, files, layers=["head"], sample_wise_grads_per_batch=True, **given)
    scores = tracin.influence((own, torch.tensor([1])))[0]
    for path, score in zip(paths, scores.tolist(), strict=True):
        assert result[path] == pytest.approx(score, rel=1e-3, abs=1e-6)


def test_pictures_without_folders_take_sides_by_the_models_answer(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "train" / "cat").glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "broken.png").write_bytes(b"nothing")
    result = ask(made(0), folder, folder=str(tmp_path))
    assert result.meta["among"] == 6 and result.meta["unreadable"] == 1
    assert all(label == "taken for dog" for label in result.meta["support_labels"])
    assert not any(label == "taken for dog" for label in result.meta["oppose_labels"])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"folder": ""}, "No folder with training pictures is chosen"),
        ({"folder": "/nowhere/at/all"}, "is not a folder"),
        ({"layer": "nothing"}, "There is no layer 'nothing'"),
        ({"target": "cow"}, "no class 'cow'"),
    ],
    ids=["none", "missing", "layer", "class"],
)
def test_what_cannot_be_asked_says_what_to_do(folder: Path, params: dict[str, Any], words: str) -> None:
    answer = ask(made(0), folder, **params)
    assert isinstance(answer, Failure) and words in answer.text and answer.advice


def test_checkpoints_of_other_shapes_labels_and_heads_that_do_not_fit_are_said(folder: Path, tmp_path: Path) -> None:
    torch.save(made(1).state_dict(), tmp_path / "a.pt")
    torch.save(made(1, channels=5).state_dict(), tmp_path / "b.pt")
    answer = ask(made(0), folder, method="tracin", checkpoints=str(tmp_path))
    assert isinstance(answer, Failure) and "b.pt does not fit this model" in answer.message
    assert "of another size" in answer.message and "same architecture" in answer.advice
    (tmp_path / "none").mkdir()
    empty = ask(made(0), folder, method="tracin", checkpoints=str(tmp_path / "none"))
    assert isinstance(empty, Failure) and "none contains no weights" in empty.message
    (tmp_path / "sets" / "cow").mkdir(parents=True)
    save_png(np.zeros((SIDE, SIDE, 3), np.uint8), tmp_path / "sets" / "cow" / "a.png")
    unknown = ask(made(0), folder, method="tracin", folder=str(tmp_path / "sets"))
    assert isinstance(unknown, Failure) and "'cow' is not a class of this model" in unknown.message

    class Convolved(Small):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    scaled = Convolved().eval().requires_grad_(False)
    ended = ask(scaled, folder, method="tracin")
    assert isinstance(ended, Failure) and "no closed form" in ended.message and "similarity" in ended.advice
