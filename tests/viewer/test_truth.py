"""Ground truth in the window: opened, compared, followed through sliders and undo, wrong files told."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from models.cards.card import BUNDLED
from models.detection.matching import match
from models.pictures import reading
from models.requests import Request
from models.types import Result, Source
from viewer.canvas.layers import CORRECT, IGNORED, MISSED, TRUTH, WRONG
from viewer.panels.truth import TruthPanel

SSD = "digits-ssd"
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
Make = Callable[..., Any]


@pytest.fixture
def made(engine: Any, tmp_path: Path) -> Path:
    """A data set of two samples: the model's own boxes, the first with an error of each kind."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    data: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}
    data["categories"] = [{"id": k, "name": str(k)} for k in range(10)] + [{"id": 50, "name": "letter"}]
    for i, sample in enumerate(SAMPLES[:2]):
        shutil.copy(sample, folder / "images" / sample.name)
        found = engine.run(Request.make("detect", SSD, Source.file(sample)))
        assert isinstance(found, Result) and len(found.arrays["boxes"]) > 6
        width, height = found.meta["size"]
        data["images"].append({"id": i, "file_name": sample.name, "width": width, "height": height})
        for k, (box, label) in enumerate(zip(found.arrays["boxes"].tolist(), found.arrays["labels"], strict=True)):
            if i == 0 and k == 0:
                continue  # its detection is on nothing
            shift = 0.4 * (box[2] - box[0]) if i == 0 and k == 1 else 0
            digit = (int(label) - 1 + (i == 0 and k == 2)) % 10
            data["annotations"].append(note(data, i, digit, [box[0] + shift, box[1], box[2] + shift, box[3]]))
    data["annotations"].append(note(data, 0, 50, [1, 1, 30, 30]))
    data["annotations"].append(note(data, 0, 4, [2, height - 24, 26, height - 2]))
    data["annotations"].append(note(data, 1, 4, [5, 5, 5, 30]))
    (folder / "set.json").write_text(json.dumps(data))
    return folder


def note(data: dict[str, list[Any]], image: int, kind: int, box: list[float]) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    number = len(data["annotations"]) + 1
    return {"id": number, "image_id": image, "category_id": kind, "bbox": [x0, y0, x1 - x0, y1 - y0]}


def panel(d: Any) -> TruthPanel:
    return d.panel(TruthPanel)


def opened(d: Any, path: Path) -> None:
    before = len(d.messages)
    d.session.truths.open(path)
    d.until(lambda: len(d.messages) > before and not d.session.truths.reading)
    d.until(lambda: d.document.source is not None)
    d.settle()


def expected(d: Any, iou: float = 0.5) -> Any:
    """The matches of the shown detections, worked out from the files' own numbers."""
    picture = d.session.truth.of(d.document.source.path)
    names = [d.session.truth.classes[k] for k in picture.labels]
    ids = np.array([d.result.meta["classes"].index(n) if n in d.result.meta["classes"] else -1 for n in names])
    a = d.result.arrays
    keep = ids >= 0
    return match(a["boxes"], a["scores"], a["labels"], picture.boxes[keep], ids[keep], picture.crowd[keep], iou=iou)


def agrees(d: Any, iou: float = 0.5) -> None:
    """Whether layers, counts and list say what the matches say."""
    m, p = expected(d, iou), panel(d)
    layer, missed = d.layer("detections"), d.layer("missed")
    assert np.array_equal(layer.ids, d.result.arrays["ids"])
    assert np.array_equal(layer.colours, np.where(m.correct, CORRECT, WRONG))
    assert len(missed) == m.missed.sum() and set(missed.colours.tolist()) <= {MISSED}
    assert p.kinds["correct"].text() == f"Correct ({m.correct.sum()})"
    assert p.kinds["wrong"].text() == f"Wrong ({m.wrong.sum()})"
    assert p.kinds["missed"].text() == f"Missed ({m.missed.sum()})"
    right, found, there = int(m.correct.sum()), int((m.correct | m.wrong).sum()), int(m.missed.sum())
    precision = f"precision {m.precision:.2f} ({right} of {found})"
    assert p.counts.text() == f"This picture alone: {precision} · recall {m.recall:.2f} ({right} of {right + there})"
    assert p.mistakes.rowCount() == m.missed.sum() + m.wrong.sum()
    for row, text in enumerate(layer.texts):
        assert ("✓" in text) == bool(m.correct[row])


