"""De-identified copies: a planted detector's areas hidden, all else bit for bit; no metadata; originals untouched."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from torch import nn

from models.cards.card import PHOTOS, Card
from models.deidentification import report
from models.deidentification.obscuring import BLUR, FILL, PIXELATE, Way, areas, obscured, shape_of, upright
from models.deidentification.output import Export, check_folder
from models.deidentification.search import Search
from models.engine.engine import Engine
from models.pictures import images
from models.requests import Request
from models.runtime import user_folders
from models.types import Candidates, Failure, Refusal, Result, Source

RED, GREEN = (255, 0, 0), (0, 255, 0)
FACE = (40, 20, 80, 70)  # xyxy of the red area
PLATE = (100, 60, 130, 75)
SIZE = (160, 120)

CHECKPOINTS = Path(
    os.environ.get("VITRINE_CHECKPOINTS", Path(__file__).resolve().parents[3] / "shared" / "checkpoints")
)
CASES = CHECKPOINTS.parent / "cases"


class Colours:
    """A detector with a known answer: class `face` is what is red, `plate` what is green; masks are ellipses."""

    stages: ClassVar[Mapping[str, str]] = {}
    floor = 0.05

    def __init__(self) -> None:
        self.net, self.card = nn.Identity(), Card("tiny", classes=("face", "plate"))
        self.defaults = {"score": 0.5, "iou": 0.5, "max_detections": 100}
        self.looked = 0

    def candidates(self, pixels: Any, settings: Any, stages: Any) -> Candidates:
        self.looked += 1
        found = [(box, label) for label, colour in enumerate((RED, GREEN)) if (box := around(pixels, colour))]
        boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        score = np.array([0.9 - 0.3 * label for _, label in found], np.float32)
        label = np.array([label for _, label in found], np.int64)
        none = np.zeros((0, 4), np.float32)
        at = np.arange(len(found))
        return Candidates(boxes, boxes, score, label, at, np.full(len(found), -1), none, none[:, 0])


class MaskedColours(Colours):
    """The same, with a disc as the mask of each box."""

    def masks(self, pixels: Any, boxes: Any, labels: Any, stages: Any) -> Any:
        y, x = np.mgrid[:28, :28] - 13.5
        return np.repeat((np.hypot(x, y) < 8)[None].astype(np.float32), len(boxes), 0)


def around(pixels: Any, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    far = np.abs(pixels.astype(int) - colour).max(2)
    rows, columns = np.nonzero(far < 60)  # JPEG blurs colours
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


def picture(*, face: bool = True, plate: bool = False, seed: int = 0) -> Any:
    pixels = np.random.default_rng(seed).integers(60, 180, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for wanted, (x0, y0, x1, y1), colour in ((face, FACE, RED), (plate, PLATE, GREEN)):
        if wanted:  # what is red, too, differs from pixel to pixel
            pixels[y0:y1, x0:x1] = np.abs(np.array(colour) - pixels[y0:y1, x0:x1] // 4)
    return pixels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "photos"
    (inside / "more").mkdir(parents=True)
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", "somebody-secret")
    Image.fromarray(picture()).save(inside / "a.png", pnginfo=told)
    Image.fromarray(picture(face=False)).save(inside / "b.png")
    Image.fromarray(picture(plate=True, seed=2)).save(inside / "more" / "c.png")
    (inside / "d.jpg").write_text("no picture")
    turned = Image.fromarray(np.rot90(picture(seed=3)))  # lying; orientation 6 turns it clockwise, upright again
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "secret-camera"
    exif.get_ifd(0x8825)[1] = "N"
    turned.save(inside / "e.jpg", exif=exif, quality=95, comment=b"secret-comment", icc_profile=b"secret-profile")
    return inside


@pytest.fixture
def model() -> Colours:
    return Colours()


@pytest.fixture
def engine(model: Colours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(user_folders, "data_sets", lambda: tmp_path / "parts")
    return engine_of(model)


def engine_of(model: Colours) -> Engine:
    made = Engine(threads=1)
    made._models["tiny"] = model
    return made


def asked(engine: Engine, folder: Path, **given: Any) -> tuple[Request, Result]:
    request = Request.make("deidentify", "tiny", Source.file(folder), given)
    answer = engine.run(request)
    while isinstance(answer, Result) and answer.meta["partial"]:
        engine.finish_idle()
        answer = engine.run(request)
    assert isinstance(answer, Result), answer
    return request, answer


def written(engine: Engine, folder: Path, out: Path, **given: Any) -> Export:
    export = Export(*asked(engine, folder, **given), out)
    list(export.run(images.read))
    return export


def digests(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.mark.parametrize("way", [FILL, PIXELATE, BLUR])
def test_what_is_found_is_hidden_and_all_else_stays_bit_for_bit(
    way: str, engine: Engine, folder: Path, tmp_path: Path
) -> None:
    before = digests(folder)
    export = written(engine, folder, tmp_path / "out", way=way, margin=0.1, colour="grey")
    assert digests(folder) == before, "an original was touched"
    margin = 5  # a tenth of the longer side of 50
    x0, y0, x1, y1 = FACE[0] - margin, FACE[1] - margin, FACE[2] + margin, FACE[3] + margin
    was, now = images.read(folder / "a.png").pixels, images.read(tmp_path / "out" / "a.png").pixels
    inside = np.zeros(was.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    assert (was[~inside] == now[~inside]).all()
    if way == FILL:
        assert around(now, RED) is None
        assert (now[inside] == 128).all()
    else:
        assert (was[inside] != now[inside]).any(1).mean() > 0.95
    assert (images.read(folder / "b.png").pixels == images.read(tmp_path / "out" / "b.png").pixels).all()
    assert not (tmp_path / "out" / "d.jpg").exists()
    assert export.counts == {"nothing found": 1, "left out": 0, "failed": 1, "not done": 0, "hidden": 3, "areas": 4}


def test_the_report_lists_pictures_without_a_find_first_and_says_what_was_done(
    engine: Engine, folder: Path, tmp_path: Path
) -> None:
    export = written(engine, folder, tmp_path / "out", margin=0.0)
    as_json, as_csv = export.report_paths
    told = json.loads(as_json.read_text())
    assert [row["picture"] for row in told["pictures"]] == ["b.png", "d.jpg", "a.png", "e.jpg", "more/c.png"]
    assert told["complete"] and told["notes"] == [report.MISSED, report.REST]
    assert "not a picture" in told["pictures"][1]["reason"]
    a = told["pictures"][2]["boxes"]
    assert a == [{"class": "face", "score": pytest.approx(0.9), "box": list(FACE), "hidden": list(FACE)} | DONE_BLACK]
    assert told["settings"]["margin"] == 0 and told["settings"]["score"] == 0.5
    assert str(folder) not in as_json.read_text(), "the report names no place on this machine"
    lines = list(csv.DictReader(as_csv.read_text().splitlines()))
    assert [(line["picture"], line["class"]) for line in lines[-2:]] == [(C, "face"), (C, "plate")]
    assert [line["state"] for line in lines[:2]] == ["nothing found", "failed"]


DONE_BLACK, C = {"done": "filled with black"}, "more/c.png"


def test_classes_score_and_pictures_without_a_find_are_chosen(engine: Engine, folder: Path, tmp_path: Path) -> None:
    export = written(engine, folder, tmp_path / "out", classes="plate", empty="leave_out")
    rows = {row.picture: row for row in export.rows}
    assert rows["a.png"].state == "left out" and not (tmp_path / "out" / "a.png").exists()
    assert [box["class"] for box in rows["more/c.png"].boxes] == ["plate"]
    assert around(images.read(tmp_path / "out" / "more" / "c.png").pixels, RED) == FACE, "faces were not asked for"
    _, strict = asked(engine, folder, score=0.7)
    assert set(strict.arrays["labels"].tolist()) == {0}
    answer = engine.run(Request.make("deidentify", "tiny", Source.file(folder), {"classes": "dog"}))
    assert isinstance(answer, Failure) and "face" in answer.advice


def test_copies_hold_no_metadata_and_stand_upright(engine: Engine, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(engine, folder, out)
    for path in (out / "a.png", out / "e.jpg"):
        assert b"secret" not in path.read_bytes()
        with Image.open(path) as copy:
            assert not copy.getexif() and {*copy.info} <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert copy.size == SIZE
    with Image.open(folder / "e.jpg") as lying, Image.open(out / "e.jpg") as copy:
        assert lying.size == SIZE[::-1] and lying.getexif()[0x0112] == 6
        assert copy.format == "JPEG"
    now = images.read(out / "e.jpg").pixels
    x, y = (FACE[0] + FACE[2]) // 2, (FACE[1] + FACE[3]) // 2
    assert now[y, x].max() < 8 and now[5, 5].min() > 40, "the area lies where the face stands upright"


def test_a_stopped_export_and_a_stopped_search_go_on(
    engine: Engine, model: Colours, folder: Path, tmp_path: Path
) -> None:
    for number in range(20):
        Image.fromarray(picture(seed=10 + number)).save(folder / f"x{number}.png")
    request = Request.make("deidentify", "tiny", Source.file(folder))
    assert isinstance(engine.run(request), Result)
    while model.looked < 18:  # the first part of 16 is written then
        engine.work_idle(0)
    fresh = Colours()
    request, result = asked(engine_of(fresh), folder)
    assert len(result.meta["paths"]) == 25 and fresh.looked == 25 - 16, "the part that was done is taken"

    out, reads = tmp_path / "out", []

    def read(path: str) -> images.Picture:
        reads.append(path)
        return images.read(path)

    steps = Export(request, result, out).run(read)
    for _ in range(6):
        next(steps)
    steps.close()
    told = json.loads((out / "deidentification.json").read_text())
    assert not told["complete"] and told["counts"]["not done"] == 19
    done, times = len(reads), (out / "a.png").stat().st_mtime_ns
    again = Export(request, result, out)
    list(again.run(read))
    assert len(reads) == 24, "each picture that can be read is read once"
    assert done == 5 and (out / "a.png").stat().st_mtime_ns == times
    assert json.loads((out / "deidentification.json").read_text())["complete"]


def test_another_way_replaces_copies_of_its_own_and_nothing_else(engine: Engine, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(engine, folder, out)
    (out / "more" / "c.png").write_bytes(b"somebody's own")
    export = written(engine, folder, out, colour="white")
    rows = {row.picture: row for row in export.rows}
    assert (images.read(out / "a.png").pixels[30, 50] == 255).all()
    assert (out / "more" / "c.png").read_bytes() == b"somebody's own"
    assert rows["more/c.png"].state == "failed" and "stays" in rows["more/c.png"].reason


def test_a_folder_of_the_originals_is_refused_however_it_is_written(
    engine: Engine, folder: Path, tmp_path: Path
) -> None:
    before = digests(folder)
    answer = asked(engine, folder)
    (tmp_path / "link").symlink_to(folder)
    refused = [folder, folder / "new" / "deeper", folder / "more", tmp_path / "link" / "new", folder / ".." / "photos"]
    for out in refused:
        with pytest.raises(Refusal, match="originals"):
            Export(*answer, out)
    with pytest.raises(Refusal, match="no folder"):
        check_folder(folder / "a.png", answer[1].meta)
    # A link in the output folder that leads to an original, and a subfolder that is one of the originals' folders.
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").symlink_to(folder / "a.png")
    (out / "more").symlink_to(folder / "more")
    rows = {row.picture: row for row in written(engine, folder, out).rows}
    assert rows["a.png"].state == rows["more/c.png"].state == "failed"
    assert "originals" in rows["more/c.png"].reason
    assert digests(folder) == before


def test_a_picture_that_changed_since_is_not_copied(engine: Engine, folder: Path, tmp_path: Path) -> None:
    request, result = asked(engine, folder)
    Image.fromarray(picture(plate=True, seed=9)).save(folder / "a.png")
    os.utime(folder / "a.png", ns=(1, 1))
    export = Export(request, result, tmp_path / "out")
    list(export.run(images.read))
    row = next(row for row in export.rows if row.picture == "a.png")
    assert row.state == "failed" and "changed" in row.reason and not (tmp_path / "out" / "a.png").exists()


def test_masks_hide_the_shape_with_its_margin(folder: Path, tmp_path: Path, engine: Engine) -> None:
    masked = engine_of(MaskedColours())
    _, boxes = asked(masked, folder, shape="box")
    assert "outline" not in boxes.arrays
    export = written(masked, folder, tmp_path / "out", shape="mask", margin=0.0, colour="white")
    now = images.read(tmp_path / "out" / "a.png").pixels
    hidden = (now == 255).all(2)[FACE[1] : FACE[3], FACE[0] : FACE[2]]
    assert hidden[25, 20] and not hidden[1, 1]
    share = np.pi * 8**2 / 28**2  # of the disc in its square of 28 cells
    assert hidden.mean() == pytest.approx(share, abs=0.05)
    row = next(row for row in export.rows if row.picture == "a.png")
    assert row.boxes[0]["done"] == "the mask filled with white"
    refused = engine.run(Request.make("deidentify", "tiny", Source.file(folder), {"shape": "mask"}))
    assert isinstance(refused, Failure) and "no masks" in refused.message


def test_a_picture_alone_is_previewed_as_its_copy_will_look(engine: Engine, folder: Path, tmp_path: Path) -> None:
    _, preview = asked(engine, folder / "more" / "c.png", way=BLUR)
    written(engine, folder, tmp_path / "out", way=BLUR)
    assert (preview.arrays["picture"] == images.read(tmp_path / "out" / "more" / "c.png").pixels).all()
    assert len(preview.arrays["hidden"]) == 2 and preview.meta["notes"] == [report.MISSED, report.UNDONE, report.REST]


def test_strength_grows_with_the_area_and_is_told_in_pixels() -> None:
    way = Way(PIXELATE, strength=0.25)
    assert [way.pixels_of((0, 0, side, side // 2)) for side in (8, 100, 1000)] == [8, 25, 250]
    gradient = np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 200, 3))
    made = obscured(gradient, np.array([[0, 0, 200, 200]]), way)
    assert len(np.unique(made)) == 4, "a large area keeps as few blocks as a small one"
    checked = ((np.indices((200, 200)).sum(0) // 20 % 2) * 255).astype(np.uint8)[:, :, None].repeat(3, 2)
    soft = obscured(checked, np.array([[0, 0, 200, 200]]), Way(BLUR, strength=0.25))
    assert np.ptp(soft[40:160, 40:160].astype(int)) < 16


def test_areas_are_rounded_outwards_and_shapes_grow_by_the_margin() -> None:
    boxes = np.array([[10.4, 5.2, 20.1, 9.9], [-3, 90, 50, 130]], np.float32)
    assert areas(boxes, 0.0, 100, 100).tolist() == [[10, 5, 21, 10], [0, 90, 50, 100]]
    assert areas(boxes[:1], 1.0, 100, 100).tolist() == [[0, 0, 30, 20]]
    turned = upright(np.array([[0, 0, 10, 2]], np.float32), np.array([np.pi / 2], np.float32))
    assert turned == pytest.approx(np.array([[4, -4, 6, 6]]), abs=1e-5)
    ring = np.array([[4, 4], [8, 4], [8, 8], [4, 8], [4, 4]], np.float32)
    exact, grown = shape_of([ring], (0, 0, 12, 12), 0), shape_of([ring], (0, 0, 12, 12), 2)
    assert exact is not None and grown is not None and exact[4:8, 4:8].all() and not exact[2].any()
    assert grown[2:10, 2:10].all() and not grown[0].any()
    assert shape_of([], (0, 0, 12, 12), 2) is None


def test_a_model_that_fails_for_a_reason_that_may_pass_is_asked_again(folder: Path, tmp_path: Path) -> None:
    class Failing(Colours):
        def candidates(self, pixels: Any, settings: Any, stages: Any) -> Candidates:
            raise RuntimeError("a passing fault")

    from models.dataset_pass.asking import listed
    from models.inspections.deidentify import Params
    from models.runtime.context import Context
    from models.runtime.stage_cache import Cache, CachedStages

    found = listed(str(folder), CachedStages(Cache(), "s", Context()))
    params = dataclasses.replace(Params(), max_detections=10)
    search = Search(Failing(), found.data_set, found.stamps, params, "w", masks=False, folder=tmp_path / "parts")
    while not search.complete:
        search.step()
    assert "a passing fault" in search.found[0].error
    second = Search(Colours(), found.data_set, found.stamps, params, "w", masks=False, folder=tmp_path / "parts")
    assert not second.found


@pytest.mark.parametrize("file", ["yunet_n_320_320.onnx", "mobilenet0.25_Final.pth"])
def test_a_published_face_detector_hides_the_face_and_nothing_else(file: str) -> None:
    """YuNet and RetinaFace as they were published: the one face of a bundled photograph."""
    weights = CASES / "models" / file
    if not weights.is_file():
        pytest.skip(f"no {weights}; VITRINE_CHECKPOINTS names the folder beside it")
    source = Source.file(PHOTOS / "astronaut.jpg")
    found = Engine(threads=1).run(Request.make("deidentify", str(weights), source, {"margin": 0.2, "way": FILL}))
    assert isinstance(found, Result), found
    assert len(found.arrays["boxes"]) == 1 and found.arrays["scores"][0] > 0.9
    x0, y0, x1, y1 = found.arrays["hidden"][0]
    assert x0 < 180 and y0 < 60 and x1 > 270 and y1 > 177, "the face, as a person marked it"
    preview, own = found.arrays["picture"], images.read(PHOTOS / "astronaut.jpg").pixels
    assert not preview[y0:y1, x0:x1].any()
    outside = np.ones(own.shape[:2], np.bool_)
    outside[y0:y1, x0:x1] = False
    np.testing.assert_array_equal(preview[outside], own[outside])
