"""The lineage of a box against torchvision's own stages: every number worked out again, another way."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import box_iou, clip_boxes_to_image

from models.cards.card import SAMPLES
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import read
from models.requests import Request
from models.types import Failure, Result, Source

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
SOURCE = Source.file(SAMPLES / "board.png")
ORIGINAL = (480, 640)


@cache
def engine() -> Engine:
    return Engine(threads=1)


def ask(inspection: str, model: str, **params: Any) -> Result:
    answer = engine().run(Request.make(inspection, model, SOURCE, params))
    assert isinstance(answer, Result), answer
    return answer


def lineage(model: str, box: int, **params: Any) -> tuple[dict[str, Any], Any]:
    result = ask("lineage", model, box=box, **params)
    return result.meta["finding"], result.arrays


@cache
def inside(model: str) -> dict[str, Any]:
    """What torchvision's modules hold of the picture, called one by one."""
    net: Any = registry.open_model(model).net
    image = torch.from_numpy(read(SOURCE).pixels.copy()).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        images, _ = net.transform([image])
        features = net.backbone(images.tensors)
        maps, size = list(features.values()), images.image_sizes[0]
        held: dict[str, Any] = {"size": size, "final": net([image])[0]}
        held["grids"] = [tuple(m.shape[-2:]) for m in maps]
        if model == SSD:
            output = net.head(maps)
            held["anchors"] = net.anchor_generator(images, maps)[0]
            held["logits"] = output["cls_logits"][0]
            held["boxes"] = net.box_coder.decode_single(output["bbox_regression"][0], held["anchors"])
            held["row"] = {anchor: anchor for anchor in range(len(held["logits"]))}
            return held
        objectness, deltas = net.rpn.head(maps)
        held["anchors"] = net.rpn.anchor_generator(images, maps)[0]
        held["objectness"] = [o.permute(0, 2, 3, 1).reshape(-1) for o in objectness]
        flat = torch.cat([d.view(1, -1, 4, *d.shape[-2:]).permute(0, 3, 4, 1, 2).reshape(-1, 4) for d in deltas])
        held["regions"] = clip_boxes_to_image(net.rpn.box_coder.decode(flat, [held["anchors"]])[:, 0], size)
        proposals = net.rpn(images, features)[0][0]
        heads = net.roi_heads
        pooled = heads.box_roi_pool(features, [proposals], images.image_sizes)
        held["logits"], regression = heads.box_predictor(heads.box_head(pooled))
        held["boxes"] = heads.box_coder.decode(regression, [proposals])
        near = (held["regions"][None] - proposals[:, None]).abs().amax(-1)
        assert near.amin(1).max() < 1e-3
        held["row"] = {int(anchor): row for row, anchor in enumerate(near.argmin(1))}
    return held


def drawn(held: dict[str, Any], boxes: torch.Tensor) -> np.ndarray:
    return resize_boxes(boxes.reshape(-1, 4), list(held["size"]), list(ORIGINAL)).numpy()


def some_boxes(model: str) -> list[int]:
    """Shown ones, and ones that suppression or the score took."""
    shown = ask("detect", model).arrays["ids"]
    weak = ask("detect", model, score=0.02, iou=0.9).arrays["ids"]
    others = [int(i) for i in weak if i not in shown]
    return [*shown[[0, 3, -1]].tolist(), *others[:3], others[-1]]


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_origin_scores_and_box_are_those_of_the_network(model: str) -> None:
    held = inside(model)
    for box in some_boxes(model):
        anchor, label = divmod(box, 11)
        finding, arrays = lineage(model, box)
        origin = finding["origin"]
        per_cell = 4 if model == SSD else 9
        before = sum(h * w * per_cell for h, w in held["grids"][: origin["level"]])
        columns = held["grids"][origin["level"]][1]
        assert anchor == before + (origin["row"] * columns + origin["column"]) * per_cell + origin["of_cell"]
        assert (origin["rows"], columns, origin["per_cell"]) == (*held["grids"][origin["level"]], per_cell)
        np.testing.assert_allclose(arrays["origin_network"], held["anchors"][[anchor]].numpy(), atol=1e-3)
        np.testing.assert_allclose(arrays["origin"], drawn(held, held["anchors"][anchor]), atol=1e-3)
        w, h = (held["anchors"][anchor, 2:] - held["anchors"][anchor, :2]).tolist()
        assert origin["scale_network"] == pytest.approx((w * h) ** 0.5, rel=1e-4)
        assert origin["ratio_network"] == pytest.approx(w / h, rel=1e-4)

        logits = held["logits"][held["row"][anchor]]
        np.testing.assert_allclose(arrays["class_scores"], logits.softmax(0).numpy(), atol=1e-5)
        ranks = logits[1:].argsort(descending=True).tolist()
        assert finding["class"]["rank"] == ranks.index(label - 1) + 1 and finding["class"]["of"] == 10
        assert finding["class"]["background"] == pytest.approx(float(logits.softmax(0)[0]), abs=1e-5)
        place = held["boxes"][held["row"][anchor]]
        place = clip_boxes_to_image(place if model == SSD else place[label], held["size"])
        np.testing.assert_allclose(arrays["box"], drawn(held, place), atol=1e-2)


