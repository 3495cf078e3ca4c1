"""What comes with a box: points, angles and masks, decoded as families encode them, and answered by inspections."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detector_outputs import LAYOUTS, SIZE
from torch import Tensor, nn

import main as program
from models.cards.card import PHOTOS, Card
from models.detection.anchor_sets import KNOWN
from models.engine import registry
from models.engine.engine import Engine
from models.interpretation import box_extras
from models.interpretation.box_codes import CENTERFACE, OFFSETS, YOLOV5, YOLOX, BoxCode
from models.interpretation.grids import FIRST, Grid
from models.interpretation.layout import Columns, DetectorLayout
from models.interpretation.tables import ROWS, Table, View
from models.requests import Request
from models.types import Result, Source

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "models"
STRETCHED = {"crop": list(SIZE), "fit": "stretch", "mean": [0, 0, 0], "std": [1, 1, 1]}
CAT = Source.file(PHOTOS / "cat.jpg")


class Says(nn.Module):
    """Gives the same outputs for every picture."""

    def __init__(self, outputs: list[tuple[str, np.ndarray]]) -> None:
        super().__init__()
        self.names = [name for name, _ in outputs]
        for place, (_, array) in enumerate(outputs):
            self.register_buffer(f"out{place}", torch.from_numpy(np.ascontiguousarray(array)))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        assert x.shape[2:] == SIZE
        return {name: getattr(self, f"out{place}") + 0 * x.mean() for place, name in enumerate(self.names)}


def engine(outputs: list[tuple[str, np.ndarray]]) -> Engine:
    made = Engine(threads=1)
    made._models["net"] = registry.adapt(Says(outputs).eval(), Card("net", about={"preprocessing": STRETCHED}))
    return made


def ask(made: Engine, inspection: str, **settings: object) -> Result:
    answer = made.run(Request.make(inspection, "net", CAT, settings))
    assert isinstance(answer, Result), answer
    return answer


def layout_of(code: BoxCode, grid: Grid | None) -> DetectorLayout:
    table = Table("out", (View(0, ROWS),), grid)
    return DetectorLayout((table,), (Columns(0, 0, 4),), code, Columns(0, 4, 1), landmarks=Columns(0, 5, 10))


@pytest.mark.parametrize("family", ["retinaface", "yunet", "centerface", "yolov5-face"])
def test_points_are_decoded_as_the_family_encodes_them(family: str) -> None:
    rng = np.random.default_rng(0)
    size = (64, 96)
    grid = Grid(size, (4,) if family == "centerface" else (8, 16, 32), 3 if family == "yolov5-face" else 1, FIRST)
    cells, strides = (t.numpy() for t in grid.corners())
    rows = 588 if family == "retinaface" else grid.count
    wanted = rng.uniform(0, 96, (rows, 5, 2))
    corners = np.concatenate([np.zeros((rows, 2)), np.full((rows, 2), 20.0)], 1) + rng.uniform(0, 40, (rows, 1))
    if family == "retinaface":  # landmarks = centre + p * 0.1 * size
        anchors = KNOWN["retinaface"].centred(size).numpy()
        rows = len(anchors)
        wanted, corners = wanted[:1].repeat(rows, 0), corners[:1].repeat(rows, 0)
        code, grid_of = BoxCode(OFFSETS, anchors="retinaface"), None
        encoded = (wanted - anchors[:, None, :2]) / (0.1 * anchors[:, None, 2:])
    elif family == "yunet":
        code, grid_of = BoxCode(YOLOX), grid
        encoded = wanted / strides[:, None, None] - cells[:, None]
    elif family == "centerface":  # y before x, in shares of the box
        code, grid_of = BoxCode(CENTERFACE), grid
        encoded = ((wanted - corners[:, None, :2]) / 20)[..., ::-1]
    else:
        code, grid_of = BoxCode(YOLOV5, anchors="yolov5-face"), grid
        sides = code.anchor_sides(grid).numpy()[:, None]
        encoded = (wanted - cells[:, None] * strides[:, None, None]) / sides
    output = np.concatenate([np.zeros((rows, 5)), encoded.reshape(rows, 10)], 1)[None].astype(np.float32)
    layout = layout_of(code, grid_of)
    boxes = torch.from_numpy(corners[None].astype(np.float32))
    found = box_extras.extras(layout, [torch.from_numpy(output)], boxes, size)
    assert found.points is not None
    np.testing.assert_allclose(found.points[0, :, :, :2].numpy(), wanted, atol=1e-3)
    assert box_extras.point_names(layout)[2] == "nose"


def test_a_mask_is_the_sigmoid_of_coefficients_times_prototypes_within_its_box() -> None:
    prototypes = torch.full((3, 40, 60), -9.0)
    prototypes[0, 10:20, 15:30] = 9.0  # the rectangle x 60 to 120, y 40 to 80 of an input of 240 x 160
    prototypes[1] = 5.0
    coefficients = torch.tensor([[1.0, 0.0, 0.0], [0.0, -2.0, 0.0]])
    boxes = torch.tensor([[60.0, 40.0, 120.0, 80.0], [0.0, 0.0, 240.0, 160.0]])
    found = box_extras.masks(prototypes, coefficients, boxes, (160, 240))
    assert found.shape == (2, 56, 56)
    assert bool((found[0, 2:-2, 2:-2] > 0.99).all())
    np.testing.assert_allclose(found[1].numpy(), 1 / (1 + np.exp(10)), rtol=1e-4)
    whole = box_extras.masks(prototypes, coefficients[:1], boxes[1:], (160, 240))[0] > 0.5
    y, x = (t.float() for t in whole.nonzero().unbind(1))
    assert abs(float(x.mean()) - 28 * 90 / 120) < 0.6 and abs(float(y.mean()) - 28 * 60 / 80) < 0.6
    assert abs(float(whole.float().mean()) - 60 * 40 / (240 * 160)) < 0.01


def test_a_pose_export_answers_with_the_points_that_were_planted() -> None:
    outputs, told = LAYOUTS["pose"](0)
    made = engine(outputs)
    assert "FindsKeyPoints" in registry.describe(made._models["net"]).capabilities
    found = ask(made, "detect")
    points, boxes = found.arrays["points"], found.arrays["boxes"]
    assert points.shape == (len(boxes), 17, 3) and len(boxes) == len(told.objects)
    rows = outputs[0][1][0].T
    ids = found.arrays["ids"]
    scale = np.array([451 / SIZE[1], 300 / SIZE[0]])
    order = made._models["net"].interpretation.origins.order
    rows = rows if order is None else rows[order.numpy()]
    np.testing.assert_allclose(points[:, :, :2], rows[ids][:, 5:].reshape(-1, 17, 3)[..., :2] * scale, rtol=1e-4)
    again = ask(made, "keypoints")
    np.testing.assert_allclose(again.arrays["points"], points, rtol=1e-5)
    assert again.meta["point_names"][0] == "nose"


def test_an_oriented_export_answers_with_the_angles_that_were_planted() -> None:
    outputs, _ = LAYOUTS["oriented boxes"](0)
    made = engine(outputs)
    found = ask(made, "detect")
    rows = found.arrays["ids"] // len(made._models["net"].card.classes)
    np.testing.assert_allclose(found.arrays["angles"], outputs[0][1][0].T[rows, -1], rtol=1e-5)
    assert "FindsKeyPoints" not in registry.describe(made._models["net"]).capabilities


def test_a_segmenting_export_answers_with_masks() -> None:
    outputs, _ = LAYOUTS["segments"](0)
    made = engine(outputs)
    assert "Segments" in registry.describe(made._models["net"]).capabilities
    found = ask(made, "masks")
    count = len(found.arrays["boxes"])
    assert count and found.arrays["masks"].shape == (count, 56, 56)
    row = outputs[0][1][0].T[found.arrays["ids"][0] // len(made._models["net"].card.classes)]
    logits = np.einsum("k,khw->hw", row[-32:], outputs[1][1][0])
    x0, y0, x1, y1 = row[0] - row[2] / 2, row[1] - row[3] / 2, row[0] + row[2] / 2, row[1] + row[3] / 2
    at = [(np.arange(56) + 0.5) / 56 * (b - a) + a for a, b in ((max(x0, 0), min(x1, 416)), (max(y0, 0), min(y1, 416)))]
    near = logits[np.ix_(*(np.clip((v / 4).astype(int), 0, 103) for v in at[::-1]))]
    sure = np.abs(near) > 12  # far from the border between yes and no
    assert (found.arrays["masks"][0] > 0.5)[sure].mean() == pytest.approx((near > 0)[sure].mean(), abs=0.15)


def test_yunets_points_lie_in_the_face(tmp_path: Path) -> None:
    file = SHARED / "yunet_n_320_320.onnx"
    if not file.is_file():
        pytest.skip("the shared cases are not here")
    photo = str(PHOTOS / "astronaut.jpg")
    assert program.main(["run", "detect", photo, "--model", str(file), "--out", str(tmp_path)]) == 0
    (best, *_) = json.loads((tmp_path / "astronaut.detect.json").read_text(encoding="utf-8"))["detections"]
    points = np.array(best["points"])[:, :2]
    x0, y0, x1, y1 = best["box"]
    assert ((points > [x0, y0]) & (points < [x1, y1])).all()
    eye, other, nose, mouth, corner = points
    assert eye[0] < other[0] and mouth[0] < corner[0], "left to right as the viewer sees it"
    assert max(eye[1], other[1]) < nose[1] < min(mouth[1], corner[1])


def test_masks_of_the_whole_picture_are_those_of_their_boxes() -> None:
    outputs, _ = LAYOUTS["boxes, labels, scores and masks in lists"](0)
    found = ask(engine(outputs), "detect", score=0.01)
    made = ask(engine(outputs), "masks", score=0.01)
    boxes = found.arrays["boxes"]
    assert len(boxes) == len(outputs[0][1]) and "masks" in made.arrays
    for mask in made.arrays["masks"]:
        half = len(mask) // 2
        assert mask[: half - 3, 4:-4].mean() > 0.8 and mask[half + 3 :, 4:-4].mean() < 0.2


def test_an_angle_from_0_to_1_is_one_where_the_metadata_say_so() -> None:
    outputs, _ = LAYOUTS["oriented boxes"](0)
    rows = outputs[0][1].copy()
    rows[0, -1] = np.random.default_rng(0).uniform(0.1, 0.9, rows.shape[2])
    about = {"preprocessing": STRETCHED, "written task": "obb"}
    names = tuple(f"ship {number}" for number in range(15))
    model = registry.adapt(Says([("output0", rows)]).eval(), Card("net", classes=names, about=about))
    layout = model.interpretation.reading.how
    assert layout.angle is not None and layout.objectness is None and layout.class_count == 15


def test_two_outputs_of_four_columns_are_asked_about_where_nothing_tells() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0.1, 0.5, (1, 60, 2))
    boxes = np.concatenate([corner, corner + 0.3], 2).astype(np.float32)
    scores = rng.uniform(0, 1, (1, 60, 4)).astype(np.float32)
    for pair in ([("a", boxes), ("b", scores)], [("b", scores), ("a", boxes)]):
        card = Card("net", about={"preprocessing": STRETCHED})
        model = registry.adapt(Says(pair).eval(), card)
        own = {each.title: each for each in model.interpretation.readings if each.kind == "boxes"}
        assert set(own) == {"boxes in a, scores in b", "boxes in b, scores in a"}
        assert "do not tell which it is" in model.interpretation.question
        right = registry.adapt(Says(pair).eval(), card, {"reading": own["boxes in a, scores in b"].id})
        assert right.interpretation.boxes.part == [name for name, _ in pair].index("a")
    named = registry.adapt(Says([("pred_boxes", boxes), ("pred_logits", scores)]).eval(), card)
    assert not named.interpretation.question and named.interpretation.boxes.part == 0
