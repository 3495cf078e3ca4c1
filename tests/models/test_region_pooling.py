"""RoIAlign, RoIPool and the level rule as drawn, against torchvision on random maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign, roi_align, roi_pool

from models.detection import region_pooling
from models.detection.region_pooling import Pooling


def boxes(count: int, *, side: float) -> np.ndarray:
    """Random boxes in pixels: some tiny, some beyond the border, some with halves where rounding matters."""
    rng = np.random.default_rng(3)
    corner = rng.uniform(-20, side, (count, 2))
    found = np.concatenate([corner, corner + rng.uniform(0.2, side, (count, 2))], 1)
    found[::4] = np.round(found[::4] / 4) * 4
    return found.astype(np.float32)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sampling", [1, 2, -1])
def test_the_drawn_points_give_roi_align(sampling: int, aligned: bool) -> None:
    torch.manual_seed(0)
    feature, how = torch.randn(5, 17, 23), Pooling("align", (7, 5), sampling, aligned)
    given = boxes(60, side=180)
    wanted = roi_align(feature[None], [torch.from_numpy(given)], (7, 5), 0.125, sampling, aligned).numpy()
    for row, box in enumerate(given):
        points = region_pooling.align_points(box, 0.125, how)
        found = region_pooling.bilinear(feature.numpy(), points)
        found = found.mean((3, 4)) if points.size else np.zeros((5, 7, 5), np.float32)
        np.testing.assert_allclose(found, wanted[row], atol=1e-5, err_msg=f"{box}")
        bins = region_pooling.align_bins(box, 0.125, how).reshape(7, 5, 1, 1, 4)
        inside = (points >= bins[..., :2] - 1e-3) & (points <= bins[..., 2:] + 1e-3)
        assert inside.all(), "a point is drawn outside of its bin"


def test_the_drawn_cells_give_roi_pool_exactly() -> None:
    torch.manual_seed(0)
    feature, given = torch.randn(5, 17, 23), boxes(80, side=180)
    for size in ((7, 5), (1, 1), (4, 4)):
        wanted = roi_pool(feature[None], [torch.from_numpy(given)], size, 0.125).numpy()
        for row, box in enumerate(given):
            bins = region_pooling.pool_bins(box, 0.125, size, (17, 23))
            found = region_pooling.drawn_pool(feature.numpy(), bins).reshape(5, *size)
            np.testing.assert_array_equal(found, wanted[row])


def test_levels_and_patches_are_those_of_the_networks_own_pooler() -> None:
    torch.manual_seed(0)
    maps = {str(level): torch.randn(1, 3, 64 >> level, 64 >> level) for level in range(3)}
    pooler = MultiScaleRoIAlign(["0", "1", "2"], 7, 2)
    given = torch.from_numpy(boxes(70, side=440)).clamp(0, 512)
    wanted = pooler(maps, [given], [(512, 512)])
    levels = region_pooling.levels_of(MultiScaleRoIAlign(["0", "1", "2"], 7, 2), maps, [(512, 512)])
    rows = levels.of(given)
    assert pooler.map_levels is not None and len({*rows.tolist()}) > 1
    np.testing.assert_array_equal(rows, pooler.map_levels([given]).numpy())
    own = region_pooling.own_pooling(pooler)
    assert own is not None
    assert torch.equal(region_pooling.pooled(levels, given, rows, own), wanted)
    assert region_pooling.pooled(levels, given[:2], rows[:2], Pooling("pyramid", (7, 7))).shape == (2, 3, 21, 1)
