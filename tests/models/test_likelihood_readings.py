"""Users' networks that give each pixel a distribution are recognised by what their outputs depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.interpretation import pixel_readings
from models.interpretation.network_reading import LIKELIHOOD
from models.likelihood import pixel_model
from models.requests import Request
from models.types import Result

SIDE = 8


class Masked(nn.Conv2d):
    """One convolution of 3x3 from C colours to C x K logits, masked; the centre sees colours before its own.

    `layout` is "levels" for (K, C) or "colours" for (C, K); with `leaks` the centre sees its own value as well.
    """

    def __init__(self, colours: int, levels: int, *, layout: str = "levels", leaks: bool = False) -> None:
        super().__init__(colours, colours * levels, 3, padding=1)
        self.colours, self.levels = colours, levels
        mask = torch.zeros(levels, colours, colours, 3, 3)
        mask[..., 0, :] = mask[..., 1, 0] = 1
        for own in range(colours):
            mask[:, own, : own + leaks, 1, 1] = 1
        if layout == "colours":
            mask = mask.transpose(0, 1)
        self.register_buffer("mask", mask.reshape(self.weight.shape))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (self.colours, SIDE, SIDE):
            raise ValueError(f"pictures have {self.colours} channels of {SIDE} px")
        return self._conv_forward(x, self.weight * self.mask, self.bias)


def opened(net: nn.Module, channels: int, **assumed: str) -> Any:
    torch.manual_seed(0)
    card = Card("x", task="", about={"input": (channels, SIDE, SIDE)})
    return registry.adapt(net.eval().requires_grad_(False), card, assumed)


@pytest.mark.parametrize(
    ("colours", "levels", "layout"), [(1, 2, "levels"), (1, 256, "levels"), (3, 4, "levels"), (3, 4, "colours")]
)
def test_masked_convolutions_are_recognised(colours: int, levels: int, layout: str) -> None:
    """Two and 256 levels; colours grouped in either way, each seeing those before it."""
    torch.manual_seed(0)
    model = opened(Masked(colours, levels, layout=layout), colours)
    assert model.levels == levels and model.shape == (colours, SIDE, SIDE)
    assert model.card.task == "likelihood" and model.order_title == "row by row from the top left"
    wanted = pixel_readings.COLOURS_FIRST if layout == "colours" else pixel_readings.LEVELS_FIRST
    assert model.code.layout == wanted or colours == 1
    values = torch.randint(levels, (2, *model.shape))
    p = pixel_model.log_probabilities(model.pixel_logits(values.float())).exp()
    assert p.shape == (2, levels, colours, SIDE, SIDE)
    torch.testing.assert_close(p.sum(1), torch.ones_like(p.sum(1)))


def test_another_order_and_a_single_probability_are_recognised() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Masked(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            logits = self.inner(x.transpose(2, 3)).transpose(2, 3)
            return (logits[:, 1:] - logits[:, :1]).sigmoid()

    torch.manual_seed(0)
    net = Turned()
    model = opened(net, 1)
    assert model.levels == 2 and model.code.single and model.code.probabilities
    assert model.order_title == "column by column from the top left"
    x = torch.zeros(1, 1, SIDE, SIDE)
    p = pixel_model.log_probabilities(model.pixel_logits(x)).exp()[0, 1]
    np.testing.assert_allclose(p.numpy(), net(x)[0].numpy(), atol=1e-5)


def test_a_leaking_network_opens_and_the_audit_says_so() -> None:
    torch.manual_seed(0)
    engine = Engine(threads=1)
    engine._models["leaks"] = opened(Masked(1, 2, leaks=True), 1)
    assert "leak" in engine._models["leaks"].interpretation.reading.evidence[0]
    answer = engine.run(Request.make("causality", "leaks", None, {}))
    assert isinstance(answer, Result)
    assert answer.meta["leaking"] == SIDE**2 and answer.meta["text"].startswith("The network leaks: 64 of 64")


def test_networks_that_see_all_sides_are_no_likelihoods_unless_one_says_so() -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(1, 2, 3, padding=1)
    model = opened(net, 1)
    assert model.card.task != "likelihood"
    told = opened(net, 1, reading=LIKELIHOOD)
    assert told.card.task == "likelihood" and "all sides" in told.interpretation.reading.evidence[0]


def test_exported_programs_are_recognised(tmp_path: Path) -> None:
    """As .pt2, which is a file without code."""
    torch.manual_seed(0)

    class Free(Masked):
        def forward(self, x: Tensor) -> Tensor:
            return self._conv_forward(x, self.weight * self.mask, self.bias)

    net = Free(1, 2).eval()
    path = tmp_path / "masked.pt2"
    torch.export.save(torch.export.export(net, (torch.zeros(1, 1, SIDE, SIDE),)), path)
    model = registry.open_model(str(path))
    assert model.card.task == "likelihood" and model.shape == (1, SIDE, SIDE)
    values = torch.randint(2, (1, *model.shape)).float()
    torch.testing.assert_close(model.pixel_logits(values)[:, :, 0], net(values), atol=1e-5, rtol=1e-5)


def test_what_a_reading_finds_are_the_bits_expected_of_each_pixel() -> None:
    code = pixel_readings.PixelCode(0, 4)
    sure = torch.zeros(1, 4, 2, 2)
    sure[:, 0, 0] = 50.0  # the upper row is certain, the lower one is any of four levels
    found = code.finds([sure], torch.zeros(1, 1, 2, 2))
    np.testing.assert_allclose(found.arrays["map"], [[0, 0], [2, 2]], atol=1e-5)
    assert found.text == "1.000 bits expected for each value, of 2.000"
