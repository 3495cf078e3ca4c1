"""The proof of a map in the window: asked while looked at, its curves and numbers, what is said, copied, written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QGuiApplication

from models import recipe
from models.requests import Request
from models.types import Result
from tests.viewer.explained import classifier, picture
from viewer.menus import maps
from viewer.panels.proof import CAUTION, NO_METHOD, ProofPanel
from viewer.presenters import faithfulness
from viewer.widgets.charts.proof_curves import Curve, ShareChart

Make = Callable[..., Any]


@pytest.fixture
def proved(desk: Make, tmp_path: Path) -> Any:
    """A window in which a map of integrated gradients was put to the proof."""
    d = desk(picture(tmp_path), picture(tmp_path, seed=1), model=classifier(tmp_path))
    d.run("panel-proof")
    few = d.document.with_value("proof", squares=8, nudges=1)
    d.store.update(few.explaining(method="integrated_gradients", target="dog"), title="Explain")
    finish(d)
    return d


def panel(d: Any) -> ProofPanel:
    return d.panel(ProofPanel)


def finish(d: Any) -> None:
    """Wait until the proof of the map shown is whole."""

    def whole() -> bool:
        d.engine.finish_idle()
        d.session.tick()
        shown = panel(d).shown
        return shown is not None and shown[0] == d.session.wanted.get(faithfulness.SLOT) and "twin" in shown[1].arrays

    d.until(whole)
    d.settle()


def direct(d: Any, **params: Any) -> Result:
    """The engine's own proof, whole."""
    request = Request.make("proof", d.document.model, d.document.source, params)
    answer = d.engine.run(request)
    while isinstance(answer, Result) and answer.meta.get("partial"):
        d.engine.finish_idle()
        answer = d.engine.run(request)
    assert isinstance(answer, Result), answer
    return answer


