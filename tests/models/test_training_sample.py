"""The sample and its losses against what torchvision's detectors return in training mode under the same seed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.adapters.fcos import FcosAdapter
from models.adapters.mask_rcnn import MaskRcnnAdapter
from models.adapters.rcnn import RcnnAdapter
from models.adapters.retinanet import RetinaNetAdapter
from models.adapters.ssd import SsdAdapter
from models.cards.card import Card
from models.detection import training_sample
from models.detection.anchor_match import no_truth
from models.detection.training_sample import RULES
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Result, Source

CLASSES = ("background", "a", "b", "c")
BOXES, LABELS = [[10.0, 12.0, 60.0, 58.0], [55.0, 30.0, 110.0, 80.0], [70.0, 5.0, 90.0, 25.0]], [1, 3, 2]


def opened(family: Any) -> Engine:
    engine = Engine(threads=1)
    engine._models["tiny"] = registry.adapt(family.tiny().eval(), Card("tiny", classes=CLASSES))
    return engine


def written(folder: Path, *, objects: bool = True) -> tuple[Source, str, np.ndarray]:
    pixels = np.random.default_rng(4).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    save_png(pixels, folder / "a.png")
    rows = [
        {"id": i, "image_id": 1, "category_id": k, "bbox": [x, y, u - x, v - y], "area": 1, "iscrowd": 0}
        for i, ((x, y, u, v), k) in enumerate(zip(BOXES, LABELS, strict=True), 1)
    ]
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "width": 120, "height": 90}],
        "annotations": rows if objects else [],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES) if i],
    }
    (folder / "truth.json").write_text(json.dumps(truth))
    return Source.file(folder / "a.png"), str(folder / "truth.json"), pixels


def in_training(net: nn.Module, pixels: np.ndarray, seed: int, boxes: list[Any]) -> dict[str, float]:
    """What the network itself returns in training mode, its normalisation frozen."""
    twin = copy.deepcopy(net).train()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d | nn.Dropout):
            module.eval()
    target = {
        "boxes": torch.tensor(boxes).reshape(-1, 4).float(),
        "labels": torch.tensor(LABELS[: len(boxes)]).long(),
        "masks": torch.zeros((len(boxes), 90, 120), dtype=torch.uint8),
    }
    torch.manual_seed(seed)
    with torch.no_grad():
        lost = twin([torch.from_numpy(pixels).permute(2, 0, 1).float() / 255], [target])
    return {name: float(value) for name, value in lost.items() if name != "loss_mask"}


def asked(engine: Engine, source: Source, **given: Any) -> Result:
    answer = engine.run(Request.make("training_sample", "tiny", source, given))
    assert not isinstance(answer, Failure), answer
    return answer


@pytest.mark.parametrize("objects", [True, False], ids=["objects", "none"])
@pytest.mark.parametrize(
    "family",
    [RcnnAdapter, MaskRcnnAdapter, SsdAdapter, RetinaNetAdapter, FcosAdapter],
    ids=lambda family: family.__name__,
)
def test_the_losses_are_those_of_the_network_in_training(family: Any, objects: bool, tmp_path: Path) -> None:
    engine = opened(family)
    source, truth, pixels = written(tmp_path, objects=objects)
    net = engine._models["tiny"].net
    if hasattr(net, "roi_heads"):  # quotas that bind, so that the draw matters, and several sizes to draw from
        net.roi_heads.fg_bg_sampler.batch_size_per_image = 16
        net.rpn.fg_bg_sampler.batch_size_per_image = 24
        net.rpn.proposal_matcher.low_threshold = 0.2
        net.transform.min_size = (80, 96)
    for seed in (0, 5):
        wanted = in_training(net, pixels, seed, BOXES if objects else [])
        found: dict[str, float] = {}
        for part in ("head", "rpn") if hasattr(net, "roi_heads") else ("",):
            given = {"part": part} if part else {}
            answer = asked(engine, source, truth=truth, seed=seed, **given)
            found |= answer.meta["losses"]
            if not objects:
                assert answer.meta["positive"] == 0 and answer.meta["negative"] == answer.meta["boxes"]
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            assert found[name] == pytest.approx(value, abs=1e-5, rel=1e-6), name


def test_quotas_hold_and_hard_negatives_come_first(tmp_path: Path) -> None:
    engine = opened(RcnnAdapter)
    source, truth, _ = written(tmp_path)
    for name, rule in RULES.items():
        answer = asked(engine, source, truth=truth, rule=name, count=20 if rule.count else -1, fg=0.3, bg=0.3)
        positives, negatives = answer.meta["drawn"]
        if rule.ratio:
            assert negatives == 3 * positives
        else:
            assert positives <= int(20 * rule.fraction) and positives + negatives <= 20
        order = answer.arrays["class_loss"][: min(negatives, 200)]
        assert not answer.arrays["positive"][: len(order)].any() and (np.diff(order) <= 1e-7).all()
    floor = asked(engine, source, truth=truth, rule="fast_rcnn")
    low = floor.arrays["iou"][~floor.arrays["positive"]]
    assert len(low) and low.min() >= 0.1 and floor.meta["ignored"] > 0
    again = asked(engine, source, truth=truth, rule="fast_rcnn", seed=1)
    assert not np.array_equal(again.arrays["boxes"], floor.arrays["boxes"])


def test_thresholds_out_of_order_are_refused(tmp_path: Path) -> None:
    source, truth, _ = written(tmp_path)
    answer = opened(RcnnAdapter).run(
        Request.make("training_sample", "tiny", source, {"truth": truth, "fg": 0.3, "bg": 0.6})
    )
    assert isinstance(answer, Failure) and "not in order" in answer.message


def test_no_object_leaves_everything_negative() -> None:
    for rule in RULES.values():
        assigned = training_sample.assign(None, 50, rule)
        assert np.array_equal(assigned.state, no_truth(50).state)
        sample = training_sample.draw(assigned, rule, np.arange(50, dtype=np.float32))
        assert not sample.positive.any()
