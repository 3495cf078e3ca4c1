"""Box losses and their gradients against closed forms, focal loss against torchvision's, label smoothing by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from models.detection import box_losses, focal, iou

TRUE = np.array([100.0, 80.0, 200.0, 180.0], np.float32)
GIVEN = np.array([[60.0, 60.0, 160.0, 140.0], [300.0, 80.0, 360.0, 150.0], [100.0, 80.0, 200.0, 180.0]], np.float32)


def test_losses_are_one_minus_the_measures_that_the_pair_readout_gives() -> None:
    values, _ = box_losses.losses(GIVEN, TRUE)
    for name in ("iou", "giou", "diou", "ciou"):
        wanted = 1 - getattr(iou, name)(GIVEN, TRUE)
        np.testing.assert_allclose(values[box_losses.NAMES.index(name)], wanted, atol=2e-6)
    far = np.abs(np.array([210 - 150, 0, 0, 0])) / 100  # by hand: the first moved by 60 px in a true side of 100
    box = TRUE + np.array([60, 0, 60, 0], np.float32)
    values, _ = box_losses.losses(box[None], TRUE)
    assert values[:3, 0] == pytest.approx([far[0], far[0] ** 2 / 2, far[0] - 1 / 18], abs=1e-6)


def test_gradients_are_finite_differences_and_iou_has_none_without_overlap() -> None:
    _, slopes = box_losses.losses(GIVEN[:2], TRUE)
    step = 1e-2
    for axis in range(4):
        change = np.zeros(4)
        change[axis] = step
        ahead, behind = (box_losses.losses(GIVEN[:2] + sign * change, TRUE)[0].astype(float) for sign in (1, -1))
        exact = [i for i, name in enumerate(box_losses.NAMES) if name != "ciou"]  # its alpha is held constant
        np.testing.assert_allclose(slopes[exact][..., axis], ((ahead - behind) / (2 * step))[exact], atol=2e-4)
    iou_slope, giou_slope = (slopes[box_losses.NAMES.index(name), 1] for name in ("iou", "giou"))
    assert not iou_slope.any() and giou_slope.any()


def test_equal_offsets_may_have_different_overlap() -> None:
    """The reason for IoU losses: two boxes whose corners are equally far from the true ones."""
    corners = TRUE + 20 * np.array([[1, 1, 1, 1], [1, 1, -1, -1]], np.float32)
    assert np.linalg.norm(corners - TRUE, axis=1) == pytest.approx([40, 40])
    values, _ = box_losses.losses(corners, TRUE)
    assert abs(values[3, 0] - values[3, 1]) > 0.1


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, -0.01), (3.5, 0.8)])
def test_focal_terms_are_torchvisions(gamma: float, alpha: float) -> None:
    torch.manual_seed(0)
    logits, labels = 3 * torch.randn(200, 5), torch.randint(-6, 5, (200,)).clamp(min=-1)
    target = torch.zeros_like(logits)
    target[labels >= 0, labels[labels >= 0]] = 1
    each = focal.terms(logits, labels, link="sigmoid", gamma=gamma, alpha=alpha)
    wanted = sigmoid_focal_loss(logits, target, alpha=max(alpha, -1) if alpha >= 0 else -1, gamma=gamma)
    torch.testing.assert_close(each.focal, wanted.sum(1))
    if gamma == 0 and alpha < 0:
        torch.testing.assert_close(each.focal, each.entropy)
    group = focal.groups(labels, each.confidence, easy=0.3)
    assert ((group == focal.POSITIVE) == (labels >= 0)).all()
    assert (each.confidence[group == focal.HARD] >= 0.3).all()
    soft = focal.terms(logits, labels, link="softmax", gamma=0, alpha=-1)
    torch.testing.assert_close(
        soft.entropy, torch.nn.functional.cross_entropy(logits, labels.clamp(0), reduction="none")
    )


def test_label_smoothing_is_torchs_and_yolos() -> None:
    softmax, independent = box_losses.smoothed(0.2, 4)
    assert softmax == pytest.approx([0.85, 0.05, 0.05, 0.05]) and independent == pytest.approx([0.9, 0.1, 0.1, 0.1])
    logits = torch.randn(1, 4)
    smoothing = torch.nn.functional.cross_entropy(logits, torch.tensor([0]), label_smoothing=0.2)
    assert float(-(torch.from_numpy(softmax) * logits.log_softmax(1)).sum()) == pytest.approx(
        float(smoothing), abs=1e-6
    )


@pytest.mark.parametrize("kind", box_losses.PATHS)
def test_paths_pass_through_what_they_say(kind: str) -> None:
    places, boxes = box_losses.path(GIVEN[0].astype(float), TRUE.astype(float), kind)
    assert len(places) == len(boxes) and (boxes[:, 2:] > boxes[:, :2]).all()
    if kind == "approach":
        np.testing.assert_allclose(boxes[[0, np.abs(places - 1).argmin()]], [GIVEN[0], TRUE], atol=1e-3)
    if kind == "slide":
        level = boxes[np.abs(places).argmin()]
        assert level[[0, 2]].mean() == pytest.approx(150, abs=1e-3)
