"""The Segmentation panel with a network that counts things: its segments are listed, painted and explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.loading.opened_model import Opened
from viewer.panels.segmentation import SegmentationPanel

pytest.importorskip("transformers", reason="the extra transformers is not installed")
NAME = "lraspp_mobilenet_v3_large"
CLASSES = ("a", "b", "c", "d")
CAT = Path(__file__).resolve().parents[2] / "assets" / "photos" / "cat.jpg"


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Iterator[None]:
    """Have the name of a segmenter open a miniature whose queries are sure of their classes."""
    from models.adapters.hugging_face_instances import HuggingFaceInstances

    net: Any = HuggingFaceInstances.tiny()
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=2.0 / parameter[0].numel() ** 0.5)
        net.class_predictor.weight.mul_(8)
    card = Card(NAME, task="segmentation", classes=CLASSES, about={"preprocessing": {"crop": 64, "fit": "stretch"}})
    opened = registry.opened

    def small(name: str, context: Any = None) -> Any:
        if not name.startswith(NAME):
            return opened(name, context)
        return HuggingFaceInstances(net.eval().requires_grad_(False), card), Opened(net, card)

    monkeypatch.setattr(registry, "opened", small)
    yield
    engine._models.pop(NAME, None)


def test_segments_are_counted_painted_and_explained_by_their_class(desk: Callable[..., Any]) -> None:
    one = desk(CAT, model=NAME)
    panel: SegmentationPanel = one.panel(SegmentationPanel)
    one.settle()
    assert panel.summary.text().startswith(tuple("1234")) and "classes" in panel.summary.text()
    panel.form.changed.emit("counted", True)
    one.settle()
    wanted = one.direct("panoptic")
    segments = [n for n in wanted.arrays["classes"].tolist() if n]
    assert segments, "the miniature is sure of some"
    rows, columns = wanted.meta["input"]
    assert panel.summary.text() == f"{len(segments)} segments, seen at {columns} × {rows} pixels"
    shown = {line[0]: line for line in panel.table.rows.lines}
    for place, segment in enumerate(wanted.arrays["classes"].tolist()):
        assert shown[segment][1:] == (
            wanted.meta["names"][segment],
            pytest.approx(float(wanted.arrays["share"][place])),
            pytest.approx(float(wanted.arrays["mean"][place])),
        )
    assert np.array_equal(one.layer("classes").labels, wanted.arrays["labels"])
    panel.table.chosen.emit(segments[0])
    assert one.store.document.target == CLASSES[int(wanted.arrays["of_class"][segments[0]])]
