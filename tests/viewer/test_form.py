"""Rows and the form made from parameters: type, slide, step, reset, grey with a reason."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionFrame, QStyleOptionSlider, QWidget
from pytestqt.qtbot import QtBot

from models.params import Parameter
from viewer.widgets.controls.fields import CheckRow, ChoiceRow, TextRow
from viewer.widgets.controls.form import ALL_OWN, Form
from viewer.widgets.controls.row import Row
from viewer.widgets.controls.slider import SliderRow

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen platform has none

PARAMETERS = (
    Parameter("score", "Score", "float", 0.05, help="Boxes below it are hidden."),
    Parameter("top", "Most boxes", "int", 100, low=0, high=2000, step=1),
    Parameter("sigma", "Smoothing", "float", 12.5, low=0, high=64, step=0.5, unit="px"),
    Parameter("agnostic", "One NMS over all classes", "bool", False),
    Parameter("method", "Method", "choice", "hard", choices=("hard", "soft")),
    Parameter("only", "Only these classes", "text", ""),
)


class Heard:
    """What a row or a form said, in order."""

    def __init__(self, source: Row | Form) -> None:
        self.said: list[tuple[object, ...]] = []
        source.changed.connect(self.change)
        source.committed.connect(self.commit)

    def change(self, *what: object) -> None:
        self.said.append(("changed", *what))

    def commit(self, *what: object) -> None:
        self.said.append(("committed", *what))


@pytest.fixture
def row(qtbot: QtBot) -> SliderRow:
    made = SliderRow("Score", value=0.5, help="Boxes below it are hidden.")
    qtbot.addWidget(made)
    made.resize(400, 32)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    return made


@pytest.fixture
def form(qtbot: QtBot) -> Form:
    made = Form(PARAMETERS)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    return made


def slider(form: Form, name: str) -> SliderRow:
    found = form.rows[name]
    assert isinstance(found, SliderRow)
    return found


def enter(qtbot: QtBot, row: SliderRow, text: str) -> None:
    row.entry.setFocus()
    row.entry.selectAll()
    qtbot.keyClicks(row.entry, text)
    qtbot.keyClick(row.entry, Qt.Key.Key_Return)


def handle(slider: QSlider) -> QPoint:
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()


def wheel(target: QWidget) -> None:
    middle = QPointF(target.rect().center())
    event = QWheelEvent(
        middle,
        target.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(target, event)


def test_setting_from_code_is_shown_and_not_emitted(row: SliderRow) -> None:
    heard = Heard(row)
    row.set_value(0.25)
    row.set_default(0.05)
    assert (row.value, row.slider.value(), row.entry.text()) == (0.25, 25, "0.25")
    assert heard.said == []


def test_typing_moves_the_slider_and_emits_once(qtbot: QtBot, row: SliderRow) -> None:
    heard = Heard(row)
    enter(qtbot, row, "0.37")
    row.entry.clearFocus()
    assert row.slider.value() == 37
    assert heard.said == [("changed", 0.37), ("committed", 0.37)]


@pytest.mark.parametrize(
    ("typed", "value", "text"),
    [
        ("7", 1.0, "1.00"),
        ("-3", 0.0, "0.00"),
        ("0,3", 0.3, "0.30"),
        ("0.375", 0.375, "0.375"),
        ("1e-1", 0.1, "0.10"),
        ("-", 0.5, "0.50"),
        ("x", 0.5, "0.50"),
    ],
)
def test_what_is_typed_is_brought_into_range(qtbot: QtBot, row: SliderRow, typed: str, value: float, text: str) -> None:
    enter(qtbot, row, typed)
    assert (row.value, row.entry.text()) == (value, text)


def test_a_value_finer_than_the_entry_survives_a_visit(qtbot: QtBot, row: SliderRow) -> None:
    row.set_value(1 / 3)
    heard = Heard(row)
    row.entry.setFocus()
    qtbot.keyClick(row.entry, Qt.Key.Key_Return)
    row.slider.setFocus()
    assert row.value == 1 / 3
    assert heard.said == []


@pytest.mark.parametrize("part", ["slider", "label"])
def test_a_double_click_goes_back_to_the_models_own(qtbot: QtBot, row: SliderRow, part: str) -> None:
    row.set_default(0.05)
    row.set_value(0.8)
    heard = Heard(row)
    target = getattr(row, part)
    qtbot.mouseDClick(target, Qt.MouseButton.LeftButton, pos=handle(row.slider) if part == "slider" else QPoint(4, 4))
    assert heard.said == [("changed", 0.05), ("committed", 0.05)]
    assert (row.slider.value(), row.entry.text()) == (5, "0.05")


@pytest.mark.parametrize(
    ("key", "value"),
    [(Qt.Key.Key_Right, 0.51), (Qt.Key.Key_Down, 0.49), (Qt.Key.Key_PageUp, 0.6), (Qt.Key.Key_PageDown, 0.4)],
)
@pytest.mark.parametrize("part", ["slider", "entry"])
def test_keys_step(qtbot: QtBot, row: SliderRow, part: str, key: Qt.Key, value: float) -> None:
    if part == "entry" and key == Qt.Key.Key_Right:
        key = Qt.Key.Key_Up
    heard = Heard(row)
    getattr(row, part).setFocus()
    qtbot.keyClick(getattr(row, part), key)
    assert heard.said == [("changed", value), ("committed", value)]


def test_a_drag_emits_on_the_way_and_commits_at_its_end(qtbot: QtBot, row: SliderRow) -> None:
    heard = Heard(row)
    row.changed.connect(row.set_value)  # the echo of the store
    start = handle(row.slider)
    qtbot.mousePress(row.slider, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(row.slider, start + QPoint(30, 0))
    qtbot.mouseMove(row.slider, start + QPoint(60, 0))
    assert [what for what, _ in heard.said] == ["changed", "changed"]
    qtbot.mouseRelease(row.slider, Qt.MouseButton.LeftButton, pos=start + QPoint(60, 0))
    assert heard.said[-1] == ("committed", row.value)
    assert len(heard.said) == 3
    assert row.value == row.slider.value() / 100 > 0.5


def test_a_click_beside_the_handle_goes_there_and_holds_on(qtbot: QtBot, row: SliderRow) -> None:
    heard = Heard(row)
    end = QPoint(row.slider.width() - 1, row.slider.height() // 2)
    qtbot.mouseClick(row.slider, Qt.MouseButton.LeftButton, pos=end)
    assert heard.said == [("changed", 1.0), ("committed", 1.0)]


def test_a_click_between_two_steps_goes_to_the_nearer(qtbot: QtBot) -> None:
    row = SliderRow("Octaves", low=0, high=4, step=1, whole=True)
    qtbot.addWidget(row)
    row.resize(400, 32)
    with qtbot.waitExposed(row):
        row.show()
    heard = Heard(row)
    place = QPoint(round(row.slider.width() * 0.4), row.slider.height() // 2)
    qtbot.mouseClick(row.slider, Qt.MouseButton.LeftButton, pos=place)
    assert heard.said == [("changed", 2), ("committed", 2)]


@pytest.mark.parametrize("part", ["slider", "entry"])
def test_the_wheel_needs_the_focus(row: SliderRow, part: str) -> None:
    target = getattr(row, part)
    other = row.entry if part == "slider" else row.slider
    other.setFocus()
    wheel(target)
    assert row.value == 0.5
    target.setFocus()
    wheel(target)
    assert row.value != 0.5


def test_whole_numbers_stay_whole(qtbot: QtBot) -> None:
    row = SliderRow("Most boxes", low=1, high=2000, step=1, value=100, whole=True)
    qtbot.addWidget(row)
    heard = Heard(row)
    enter(qtbot, row, "250")
    assert heard.said == [("changed", 250), ("committed", 250)]
    assert all(type(value) is int for _, value in heard.said)
    assert row.slider.value() == 249


def test_the_last_step_reaches_the_end_of_the_range(qtbot: QtBot) -> None:
    row = SliderRow("Factor", low=0.1, high=1.0, step=0.4, value=0.1)
    qtbot.addWidget(row)
    row.slider.setFocus()
    qtbot.keyClick(row.slider, Qt.Key.Key_End)
    assert row.value == 1.0


@pytest.mark.parametrize(
    ("low", "high", "step", "unit"), [(0, 1, 0.01, ""), (-1000, 1000, 0.001, "px"), (0, 2000, 1, "")]
)
def test_no_digit_is_cut_off(qtbot: QtBot, low: float, high: float, step: float, unit: str) -> None:
    row = SliderRow("Size", low=low, high=high, step=step, unit=unit)
    qtbot.addWidget(row)
    row.resize(260, 32)
    with qtbot.waitExposed(row):
        row.show()
    fine = row.entry.decimals()
    for value in (low, high - (10**-fine if fine else 0)):
        row.set_value(value)
        option = QStyleOptionFrame()
        line = row.entry.lineEdit()
        line.initStyleOption(option)
        room = line.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, line).width() - 4
        assert line.fontMetrics().horizontalAdvance(row.entry.text()) <= room


def test_a_greyed_control_says_why(row: SliderRow) -> None:
    row.set_enabled_reason(False, "This model has no scores.")
    assert not row.slider.isEnabled()
    assert not row.entry.isEnabled()
    assert row.reason.isVisible()
    assert row.reason.text() == "This model has no scores."
    for part in (row, row.slider, row.entry):
        assert "This model has no scores." in part.toolTip()
        assert "This model has no scores." in part.accessibleDescription()
    row.set_enabled_reason(True)
    assert row.slider.isEnabled()
    assert not row.reason.isVisible()
    assert "no scores" not in row.slider.accessibleDescription()


def test_the_models_own_value_is_told(row: SliderRow) -> None:
    row.set_default(0.05)
    assert "Model's own value: 0.05" in row.slider.toolTip()
    assert row.slider.mark == 5
    assert (row.slider.accessibleName(), row.entry.accessibleName()) == ("Score", "Score, value")


def test_a_form_goes_round_over_every_kind(form: Form) -> None:
    heard = Heard(form)
    values = {"score": 0.37, "top": 7, "sigma": 3.5, "agnostic": True, "method": "soft", "only": "cat"}
    form.set_values({**values, "unknown": 3})
    assert form.values == values
    assert heard.said == []
    agnostic, method, only = form.rows["agnostic"], form.rows["method"], form.rows["only"]
    assert isinstance(agnostic, CheckRow)
    assert isinstance(method, ChoiceRow)
    assert isinstance(only, TextRow)
    assert agnostic.box.isChecked()
    assert method.box.currentText() == "soft"
    assert only.line.text() == "cat"
    assert slider(form, "sigma").entry.text() == "3.5 px"


def test_a_form_tells_by_name_what_the_user_did(qtbot: QtBot, form: Form) -> None:
    heard = Heard(form)
    enter(qtbot, slider(form, "top"), "99999")
    enter(qtbot, slider(form, "sigma"), "3")
    agnostic, method, only = form.rows["agnostic"], form.rows["method"], form.rows["only"]
    assert isinstance(agnostic, CheckRow)
    assert isinstance(method, ChoiceRow)
    assert isinstance(only, TextRow)
    qtbot.mouseClick(agnostic.label, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(agnostic.box, Qt.MouseButton.LeftButton, pos=QPoint(8, agnostic.box.height() // 2))
    qtbot.keyClick(method.box, Qt.Key.Key_Down)
    qtbot.keyClicks(only.line, "ab")
    qtbot.keyClick(only.line, Qt.Key.Key_Return)
    pairs = [("top", 2000), ("sigma", 3.0), ("agnostic", True), ("agnostic", False), ("method", "soft")]
    expected = [(what, *pair) for pair in pairs for what in ("changed", "committed")]
    texts = [("changed", "only", "a"), ("changed", "only", "ab"), ("committed", "only", "ab")]
    assert heard.said == [*expected, *texts]


def test_reset_is_offered_only_when_something_differs(qtbot: QtBot, form: Form) -> None:
    assert not form.reset.isEnabled()
    assert form.reset.accessibleDescription() == ALL_OWN
    enter(qtbot, slider(form, "score"), "0.4")
    assert form.reset.isEnabled()
    with qtbot.waitSignal(form.reset_requested, timeout=1000):
        qtbot.mouseClick(form.reset, Qt.MouseButton.LeftButton)
    form.set_applicable({"score": "This model has no scores."})
    assert not form.reset.isEnabled()
    form.set_applicable({"score": ""})
    assert form.reset.isEnabled()
    form.set_defaults({"score": 0.4})
    assert not form.reset.isEnabled()


def test_neighbours_with_one_reason_show_it_once(form: Form) -> None:
    form.set_applicable({"score": "No boxes.", "top": "No boxes.", "method": "No boxes."})
    assert [name for name, row in form.rows.items() if row.reason.isVisible()] == ["top", "method"]
    assert [name for name, row in form.rows.items() if not row.label.isEnabled()] == ["score", "top", "method"]
    assert "No boxes." in slider(form, "score").slider.accessibleDescription()


def test_rows_align_and_every_control_has_a_name(qtbot: QtBot, form: Form) -> None:
    form.resize(320, 400)
    rows = [slider(form, name) for name in ("score", "top", "sigma")]
    qtbot.waitUntil(lambda: len({row.slider.x() for row in rows}) == 1)
    assert len({row.entry.x() for row in rows}) == 1
    assert all(control.accessibleName() for row in form.rows.values() for control in row._controls)
    assert form.minimumSizeHint().width() <= 288


def test_a_form_without_parameters_is_empty(qtbot: QtBot) -> None:
    form = Form([])
    qtbot.addWidget(form)
    form.set_values({"nothing": 1})
    assert not form.values and not form.reset.isEnabled()
