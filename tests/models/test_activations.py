"""Activations against plain hooks and closed forms; receptive fields against the arithmetic of convolutions."""

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
from models.features import activation, receptive_field
from models.pictures.images import save_png
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.subject import Subject
from models.tracing.layers import call_of
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
    made._models["net"] = registry.adapt(net.eval(), Card("net", classes=tuple("abcd"), about=about))
    return made


@pytest.fixture
def made() -> Engine:
    torch.manual_seed(0)
    return engine(PhotosResNet(width=4, blocks=1, classes=4))


def ask(made: Engine, source: Source, inspection: str = "activations", **params: Any) -> Any:
    return made.run(Request.make(inspection, "net", source, params))


def given(made: Engine, source: Source) -> torch.Tensor:
    """The network's input, made by the adapter for the engine."""
    pixels = made.pixels(Request("activations", "net", source), Context())
    return made.model("net").preprocess.input(pixels, torch.device("cpu"))


@pytest.mark.parametrize("layer", ["conv1", "bn1", "layer2.0.conv1", "layer3"])
def test_maps_and_statistics_equal_those_of_a_plain_hook(made: Engine, source: Source, layer: str) -> None:
    net, kept = made.model("net").net, []
    hook = net.get_submodule(layer).register_forward_hook(lambda m, i, out: kept.append(out.clone()))
    with torch.no_grad():
        net(given(made, source))
    hook.remove()
    expected = kept[0][0].numpy()
    found = ask(made, source, layer=layer)
    assert isinstance(found, Result), found
    arrays = found.arrays
    np.testing.assert_allclose(arrays["maps"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(arrays["mean"], expected.mean((1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(arrays["max"], expected.max((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(arrays["min"], expected.min((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(arrays["zeros"], (expected == 0).mean((1, 2)), atol=1e-6)
    assert np.array_equal(arrays["dead"], (expected == 0).all((1, 2)))
    assert found.meta["grid"] == expected.shape[1:]


def test_relevance_before_global_pooling_is_weight_times_mean(made: Engine, source: Source) -> None:
    """After the last map only a mean and a linear layer follow, so the gradient is the weight over the places."""
    net = made.model("net").net
    for target in ("b", "c"):
        found = ask(made, source, layer="layer3", target=target, sort="relevance")
        weight = net.fc.weight["abcd".index(target)].numpy()
        maps = found.arrays["maps"]
        expected = weight * maps.sum((1, 2)) / maps[0].size ** 2
        np.testing.assert_allclose(found.arrays["relevance"], expected, rtol=1e-4, atol=1e-8)
        assert np.array_equal(found.arrays["order"], np.argsort(-expected, kind="stable"))
    against = ask(made, source, layer="layer3", target="b", against="c").arrays["relevance"]
    parts = [ask(made, source, layer="layer3", target=t).arrays["relevance"] for t in "bc"]
    np.testing.assert_allclose(against, parts[0] - parts[1], atol=1e-6)


def test_a_vector_is_one_value_a_channel_and_its_relevance_adds_up(made: Engine, source: Source) -> None:
    found = ask(made, source, layer="fc", target="c")
    assert found.arrays["maps"].shape == (4, 1, 1)
    with torch.no_grad():
        logits = made.model("net").net(given(made, source))[0].numpy()
    np.testing.assert_allclose(found.arrays["maps"].ravel(), logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.arrays["relevance"], logits * np.eye(4)[2], rtol=1e-4, atol=1e-5)
    assert found.meta["layout"] == "vector"


def test_dead_channels_and_every_order(made: Engine, source: Source) -> None:
    net = made.model("net").net
    net.bn1.bias.data[2] = -1e3
    found = ask(made, source, layer="relu", sort="mean")
    assert found.arrays["dead"].tolist() == [False, False, True, False]
    assert found.meta["dead_count"] == 1
    for sort in ("mean", "max", "relevance"):
        arrays = ask(made, source, layer="relu", sort=sort).arrays
        assert np.all(np.diff(arrays[sort][arrays["order"]]) <= 0), sort
    assert ask(made, source, layer="relu").arrays["order"].tolist() == [0, 1, 2, 3]


def test_large_maps_travel_in_half_precision_unless_that_loses_range() -> None:
    large = torch.rand(3, 1000, 1000)
    assert activation.maps(large).dtype == np.float16
    assert activation.maps(large * 1e6).dtype == np.float32
    assert activation.maps(large[:, :100]).dtype == np.float32


def test_thumbnails_are_means_of_blocks() -> None:
    value = torch.rand(2, 130, 70)
    small = activation.thumbnails(value)
    assert small.shape == (2, 44, 24)
    blocks = [[value[:, 3 * r : 3 * r + 3, 3 * c : 3 * c + 3].mean((1, 2)) for c in range(24)] for r in range(44)]
    expected = torch.stack([torch.stack(row, -1) for row in blocks], 1)
    np.testing.assert_allclose(small, expected.numpy(), rtol=1e-5)
    assert np.array_equal(activation.thumbnails(value[:, :64, :64]), value[:, :64, :64].numpy())


def test_tokens_become_a_grid_without_the_class_token(source: Source) -> None:
    torch.manual_seed(0)
    made = engine(photos_vit())
    found = ask(made, source, layer="encoder.layers.encoder_layer_2")
    assert isinstance(found, Result), found
    net, kept = made.model("net").net, []
    hook = net.encoder.layers.encoder_layer_2.register_forward_hook(lambda m, i, out: kept.append(out))
    with torch.no_grad():
        net(given(made, source))
    hook.remove()
    expected = kept[0][0, 1:].T.reshape(128, 8, 8).numpy()
    np.testing.assert_allclose(found.arrays["maps"], expected, rtol=1e-4, atol=1e-5)


def test_what_is_no_map_of_the_picture_is_refused(source: Source) -> None:
    """Of a detector the cut-out of a box is no map of the picture; the vector of its box is a vector all the same."""
    made = Engine(threads=1)
    for inspection in ("activations", "receptive"):
        refused = made.run(Request.make(inspection, "digits-faster-rcnn", source, {"layer": "roi_heads.box_roi_pool"}))
        assert isinstance(refused, Failure)
        assert "map of the picture" in refused.message
        assert "such as backbone" in refused.advice
    found = made.run(Request.make("activations", "digits-faster-rcnn", source, {"layer": "roi_heads.box_head"}))
    assert isinstance(found, Result), found
    assert found.arrays["maps"].shape[1:] == (1, 1)


# Kernel size, stride, padding, dilation of each layer.
STACKS = [
    [(3, 1, 1, 1), (3, 1, 1, 1)],
    [(7, 2, 3, 1), (3, 2, 1, 1), (3, 1, 1, 1)],
    [(5, 3, 0, 1), (3, 2, 0, 1)],
    [(3, 1, 2, 2), (1, 1, 0, 1), (3, 2, 1, 1), (3, 1, 3, 3)],
]


def theoretical(layers: list[tuple[int, int, int, int]], place: int, side: int) -> tuple[int, int]:
    """Return the first and one past the last input cell that a unit depends on (size, jump and start, layer by layer:
    Dumoulin & Visin 2016)."""
    size, jump, start = 1, 1, 0.0
    for kernel, stride, padding, dilation in layers:
        start += ((dilation * (kernel - 1)) / 2 - padding) * jump
        size += dilation * (kernel - 1) * jump
        jump *= stride
    middle = start + place * jump
    return max(0, round(middle - (size - 1) / 2)), min(side, round(middle + (size - 1) / 2) + 1)


@pytest.mark.parametrize("layers", STACKS)
def test_the_field_of_a_stack_of_convolutions_is_the_theoretical_one(layers: list[tuple[int, int, int, int]]) -> None:
    torch.manual_seed(0)
    side = 48
    widths = [3, *(4 for _ in layers)]
    parts = [nn.Conv2d(a, b, k, s, p, d) for (k, s, p, d), a, b in zip(layers, widths[:-1], widths[1:], strict=True)]
    net = nn.Sequential(nn.Sequential(*parts), nn.Flatten(), nn.LazyLinear(2))
    x = torch.rand(1, 3, side, side)
    net(x)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    subject = Subject(net, x, net, ("a", "b"), (10.0, 20.0, 10.0 + 2 * side, 20.0 + side), torch.zeros(1, 3, 1, 1))
    stages = CachedStages(Cache(), "test", Context())
    with torch.inference_mode():
        call = call_of(subject, "0", stages)
        reached = receptive_field.reach(subject, call, stages)
        rows, columns = call.layout.grid
        for row, column in ((0, 0), (rows // 2, columns // 3), (rows - 1, columns - 1)):
            values = receptive_field.field(reached, 1, row, column)
            assert values.shape == (side, side)
            found = receptive_field.box(values)
            assert found is not None
            expected_x, expected_y = theoretical(layers, column, side), theoretical(layers, row, side)
            dilated = any(d > 1 for *_, d in layers)
            assert found[0] >= expected_x[0] and found[2] <= expected_x[1]
            if not dilated or expected_x[0] > 0:
                assert (found[0], found[2]) == expected_x
                assert (found[1], found[3]) == expected_y
            most = receptive_field.effective(values)
            assert most is not None
            assert most[0] >= found[0] and most[1] >= found[1] and most[2] <= found[2] and most[3] <= found[3]
            assert values[most[1] : most[3], most[0] : most[2]].sum() >= 0.95 * values.sum() - 1e-6


def test_the_field_is_the_gradient_and_lies_where_the_network_looks(made: Engine, source: Source) -> None:
    found = ask(made, source, "receptive", layer="layer1", channel=1, row=9, column=20)
    assert isinstance(found, Result), found
    net = made.model("net").net
    x = given(made, source).requires_grad_()
    value = net.layer1(net.relu(net.bn1(net.conv1(x))))[0, 1, 9, 20]
    (gradient,) = torch.autograd.grad(value, x)
    expected = gradient.abs().sum(1)[0].numpy()
    if found.meta["silent"]:
        assert not expected.any()
    else:
        np.testing.assert_allclose(found.arrays["field"], expected, rtol=1e-4, atol=1e-7)
    x0, y0, x1, y1 = found.arrays["box"][0]
    left, top, right, _ = found.meta["extent"]
    scale = (right - left) / 32
    assert (x0, x1) == pytest.approx((left + 17 * scale, left + 24 * scale), abs=1e-3)  # three 3x3: 7 cells
    assert (y0, y1) == pytest.approx((top + 6 * scale, top + 13 * scale), abs=1e-3)


def test_a_silent_unit_shows_what_its_place_depends_on(made: Engine, source: Source) -> None:
    made.model("net").net.bn1.bias.data[2] = -1e3
    found = ask(made, source, "receptive", layer="relu", channel=2, row=10, column=10)
    assert found.meta["silent"] and not found.meta["empty"]
    others = ask(made, source, "receptive", layer="relu", channel=-1, row=10, column=10)
    assert np.array_equal(found.arrays["field"], others.arrays["field"])


def test_it_goes_no_further_than_the_layer_and_leaves_no_hook(made: Engine, source: Source) -> None:
    net, called = made.model("net").net, []
    hook = net.layer2.register_forward_hook(lambda m, i, out: called.append(1))
    ask(made, source, "activations", layer="layer1")
    count = len(called)
    ask(made, source, "receptive", layer="layer1", row=3, column=3)
    ask(made, source, "receptive", layer="layer1", row=4, column=3)
    hook.remove()
    assert len(called) == count
    assert not torch.nn.modules.module._global_forward_hooks


def test_a_unit_that_is_not_there_is_refused(made: Engine, source: Source) -> None:
    for params in ({"channel": 4}, {"row": 32}, {"column": 99}):
        refused = ask(made, source, "receptive", layer="layer1", **params)
        assert isinstance(refused, Failure)
        assert "4 channels of 32 x 32" in refused.advice
