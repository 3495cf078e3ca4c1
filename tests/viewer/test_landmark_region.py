"""The Landmarks panel asks about the figure in the rectangle that was drawn, where the network looks at a box."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.cards.card import Card
from models.engine import registry
from models.types import Source
from viewer.panels.landmarks import LandmarkPanel
from viewer.session.document import Document

transformers: Any = pytest.importorskip("transformers", reason="the extra transformers is not installed")
pytest.importorskip("scipy", reason="ViTPose's processor needs scipy")


def test_a_drawn_rectangle_is_asked_about_where_boxes_are_looked_at() -> None:
    from models.adapters.any_landmarks import AnyLandmarksAdapter
    from models.adapters.hugging_face_pose import HuggingFacePose
    from models.hugging_face.pose import PoseCrop

    processor = transformers.VitPoseImageProcessor(size={"height": 64, "width": 64})
    net = HuggingFacePose.tiny()
    model = registry.adapt(net, Card("net"), preparation=PoseCrop(processor))
    document = replace(
        Document(), model="net", sources=(Source.file(Path("a.png")),), current=0, region=(1.0, 2.0, 30.5, 40.0)
    )
    request = LandmarkPanel.wants(document, registry.describe(model))
    assert request is not None and dict(request.params)["region"] == "1.0,2.0,30.5,40.0"
    assert model.class_names(net) == ("point 1", "point 2", "point 3", "point 4")
    with torch.inference_mode(False):
        other = registry.adapt(AnyLandmarksAdapter.tiny(), Card("net"))
    asked = LandmarkPanel.wants(document, registry.describe(other))
    assert asked is not None and not dict(asked.params).get("region")
