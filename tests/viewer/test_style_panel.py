"""The Style panel: what it asks for first, the picture with its film and losses, weights that act later, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.viewer.explained import classifier, picture
from viewer.canvas.layers import Overlay
from viewer.menus import picture_files
from viewer.panels.style import NO_STYLE, StylePanel

Make = Callable[..., Any]


def test_the_style_of_a_second_picture_is_put_on_the_open_one(desk: Make, tmp_path: Path) -> None:
    folder = tmp_path / "styles"
    folder.mkdir()
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.window.docks.show("style")
    d.settle()
    panel = d.panel(StylePanel)
    assert panel.words.text() == NO_STYLE and "style" not in d.session.wanted
    assert not panel.picture.isVisibleTo(panel)
    d.store.update(d.document.with_value("style", style=str(picture(folder, seed=1)), steps=4, size=40))
    d.until(lambda: "style" in d.session.results and not d.session.results["style"][1].meta["partial"])
    result = d.session.results["style"][1]
    assert panel.words.text() == result.meta["text"] and "The style makes" in panel.words.text()
    assert isinstance(panel.layers(d.document)[0], Overlay)
    panel.over.setChecked(False)
    assert not panel.layers(d.document)
    step = int(result.arrays["film_steps"][-1])
    panel.film.picked.emit(len(result.arrays["film_steps"]) - 1)
    loss = float(result.arrays["losses"][step].sum())
    assert panel.readout.text() == f"After {step} steps: loss {loss:.4g}"
    assert sum(row["share"] for row in result.meta["terms"]) == pytest.approx(1)
    # A weight that is changed after the last step makes the picture again, with that weight from its first.
    assert panel.weights is not None
    panel.weights.committed.emit("style_weight", 40.0)
    assert d.document.values("style")["style_weight"] == 40.0 and "changes" not in d.document.values("style")
    d.until(lambda: d.session.results["style"][0].settings.get("style_weight") == 40.0)
    d.until(lambda: not d.session.results["style"][1].meta["partial"])
    written = picture_files.export(d.window, "style", tmp_path / "made.png")
    assert {path.name for path in written} == {"made.png", "made.gif", "made.json", "made.recipe.json"}