def test_nothing_is_asked_until_a_map_is_shown_and_looked_at(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.run("panel-proof")
    d.settle()
    assert panel(d).empty.text() == NO_METHOD and faithfulness.SLOT not in d.session.wanted
    d.store.update(d.document.explaining(method="saliency"), title="Explain")
    assert d.session.wanted[faithfulness.SLOT].settings["method"] == "saliency"
    d.run("panel-proof")
    assert faithfulness.SLOT not in d.session.wanted


def test_what_is_shown_are_the_engines_numbers(proved: Any) -> None:
    wanted, shown = direct(proved, method="integrated_gradients", target="dog"), panel(proved)
    assert shown.shown is not None
    for name in ("levels", "deletion", "insertion", "map", "twin"):
        assert np.array_equal(shown.shown[1].arrays[name], wanted.arrays[name]), name
    assert shown.verdict.text() == wanted.meta["verdict_text"]
    assert wanted.meta["twin_text"] in shown.details.text()
    assert f"{wanted.meta['draws']} random maps" in shown.verdict.text() and wanted.meta["draws"] == 5
    assert f"of {wanted.meta['draws']} random" in shown.deletion.accessibleDescription()
    assert shown.caution.text() == CAUTION and "not whether the network is right" in CAUTION
    for chart, name in ((shown.deletion, "deletion"), (shown.insertion, "insertion")):
        said = chart.accessibleDescription()
        for area in wanted.meta[f"{name}_areas"]:
            assert f"{area:.3f}" in said
    assert [tile.values is not None for tile in shown.grid.tiles] == [True, True]
    assert np.array_equal(shown.grid.tiles[1].values, wanted.arrays["twin"])


def test_the_area_in_the_legend_is_that_under_the_curve_drawn(proved: Any) -> None:
    shown = panel(proved).shown
    assert shown is not None
    levels = shown[1].arrays["levels"].astype(np.float64)
    for name in ("deletion", "insertion"):
        for row, area in zip(shown[1].arrays[name], shown[1].meta[f"{name}_areas"], strict=True):
            assert np.trapezoid(row.astype(np.float64), levels) == pytest.approx(area, abs=1e-5)


def test_the_map_shown_tells_its_completeness(proved: Any) -> None:
    own = proved.direct("integrated_gradients", target="dog")
    assert f"{own.meta['delta']:.2%}" in panel(proved).details.text()
    proved.store.update(proved.document.explaining(method="saliency"), title="Explain")
    finish(proved)
    assert "Completeness" not in panel(proved).details.text()


def test_the_methods_own_settings_and_layer_are_proved(proved: Any) -> None:
    proved.store.update(proved.document.with_value("integrated_gradients", baseline="blur"), title="Baseline")
    asked = proved.session.wanted[faithfulness.SLOT].settings
    assert json.loads(asked["settings"]) == {"baseline": "blur"} and asked["target"] == "dog"
    assert "previous settings" in panel(proved).state.text(), "the last proof stays, and says what it is"
    finish(proved)
    assert not panel(proved).state.text()
    layers = proved.direct("layers").meta
    proved.store.update(proved.document.explaining(method="grad_cam", layer=layers["automatic"]), title="Layer")
    asked = proved.session.wanted[faithfulness.SLOT].settings
    assert json.loads(asked["settings"]) == {"layer": layers["automatic"]}


def test_what_cannot_be_proved_says_why_in_the_panel_alone(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.run("panel-proof")
    d.store.update(d.document.explaining(method="saliency", target="dog", against="dog"), title="Explain")
    d.until(lambda: "cannot be set against itself" in panel(d).empty.text())
    assert len([text for text in d.messages if "against itself" in text]) <= 1, "only the map's own failure is told"
    assert not panel(d).copy.isEnabled() and not panel(d).ready


def test_another_picture_takes_its_proof_away(proved: Any) -> None:
    before = panel(proved).shown
    proved.session.step(1)
    proved.until(lambda: proved.document.current == 1)
    assert panel(proved).shown is not before
    finish(proved)
    shown = panel(proved).shown
    assert shown is not None and shown[0].source == proved.document.source


def test_numbers_are_copied_and_curves_written(proved: Any, tmp_path: Path) -> None:
    shown = panel(proved).shown
    assert shown is not None
    panel(proved).copy.click()
    copied = dict(line.split("\t") for line in QGuiApplication.clipboard().text().splitlines() if "\t" in line)
    assert copied["Area under deletion, this map"] == f"{shown[1].meta['deletion_areas'][0]:.4f}"
    assert copied["Spearman's ρ to the twin"] == f"{shown[1].meta['correlation']:.4f}"

    (table, first) = maps.export_proof(proved.window, tmp_path / "curves.csv")
    with table.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    draws = shown[1].meta["draws"]
    assert rows[0][0] == "share" and len(rows) == len(shown[1].arrays["levels"]) + 1
    assert len(rows[0]) == 7 + 2 * draws and rows[0][-1] == f"insertion, random {draws}"
    read = np.array([[float(value) for value in row] for row in rows[1:]])
    assert np.allclose(read[:, 1:4].T, shown[1].arrays["deletion"], rtol=1e-4, atol=1e-6)
    assert np.allclose(read[:, 4:7].T, shown[1].arrays["insertion"], rtol=1e-4, atol=1e-6)
    assert np.allclose(read[:, 7 + draws :].T, shown[1].arrays["insertion_draws"], rtol=1e-4, atol=1e-6)

    body = json.loads(maps.export_proof(proved.window, tmp_path / "p.json")[0].read_text(encoding="utf-8"))
    assert body["insertion_areas"] == pytest.approx(shown[1].meta["insertion_areas"])
    assert body["completeness_delta"] == panel(proved).delta and body["verdict_text"] == panel(proved).verdict.text()
    again = recipe.read(first).request
    assert again.settings["method"] == "integrated_gradients" and again.settings["target"] == "dog"
    (tmp_path / "file").write_text("")
    assert maps.export_proof(proved.window, tmp_path / "file" / "p.json") == []


def test_a_chart_tells_the_value_of_the_nearest_point(qtbot: Any) -> None:
    chart = ShareChart("Deletion", "Share")
    qtbot.addWidget(chart)
    chart.resize(320, 240)
    share = np.linspace(0, 1, 5)
    values = np.array([1.0, 0.5, 0.25, np.nan, 0.0])
    chart.set_curves([Curve("This map", share, values, 0.4, 0)], low=0.0, high=1.0)
    chart.grab()
    assert chart.explain(chart.place_of(0.25, 0.5) + QPointF(3, 2)) == "This map at 25%: 0.5"
    assert not chart.explain(QPointF(chart.field().right(), chart.field().top()))