def test_objectness_and_its_ranks_are_those_of_the_raw_logits() -> None:
    held = inside(RCNN)
    every = torch.cat(held["objectness"])
    order = every.argsort(descending=True).tolist()
    tops = [level.topk(min(1000, len(level))).indices.tolist() for level in held["objectness"]]
    starts = np.concatenate([[0], np.cumsum([len(level) for level in held["objectness"]])])
    pool = {int(start + i) for start, top in zip(starts, tops, strict=False) for i in top}
    for box in some_boxes(RCNN):
        anchor = box // 11
        finding, arrays = lineage(RCNN, box)
        found, level = finding["objectness"], finding["origin"]["level"]
        assert found["value"] == pytest.approx(float(every[anchor].sigmoid()), rel=1e-6)
        assert (found["rank"], found["of"]) == (order.index(anchor) + 1, len(every))
        on_level = held["objectness"][level].argsort(descending=True).tolist()
        assert found["level_rank"] == on_level.index(anchor - int(starts[level])) + 1
        assert found["pool_rank"] == [i for i in order if i in pool].index(anchor) + 1
        assert found["proposal_rank"] == held["row"][anchor] + 1 and found["proposals"] == len(held["row"])
        np.testing.assert_allclose(arrays["proposal"], drawn(held, held["regions"][anchor]), atol=1e-3)


def test_one_stage_has_no_objectness_and_says_so() -> None:
    finding, arrays = lineage(SSD, -1)
    assert finding["objectness"] is None and len(arrays["proposal"]) == 0


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_what_it_removed_is_what_greedy_suppression_takes_for_it(model: str) -> None:
    params = {"score": 0.02, "iou": 0.3}
    found = ask("detect", model, **params, max_detections=1000)
    loose = ask("detect", model, score=0.02, iou=1.0, max_detections=1000).arrays
    boxes, scores = torch.from_numpy(loose["boxes"]), loose["scores"]
    overlaps = box_iou(boxes, boxes).numpy()
    remover = np.full(len(scores), -1)
    for row in np.argsort(-scores, kind="stable"):
        if remover[row] >= 0:
            continue
        hit = (overlaps[row] > 0.3) & (loose["labels"] == loose["labels"][row]) & (remover < 0)
        hit &= np.arange(len(scores)) != row
        hit &= (scores < scores[row]) | ((scores == scores[row]) & (np.arange(len(scores)) > row))
        remover[hit] = row
    most = int(np.bincount(remover[remover >= 0]).argmax())
    finding, arrays = lineage(model, int(loose["ids"][most]), **params)
    taken = np.flatnonzero(remover == most)
    assert len(taken) > 3
    assert set(arrays["removed_ids"].tolist()) == set(loose["ids"][taken].tolist())
    assert arrays["removed_scores"].tolist() == sorted(scores[taken].tolist(), reverse=True)
    by_id = dict(zip(loose["ids"].tolist(), overlaps[most].tolist(), strict=True))
    for number, iou in zip(arrays["removed_ids"].tolist(), arrays["removed_iou"].tolist(), strict=True):
        assert iou == pytest.approx(by_id[number], abs=1e-3)
    assert finding["end"]["fate"] == "shown"
    assert finding["end"]["rank"] == found.arrays["ids"].tolist().index(loose["ids"][most]) + 1

    victim, _ = lineage(model, int(loose["ids"][taken[0]]), **params)
    assert victim["end"]["fate"] == "suppressed" and victim["end"]["remover"]["id"] == loose["ids"][most]
    assert victim["end"]["remover"]["iou"] == pytest.approx(overlaps[most, taken[0]], abs=1e-3)


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_the_final_rank_is_the_place_in_the_models_own_answer(model: str) -> None:
    final = inside(model)["final"]
    for row, box in enumerate(ask("detect", model).arrays["ids"].tolist()):
        finding, arrays = lineage(model, box)
        assert (finding["end"]["rank"], finding["end"]["shown"]) == (row + 1, len(final["boxes"]))
        np.testing.assert_allclose(arrays["box"][0], final["boxes"][row].numpy(), atol=1e-2)
        assert finding["label"] == int(final["labels"][row])


