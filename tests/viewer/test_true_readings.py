"""What is on screen is true: one value for one place, of the map that is shown; the engine's state at every moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.latent import anatomy
from models.requests import Request
from viewer.canvas.layers import Heat
from viewer.canvas.view import Pointer
from viewer.presenters import heatmap
from viewer.presenters.attribution import number
from viewer.presenters.heatmap import Look
from viewer.session.document import Document
from viewer.session.job_queue import Jobs
from viewer.window.status_bar import Status, heat_at


@pytest.mark.parametrize("look", [Look(), Look(smooth=False), Look(sign=heatmap.ABSOLUTE), Look(sign=heatmap.POSITIVE)])
def test_the_status_bar_reads_the_maps_own_cells_however_it_is_drawn(look: Look) -> None:
    values = np.random.default_rng(0).normal(size=(7, 9)).astype(np.float32)
    extent = (10.0, 20.0, 100.0, 90.0)
    layer = heatmap.heat_layer(values, extent, look)
    for x, y in ((10.0, 20.0), (55.3, 61.9), (99.9, 89.9), (30.0, 30.0)):
        own = heatmap.value_at(values, extent, x, y)
        assert own is not None and heat_at(layer, x, y) == own
    assert np.isnan(heat_at(layer, 5.0, 25.0))


def test_the_status_bar_says_that_it_is_the_cells_value(qtbot: Any) -> None:
    from PySide6.QtWidgets import QStatusBar

    bar = QStatusBar()
    qtbot.addWidget(bar)
    status = Status(bar)
    values = np.arange(4, dtype=np.float32).reshape(2, 2)
    layer = Heat("attribution", values, (0.0, 0.0, 10.0, 10.0), 0.0, 3.0)
    status.show_pointer(Pointer(6.0, 2.0, (1, 2, 3)), [layer])
    assert status.pixel.text().endswith(f"attribution {number(1.0)} in its cell")
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
