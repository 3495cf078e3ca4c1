"""torchvision's detector families: parity of its own builds, anchors, ties, label 0, opening without weights."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from test_staged import DETECTORS, NETWORKS, answered, assert_same, expected, picture, spread
from torch import nn
from torchvision.models import detection

from models.adapters.fcos import FcosAdapter
from models.adapters.rcnn import RcnnAdapter
from models.adapters.retinanet import RetinaNetAdapter
from models.adapters.ssd import SsdAdapter
from models.cards import card
from models.cards.card import Card
from models.detection.decision import label_ids
from models.detection.report import as_coco
from models.engine import registry
from models.loading import architectures
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.truth.types import Truth
from models.types import Refusal, Result

DENSE = [RetinaNetAdapter, FcosAdapter]


@pytest.mark.parametrize("name", ["retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn"])
def test_one_stage_builds_equal_their_own_forward(name: str) -> None:
    torch.manual_seed(0)
    net = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=5, min_size=160, max_size=224)
    model = registry.adapt(spread(net, factor=1.0), Card("random", classes=tuple("vwxyz")))
    pixels = picture(120, 160)
    oracle = expected(net, pixels)
    assert len(oracle["boxes"]) > 3
    assert 0 in oracle["labels"]
    assert_same(answered(model, pixels), oracle)


@pytest.mark.parametrize("adapter", DENSE)
def test_equal_scores_beyond_the_top_k_are_chosen_as_torchvision_does(adapter: Any) -> None:
    """Scores that saturate are equal; which of them a top-k takes is up to it, and must not depend on our floor."""
    net: Any = adapter.tiny()
    with torch.no_grad():
        logits = net.head.classification_head.cls_logits
        logits.weight.mul_(4000)
        logits.bias.copy_(torch.linspace(-40, 40, len(logits.bias)))
        if adapter is FcosAdapter:
            net.head.regression_head.bbox_ctrness.bias.fill_(60)
        net.score_thresh = 0.3
    model = registry.adapt(net, Card("tiny", classes=tuple("abcd")))
    oracle = expected(net, picture(120, 160))
    with torch.inference_mode():
        top = model.candidates(picture(120, 160), {}, CachedStages(Cache(), "test", Context())).score
    assert (top == top.max()).sum() > net.topk_candidates
    assert_same(answered(model, picture(120, 160)), oracle)


@pytest.mark.parametrize("kind", ["ssd", "few of many", "rcnn"])
def test_scores_that_tie_at_1_come_in_torchvisions_order(kind: str) -> None:
    """Scores of a network that is sure round to exactly 1: many of them are equal, in every class."""
    adapter: Any = RcnnAdapter if kind == "rcnn" else SsdAdapter
    net: Any = adapter.tiny()
    with torch.no_grad():
        if kind == "rcnn":
            net.roi_heads.box_predictor.cls_score.weight.mul_(0)
            net.roi_heads.box_predictor.cls_score.bias.copy_(torch.tensor([0.0, 60.0, 60.0, 0.0]))
            net.roi_heads.score_thresh = 0.2
        else:
            for each in net.head.classification_head.module_list:
                each.weight.mul_(3000)
                each.bias.copy_(torch.randn(len(each.bias), generator=torch.Generator().manual_seed(0)) * 40)
            net.score_thresh, net.topk_candidates = (0.3, 20) if kind == "ssd" else (0.999, 7)
    model = registry.adapt(net.eval(), Card("tiny", classes=("background", "a", "b", "c")))
    pixels = picture(120, 160)
    oracle = expected(net, pixels)
    scores = oracle["scores"]
    assert len(scores) > 5 and (scores == scores[0]).sum() > 5
    assert_same(answered(model, pixels), oracle)


@pytest.mark.parametrize("adapter", DETECTORS, ids=lambda a: a.__name__)
def test_anchors_are_those_of_torchvisions_generator(adapter: Any) -> None:
    net: Any = adapter.tiny().eval()
    model = registry.adapt(net, Card("tiny", classes=("background", *"abc")))
    pixels = picture(90, 150)
    generator = net.rpn.anchor_generator if hasattr(net, "rpn") else net.anchor_generator
    found: list[torch.Tensor] = []
    hook = generator.register_forward_hook(lambda module, _, out: found.append(out[0]))
    oracle_images = net.transform([torch.from_numpy(pixels).permute(2, 0, 1).float() / 255])[0]
    expected(net, pixels)
    hook.remove()
    height, width = oracle_images.image_sizes[0]
    drawn = found[0].numpy() * np.array([150 / width, 90 / height] * 2, np.float32)
    stages = CachedStages(Cache(), "test", Context())
    with torch.inference_mode():
        own = model.evidence(pixels, {}, stages).origins
        assert hasattr(model, "anchors") != (adapter is FcosAdapter)
        if hasattr(model, "anchors"):
            assert np.array_equal(model.anchors(pixels, stages).boxes, own.boxes)
    np.testing.assert_allclose(own.boxes, drawn, rtol=1e-4, atol=1e-3)
    assert own.start[-1] == len(drawn) == (own.grid.prod(1) * own.per_cell).sum()


def test_each_kind_of_torchvisions_detectors_has_one_adapter() -> None:
    kinds = {each for each in vars(detection).values() if isinstance(each, type) and issubclass(each, nn.Module)}
    assert kinds <= {*NETWORKS} and len(DETECTORS) == len(NETWORKS)
    assert all(sum(adapter.match(kind.__new__(kind)) for adapter in DETECTORS) == 1 for kind in NETWORKS)


def test_an_anchor_free_model_says_so() -> None:
    model = registry.adapt(FcosAdapter.tiny(), Card("tiny", classes=tuple("abcd")))
    description = registry.describe(model)
    assert "HasAnchors" not in description.capabilities and "Traces" in description.capabilities
    assert description.offers["anchors"].reason == "tiny is anchor-free: each cell of its grids gives one box."
    with torch.inference_mode():
        evidence = model.evidence(picture(96, 96), {}, CachedStages(Cache(), "test", Context()))
    assert evidence.anchor_free and not evidence.has_background
    sides = evidence.origins.boxes[:, 2:] - evidence.origins.boxes[:, :2]
    assert {tuple(side) for side in sides.round().tolist()} == {(8, 8), (16, 16), (32, 32)}


def test_label_0_is_a_class_unless_its_name_says_background() -> None:
    assert card.label_ids(("__background__", "a", "N/A", "b")) == (1, 3)
    assert card.label_ids(("background", "a")) == (1,)
    assert card.label_ids(("cat", "dog")) == (0, 1)
    assert label_ids("cat", ("cat", "dog")) == {0}
    with pytest.raises(Refusal):
        label_ids("background", ("background", "a"))
    truth = Truth("own", "coco", ("Dog", "cat", "background"), ())
    assert truth.label_ids(("cat", "dog")).tolist() == [1, 0, -1]
    assert truth.label_ids(("background", "cat")).tolist() == [-1, 1, -1]


@pytest.mark.parametrize("adapter", DENSE)
def test_a_real_class_0_is_found_hidden_and_reported(adapter: Any) -> None:
    net = spread(adapter.tiny(), factor=2.0)
    names = ("cat", "dog", "cow", "owl")
    model = registry.adapt(net, Card("tiny", classes=names))
    full = answered(model, picture(120, 160), max_detections=1000)
    assert 0 in full.arrays["labels"]
    some = answered(model, picture(120, 160), max_detections=1000, hidden="cat")
    assert np.array_equal(some.arrays["ids"], full.arrays["ids"][full.arrays["labels"] != 0])
    result = Result(full.arrays, {**full.meta, "size": (160, 120)})
    coco = json.loads(as_coco([(Request("detect", "tiny"), result)]))
    assert coco["categories"] == [{"id": i, "name": name} for i, name in enumerate(names)]


@pytest.mark.parametrize("name", ["fcos_resnet50_fpn", "retinanet_resnet50_fpn", "keypointrcnn_resnet50_fpn"])
def test_an_architecture_opens_by_name_without_weights(name: str) -> None:
    model = registry.open_model(name)
    assert model.card.title == f"{card.ARCHITECTURES[name]} (no weights)"
    assert model.card.about["note"] == card.NO_WEIGHTS
    assert len(model.card.classes) == (2 if name.startswith("keypoint") else 91)
    assert not any(p.requires_grad for p in model.net.parameters())
    assert all(bool(p.isfinite().all()) for p in model.net.parameters())
    first = next(model.net.head.parameters() if hasattr(model.net, "head") else model.net.parameters())
    again = architectures.untrained(name, classes=len(model.card.classes))
    same = next(again.head.parameters() if hasattr(again, "head") else again.parameters())  # type: ignore[union-attr]
    assert torch.equal(first, same) and first.std() > 0
    before = torch.random.get_rng_state()
    architectures.untrained("fasterrcnn_mobilenet_v3_large_320_fpn", classes=2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_every_architecture_has_a_builder_and_torchvision_has_no_other() -> None:
    from torchvision.models import list_models

    assert set(list_models(module=detection)) == set(card.ARCHITECTURES)
    assert set(card.ARCHITECTURES) < set(architectures.BUILDERS)


def test_loading_leaves_nothing_unfilled(tmp_path: Any) -> None:
    """Random numbers are left out before weights are loaded: every tensor must then come from the file."""
    from safetensors.torch import save_file

    torch.manual_seed(3)
    net = architectures.build("fasterrcnn_mobilenet_v3_large_320_fpn", classes=4).eval()
    save_file(net.state_dict(), str(tmp_path / "own.safetensors"))
    opened = registry.open_model(str(tmp_path / "own.safetensors"))
    state = opened.net.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    ours = dict(opened.net.named_buffers())
    assert all(torch.equal(value, ours[key]) for key, value in net.named_buffers())


@pytest.mark.parametrize("points", [5, 17])
def test_key_point_weights_tell_how_many_points_there_are(points: int) -> None:
    with torch.device("meta"):
        state = architectures.build(architectures.KEYPOINTS, classes=3, points=points).state_dict()
    assert architectures.points_in(state) == points
    assert architectures.recognise(state) == (architectures.KEYPOINTS, 3)


@pytest.mark.parametrize("name", architectures.EPS_0)
def test_published_weights_get_the_epsilon_they_were_trained_with(name: str) -> None:
    with torch.device("meta"):
        net = architectures.build(name, classes=91)
        other = architectures.build("fcos_resnet50_fpn", classes=91)
    architectures.set_frozen_eps(net, name, {})
    architectures.set_frozen_eps(other, "fcos_resnet50_fpn", {})
    assert {m.eps for m in net.modules() if isinstance(m, nn.BatchNorm2d)} == {0.0}
    assert 0.0 not in {m.eps for m in other.modules() if isinstance(m, nn.BatchNorm2d)}
