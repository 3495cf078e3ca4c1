"""The layer that class activation maps are made of by itself, over architectures of torchvision, timm and one's own.

The right one is known by a rule: the last map before the places are pooled whose gradient is not zero; where a class
token alone is read, the last block's norm.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from explained import CLASSES, SIDES, network, opened, picture, stages
from torch import Tensor, nn

from models.subject import Subject
from models.tracing.layers import automatic, chosen, trace_of

TORCHVISION = {
    "convnext_tiny": "features",
    "densenet121": "features",
    "maxvit": "blocks.3",
    "regnet_y_400mf": "trunk_output",
    "resnet18": "layer4",
    "swin_t": "permute",
    "swin_v2_t": "permute",
    "vit": "encoder.layers.encoder_layer_2.ln_1",
}
# Name, sizes that make it small, and what is expected; tokens without a place that come first.
TIMM = {
    "deit_tiny_distilled_patch16_224": ({"depth": 2}, "blocks.1.norm1", 2),
    "deit3_small_patch16_224": ({"depth": 2, "embed_dim": 96, "num_heads": 2}, "blocks.1.norm1", 1),
    "vit_small_patch14_reg4_dinov2": (
        {"depth": 2, "embed_dim": 96, "num_heads": 2, "img_size": 112},
        "blocks.1.norm1",
        5,
    ),
    "vit_medium_patch16_reg4_gap_256": ({"depth": 2, "embed_dim": 96, "num_heads": 2}, "blocks", 4),
    "beit_base_patch16_224": ({"depth": 2, "embed_dim": 96, "num_heads": 2}, "blocks.1", 1),
    "mixer_s32_224": ({}, "norm", 0),
    "swin_tiny_patch4_window7_224": ({"depths": (1, 1, 1, 1), "embed_dim": 48, "num_heads": (1, 2, 4, 8)}, "norm", 0),
    "cait_xxs24_224": ({"depth": 2}, "blocks", 0),
    "convnext_atto": ({"depths": (1, 1, 1, 1)}, "stages", 0),
    "resnet18": ({}, "layer4", 0),
}


def choice(net: nn.Module, side: int) -> tuple[Any, Any]:
    model, using = opened(net.eval().requires_grad_(False), side=side), stages()
    subject = model.subject(picture(side), using)
    found = chosen(subject, using)
    return found, trace_of(subject, using)[found.id]


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions(name: str) -> None:
    found, _ = choice(network(name), SIDES.get(name, 64))
    assert found.id == TORCHVISION[name]


@pytest.mark.parametrize("name", TIMM)
def test_timms(name: str) -> None:
    timm = pytest.importorskip("timm")
    sizes, expected, before = TIMM[name]
    torch.manual_seed(0)
    net = timm.create_model(name, pretrained=False, num_classes=CLASSES, **sizes)
    for _, value in net.named_parameters():
        if value.numel() > 1 and not value.any():  # heads and embeddings that begin with zeros
            nn.init.normal_(value, std=0.05)
    found, call = choice(net, sizes.get("img_size", net.default_cfg["input_size"][-1]))
    assert found.id == expected
    assert (call.layout.before, call.layout.after) == (before, 0)


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.after(x))


class Transformer(nn.Module):
    """Patches of 8, `more` tokens before or after them; the scores read those, or the mean of the patches."""

    def __init__(self, more: int, *, end: bool, mean: bool, unfolded: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        width = 16
        self.patch = nn.Linear(3 * 64, width) if unfolded else nn.Conv2d(3, width, 8, 8)
        self.more, self.end, self.mean = more, end, mean
        self.tokens = nn.Parameter(torch.randn(1, more, width))
        self.places = nn.Parameter(0.1 * torch.randn(1, 64 + more, width))
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.last, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.patch, nn.Linear):
            x = self.patch(nn.functional.unfold(x, 8, stride=8).transpose(1, 2))
        else:
            x = self.patch(x).flatten(2).transpose(1, 2)
        tokens = self.tokens.expand(len(x), -1, -1)
        x = torch.cat((x, tokens) if self.end else (tokens, x), 1) + self.places
        x = self.last(self.blocks(x))
        patches = x[:, : 64 if self.end else None][:, 0 if self.end else self.more :]
        read = patches if self.mean else x[:, 64:] if self.end else x[:, : self.more]
        return self.head(read.mean(1))


@pytest.mark.parametrize("unfolded", [False, True])
@pytest.mark.parametrize("end", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("more", [0, 1, 2, 3, 5, 9])
def test_any_number_of_tokens_more_before_or_after_the_patches(more: int, end: bool, unfolded: bool) -> None:
    found, call = choice(Transformer(more, end=end, mean=True, unfolded=unfolded), 64)
    assert found.id == "last" and not found.why
    assert call.layout.grid == (8, 8)
    assert (call.layout.before, call.layout.after) == ((0, more) if end else (more, 0))
    if more:
        found, call = choice(Transformer(more, end=end, mean=False, unfolded=unfolded), 64)
        assert found.id == "blocks.1.norm"
        assert "does not depend on the places of last" in found.why
        assert (call.layout.before, call.layout.after) == ((0, more) if end else (more, 0))


def test_planes_are_the_places_in_their_order() -> None:
    _, call = choice(Transformer(3, end=True, mean=True), 64)
    value = torch.arange(67.0)[None, :, None].expand(1, 67, 16)
    assert torch.equal(call.layout.planes(value)[0, 0], torch.arange(64.0).view(8, 8))
    _, call = choice(Transformer(3, end=False, mean=True), 64)
    assert torch.equal(call.layout.planes(value)[0, 0], torch.arange(3.0, 67.0).view(8, 8))


def test_of_two_branches_that_join_in_a_vector_the_last_is_taken() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.stem = nn.Conv2d(3, 4, 3, padding=1)
            self.one, self.two = nn.Conv2d(4, 4, 3, 4, 1), nn.Conv2d(4, 4, 3, 4, 1)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x).relu()
            return self.head(torch.cat([self.one(x).relu().mean((2, 3)), self.two(x).relu().mean((2, 3))], 1))

    found, _ = choice(Branches(), 64)
    assert found.id == "two"


def test_a_network_that_cuts_gradients_off_has_its_last_map() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.two(self.one(x)).detach().mean((2, 3)))

    model, using = opened(Cut().eval().requires_grad_(False)), stages()
    assert automatic(model.subject(picture(), using), using) == "two"


class Pyramid(nn.Module):
    """Three levels, each with heads of its own; what they give is put together, level after level."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.levels = nn.ModuleList(
            nn.Sequential(*(m for k in range(6) for m in (nn.Conv2d(8 if k else n, 8, 3, 1 if k else s, 1), nn.ReLU())))
            for n, s in ((3, 4), (8, 2), (8, 2))
        )
        self.kinds = nn.ModuleList(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 2, 1)) for _ in range(3))
        self.boxes = nn.ModuleList(nn.Conv2d(8, 4, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for level, kinds, boxes in zip(self.levels, self.kinds, self.boxes, strict=True):
            x = level(x)
            found.append(torch.cat([kinds(x), boxes(x)], 1).flatten(2).transpose(1, 2))
        return torch.cat(found, 1)


@pytest.mark.parametrize(("row", "level"), [(0, 0), (136, 0), (255, 0), (256 + 27, 1), (256 + 64 + 5, 2)])
def test_a_box_has_the_level_that_it_comes_from(row: int, level: int) -> None:
    """The other levels stand in the same graph, for all are put together before one row is taken; no gradient comes."""
    net = Pyramid().eval().requires_grad_(False)
    subject = Subject(
        net=net,
        input=torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)),
        scores=lambda x: net(x)[:, row],
        classes=("a", "b"),
        extent=(0, 0, 64, 64),
        black=torch.zeros(1, 3, 1, 1),
        spread=2,
    )
    assert chosen(subject, stages()).id == f"levels.{level}"
