"""The bundled PixelCNN gives a digit its likelihood, draws another, and is found sound."""

from __future__ import annotations

import json
from pathlib import Path

from models.cards.card import DIGITS
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source


def test_a_digit_has_a_likelihood_and_a_drawing_replays() -> None:
    """The whole way: bundled weights, likelihood, film, and the same film again."""
    engine = Engine(threads=1)
    picture = Source.file(Path(DIGITS) / "3.png")
    found = engine.run(Request.make("pixel_likelihood", "digits-pixelcnn", picture, {}))
    assert isinstance(found, Result) and found.meta["nats"] < 150
    films = [engine.run(Request.make("pixel_film", "digits-pixelcnn", None, {"seed": 3})) for _ in range(2)]
    assert all(isinstance(film, Result) for film in films)
    first, again = films
    assert isinstance(first, Result) and isinstance(again, Result)
    assert (first.arrays["values"] == again.arrays["values"]).all() and 20 < first.meta["nats"] < 250
    audit = engine.run(Request.make("causality", "digits-pixelcnn", None, {"changed": 16}))
    assert isinstance(audit, Result) and audit.meta["leaking"] == 0
    card = json.loads((Path(DIGITS).parent / "models" / "digits-pixelcnn.json").read_text(encoding="utf-8"))
    assert card["task"] == "likelihood"
