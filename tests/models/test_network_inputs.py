"""Networks with other inputs than one picture of three channels in floating point: filled in, told, or refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest
import red_square_graphs as graphs
import torch

from models.engine import registry
from models.engine.engine import Engine
from models.pictures import images
from models.requests import Request
from models.types import Failure, Result, Source

onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed")
BOX = np.array([150, 50, 225, 125])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graphs.picture(tmp_path_factory.mktemp("pictures") / "red.png")


def saved(model: Any, folder: Path) -> str:
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def box_of(engine: Engine, name: str, picture: Path) -> np.ndarray:
    """The surest box that a model finds in a picture."""
    answer = engine.run(Request.make("detect", name, Source.file(picture)))
    assert isinstance(answer, Result), answer
    assert len(answer.arrays["boxes"]), answer.meta
    return answer.arrays["boxes"][0]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner))


SIZES = {
    "RT-DETR": {},
    "height first": {"order": "hw", "names": ("pixel_values", "target_sizes")},
    "floats": {"kind": 1, "names": ("x1", "img_size"), "shape": (1, 2)},
    "names that say nothing": {"names": ("a", "b"), "kind": 6},
    "before the picture": {"first": False, "order": "hw", "names": ("a", "b")},
    "no batch": {"shape": (2,)},
}


@pytest.mark.parametrize("form", SIZES)
def test_a_size_is_filled_in_and_boxes_lie_on_the_picture(
    form: str, engine: Engine, picture: Path, tmp_path: Path
) -> None:
    name = saved(graphs.rt_detr(onnx, **SIZES[form]), tmp_path)
    assert iou(box_of(engine, name, picture), BOX) > 0.95
    about = engine.model(name).card.about
    order = SIZES[form].get("order", "wh")
    assert about["assumptions"]["fill2"]["value"] == {"wh": "width_height", "hw": "height_width"}[order]
    assert "filled in" in about["note"] and "boxes double with it" in about["note"]


def test_paddles_three_inputs_are_filled_in(engine: Engine, picture: Path, tmp_path: Path) -> None:
    name = saved(graphs.paddle(onnx), tmp_path)
    assert iou(box_of(engine, name, picture), BOX) > 0.95
    assumed = {k: v["value"] for k, v in engine.model(name).card.about["assumptions"].items()}
    assert assumed["fill2"] == "height_width" and assumed["fill3"] == "ones"
    answer = engine.run(Request.make("interpretation", name, Source.file(picture)))
    assert isinstance(answer, Result)
    assert "im_shape is filled in with height and width of the input" in answer.meta["input"]["filled"]


MASKS = {
    "DETR's whole numbers": {"kind": 7, "shape": ["N", "h", "w"], "name": "pixel_mask"},
    "padding": {"kind": 9, "shape": [1, graphs.SIDE, graphs.SIDE], "name": "mask", "padding": True},
    "a channel": {"kind": 1, "shape": ["N", 1, "h", "w"], "name": "valid_mask"},
}


@pytest.mark.parametrize("form", MASKS)
def test_a_mask_lets_everything_count(form: str, engine: Engine, picture: Path, tmp_path: Path) -> None:
    name = saved(graphs.masked(onnx, **MASKS[form]), tmp_path)
    assert iou(box_of(engine, f"{name}?fit=stretch", picture), BOX) > 0.95


def test_thresholds_are_filled_in_by_their_names(engine: Engine, picture: Path, tmp_path: Path) -> None:
    name = saved(graphs.suppressing(onnx), tmp_path)
    assert iou(box_of(engine, f"{name}?fit=stretch", picture), BOX) > 0.95
    assumed = {k: v["value"] for k, v in engine.model(name).card.about["assumptions"].items()}
    assert (assumed["fill2"], assumed["fill3"], assumed["fill4"]) == ("100", "0.5", "0.05")
    few = engine.run(Request.make("detect", f"{name}?fill4=0.5", Source.file(picture)))
    assert isinstance(few, Result), few


PICTURES = {
    "whole numbers": {"kind": 2},
    "whole numbers, channels last": {"kind": 2, "last": True},
    "channels last": {"last": True},
    "batches of four": {"batch": 4},
    "no batch": {"batch": -1},
    "any number and size": {"batch": "N"},
    "doubles": {"kind": 11},
    "half precision": {"kind": 10},
}


@pytest.mark.parametrize("form", PICTURES)
def test_pictures_of_other_forms_are_seen(form: str, engine: Engine, picture: Path, tmp_path: Path) -> None:
    name = saved(graphs.plain(onnx, **PICTURES[form]), tmp_path)
    assert iou(box_of(engine, f"{name}?fit=stretch", picture), BOX) > 0.95
    if "whole" in form:
        assert engine.model(name).preprocess.range == 255


@pytest.mark.parametrize("channels", [2, 4])
def test_a_further_channel_is_asked_for_and_filled(
    channels: int, engine: Engine, picture: Path, tmp_path: Path
) -> None:
    graph = programs.Graph(onnx)
    x = graph.add("Conv", "x", graph.drawn("stem.weight", 4, channels, 3, 3))
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    name = saved(graph.model((1, channels, 32, 32), scores=x), tmp_path)
    answer = engine.run(Request.make("describe", name))
    assert isinstance(answer, Failure) and f"{channels} channels" in answer.message
    assert answer.offer[0] == "model" and answer.offer[1].endswith("?beyond=1")
    seen = {}
    for beyond in ("1", "0", "grey"):
        made = engine.run(Request.make("classify", f"{name}?beyond={beyond}", Source.file(picture)))
        assert isinstance(made, Result), made
        model = engine.model(f"{name}?beyond={beyond}")
        x = model.preprocess.input(images.read(picture).pixels, torch.device("cpu"))
        grey = (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
        more = grey if beyond == "grey" else torch.full_like(grey, float(beyond))
        with torch.no_grad():
            wanted = model.net(torch.cat([x if channels == 4 else grey, more], 1))[0]
        seen[beyond] = wanted
        np.testing.assert_allclose(np.sort(made.arrays["scores"]), np.sort(wanted.numpy()), atol=1e-5)
    assert not torch.allclose(seen["1"], seen["0"])


def test_a_detector_whose_stated_size_is_too_small_sees_a_usual_one(
    engine: Engine, picture: Path, tmp_path: Path
) -> None:
    """CenterFace's files state 32 x 32, and ten pictures at once."""
    graph = programs.Graph(onnx)
    x = graph.add("AveragePool", "x", kernel_shape=[4, 4], strides=[4, 4])
    red = graph.add("Conv", x, graph.hold("red", np.array([[1.0], [-0.5], [-0.5]]).reshape(1, 3, 1, 1)))
    heat = graph.add(
        "Sigmoid", graph.add("Mul", graph.add("Sub", red, graph.hold("half", 0.7)), graph.hold("ten", 20.0))
    )
    none = graph.add("Mul", graph.add("Concat", red, red, axis=1), graph.hold("zero", 0.0))
    wide = graph.add("Add", none, graph.hold("log", np.log(60.0)))
    model = graph.model((10, 3, 32, 32), heat=heat, wide=wide, shift=none)
    read = engine.model(saved(model, tmp_path)).card.about
    assert read["preprocessing"]["crop"] == 640
    assert set(read["assumptions"]["size"]["choices"]) == {"640x640", "32x32"}


