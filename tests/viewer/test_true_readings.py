"""What is on screen is true: one value for one place, of the map that is shown; the engine's state at every moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from models.latent import anatomy
from models.requests import Request
from viewer.canvas.layers import Heat
from viewer.canvas.view import Pointer
from viewer.presenters import heatmap
from viewer.presenters.heatmap import Look
from viewer.session.document import Document
from viewer.session.job_queue import Jobs
from viewer.window.status_bar import Status


@pytest.mark.parametrize("look", [Look(), Look(smooth=False), Look(sign=heatmap.ABSOLUTE), Look(sign=heatmap.POSITIVE)])
def test_a_map_is_read_by_its_own_values_as_it_is_drawn(look: Look) -> None:
    values = np.random.default_rng(0).normal(size=(7, 9)).astype(np.float32)
    extent = (10.0, 20.0, 100.0, 90.0)
    layer = heatmap.heat_layer(values, extent, look)
    # Cells are 10 pixels wide and high; between their centres, torch's interpolation is the reference.
    fine = interpolate(torch.from_numpy(values)[None, None], scale_factor=10, mode="bilinear", align_corners=False)
    drawn = fine[0, 0].numpy() if look.smooth else np.kron(values, np.ones((10, 10), np.float32))
    for x, y in ((10.5, 20.5), (55.5, 61.5), (99.5, 89.5), (30.5, 30.5)):
        assert heatmap.value_of(layer, x, y) == pytest.approx(float(drawn[int(y - 20), int(x - 10)]), abs=1e-5)
    assert heatmap.value_of(layer, 5.0, 25.0) is None and heatmap.reading(layer, 5.0, 25.0) == ""


def test_a_cell_beside_an_unknown_one_has_its_own_value() -> None:
    values = np.array([[1.0, np.nan]], np.float32)
    assert heatmap.value_at(values, (0, 0, 2, 1), 0.5, 0.5, between=True) == 1.0
    assert heatmap.value_at(values, (0, 0, 2, 1), 1.5, 0.5) is None


@pytest.mark.parametrize(("smooth", "words"), [(False, "in its cell"), (True, "between cells")])
def test_the_status_bar_says_whether_it_is_a_cells_value(qtbot: Any, smooth: bool, words: str) -> None:
    from PySide6.QtWidgets import QStatusBar

    bar = QStatusBar()
    qtbot.addWidget(bar)
    status = Status(bar)
    values = np.arange(4, dtype=np.float32).reshape(2, 2)
    layer = Heat("attribution", values, (0.0, 0.0, 10.0, 10.0), 0.0, 3.0, smooth=smooth)
    status.show_pointer(Pointer(7.5, 2.5, (1, 2, 3)), [layer])
    assert status.pixel.text().endswith(f"attribution {heatmap.number(1.0)} {words}")
    status.show_pointer(Pointer(16.0, 2.0, (1, 2, 3)), [layer])
    assert "attribution" not in status.pixel.text()


class Lane:
    def start(self, post: Any) -> None: ...
    def stop(self) -> None: ...
    def restart(self) -> None: ...
    def reaches(self, path: str) -> bool:
        return True

    def submit(self, number: int, request: Request) -> None: ...
    def cancel(self, number: int) -> None: ...


def test_a_lost_engine_is_not_ready_at_any_moment() -> None:
    said: list[tuple[str, str]] = []
    jobs = Jobs(Lane(), lambda event, *values: said.append((event, jobs.state)))  # type: ignore[arg-type]
    assert jobs.state == "starting"
    jobs.handle(("ready", {}))
    jobs.handle(("lost", -9))
    assert said == [("ready", "ready"), ("lost", "restarting")]
    assert jobs.state == "restarting"
    jobs.handle(("ready", {}))
    assert jobs.state == "ready"
    for _ in range(4):
        jobs.handle(("lost", 1))
    assert jobs.state == "stopped"
    jobs.stop()


def test_a_picture_that_was_open_before_the_model_waits_until_it_is_asked_for() -> None:
    from models.types import Source

    photo, digit = Source.file("photo.jpg"), Source.file("digit.png")
    document = Document((photo,), model="digits-ssd").with_model("digits-vae")
    assert document.latent.unasked == photo
    assert document.with_model("digits-vae?device=cpu").latent.unasked == photo
    assert Document((digit,), model="digits-vae").latent.unasked is None


def test_a_photograph_in_a_vae_of_digits_is_outside_and_a_digit_is_not() -> None:
    from pathlib import Path

    from models.engine.engine import Engine
    from models.types import Result, Source

    engine, assets = Engine(threads=1), Path(__file__).resolve().parents[2] / "assets"
    for name in ("digits-vae", "digits-vae-2d"):
        for inspection in ("elbo", "reconstruct"):
            for path in sorted((assets / "digits").glob("[0-9].png")):
                found = engine.run(Request.make(inspection, name, Source.file(path), {}))
                assert isinstance(found, Result) and found.meta["outside"] == "", (name, path.name)
            for path in (assets / "photos").glob("*.jpg"):
                found = engine.run(Request.make(inspection, name, Source.file(path), {}))
                assert isinstance(found, Result)
                assert found.meta["outside"].startswith(anatomy.OUTSIDE), (name, path.name)
                assert found.meta["outside"].endswith(anatomy.MEANINGLESS)
