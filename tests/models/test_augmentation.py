"""Boxes through augmentations, by hand-made cases and against torchvision's own; the adversarial step on a line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from models.detection import augmentation
from models.detection.augmentation import Labelled


def plain(value: int, boxes: list[list[float]], shape: tuple[int, int] = (40, 40)) -> Labelled:
    pixels = np.full((*shape, 3), value, np.uint8)
    return Labelled(pixels, np.array(boxes, np.float32).reshape(-1, 4), np.arange(len(boxes)))


def test_a_mosaic_keeps_areas() -> None:
    """Four pictures of 40 px around the middle of a canvas of 80: each whole, boxes moved, nothing lost."""
    given = [plain(10 * (n + 1), [[4, 6, 24, 16]]) for n in range(4)]
    found = augmentation.mosaic(given, 40, (40, 40), crop=False)
    assert found.pixels.shape == (80, 80, 3) and found.mixed == 4
    assert [int((found.pixels[..., 0] == 10 * (n + 1)).sum()) for n in range(4)] == [1600] * 4
    shift = np.array([[0, 0, 0, 0], [40, 0, 40, 0], [0, 40, 0, 40], [40, 40, 40, 40]])
    np.testing.assert_array_equal(found.boxes, np.array([4, 6, 24, 16]) + shift)
    assert augmentation.area(found.boxes).tolist() == [200] * 4 and found.share.tolist() == [1] * 4


def test_what_a_mosaic_cuts_off_is_told_box_by_box() -> None:
    """Cropped to the middle 40 px: of the first picture its lower right quarter is left, pixels 20 to 40."""
    boxes = [[20, 20, 40, 40], [10, 20, 30, 40], [0, 0, 19, 40], [19, 20, 21.5, 40]]
    found = augmentation.mosaic([plain(50, boxes), *(plain(9, []) for _ in range(3))], 40, (40, 40))
    assert found.pixels.shape == (40, 40, 3) and (found.pixels[:20, :20, 0] == 50).all()
    np.testing.assert_array_equal(found.boxes, [[0, 0, 20, 20], [0, 0, 10, 20]])
    assert found.share.tolist() == [1.0, 0.5]
    assert found.dropped == ((0, 2), (0, 3)), "out of sight, and a sliver of 1.5 px"
    small = augmentation.mosaic([plain(50, [[0, 0, 20, 10]], (20, 40)) for _ in range(4)], 80, (80, 80), crop=False)
    assert augmentation.area(small.boxes).tolist() == [800] * 4, "twice as long, four times the area"


def test_the_canvas_never_grows() -> None:
    found = augmentation.mosaic([plain(50, [[0, 0, 40, 40]]) for _ in range(4)], 40, (20, 60), crop=False)
    assert found.pixels.shape == (80, 80, 3) and found.boxes.min() >= 0 and found.boxes.max() <= 80
    assert sorted(found.share.tolist()) == [0.25, 0.5, 0.5, 1.0] or found.share.min() >= 0.1


def test_cutmix_counts_what_is_covered_and_recomputes_the_share() -> None:
    torch.manual_seed(3)
    one, other = plain(200, [[0, 0, 40, 40]]), plain(0, [[0, 0, 40, 40]])
    found = augmentation.cutmix(one, other, 1.0)
    left = float((found.pixels[..., 0] == 200).mean())
    assert 0 < left < 1 and found.mixed == pytest.approx(left, abs=1e-6)
    assert found.share[found.origin == 0] == pytest.approx(left, abs=1e-6)
    assert found.share[found.origin == 1] == pytest.approx(1 - left, abs=1e-6)


def test_mixup_blends_by_the_weight_that_it_gives_the_boxes() -> None:
    torch.manual_seed(1)
    found = augmentation.mixup(plain(200, [[0, 0, 9, 9]]), plain(0, [[5, 5, 30, 30]]), 1.0)
    assert found.pixels[0, 0, 0] == pytest.approx(200 * found.mixed, abs=0.51)
    assert found.weight.tolist() == pytest.approx([found.mixed, 1 - found.mixed])


@pytest.mark.parametrize("vertical", [False, True])
def test_flips_are_torchvisions(vertical: bool) -> None:
    given = Labelled(
        np.random.default_rng(0).integers(0, 255, (30, 50, 3), dtype=np.uint8),
        np.array([[3, 5, 20, 25], [40, 1, 50, 9]], np.float32),
        np.array([1, 2]),
    )
    found = augmentation.flipped(given, vertical=vertical)
    transform = v2.RandomVerticalFlip(1) if vertical else v2.RandomHorizontalFlip(1)
    boxes = tv_tensors.BoundingBoxes(given.boxes.copy(), format="XYXY", canvas_size=(30, 50))  # type: ignore[call-overload]
    image, wanted = transform(torch.from_numpy(given.pixels).permute(2, 0, 1), boxes)
    np.testing.assert_array_equal(found.pixels, image.permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(found.boxes, wanted.numpy())


def test_crops_move_boxes_as_torchvision_does() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 30, (20, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(8, 20, (20, 2))], 1).astype(np.float32)
    given = Labelled(rng.integers(0, 255, (50, 60, 3), dtype=np.uint8), boxes, np.arange(20))
    torch.manual_seed(3)
    found = augmentation.cropped(given, 0.05)
    torch.manual_seed(3)
    held = tv_tensors.BoundingBoxes(boxes.copy(), format="XYXY", canvas_size=(50, 60))  # type: ignore[call-overload]
    _, wanted = v2.RandomResizedCrop((50, 60), scale=(0.05, 1.0))(torch.zeros(3, 50, 60), held)
    np.testing.assert_allclose(found.boxes, wanted.numpy()[found.row], atol=1e-3)
    assert found.dropped and (found.share < 1).any()


def test_the_adversarial_step_on_a_linear_model_is_epsilon_times_the_sign() -> None:
    weights = torch.randn(3, 8, 9)
    image = torch.rand(3, 8, 9, requires_grad=True)
    (slope,) = torch.autograd.grad((weights * image).sum(), image)
    pixels = np.full((8, 9, 3), 128, np.uint8)
    changed = augmentation.against(pixels, slope, 5.0)
    np.testing.assert_array_equal(
        changed.astype(int) - pixels, -5 * weights.sign().permute(1, 2, 0).numpy().astype(int)
    )
