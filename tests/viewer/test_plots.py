"""What every plot can do: values under the pointer, zoom, export, description, theme, and what it says of no data."""

from __future__ import annotations

import csv
import importlib
import pkgutil
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
from viewer.widgets import charts
from viewer.widgets.charts.activation_curve import ActivationCurve
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.charts.channel_image import ChannelImage
from viewer.widgets.charts.class_curves import ClassCurve, ClassCurves, ReliabilityChart
from viewer.widgets.charts.class_matrix import ClassMatrix
from viewer.widgets.charts.confusion_matrix import MatrixChart
from viewer.widgets.charts.histogram import BinPlot, IoUHistogram, LevelHistogram, TwoHistograms, ValueHistogram
from viewer.widgets.charts.kl_bars import KLBars
from viewer.widgets.charts.layer_curves import LayerCurve, LayerCurves
from viewer.widgets.charts.loss_curves import LossCurves
from viewer.widgets.charts.noise_curve import NoiseCurve
from viewer.widgets.charts.path_plots import Lane, PathPlots
from viewer.widgets.charts.plot import Plot
from viewer.widgets.charts.point_map import PointMap
from viewer.widgets.charts.precision_recall import CurveChart, Line
from viewer.widgets.charts.proof_curves import Curve, ShareChart
from viewer.widgets.charts.threshold_histogram import ThresholdHistogram

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


def layers(values: Any) -> Plot:
    plot = LayerCurves("Size by layer", logarithmic=True)
    names = [f"layer{number}" for number in range(9)]
    plot.set_curves(names, [LayerCurve("Box", values, 0), LayerCurve("Class", values * 2, 1)])
    return plot


def noise(values: Any) -> Plot:
    plot = NoiseCurve("Steganography test")
    plot.set_curve(np.float32(20 * SHARE), values, values / 10, np.float32(SHARE))
    return plot


def losses(values: Any) -> Plot:
    plot = LossCurves("Losses along the path")
    plot.show_curves(SHARE, np.stack([values, 3 * values]), ["IoU", "L1"], bottom="Place", mark=0.5, chosen=1)
    return plot


def roc(values: Any) -> Plot:
    plot = ClassCurves("ROC", across="Wrong", up="Right", chance=True)
    plot.set_curves([ClassCurve("All", -1, SHARE, values), ClassCurve("cat", 0, SHARE, values / 2)])
    return plot


def reliability(counts: Any) -> Plot:
    plot = ReliabilityChart("Reliability diagram")
    plot.set_bins(SHARE[1::2], SHARE[1::2] / 2, counts)
    return plot


def classes(counts: Any) -> Plot:
    plot = ClassMatrix("Confusion of classes")
    plot.set_counts(["cat", "dog", "owl"][: len(counts)], counts)
    return plot


def activation(values: Any) -> Plot:
    plot = ActivationCurve("Inputs over the curve")
    plot.show_call(np.array([1, 5, 9, 2]), 2.0, np.linspace(-2, 2, 9), values, np.ones(9))
    return plot


