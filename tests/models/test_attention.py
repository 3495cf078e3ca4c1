"""Attention against `nn.MultiheadAttention` itself with need_weights, rollout against a plain loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.bundled.photos import PhotosResNet, photos_vit
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.features import attention
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.types import Failure, Result, Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8), tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


def engine(net: nn.Module) -> Engine:
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    made = Engine(threads=1)
    about = {"preprocessing": {"resize": 32, "crop": 32}}
    made._models["net"] = registry.adapt(net.eval(), Card("net", classes=tuple("abcdefghij"), about=about))
    return made


@pytest.fixture
def made() -> Engine:
    torch.manual_seed(0)
    net = photos_vit()
    with torch.no_grad():  # attention that differs from uniform
        for module in net.modules():
            if isinstance(module, nn.MultiheadAttention):
                module.in_proj_weight.mul_(3)
                module.in_proj_bias.normal_()
        net.encoder.pos_embedding.normal_()
    return engine(net)


def ask(made: Engine, source: Source, **params: Any) -> Any:
    return made.run(Request.make("attention", "net", source, params))


@pytest.fixture
def truth(made: Engine, source: Source) -> list[np.ndarray]:
    """Each block's weights (heads, T, T), asked of its own module."""
    net = made.model("net").net
    pixels = made.pixels(Request("attention", "net", source), Context())
    inputs: list[torch.Tensor] = []
    hooks = [b.ln_1.register_forward_hook(lambda m, i, out: inputs.append(out.clone())) for b in net.encoder.layers]
    with torch.no_grad():
        net(made.model("net").preprocess.input(pixels, torch.device("cpu")))
        for hook in hooks:
            hook.remove()
        return [
            block.self_attention(x, x, x, need_weights=True, average_attn_weights=False)[1][0].numpy()
            for block, x in zip(net.encoder.layers, inputs, strict=True)
        ]


@pytest.mark.parametrize("query", [-1, 0, 37])
def test_every_block_and_head_equals_the_modules_own(
    made: Engine, source: Source, truth: list[np.ndarray], query: int
) -> None:
    found = ask(made, source, query=query)
    assert isinstance(found, Result), found
    expected = np.stack(truth)[:, :, query + 1]
    np.testing.assert_allclose(found.arrays["all"], expected[..., 1:].reshape(6, 4, 8, 8), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.arrays["to_class"], expected[..., 0], rtol=1e-4, atol=1e-6)
    sums = found.arrays["all"].sum((2, 3)) + found.arrays["to_class"]
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    bits = -(expected * np.log2(np.maximum(expected, 1e-30))).sum(-1)
    np.testing.assert_allclose(found.arrays["entropy"], bits, rtol=1e-3, atol=1e-4)
    one = ask(made, source, query=query, block=4, head=2)
    np.testing.assert_allclose(one.arrays["map"], found.arrays["all"][4, 2], atol=1e-7)
    mean = ask(made, source, query=query, block=4)
    np.testing.assert_allclose(mean.arrays["map"], found.arrays["all"][4].mean(0), atol=1e-6)


def naive_rollout(blocks: list[np.ndarray], discard: float) -> np.ndarray:
    joined = np.eye(blocks[0].shape[1])
    for block in blocks:
        mixed = block.astype(np.float64).mean(0)
        for number in range(len(mixed)):
            row = mixed[number]
            row[np.argsort(row, kind="stable")[: int(discard * len(row))]] = 0
            mixed[number] = row / row.sum()
        mixed = 0.5 * mixed + 0.5 * np.eye(len(mixed))
        joined = mixed @ joined
    return joined


@pytest.mark.parametrize("discard", [0.0, 0.5, 0.9])
def test_rollout_equals_a_plain_loop(made: Engine, source: Source, truth: list[np.ndarray], discard: float) -> None:
    expected = naive_rollout(truth, discard)
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-9)
    for query in (-1, 12):
        found = ask(made, source, discard=discard, query=query)
        row = expected[query + 1]
        np.testing.assert_allclose(found.arrays["map"], row[1:].reshape(8, 8), rtol=1e-3, atol=1e-6)
        assert found.meta["to_class"] == pytest.approx(row[0], abs=1e-5)
        assert found.arrays["map"].sum() + found.meta["to_class"] == pytest.approx(1, abs=1e-5)


def test_positions_are_compared_by_their_cosine(made: Engine, source: Source) -> None:
    places = made.model("net").net.encoder.pos_embedding[0].numpy()
    for query in (-1, 9):
        found = ask(made, source, query=query).arrays["position"]
        own = places[query + 1]
        expected = [p @ own / np.linalg.norm(p) / np.linalg.norm(own) for p in places[1:]]
        np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)
    assert found.ravel()[9] == pytest.approx(1, abs=1e-5)


def test_torchvisions_own_transformer_answers(source: Source) -> None:
    made = Engine(threads=1)
    found = made.run(Request.make("attention", "vit_b_32", source, {"block": 3}))
    assert isinstance(found, Result), found
    assert found.arrays["all"].shape == (12, 12, 7, 7)
    assert found.meta["blocks"][3] == "encoder.layers.encoder_layer_3.self_attention"


def test_weights_of_some_queries_are_those_of_all() -> None:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(1, 5, 8)
    with torch.no_grad():
        expected = module(x, x, x, need_weights=True, average_attn_weights=False)[1][0]
        torch.testing.assert_close(attention.weights(module, x), expected)
        torch.testing.assert_close(attention.weights(module, x, slice(2, 3)), expected[:, 2:3])


def test_what_is_not_there_is_refused(made: Engine, source: Source) -> None:
    for params, words in (({"block": 6}, "from 0 to 5"), ({"head": 4}, "from 0 to 3"), ({"query": 64}, "from 0 to 63")):
        refused = ask(made, source, **params)
        assert isinstance(refused, Failure)
        assert words in refused.advice


def test_a_network_without_attention_says_so(source: Source) -> None:
    made = engine(PhotosResNet(width=4, blocks=1, classes=10))
    offer = registry.all_inspections()["attention"].offer(made.model("net"))
    assert "vision transformers" in offer.reason
    refused = ask(made, source)
    assert isinstance(refused, Failure) and refused.message == offer.reason
