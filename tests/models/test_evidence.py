"""Evidence against the candidates of the same settings and against torchvision's own stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_staged import picture, spread
from torchvision.models.detection.transform import resize_boxes

from models.cards.card import Card
from models.detection.evidence import Evidence
from models.engine import registry
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Candidates

ADAPTERS = [a for a in registry.adapter_classes() if hasattr(a, "evidence")]
RPN_SETTINGS = [{}, {"rpn_score": 0.45, "rpn_iou": 0.5, "rpn_top_n": 20}]


def both(adapter: Any, settings: dict[str, Any]) -> tuple[Any, Candidates, Evidence]:
    net = adapter.tiny()
    if hasattr(net, "transform"):  # torchvision's call by lists
        net = spread(net, factor=2.0)
    own = getattr(adapter, "classes", None)  # of miniatures without background
    classes = own if isinstance(own, tuple) else ("background", "a", "b", "c")
    model = registry.adapt(net, Card("tiny", classes=classes))
    stages = CachedStages(Cache(), "test", Context())
    with torch.inference_mode():
        found = model.candidates(picture(120, 160), settings, stages)
        return model, found, model.evidence(picture(120, 160), settings, stages)


@pytest.mark.parametrize("settings", RPN_SETTINGS, ids=["own", "other"])
@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.__name__)
def test_every_candidate_is_in_the_evidence(adapter: Any, settings: dict[str, Any]) -> None:
    model, found, evidence = both(adapter, settings)
    assert len(found) > (5 if "hugging_face" in adapter.__module__ else 20)  # tiny ones ask few queries
    row = found.proposal if model.defaults.keys() & {"rpn_iou"} else found.anchor
    assert np.array_equal(evidence.source[row], found.anchor)
    column = found.label
    np.testing.assert_allclose(evidence.scores(row)[np.arange(len(row)), column], found.score, rtol=1e-5)
    boxes = evidence.decoded(row)[np.arange(len(row)), column]
    np.testing.assert_allclose(boxes, found.boxes, atol=1e-4)
    np.testing.assert_allclose(evidence.drawn(boxes), found.drawn, atol=1e-4)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.__name__)
def test_every_origin_is_scored_or_weighed(adapter: Any) -> None:
    model, _, evidence = both(adapter, {})
    classes = len(model.card.classes)
    count = len(evidence.origins.boxes)
    if evidence.objectness is None:
        assert np.array_equal(evidence.source, np.arange(count))
    else:
        assert len(evidence.objectness) == count
        assert evidence.regions is not None and evidence.regions.shape == (count, 4)
    some = np.array([0, len(evidence.source) - 1])
    scores = evidence.scores(some)
    assert scores.shape == (2, classes)
    assert evidence.decoded(some).shape == (2, classes, 4)
    if evidence.has_background:
        np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("settings", RPN_SETTINGS, ids=["own", "other"])
@pytest.mark.parametrize("adapter", [a for a in ADAPTERS if hasattr(a, "proposes")], ids=lambda a: a.__name__)
def test_pool_and_proposals_are_those_of_torchvisions_rpn(adapter: Any, settings: dict[str, Any]) -> None:
    model, found, evidence = both(adapter, settings)
    net = model.net
    pixels = torch.from_numpy(picture(120, 160)).permute(2, 0, 1).float() / 255
    own = net.rpn.score_thresh, net.rpn.nms_thresh, dict(net.rpn._post_nms_top_n)
    net.rpn.score_thresh = settings.get("rpn_score", own[0])
    net.rpn.nms_thresh = settings.get("rpn_iou", own[1])
    net.rpn._post_nms_top_n["testing"] = settings.get("rpn_top_n", own[2]["testing"])
    with torch.inference_mode():
        images, _ = net.transform([pixels])
        features = net.backbone(images.tensors)
        expected = net.rpn(images, features)[0][0]
    net.rpn.score_thresh, net.rpn.nms_thresh = own[:2]
    net.rpn._post_nms_top_n.update(own[2])

    assert evidence.pool is not None and evidence.proposals is not None
    assert evidence.regions is not None and evidence.objectness is not None
    assert np.array_equal(evidence.source, evidence.pool[evidence.proposals])
    assert np.array_equal(evidence.regions[evidence.source], expected.numpy())
    drawn = resize_boxes(expected, list(images.image_sizes[0]), [120, 160]).numpy()
    assert np.array_equal(found.proposals, drawn)
    assert np.array_equal(found.objectness, evidence.objectness[evidence.source])
    assert len(expected) > 5