UNSEEN = {
    "text": ([("input_ids", 7, ["N", "T"]), ("attention_mask", 7, ["N", "T"])], "text, as numbers of tokens"),
    "sound": ([("audio", 1, ["N", 16000])], "sound"),
    "spectrogram": ([("input_features", 1, ["N", 80, 3000])], "sound"),
    "table": ([("features_in", 1, ["N", 13])], "rows of 13 numbers, such as a table"),
    "points": ([("points", 1, ["N", 1024, 3])], "a point cloud"),
    "clips": ([("frames", 1, ["N", 3, 16, 112, 112])], "clips or volumes"),
    "text and picture": ([("pixel_values", 1, ["N", 3, 32, 32]), ("input_ids", 7, ["N", 77])], "together with text"),
    "two pictures": ([("left", 1, ["N", 3, 32, 32]), ("right", 1, ["N", 3, 32, 32])], "2 pictures at once"),
    "who knows": ([("x", 1, ["N", 3, 32, 32]), ("code", 1, ["N", 512])], "it is not known what belongs there"),
}


@pytest.mark.parametrize("kind", UNSEEN)
def test_what_sees_no_picture_is_said_in_one_sentence(kind: str, engine: Engine, tmp_path: Path) -> None:
    inputs, words = UNSEEN[kind]
    graph = programs.Graph(onnx)
    model = graph.model((1, 3, 8, 8), y=graph.add("Relu", "x"))
    del model.graph.input[:]
    model.graph.input.extend(onnx.helper.make_tensor_value_info(*one) for one in inputs)
    answer = engine.run(Request.make("describe", saved(model, tmp_path)))
    assert isinstance(answer, Failure) and words in answer.message
    assert answer.message.count(". ") == 0 and answer.advice


