"""A progressive GAN: the ends of a fade-in are its branches to the last bit, and so is the critic that mirrors it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.adapters.growing_gan import GrowingGANAdapter
from models.bundled.gan import draw
from models.bundled.progressive import SIDES_PX, ProgressiveGAN, mixed, place, real_at
from models.cards.card import Card
from models.engine.engine import Engine
from models.requests import Request
from models.training.progressive import penalty, positions
from models.types import Failure, Result


@pytest.fixture(scope="module")
def net() -> ProgressiveGAN:
    made = GrowingGANAdapter.tiny()
    assert isinstance(made, ProgressiveGAN)
    return made.eval().requires_grad_(False)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_alpha_0_and_1_are_the_levels_bit_for_bit(net: ProgressiveGAN, level: int) -> None:
    z = draw(net.latent, 3, torch.Generator().manual_seed(0))
    before = functional.interpolate(net.generator(z, level - 1), scale_factor=2, mode="nearest")
    old, new = net.generator.branches(z, level)
    assert new.shape[-1] == SIDES_PX[level]
    assert torch.equal(mixed(old, new, 0.0), before) and torch.equal(mixed(old, new, 1.0), net.generator(z, level))
    half = net.generator(z, level - 0.5)
    torch.testing.assert_close(half, (old + new) / 2)
    # The critic sees what both branches saw, and at the ends judges as the level by itself does.
    x = torch.rand(3, 1, SIDES_PX[level], SIDES_PX[level]) * 2 - 1
    halved, own = net.discriminator.branch_scores(x, level)
    assert torch.equal(halved, net.discriminator(functional.avg_pool2d(x, 2), level - 1))
    assert torch.equal(own, net.discriminator(x, level))
    torch.testing.assert_close(net.discriminator(x, level - 1 + 1e-6), halved, rtol=0, atol=1e-4)
    torch.testing.assert_close(net.discriminator(x, level - 1e-6), own, rtol=0, atol=1e-4)


def test_positions_and_real_pictures_follow_the_same_growth() -> None:
    assert place(0) == (0, 1) and place(2) == (2, 1) and place(1.25) == (2, 0.25) and place(9) == (3, 1)
    x = torch.rand(2, 1, 32, 32)
    assert torch.equal(real_at(x, 3), x) and real_at(x, 0).shape[-1] == 4
    torch.testing.assert_close(real_at(x, 0.5).mean(), real_at(x, 0).mean())
    found = list(positions([0, 2, 1, 1], [1, 1, 1, 1]))
    assert found == [0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1, 1.5, 2, 2.5, 3]


def test_a_stage_shows_both_branches_and_what_the_critic_says(net: ProgressiveGAN) -> None:
    engine = Engine(threads=1)
    engine._models["growing"] = GrowingGANAdapter(net, Card("growing"))

    def at(position: float, code: str = "seed:4") -> Result:
        answer = engine.run(Request.make("growth", "growing", None, {"position": position, "code": code}))
        assert isinstance(answer, Result), answer
        return answer

    middle, whole = at(1.25), at(2)
    np.testing.assert_allclose(
        middle.arrays["picture"], 0.75 * middle.arrays["before"] + 0.25 * middle.arrays["own"], atol=1e-6
    )
    assert middle.meta["side"] == 16 and middle.meta["alpha"] == 0.25 and middle.arrays["halved"].shape == (8, 8, 1)
    np.testing.assert_array_equal(middle.arrays["own"], whole.arrays["picture"])
    np.testing.assert_array_equal(middle.arrays["before"], at(1).arrays["picture"].repeat(2, 0).repeat(2, 1))
    assert whole.meta["alpha"] == 1 and whole.meta["score"] == whole.meta["score_own"]
    assert len(whole.meta["steps"]) == 3 and at(16).meta["position"] == 3
    decoded = engine.run(Request.make("decode", "growing", None, {"code": "seed:4"}))
    assert isinstance(decoded, Result)
    np.testing.assert_array_equal(
        (at(3).arrays["picture"] * 255).round().astype(np.uint8), decoded.arrays["picture"][..., :1]
    )
    assert isinstance(engine.run(Request.make("growth", "growing", None, {"code": "1,2"})), Failure)


def test_the_penalty_is_half_the_squared_slope_in_real_pictures() -> None:
    """The slope of a linear critic is its weight everywhere."""
    weight = torch.tensor([3.0, -4.0])

    class Linear(torch.nn.Module):
        def forward(self, x: torch.Tensor, position: float) -> torch.Tensor:
            return position * (x.flatten(1) @ weight)

    assert float(penalty(Linear(), torch.rand(5, 1, 1, 2), 2.0)) == pytest.approx(4 * 25 / 2)