def thresholds(counts: Any) -> Plot:
    plot = ThresholdHistogram("Boxes by their highest IoU")
    plot.show_counts(counts, counts // 2, counts // 4, fg=0.7, bg=0.3, movable=True)
    return plot


def levels(values: Any) -> Plot:
    plot = LevelHistogram("Values of the map")
    plot.show_map(values, low=0.0, high=1.0, colours="sequential")
    return plot


def channel(values: Any) -> Plot:
    plot = ChannelImage("Channel")
    plot.show_values(values.reshape(3, 3), low=0.0, high=1.0, colours="sequential")
    return plot


def points(values: Any) -> Plot:
    plot = PointMap("Data set map")
    plot.line = lambda point: f"picture {point}"
    plot.show_points(np.stack([SHARE, values], 1).astype(np.float32), np.full(9, 0xFF00FF00, np.uint32))
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
    "layers": Case(
        lambda: layers(FALL),
        (4, float(np.log10(FALL[4]))),
        f"layer4: Box {FALL[4]:.3g}, Class {2 * FALL[4]:.3g}",
        {"Box_y": FALL, "Class_y": 2 * FALL},
        lambda: layers(NAN),
    ),
    "noise": Case(
        lambda: noise(FALL),
        (5, float(FALL[2])),
        f"Noise 5: error {FALL[2]:.2f} ± {FALL[2] / 10:.2f}; the noise itself changes 0.25",
        {"Error of the cycle_y": FALL, "Spread_y": FALL / 10},
        lambda: noise(NAN),
    ),
    "losses": Case(
        lambda: losses(FALL),
        (0.5, 3 * float(FALL[4])),
        f"L1: {3 * FALL[4]:.4g} at 0.5",
        {"IoU_y": FALL, "L1_y": 3 * FALL},
        lambda: losses(NAN),
    ),
    "roc": Case(
        lambda: roc(FALL),
        (0.25, float(FALL[2])),
        f"All: 0.250, {FALL[2]:.3f}",
        {"All_y": FALL, "cat_x": SHARE},
        lambda: roc(NAN),
    ),
    "reliability": Case(
        lambda: reliability(np.array([4, 0, 2, 1])),
        (0.1, 0.05),
        "4 pictures with a confidence of 12.5% on average, 6.2% of them right",
        {"Pictures_y": [4, 2, 1], "Right_y": SHARE[[1, 5, 7]] / 2},
        lambda: reliability(np.zeros(4, np.int64)),
    ),
    "classes": Case(
        lambda: classes(COUNTS),
        (2.5, 1.5),
        "3 pictures of dog taken for owl",
        {"Taken for owl_y": COUNTS[:, 2]},
        lambda: classes(COUNTS[:0, :0]),
    ),
    "activation": Case(
        lambda: activation(FALL),
        (0.5, 0.3),
        f"0.5: function {FALL[5]:.3g}, derivative 1; 9 inputs near it",
        {"Inputs_y": [1, 5, 9, 2], "Function_y": FALL},
        lambda: activation(NAN),
    ),
    "thresholds": Case(
        lambda: thresholds(np.array([9, 4, 16, 8])),
        (0.6, 1),
        "IoU 0.50 to 0.75: 16 boxes, 8 positives and 4 negatives taken",
        {"All_y": [9, 4, 16, 8], "Positive_y": [4, 2, 8, 4]},
        lambda: thresholds(np.zeros(4, np.int64)),
    ),
    "levels": Case(
        lambda: levels(np.array([0.1, 0.1, 0.1, 0.9])),
        (0.1, 0.5),
        "0.0938 to 0.125: 3 cells",
        {"Levels_x": [0, 1]},
        lambda: levels(NAN),
    ),
    "channel": Case(
        lambda: channel(FALL),
        (2, 1),
        f"Row 1, column 2: {FALL[5]:.6g}",
        {"Row 1_y": FALL[3:6]},
        lambda: channel(NAN),
    ),
    "points": Case(
        lambda: points(FALL),
        (float(SHARE[3]), float(FALL[3])),
        "picture 3",
        {"Data set map_x": SHARE.astype(np.float32), "Data set map_y": FALL},
        lambda: points(NAN),
    ),
}
GAPS = {"shares": shares, "layers": layers, "noise": noise, "losses": losses, "roc": roc, "activation": activation}
GAPS |= {"one": one, "levels": levels, "channel": channel, "points": points}


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


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("make", GAPS.values(), ids=GAPS)
def test_a_plot_with_a_gap_shows_the_other_values(make: Callable[[Any], Plot], odd: float, qtbot: QtBot) -> None:
    values = FALL.copy()
    values[4] = odd
    plot = shown(qtbot, lambda: make(values))
    assert not plot.message and np.isfinite(plot.axes[0].vb.viewRange()).all()
    plot.grab()
    plot.explain(QPointF(plot.rect().center()))
    assert plot.text()


def test_every_plot_is_asked_all_of_this(qtbot: QtBot) -> None:
    for module in pkgutil.iter_modules(charts.__path__, f"{charts.__name__}."):
        importlib.import_module(module.name)
    known, waiting = set[type[Plot]](), [Plot]
    while waiting:
        found = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith(charts.__name__)]
        known |= set(found)
        waiting += found
    assert known - {BinPlot} == {type(shown(qtbot, case.make)) for case in CASES.values()}


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
