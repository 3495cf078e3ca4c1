"""Puppets' parts, charts and segments: the truth of drawn scenes, its files, and what the inspections say of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.adapters.puppet_parts import ADAPTER
from models.bundled.puppet_parts import PARTS, SEMANTIC, SIZE_PX, puppets_parts
from models.cards.card import PUPPETS, Card
from models.detection import charts
from models.engine import registry
from models.engine.engine import Engine
from models.inspections.fusion import pasted
from models.pictures import images
from models.requests import Request
from models.training.puppet_samples import segments_of, surface, truth_of
from models.training.puppets import PARTS as DRAWN
from models.training.puppets import STUFF, compose
from models.training.puppets_parts import sample
from models.truth import panoptic, surface_points
from models.truth.read import read
from models.types import Failure, Refusal, Result, Source


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine with a miniature."""
    made = Engine(threads=1)
    net = ADAPTER.tiny().eval().requires_grad_(False)
    made._models["tiny"] = registry.adapt(net, Card("tiny", classes=("puppet",)), {})
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with its truth in files."""
    place = tmp_path_factory.mktemp("scene")
    scene = compose(np.random.default_rng(4), width=160, height=120, count=(3, 3))
    images.save_png(scene.image, place / "a.png")
    told, maps = segments_of({"a": scene})
    (place / "true").mkdir()
    images.save_png(maps["a.png"], place / "true" / "a.png")
    (place / "true.json").write_text(json.dumps(told))
    (place / "points.json").write_text(json.dumps(truth_of({"a": scene})))
    return place


def ask(engine: Engine, folder: Path, inspection: str, **values: object) -> Result:
    answer = engine.run(Request.make(inspection, "tiny", Source.file(folder / "a.png"), values))
    assert isinstance(answer, Result), answer
    return answer


def test_the_networks_names_are_those_of_the_drawn_world() -> None:
    assert (PARTS, SEMANTIC[:-1]) == (DRAWN, STUFF)
    assert sum(p.numel() for p in puppets_parts().parameters()) * 2 < 5e6


def test_the_segments_in_files_are_those_of_the_scene(folder: Path) -> None:
    scene = compose(np.random.default_rng(4), width=160, height=120, count=(3, 3))
    found = panoptic.of(str(folder / "true.json"), str(folder / "a.png"), (160, 120))
    for number, (name, thing) in enumerate(zip(found.names, found.thing, strict=True), 1):
        own = found.map == number
        if thing:
            assert name == "puppet" and len(set(scene.figure[own].tolist())) == 1 and scene.figure[own].min() > 0
            assert own.sum() == (scene.figure == scene.figure[own][0]).sum()
        else:
            np.testing.assert_array_equal(own, (scene.figure == 0) & (scene.stuff == STUFF.index(name)))
    assert (found.map > 0).all()


def test_panoptic_truth_is_also_boxes_of_its_things(folder: Path) -> None:
    scene = compose(np.random.default_rng(4), width=160, height=120, count=(3, 3))
    found = read(folder / "true.json").of(folder / "a.png")
    assert found is not None
    seen = [np.nonzero(scene.figure == k) for k in range(1, 4)]
    wanted = [[x.min(), y.min(), x.max() + 1, y.max() + 1] for y, x in seen if len(y)]
    np.testing.assert_allclose(found.boxes, wanted)


def test_points_of_a_surface_lie_where_the_scene_has_them(folder: Path) -> None:
    scene = compose(np.random.default_rng(4), width=160, height=120, count=(3, 3))
    found = surface_points.of(str(folder / "points.json"), str(folder / "a.png"))
    x, y = (np.floor(found[:, axis]).astype(int) for axis in (0, 1))
    right = scene.part[y, x] == found[:, 2]
    assert right.mean() > 0.97  # the boxes are rounded, and a point on a border may fall to its neighbour
    np.testing.assert_allclose(scene.chart[y[right], x[right]], found[right, 3:], atol=1e-3)
    assert set(surface(scene, 0, [0, 0, 10, 10], np.random.default_rng(0))) == {"dp_x", "dp_y", "dp_I", "dp_U", "dp_V"}


def test_truth_of_another_kind_is_refused_by_name_and_the_answer_is_there_without_it(
    engine: Engine, folder: Path
) -> None:
    with pytest.raises(Refusal, match=r"points\.json has no panoptic segments"):
        panoptic.of(str(folder / "points.json"), str(folder / "a.png"), (160, 120))
    with pytest.raises(Refusal, match="160 × 120"):
        panoptic.of(str(folder / "true.json"), str(folder / "a.png"), (80, 60))
    found = ask(engine, folder, "fusion", truth=str(folder / "points.json"))
    assert "pq" not in found.arrays and "no panoptic segments" in found.meta["text"]


def test_targets_are_the_means_of_the_cells_and_lie_in_the_middle_of_the_input() -> None:
    scene = compose(np.random.default_rng(8), width=120, height=128)
    picture, target = sample(scene, SIZE_PX)
    assert picture.shape == (3, *SIZE_PX)
    np.testing.assert_allclose(picture[:, :, 20:140].permute(1, 2, 0) * 255, scene.image, atol=1e-3)
    blocks = scene.part.reshape(64, 2, 60, 2).swapaxes(1, 2).reshape(64, 60, 4)
    charted = scene.chart.reshape(64, 2, 60, 2, 2).swapaxes(1, 2).reshape(64, 60, 4, 2)
    part = target["part"][:, 10:70].numpy()
    for row, column in ((30, 30), (40, 28), (20, 33), (50, 25), (10, 10)):
        own = blocks[row, column] == part[row, column]
        assert own.sum() == np.bincount(blocks[row, column]).max()
        if part[row, column]:
            wanted = charted[row, column][own].mean(0)
            np.testing.assert_allclose(target["chart"][:, row, column + 10], wanted, atol=1e-5)
    assert target["semantic"][:, :, :10].sum() == 0 and target["semantic"].sum() == pytest.approx(64 * 60, rel=1e-5)


def test_no_control_of_the_fusion_runs_the_network(engine: Engine, tmp_path: Path) -> None:
    count, model = 0, engine._models["tiny"]
    images.save_png(np.random.default_rng(7).integers(0, 255, (60, 80, 3), dtype=np.uint8), tmp_path / "a.png")

    def called(*_: object) -> None:
        nonlocal count
        count += 1

    handle = model.net.register_forward_hook(called)
    ask(engine, tmp_path, "fusion", score=0.2)
    first = count
    for more in ({"rule": "upsnet"}, {"overlap": 0.2}, {"area": 4}, {"x": 80.0, "y": 60.0}):
        ask(engine, tmp_path, "fusion", score=0.2, **more)
    handle.remove()
    assert 0 < first == count


def test_the_winner_of_a_pixel_has_the_largest_logit_of_its_pile(engine: Engine, folder: Path) -> None:
    for x, y in ((20.0, 20.0), (80.0, 70.0), (140.0, 110.0)):
        found = ask(engine, folder, "fusion", score=0.2, rule="upsnet", area=0, overlap=1.0, x=x, y=y)
        arrays = found.arrays
        values = np.where(np.isfinite(arrays["pixel"]), arrays["pixel"], -np.inf)
        taken = np.append(arrays["outcome"] != 1, True)  # not those whose score is too low
        won = int(np.where(taken, values, -np.inf).argmax())
        row, column = found.meta["place"]
        assert arrays["labels"][row, column] == (0 if won == len(values) - 1 else won + 1)


def test_the_measured_quality_is_that_of_the_labels_in_the_picture(engine: Engine, folder: Path) -> None:
    found = ask(engine, folder, "fusion", score=0.2, truth=str(folder / "true.json"))
    arrays, meta = found.arrays, found.meta
    true = panoptic.of(str(folder / "true.json"), str(folder / "a.png"), (160, 120))
    names = meta["names"]
    kinds = {n: meta["classes"][c] for n, c in enumerate(arrays["of_class"].tolist(), 1)}
    for place, name in enumerate(meta["measured"]):
        total, hits = 0.0, 0
        ours = [n for n, kind in kinds.items() if kind == name and (arrays["labels_full"] == n).any()]
        theirs = [n for n, kind in enumerate(true.names, 1) if kind == name]
        for f in ours:
            for t in theirs:
                one, other = arrays["labels_full"] == f, true.map == t
                iou = (one & other).sum() / (one | other).sum()
                total, hits = (total + iou, hits + 1) if iou > 0.5 else (total, hits)
        wanted = total / (hits + 0.5 * (len(ours) - hits) + 0.5 * (len(theirs) - hits))
        assert arrays["pq"][place] == pytest.approx(wanted)
        assert arrays["pq"][place] == pytest.approx(arrays["sq"][place] * arrays["rq"][place])
    assert len(names) == 1 + len(arrays["of_class"])


def test_a_mask_is_pasted_where_its_box_lies() -> None:
    cells = np.full((1, 28, 28), 0.1, np.float32)
    cells[:, :, :14] = 0.9
    made = pasted(cells, np.array([[20.0, 10.0, 60.0, 50.0]]), (30, 40), (0.0, 0.0, 80.0, 60.0))[0]
    assert np.isfinite(made).sum() == 20 * 20 and np.isinf(made[:5]).all()
    assert (made[5:25, 10:19] > 2).all() and (made[5:25, 21:30] < -2).all()


def test_charts_give_back_the_place_that_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    part = np.repeat([[0, 1, 2]], 4, 0).repeat(3, 1)
    chart = rng.random((2, *part.shape))
    found = charts.Charts(part, np.ones(part.shape), chart, (0.0, 0.0, 9.0, 4.0))
    pixels = rng.integers(0, 255, (4, 9, 3), dtype=np.uint8)
    unfolded, cells = charts.unfolded(pixels, found, 2, side=16)
    assert cells.sum() == (part > 0).sum() and (cells[0].sum(), cells[1].sum()) == (12, 12)
    y, x = 2, 4
    place = unfolded[0, int(chart[0, y, x] * 16), int(chart[1, y, x] * 16)]
    if cells[0, int(chart[0, y, x] * 16), int(chart[1, y, x] * 16)] == 1:
        np.testing.assert_array_equal(place, pixels[y, x])
    texture = rng.integers(0, 255, (7, 5, 3), dtype=np.uint8)
    worn = charts.dressed(pixels, found, texture, part=1)
    np.testing.assert_array_equal(worn[part != 2], pixels[part != 2])
    for row, column in ((0, 6), (3, 8)):
        u, v = chart[:, row, column]
        np.testing.assert_array_equal(worn[row, column], texture[int(u * 7), int(v * 5)])


def test_iso_lines_lie_where_the_step_changes_within_a_part() -> None:
    values = np.tile(np.linspace(0, 0.999, 12), (3, 1))
    known = np.ones(values.shape, np.bool_)
    known[:, :3] = False
    made = charts.steps(values, known, 4)
    np.testing.assert_array_equal(
        np.flatnonzero(made[0]), [c for c in range(4, 12) if int(values[0, c] * 4) != int(values[0, c - 1] * 4)]
    )


def test_charts_are_measured_at_annotated_points(engine: Engine, folder: Path) -> None:
    found = ask(engine, folder, "charts", truth=str(folder / "points.json"), texture="checkerboard")
    arrays = found.arrays
    x0, y0, x1, y1 = found.meta["extent"]
    height, width = arrays["labels"].shape
    for at, true, said, error in zip(arrays["points"], arrays["true"], arrays["found"], arrays["error"], strict=True):
        row, column = int((at[1] - y0) / (y1 - y0) * height), int((at[0] - x0) / (x1 - x0) * width)
        assert said[0] == arrays["labels"][row, column]
        if said[0] == true[0]:
            wanted = (abs(arrays["u"][row, column] - true[1]) + abs(arrays["v"][row, column] - true[2])) / 2
            assert error == pytest.approx(wanted, abs=1e-6)
        else:
            assert np.isnan(error)
    assert arrays["dressed"].shape == (height, width, 3)


def test_a_texture_that_is_no_picture_is_refused(engine: Engine, folder: Path) -> None:
    request = Request.make(
        "charts", "tiny", Source.file(folder / "a.png"), {"texture": "picture", "file": str(folder / "true.json")}
    )
    assert isinstance(engine.run(request), Failure)


def test_the_samples_are_what_the_script_draws() -> None:
    for name in ("meadow", "shore", "dancer"):
        size = images.size(PUPPETS / f"{name}.png")
        found = panoptic.of(str(PUPPETS / "segments.json"), str(PUPPETS / f"{name}.png"), size)
        assert (found.map > 0).all() and found.names.count("puppet") >= 1
        points = surface_points.of(str(PUPPETS / "key-points.json"), str(PUPPETS / f"{name}.png"))
        things = np.isin(found.map, 1 + np.flatnonzero(found.thing))
        rows, columns = np.floor(points[:, 1]).astype(int), np.floor(points[:, 0]).astype(int)
        assert things[rows, columns].mean() > 0.97


def test_the_network_sees_any_picture_at_its_own_size() -> None:
    net = puppets_parts().eval()
    with torch.no_grad():
        made = net(torch.zeros(1, 3, *SIZE_PX))
    assert made["rows"].shape[1] == sum(SIZE_PX[0] // s * (SIZE_PX[1] // s) for s in (8, 16, 32))
    assert made["parts"].shape[2:] == made["prototypes"].shape[2:] == (SIZE_PX[0] // 2, SIZE_PX[1] // 2)
    assert 0 <= float(made["chart"].min()) <= float(made["chart"].max()) <= 1
