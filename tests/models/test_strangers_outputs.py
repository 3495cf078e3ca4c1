"""Outputs of strangers that are easily mistaken: scores, embeddings, labels, distances, what exports say of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detector_outputs import LAYOUTS, SIZE
from torch import nn

from models.detection.box_rows import FIRST, NONE, SIGMOID, SOFTMAX, score_kind
from models.engine import registry
from models.exported import onnx_metadata
from models.interpretation import point_codes
from models.interpretation.box_codes import DISTANCES, DISTRIBUTION, OFFSETS
from models.interpretation.recognise import propose
from models.loading import heads
from models.user_code import helpers


def test_scores_of_ten_classes_are_no_five_points() -> None:
    made = torch.Generator().manual_seed(1)
    untrained = 0.1 * torch.randn(1, 10, generator=made) + 0.002 * torch.randn(2, 10, generator=made)
    sure = torch.zeros(2, 10)
    sure[:, 3] = 30.0
    wide = torch.linspace(-0.35, 0.3, 10).expand(2, -1)  # an untrained network's, within -1 and 1
    for rows in (untrained, sure, wide):
        best = max(each.fit for each in point_codes.of_vector(rows, 0, (32, 32)))
        assert best <= point_codes.POSSIBLE
    face = torch.tensor([[0.3, 0.35, 0.7, 0.35, 0.5, 0.55, 0.35, 0.75, 0.65, 0.75]])
    rows = torch.cat([face, face + 0.01])
    assert point_codes.of_vector(rows, 0, (112, 112))[0].fit == point_codes.LIKELY
    assert point_codes.of_vector(rows * 112, 0, (112, 112))[0].fit == point_codes.LIKELY


def test_an_embedding_of_positive_numbers_is_none_of_probabilities() -> None:
    rows = np.random.default_rng(0).uniform(0, 1, (5, 128))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert heads.judged(rows, "div")[0] == heads.EMBEDDING
    assert heads.judged(rows, "sigmoid")[0] == heads.INDEPENDENT


def test_a_class_that_is_likeliest_everywhere_is_no_background() -> None:
    generator = torch.Generator().manual_seed(0)
    low = -6 + 0.3 * torch.randn(500, 4, generator=generator)
    low[:, 0] += 2.0  # people, the commonest class
    low[:5, 0] = 3.0
    assert score_kind(low) == (SIGMOID, NONE)
    none = torch.randn(500, 4, generator=generator) - 3
    none[:, 0] += 9
    assert score_kind(none) == (SOFTMAX, FIRST)


@pytest.mark.parametrize("form", ["rows", "mmdet", "tf", "efficientdet"])
def test_labels_that_were_not_seen_while_opening_keep_their_number(form: str) -> None:
    outputs, _ = LAYOUTS[f"final, {form}"](0)
    seen = [(name, torch.from_numpy(np.minimum(values, 3) if "label" in name else values)) for name, values in outputs]
    layout = propose([seen], SIZE)[0].layout
    assert layout.labels is not None
    tensors = [torch.from_numpy(values.copy()) for _, values in outputs]
    view = layout.tables[layout.labels.table].views[0]
    row = tensors[view.output][0]
    if row.ndim == 2:
        row[0, layout.labels.start] = 88
    else:
        row[0] = 88
    _, scores = layout.decode(tensors, SIZE)
    assert int(scores[0, 0].argmax()) == 88


def test_distances_are_measured_from_where_their_family_does() -> None:
    cells = {}
    for name in ("nanodet-plus", "nanodet", "rtmdet", "fcos", "scrfd"):
        pictures = [
            [(each, torch.from_numpy(np.ascontiguousarray(values))) for each, values in LAYOUTS[name](seed)[0]]
            for seed in range(3)
        ]
        code = propose(pictures, SIZE)[0].layout.code
        assert code.name in (DISTANCES, DISTRIBUTION)
        cells[name] = code.cell
    assert cells == {"nanodet-plus": 0.0, "nanodet": 0.5, "rtmdet": 0.0, "fcos": 0.5, "scrfd": 0.0}


def test_faces_of_mediapipe_have_their_points() -> None:
    made, told = LAYOUTS["mediapipe"](1)
    outputs = [(name, torch.from_numpy(values)) for name, values in made]
    layout = propose([outputs], SIZE)[0].layout
    assert layout.code.name == OFFSETS and layout.landmarks is not None and layout.landmarks.count == 12
    boxes, scores = layout.decode([tensor for _, tensor in outputs], SIZE)
    best = boxes[0, scores[0, :, 0].argmax()].numpy()
    assert min(np.abs(best - box).max() for box in told.objects) < 30


class Red(nn.Module):
    """Three scores of a picture, of its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        here = torch.arange(3, device=x.device).to(x)
        return (self.mix(x).mean((2, 3)) + 0.0 * here).softmax(1)


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning", "ignore:`torch.jit:DeprecationWarning")
def test_torchscript_of_ultralytics_names_its_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))
    about = {"names": {0: "red", 1: "green", 2: "blue"}, "imgsz": [64, 96], "task": "classify", "stride": 1}
    path = tmp_path / "best.torchscript"
    traced = torch.jit.trace(Red().eval(), torch.rand(1, 3, 64, 96))
    torch.jit.save(traced, str(path), _extra_files={"config.txt": json.dumps(about)})
    helpers.allow(path)
    model = registry.open_model(str(path))
    assert model.card.classes == ("red", "green", "blue")
    assert model.preprocess.size == (64, 96) and model.preprocess.mean == (0.0, 0.0, 0.0)
    assert onnx_metadata.is_classifier({"task": "classify", "names": "{0: 'a'}"})
    assert not onnx_metadata.is_classifier({"task": "detect", "names": "{0: 'a'}"})


def test_a_network_that_gives_another_number_of_rows_each_time_is_told(tmp_path: Path) -> None:
    class Rows(nn.Module):
        def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
            count = int(x.mean() > 0.5) + 1
            return [{"boxes": torch.zeros(count, 4), "scores": torch.ones(count)}]

    from models.loading.preprocess import Preprocess

    way = Preprocess(resize=32, crop=32)
    run = lambda x: [each["scores"].reshape(1, -1) for each in Rows()(x)]  # noqa: E731
    with pytest.raises(Exception, match="numbers for one picture and"):
        heads.recognised(run, 0, way, torch.device("cpu"), {})


def test_a_detector_that_finds_nothing_in_any_photograph_is_one_all_the_same() -> None:
    """A Mask R-CNN of another domain gives lists without rows: its corners in pixels are the usual reading."""
    from models.interpretation import examine

    rows = [("boxes", torch.zeros(0, 4)), ("labels", torch.zeros(0, dtype=torch.int64)), ("scores", torch.zeros(0))]
    found = examine.examine(lambda _: rows, (320, 320), torch.device("cpu"), given={})
    assert found is not None
    layout = found.proposals[0].layout
    assert layout.final
    assert (layout.code.name, layout.code.unit) == ("corners", "pixels")
    assert layout.decode([tensor for _, tensor in rows], (320, 320))[0].shape == (1, 0, 4)