PAIRS = {
    "RT-DETR": (("pred_logits", "pred_boxes"), 80, False),
    "boxes first": (("boxes", "logits"), 80, True),
    "RF-DETR of three classes": (("dets", "labels"), 4, True),
    "no names": (("o1", "o2"), 4, True),
}


@pytest.mark.parametrize("form", PAIRS)
def test_queries_with_sigmoids_leave_nothing_to_suppress(
    form: str, engine: Engine, picture: Path, tmp_path: Path
) -> None:
    names, classes, boxes_first = PAIRS[form]
    name = saved(graphs.queries(onnx, names, classes=classes, boxes_first=boxes_first), tmp_path)
    assert iou(box_of(engine, f"{name}?fit=stretch", picture), BOX) > 0.95
    made = engine.run(Request.make("detect", f"{name}?fit=stretch", Source.file(picture)))
    assert isinstance(made, Result) and len(made.arrays["boxes"]) > 1, "overlapping queries stay"
    offer = registry.describe(engine.model(name)).offers["detect"]
    assert "nothing left to suppress" in offer.greyed["iou"]


class Sized(torch.nn.Module):
    """Finds red, and gives its box times a size: the form of RT-DETR's deploy model."""

    def forward(self, images: torch.Tensor, orig_target_sizes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return labels, boxes and scores."""
        red = (images[:, 0] - 0.5 * images[:, 1] - 0.5 * images[:, 2]).relu()
        cells = torch.nn.functional.avg_pool2d(red[:, None], graphs.CELL)[:, 0]
        scores = cells.flatten(1).topk(graphs.ROWS).values
        count = cells.shape[-1]
        first = torch.arange(count) / count
        spans = []
        for high in (cells.amax(1) > 0.4, cells.amax(2) > 0.4):
            low = torch.where(high, first, torch.ones_like(first)).amin(1)
            spans.append((low, torch.where(high, first + 1 / count, torch.zeros_like(first)).amax(1)))
        (x0, x1), (y0, y1) = spans
        boxes = torch.stack([x0, y0, x1, y1], 1)[:, None].expand(-1, graphs.ROWS, -1)
        return torch.zeros_like(scores).long(), boxes * orig_target_sizes.repeat(1, 2)[:, None], scores


def test_a_torch_export_program_with_a_size_is_filled_in(engine: Engine, picture: Path, tmp_path: Path) -> None:
    sample = torch.rand(1, 3, graphs.SIDE, graphs.SIDE), torch.tensor([[640, 480]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Sized().eval(), sample), tmp_path / "net.pt2")
    name = str(tmp_path / "net.pt2")
    assert iou(box_of(engine, name, picture), BOX) > 0.95
    assert engine.model(name).card.about["assumptions"]["fill2"]["value"] == "width_height"