def test_opened_with_nothing_open_it_brings_its_pictures(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    assert not panel(d).list.isVisibleTo(panel(d)) and "Open ground truth" in panel(d).data_set.text()
    opened(d, made / "set.json")
    assert [s.name for s in d.document.sources] == [p.name for p in SAMPLES[:2]]
    assert d.document.truth == Source.file(made / "set.json") and d.store.history == ["Open set.json"]
    boxes = d.session.truth.boxes
    assert d.messages == [f"Imported 2 pictures, {boxes} boxes; 1 left out."]
    assert "annotation" in d.window.toasts.messages[0].details and "has no area" in panel(d).lines.toPlainText()
    assert d.window.docks.shown("truth")
    assert panel(d).data_set.text() == f"set · COCO\n2 pictures, {boxes} boxes"
    assert panel(d).warning.text() == "The model does not know letter: not counted."
    assert panel(d).data_set.toolTip().splitlines()[9:] == ["9 → 9", "letter → not known to the model"]
    agrees(d)


def test_every_kind_of_error_is_told(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    texts, m = d.layer("detections").texts, expected(d)
    assert m.wrong[:3].all() and m.missed.sum() >= 3
    assert texts[0].endswith("wrong: on nothing")
    assert "wrong: IoU with" in texts[1] and "only 0." in texts[1]
    assert "wrong: overlaps" in texts[2] and texts[2].endswith("IoU 1.00")
    lines = [panel(d).mistakes.text(row) for row in range(panel(d).mistakes.rowCount())]
    assert lines[0].startswith("Missed ") and any(line.endswith(": on nothing") for line in lines)


def test_everything_follows_the_sliders_and_undo(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    for score in (0.05, 0.9):
        d.set("score", score)
        agrees(d)
    entry = panel(d).iou.entry
    entry.setFocus()
    entry.selectAll()
    d.qtbot.keyClicks(entry, "0.95")
    d.qtbot.keyClick(entry, Qt.Key.Key_Return)
    assert d.document.view.truth_iou == 0.95 and d.store.undo_title == "Match IoU"
    agrees(d, 0.95)
    d.run("undo")
    d.settle()
    agrees(d)
    d.run("undo")
    d.settle()
    agrees(d)
    assert d.document.values("detect") == {"score": 0.05}


def test_hidden_classes_are_neither_found_nor_missed(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    before = expected(d)
    m, kinds = before, d.result.arrays["labels"]
    name = d.result.meta["classes"][kinds[np.flatnonzero(m.correct)[0]]]
    d.store.update(d.document.with_value("detect", hidden=name), title="Hide")
    d.settle()
    outcome = panel(d)._outcome
    assert outcome is not None
    assert name not in [outcome.object_name(row) for row in outcome.missed_rows.tolist()]
    assert (
        outcome.right == before.correct.sum() - (before.correct & (kinds == d.result.meta["classes"].index(name))).sum()
    )


def test_a_missed_object_can_be_chosen_on_the_picture_and_in_the_list(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    corner = d.layer("missed").boxes[:, 1].argmax()  # the one at the lower edge, on nothing else
    x0, y0, x1, y1 = d.layer("missed").boxes[corner].tolist()
    d.click((x0 + x1) / 2, (y0 + y1) / 2)
    assert d.document.region == (x0, y0, x1, y1) and d.document.selected == -1
    assert d.layer("missed").selected == corner
    assert d.document.region_label == panel(d).mistakes.outcome.meant(int(panel(d).mistakes.missed[corner])) != ""
    assert panel(d).list.currentIndex().row() == corner and panel(d).list.selectionModel().hasSelection()
    d.run("undo")
    assert d.document.region is None and not panel(d).list.selectionModel().hasSelection()
    d.run("panel-truth")
    d.run("panel-truth")
    panel(d).list.setFocus()
    panel(d).list.setCurrentIndex(panel(d).mistakes.index(0))
    assert d.document.region == tuple(d.layer("missed").boxes[0].tolist())
    for _ in range(panel(d).mistakes.rowCount()):
        d.qtbot.keyClick(panel(d).list, Qt.Key.Key_Down)
    wrong = panel(d).mistakes.wrong[-1]
    assert d.document.selected == d.result.arrays["ids"][wrong] and d.layer("detections").selected == wrong
    d.qtbot.keyClick(panel(d).list, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == panel(d).mistakes.text(panel(d).mistakes.rowCount() - 1)


def test_a_click_selects_the_right_box_when_others_are_not_drawn(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    d.qtbot.mouseClick(panel(d).kinds["wrong"], Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert d.document.view.truth_shown == ("correct", "missed")
    layer, m = d.layer("detections"), expected(d)
    assert set(layer.colours.tolist()) == {CORRECT} and len(layer) == m.correct.sum() < len(m.correct)
    row = int(np.flatnonzero(m.correct)[-1])
    x0, y0, x1, y1 = d.result.arrays["boxes"][row].tolist()
    d.click((x0 + x1) / 2, (y0 + y1) / 2)
    assert d.document.selected == d.result.arrays["ids"][row]
    assert d.layer("detections").ids[d.layer("detections").selected] == d.document.selected


def test_what_is_drawn_can_be_chosen_and_undone(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    for kind in ("missed", "truth"):
        d.qtbot.mouseClick(panel(d).kinds[kind], Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert d.layer("missed") is None
    outlines = d.layer("truth")
    assert outlines.dashed and set(outlines.colours.tolist()) == {TRUTH}
    assert len(outlines) == len(d.session.truth.of(d.document.source.path))
    d.run("outcomes")
    assert d.layer("truth") is None and np.array_equal(d.layer("detections").colours, d.result.arrays["labels"])
    for _ in range(3):
        d.run("undo")
    agrees(d)
    assert panel(d).kinds["missed"].isChecked() and not panel(d).kinds["truth"].isChecked()


def test_the_next_picture_has_its_own_and_one_outside_the_set_none(desk: Make, made: Path) -> None:
    d = desk(made / "images" / SAMPLES[1].name, SAMPLES[2], model=SSD)
    opened(d, made / "set.json")
    assert len(d.document.sources) == 2, "pictures that are open stay"
    m = expected(d)
    assert m.correct.all() and not m.missed.any()
    agrees(d)
    d.session.go(1)
    d.until(lambda: d.document.current == 1)
    d.settle()
    assert panel(d).counts.text() == "This picture is not in the ground truth."
    assert np.array_equal(d.layer("detections").colours, d.result.arrays["labels"]) and d.layer("missed") is None
    assert panel(d).mistakes.rowCount() == 0 and panel(d).kinds["wrong"].text() == "Wrong"


def test_closing_and_undo_bring_it_back_without_reading_it_again(desk: Make, made: Path) -> None:
    d = desk(SAMPLES[0], model=SSD)
    opened(d, made / "set.json")
    truth = d.session.truth
    d.run("undo")
    assert d.session.truth is None and d.document.truth is None
    d.run("redo")
    assert d.session.truth is truth and not d.session.truths.reading
    d.run("close-truth")
    assert d.session.truth is None and d.store.undo_title == "Close ground truth"
    d.run("undo")
    assert d.session.truth is truth


@pytest.mark.parametrize("what", ["gone.json", "broken.json", "detections.json", "empty"])
def test_wrong_files_are_told_and_leave_everything_as_it_was(desk: Make, made: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "broken.json").write_text('{"images": [}')
    (tmp_path / "detections.json").write_text("[]")
    (tmp_path / "empty").mkdir()
    d = desk(model=SSD)
    opened(d, made / "set.json")
    before, truth = d.document, d.session.truth
    d.session.truths.open(tmp_path / what)
    d.until(lambda: len(d.messages) > 1)
    d.settle()
    assert what in d.messages[1] or "not a data set" in d.messages[1]
    assert d.document == before and d.session.truth is truth and not d.session.truths.reading
    agrees(d)


def test_a_file_that_changed_or_vanished_is_told_once_and_read_again_when_asked(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    file = made / "set.json"
    opened(d, file)
    data = json.loads(file.read_text())
    data["annotations"] = data["annotations"][:3]
    file.write_text(json.dumps(data))
    for index in (1, 0):
        d.session.go(index)
        d.until(lambda index=index: d.document.current == index)
        d.settle()
    assert d.messages[1:] == ["The ground truth set.json changed on disk. F5 reads it again."]
    d.run("again")
    d.until(lambda: d.session.truth.boxes == 3)
    d.settle()
    assert d.messages[2:] == ["Imported 2 pictures, 3 boxes."] and d.document.truth == Source.file(file)
    agrees(d)
    file.unlink()
    d.session.go(1)
    d.until(lambda: len(d.messages) > 3)
    assert "no longer exists" in d.messages[3] and d.session.truth.boxes == 3


def test_dropped_json_is_never_a_picture(desk: Make, made: Path, tmp_path: Path) -> None:
    d = desk(SAMPLES[2], model=SSD)
    assert d.drop_files(made / "set.json") == "Drop to open the ground truth set.json"
    d.until(lambda: d.session.truth is not None)
    d.settle()
    assert [s.name for s in d.document.sources] == [SAMPLES[2].name]
    (tmp_path / "other.json").write_text('{"a": 1}')
    d.drop_files(tmp_path / "other.json")
    d.until(lambda: any("other.json has no images" in message for message in d.messages))
    d.until(lambda: any("set.json can also be a data set" in message for message in d.messages))
    assert not any("not a picture" in message or "other.json can" in message for message in d.messages)


def test_dropped_with_pictures_both_open(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    picture = made / "images" / SAMPLES[1].name
    assert d.drop_files(picture, made / "set.json") == "Drop to open pictures with the ground truth set.json"
    d.until(lambda: d.session.truth is not None and d.document.source is not None)
    d.settle()
    assert [s.path for s in d.document.sources] == [str(picture)]
    agrees(d)


def test_a_dropped_folder_opens_its_pictures_and_its_truth(desk: Make, made: Path, tmp_path: Path) -> None:
    root = tmp_path / "yolo"
    shutil.copytree(made / "images", root / "images")
    (root / "labels").mkdir()
    (root / "labels" / f"{SAMPLES[0].stem}.txt").write_text("3 0.5 0.5 0.2 0.2\n")
    (root / "labels" / f"{SAMPLES[1].stem}.txt").touch()
    (root / "classes.txt").write_text("\n".join("0123456789"))
    d = desk(SAMPLES[2], model=SSD)
    assert d.drop_files(root) == "Drop to open the folder yolo with its ground truth"
    d.until(lambda: d.session.truth is not None)
    d.settle()
    assert [s.path for s in d.document.sources] == [str(root / "images" / p.name) for p in SAMPLES[:2]]
    agrees(d)
    d.run("undo")
    d.until(lambda: d.document.source.path == str(SAMPLES[2]))
    d.settle()
    assert d.session.truth is None


def test_reading_can_be_cancelled(desk: Make, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    d = desk(model=SSD)
    kept = reading.read

    def endless(task: str, source: Source, option: int = 0, *, progress: Any = None) -> Any:
        if task != reading.TRUTH:
            return kept(task, source, option)
        while True:
            progress(0.5, "Reading")
            time.sleep(0.001)

    monkeypatch.setattr(reading, "read", endless)
    d.session.truths.open(made / "set.json")
    d.until(d.window.status.activity.isVisible)
    assert d.session.truths.reading
    d.run("cancel")
    assert not d.session.truths.reading and d.session.truth is None and d.document.truth is None
    assert d.messages == ["Cancelled. No ground truth was read."]


def test_the_dialogs_open_what_was_chosen(desk: Make, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    d = desk(SAMPLES[0], model=SSD)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(made / "set.json"), ""))
    d.run("open-truth")
    d.until(lambda: d.session.truth is not None)
    assert d.session.truth.kind == "COCO" and d.window.settings.last_folder == str(made)
    d.run("close-truth")
    (made / "classes.txt").write_text("\n".join("0123456789"))
    (made / "images" / f"{SAMPLES[0].stem}.txt").write_text("3 0.5 0.5 0.2 0.2\n")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(made))
    d.qtbot.mouseClick(panel(d).left_out, Qt.MouseButton.LeftButton)
    d.run("open-truth-folder")
    d.until(lambda: d.session.truth is not None)
    assert d.session.truth.kind == "YOLO" and [s.name for s in d.document.sources] == [SAMPLES[0].name]


def test_classes_that_the_truth_lacks_are_not_judged(desk: Make, made: Path) -> None:
    data = json.loads((made / "set.json").read_text())
    kept = {c["id"] for c in data["categories"][:3]}
    data["categories"] = data["categories"][:3]
    data["annotations"] = [a for a in data["annotations"] if a["category_id"] in kept]
    (made / "few.json").write_text(json.dumps(data))
    d = desk(model=SSD)
    opened(d, made / "few.json")
    labels = d.result.arrays["labels"]
    layer = d.layer("detections")
    assert (layer.colours[labels > 3] == IGNORED).all() and (labels > 3).any()
    assert all("not in the ground truth" in layer.texts[row] for row in np.flatnonzero(labels > 3))
    assert IGNORED not in layer.colours[labels <= 3]


def test_what_was_left_out_is_listed_when_asked(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    p = panel(d)
    assert p.left_out.text() == "1 left out" and not p.lines.isVisibleTo(p)
    d.qtbot.mouseClick(p.left_out, Qt.MouseButton.LeftButton)
    assert p.lines.isVisibleTo(p)


def test_the_command_lines_truth_opens_with_the_window(desk: Make, made: Path) -> None:
    from argparse import Namespace

    from viewer.app import _document

    options = Namespace(pictures=[], sample=False, model=SSD, show=[], beside="", truth=made / "set.json")
    document, failures = _document(options)
    assert document.truth == Source.file(made / "set.json") and not failures


def test_a_dropped_file_in_shares_and_a_list_of_another_tool_are_the_same_truth(made: Path, desk: Make) -> None:
    data = json.loads((made / "set.json").read_text())
    sizes = {each["id"]: (each["width"], each["height"]) for each in data["images"]}
    names = {each["id"]: each["name"] for each in data["categories"]}
    records = []
    for each in data["annotations"]:
        x, y, wide, high = each["bbox"]
        file = next(image["file_name"] for image in data["images"] if image["id"] == each["image_id"])
        corners = {"xmin": x, "ymin": y, "xmax": x + wide, "ymax": y + high}
        records.append({"image": file, "label": names[each["category_id"]], **corners})
        sides = (*sizes[each["image_id"]], *sizes[each["image_id"]])
        each["bbox"] = [value / side for value, side in zip(each["bbox"], sides, strict=True)]
    shares, listed = made / "shares.json", made / "records.json"
    shares.write_text(json.dumps(data))
    listed.write_text(json.dumps(records))
    d = desk(made / "images" / SAMPLES[0].name)
    opened(d, made / "set.json")
    wanted = d.session.truth.of(str(made / "images" / SAMPLES[0].name)).boxes
    for path in (shares, listed):
        d.drop_files(path)
        d.until(lambda path=path: d.session.truth is not None and d.session.truth.name == path.stem)
        d.settle()
        found = d.session.truth.of(str(made / "images" / SAMPLES[0].name)).boxes
        assert np.allclose(np.sort(found, axis=0), np.sort(wanted, axis=0), atol=1e-3)
    opened(d, shares)
    assert any("taken as shares" in note for note in d.session.truth.remarks)
