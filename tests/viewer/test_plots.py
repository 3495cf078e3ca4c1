"""What every plot can do: values under the pointer, zoom, export, description, theme, and what it says of no data."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from viewer import theme
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.charts.confusion_matrix import MatrixChart
from viewer.widgets.charts.histogram import IoUHistogram, TwoHistograms, ValueHistogram
from viewer.widgets.charts.kl_bars import KLBars
from viewer.widgets.charts.path_plots import Lane, PathPlots
from viewer.widgets.charts.plot import Plot
from viewer.widgets.charts.precision_recall import CurveChart, Line
from viewer.widgets.charts.proof_curves import Curve, ShareChart

RNG = np.random.default_rng(4)
NORMAL = RNG.normal(size=300).astype(np.float32)
SHARE = np.linspace(0, 1, 9)
FALL = np.exp(-3 * SHARE).astype(np.float32)
TINY = np.full(9, 1e-12)
COUNTS = np.array([[50, 1, 2], [0, 70, 3], [4, 6, 0]])
KL = np.array([0.5, 2.25, 0.001], np.float32)


class Case(NamedTuple):
    """A plot with data in it: a place with the words expected there, and columns that the export must hold."""

    make: Callable[[], Plot]
    at: tuple[float, float]
    words: str
    columns: dict[str, Any]
    empty: Callable[[], Plot]


def bars(parts: list[float]) -> Plot:
    plot = BarChart("Recall funnel")
    plot.set_bars(
        [Bar(name, part, f"{part:.0%}") for name, part in zip(("Anchors", "<b>NMS", "C"), parts, strict=True)]
    )
    return plot


def shares(values: Any) -> Plot:
    plot = ShareChart("Deletion", "Share taken away")
    both = [Curve("<i>This", SHARE, values, 0.4, 0), Curve("Random", SHARE, values * TINY, 0.5, 1)]
    plot.set_curves(both, low=0, high=1)
    return plot


def curves(precision: Any) -> Plot:
    plot = CurveChart("Precision and recall")
    plot.set_lines([Line(f"Class {n}", n, SHARE, precision, 1 - SHARE, (0.5, 0.5)) for n in range(-1, 30)])
    return plot


def best(counts: list[int]) -> Plot:
    plot = IoUHistogram("Best IoU")
    plot.show_counts(counts, mark=0.5, other=[2] * len(counts))
    return plot


def two(values: Any, mark: float) -> Plot:
    plot = TwoHistograms("Scores", ("Real", "Made", "This"))
    plot.show_values(values, values + 1, mark=mark)
    return plot


def one(values: Any) -> Plot:
    plot = ValueHistogram("Values")
    plot.show_values(values)
    return plot


def divergences(values: Any) -> Plot:
    plot = KLBars("KL divergence")
    plot.show_values(values, quiet=values < 0.01, other=values * 2)
    return plot


def lanes(values: Any) -> Plot:
    plot = PathPlots("Numbers along the path")
    plot.set_lanes([Lane("Length", SHARE, values, 0.0, 1.0, (0.2, 0.4)), Lane("Step", SHARE, values, 0.0, 1.0)])
    return plot


def matrix(counts: Any) -> Plot:
    plot = MatrixChart("Confusion")
    plot.set_counts(["cat", "dog", "background"][: len(counts)], counts)
    return plot


NAN = np.full(9, np.nan)
COUNTED, EDGES = np.histogram(NORMAL, 32)
CASES = {
    "bars": Case(
        lambda: bars([1, 0.5, 0.25]),
        (0.3, 1),
        "<b>NMS: 50%",
        {"Share_y": [1, 0.5, 0.25]},
        lambda: bars([np.nan] * 3),
    ),
    "shares": Case(
        lambda: shares(FALL),
        (0.25, float(FALL[2])),
        f"<i>This at 25%: {FALL[2]:.4g}",
        {"<i>This_y": FALL, "Random_y": FALL * TINY},
        lambda: shares(NAN),
    ),
    "curves": Case(
        lambda: curves(1 - SHARE),
        (0.5, 0.5),
        "score 0.500: recall 0.500, precision 0.500",
        {"Class 3 recall, precision_y": 1 - SHARE, "Class 3 recall, score_x": SHARE},
        lambda: curves(NAN),
    ),
    "best": Case(
        lambda: best([3, 4, 5, 6]),
        (0.6, 2),
        "Best IoU 0.50 to 0.75: 5 objects, 2 in outline",
        {"Objects by best IoU_y": [3, 4, 5, 6]},
        lambda: best([0, 0]),
    ),
    "two": Case(
        lambda: two(NORMAL, 0.5),
        (float(NORMAL.min()) + 0.05, 0.01),
        "Real 0.7%, Made 0.0%",
        {"This_x": [0.5]},
        lambda: two(NORMAL[:0], np.nan),
    ),
    "one": Case(
        lambda: one(NORMAL),
        (float(EDGES[16]) + 1e-3, 1),
        f": {COUNTED[16]} places",
        {"Values_y": COUNTED},
        lambda: one(NAN),
    ),
    "divergences": Case(
        lambda: divergences(KL),
        (0, 1),
        "z1: 2.250 nats; 4.500 over the folder",
        {"KL in nats_y": KL[[1, 0, 2]]},
        lambda: divergences(NAN),
    ),
    "lanes": Case(
        lambda: lanes(FALL),
        (0.5, 0.5),
        f"Length {FALL[4]:.3g}.",
        {"Length_y": FALL, "Step_x": SHARE},
        lambda: lanes(NAN),
    ),
    "matrix": Case(
        lambda: matrix(COUNTS),
        (1.5, 0.5),
        "1 objects of cat detected as dog",
        {"Detected as dog_y": COUNTS[:, 1]},
        lambda: matrix(COUNTS[:0, :0]),
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def shown(qtbot: QtBot, make: Callable[[], Plot]) -> Plot:
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # of the plots of earlier tests
    plot = make()
    qtbot.addWidget(plot)
    plot.resize(420, 260)
    plot.show()
    QApplication.processEvents()
    return plot


def columns(text: str, separator: str) -> dict[str, list[str]]:
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    return {name: [row[at] for row in rows[1:] if row[at]] for at, name in enumerate(rows[0])}


def test_a_plot_says_what_is_under_the_pointer_and_exports_its_data(case: Case, qtbot: QtBot, tmp_path: Path) -> None:
    plot = shown(qtbot, case.make)
    place = plot.place_of(*case.at)
    assert case.words in plot.explain(place)
    assert plot.value_at(place) == pytest.approx(case.at, abs=1e-6)
    none = Qt.MouseButton.NoButton
    over = QMouseEvent(QEvent.Type.MouseMove, place, place, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(plot.viewport(), over)
    assert plot.readout and not plot.explain(QPointF(-50, -50))
    assert plot.accessibleName() and plot.accessibleDescription()
    assert not [menu for menu in plot.findChildren(QMenu) if menu.isVisible()]
    plot.write(tmp_path / "plot.csv")
    for separator, text in ((",", (tmp_path / "plot.csv").read_text()), ("\t", plot.text())):
        table = columns(text, separator)
        for name, values in case.columns.items():
            wanted = np.asarray(values)
            assert np.array_equal(np.array(table[name], np.float64).astype(wanted.dtype), wanted), name
    for suffix in (".png", ".svg"):
        plot.write(tmp_path / f"plot{suffix}")
        assert not QImage(str(tmp_path / f"plot{suffix}")).isNull()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_plot_zooms_and_pans_by_keys_and_shows_all_again(case: Case, qtbot: QtBot) -> None:
    plot = shown(qtbot, case.make)
    first = plot.axes[0].vb.viewRange()
    plot.setFocus()
    QTest.keyClick(plot, Qt.Key.Key_Plus)
    zoomed = plot.axes[0].vb.viewRange()
    assert zoomed != first
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.axes[0].vb.viewRange() != zoomed
    moved = plot.axes[0].vb.viewRange()
    plot.redraw()
    assert plot.axes[0].vb.viewRange() == moved, "what is in view stays when the data changes"
    assert all(axes.vb.viewRange()[0] == moved[0] for axes in plot.axes)
    QTest.keyClick(plot, Qt.Key.Key_Home)
    assert np.allclose(plot.axes[0].vb.viewRange(), first)


def test_a_plot_without_finite_values_says_so(case: Case, qtbot: QtBot) -> None:
    plot = shown(qtbot, case.empty)
    assert plot.message.endswith((".", "yet.")) and plot.accessibleDescription() == plot.message
    assert not any(action.isEnabled() for action in plot.menu().actions())
    plot.grab()


def test_a_plot_follows_the_theme(case: Case, qtbot: QtBot) -> None:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    plot = shown(qtbot, case.make)
    pictures = {}
    for scheme in ("light", "dark"):
        theme.apply(application, scheme)
        QApplication.processEvents()
        pictures[scheme] = plot.grab().toImage()
        assert pictures[scheme].pixelColor(1, pictures[scheme].height() - 2) == theme.colours().panel
    assert pictures["light"] != pictures["dark"]


def test_the_menu_copies_and_saves(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = shown(qtbot, CASES["shares"].make)
    actions = {action.text(): action for action in plot.menu().actions()}
    actions["Copy data"].trigger()
    assert columns(QGuiApplication.clipboard().text(), "\t")["Random_x"]
    actions["Copy picture"].trigger()
    assert not QGuiApplication.clipboard().image().isNull()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "curves"), ""))
    actions["Save data as CSV…"].trigger()
    assert (tmp_path / "curves.csv").is_file() and plot.readout == "Saved curves.csv."
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "file" / "curves.png"), ""))
    actions["Save picture as PNG…"].trigger()
    assert "curves.png" in plot.readout and "Saved" not in plot.readout


def test_linked_plots_zoom_together(qtbot: QtBot) -> None:
    one_of_two, other = (shown(qtbot, CASES["shares"].make) for _ in range(2))
    one_of_two.link(other)
    one_of_two.setFocus()
    QTest.keyClick(one_of_two, Qt.Key.Key_Plus)
    assert other.plot.vb.viewRange()[0] == pytest.approx(one_of_two.plot.vb.viewRange()[0])
    other.show_all()
    assert one_of_two.plot.vb.viewRange()[0] == pytest.approx([-0.02, 1.02])