def test_every_other_end_is_told() -> None:
    shown = ask("detect", SSD).arrays
    box, score = int(shown["ids"][4]), float(shown["scores"][4])
    name = ask("detect", SSD).meta["classes"][shown["labels"][4]]
    assert lineage(SSD, box, score=min(1.0, score + 1e-3))[0]["end"]["fate"] == "low"
    assert lineage(SSD, box, hidden=name)[0]["end"]["fate"] == "hidden"
    cut = lineage(SSD, box, max_detections=3)[0]["end"]
    assert (cut["fate"], cut["rank"], cut["shown"]) == ("cut", 5, 3)
    assert lineage(SSD, 7)[0]["end"]["fate"] == "no candidate"
    box = int(ask("detect", RCNN).arrays["ids"][4])
    gone, arrays = lineage(RCNN, box, rpn_top_n=1)
    assert gone["end"]["fate"] == "no proposal" and gone["objectness"]["stopped"] == "top_n"
    assert len(arrays["class_scores"]) == len(arrays["box"]) == 0 and len(arrays["proposal"]) == 1
    low = lineage(RCNN, box, rpn_score=min(1.0, gone["objectness"]["value"] + 1e-4))[0]
    assert low["objectness"]["stopped"] == "score"


def test_a_region_that_the_rpns_suppression_took_names_the_other() -> None:
    held = inside(RCNN)
    regions, every = held["regions"], torch.cat(held["objectness"])
    boxes = ask("detect", RCNN).arrays["ids"].tolist()
    told = [(box, lineage(RCNN, box, rpn_iou=0.1)[0]["objectness"]) for box in boxes]
    box, found = next((box, found) for box, found in told if found["stopped"])
    assert found["stopped"] == "nms"
    anchor, by = box // 11, found["removed_by"]
    assert found["removed_iou"] == pytest.approx(float(box_iou(regions[[anchor]], regions[[by]])[0, 0]), abs=1e-4)
    assert every[by] >= every[anchor] and found["removed_iou"] > 0.1


def test_without_a_box_it_is_the_best_one_and_a_wrong_one_is_refused() -> None:
    assert lineage(RCNN, -1)[0]["id"] == ask("detect", RCNN).arrays["ids"][0]
    assert lineage(RCNN, -1, score=1.0)[0]["end"]["fate"] == "low"
    answer = engine().run(Request.make("lineage", RCNN, SOURCE, {"box": 10**8}))
    assert isinstance(answer, Failure) and "ids go up to 291059" in answer.text


@pytest.mark.parametrize("method", ["soft-gaussian", "soft-linear", "diou", "wbf"])
@pytest.mark.parametrize("model", [SSD, RCNN])
def test_every_method_names_the_box_that_took_another(model: str, method: str) -> None:
    settings = {"method": method, "score": 0.2, "iou": 0.3}
    shown = ask("detect", model, suppressed=True, **settings)
    assert len(shown.arrays["removed_by"]) or method.startswith("soft")
    for by in np.unique(shown.arrays["removed_by"]).tolist():
        keeper = int(shown.arrays["ids"][by])
        finding, arrays = lineage(model, keeper, **settings)
        mine = shown.arrays["removed_by"] == by
        assert finding["end"]["fate"] == "shown" and finding["end"]["rank"] == by + 1
        assert np.array_equal(arrays["removed_scores"], shown.arrays["removed_scores"][mine])
        assert np.array_equal(arrays["removed_iou"], shown.arrays["removed_iou"][mine])
        lost, _ = lineage(model, int(arrays["removed_ids"][0]), **settings)
        assert lost["end"]["fate"] == "suppressed" and lost["end"]["remover"]["id"] == keeper


def test_a_class_with_a_score_of_its_own_is_judged_by_it() -> None:
    found = ask("detect", RCNN)
    name = found.meta["classes"][int(found.arrays["labels"][0])]
    finding, _ = lineage(RCNN, int(found.arrays["ids"][0]), class_scores=f"{name}=0.9999999")
    assert finding["end"]["fate"] == "low" and finding["end"]["threshold"] == pytest.approx(0.9999999, abs=1e-7)
    other = next(row for row, label in enumerate(found.arrays["labels"]) if label != found.arrays["labels"][0])
    finding, _ = lineage(RCNN, int(found.arrays["ids"][other]), class_scores=f"{name}=0.9999999")
    assert finding["end"]["fate"] == "shown" and finding["end"]["threshold"] == 0.5
