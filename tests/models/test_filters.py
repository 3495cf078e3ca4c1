"""Filters against plain numpy: tiles, norms, likeness, dead ones, each layer of several families, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.bundled.photos import PhotosResNet
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.features import filters
from models.pictures.images import save_png
from models.requests import Request
from models.types import Failure, Refusal, Result, Source


def conv(outputs: int = 6, inputs: int = 4, k: int = 3, *, groups: int = 1, seed: int = 0) -> nn.Conv2d:
    torch.manual_seed(seed)
    return nn.Conv2d(inputs, outputs, k, groups=groups, bias=False)


def kernels(module: nn.Module) -> filters.Kernels:
    found = filters.kernels_of(module)
    assert found is not None
    return found


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rng = np.random.default_rng(0)
    save_png(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8), tmp_path / "a.png")
    return Source.file(tmp_path / "a.png")


def engine(net: nn.Module, classes: int = 4) -> Engine:
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    made = Engine(threads=1)
    made._models["net"] = registry.adapt(net.eval(), Card("net", classes=tuple("abcd")[:classes]))
    return made


def ask(made: Engine, source: Source, **params: Any) -> Any:
    return made.run(Request.make("filters", "net", source, params))


def test_the_principal_component_is_the_first_singular_vector_and_keeps_its_share() -> None:
    weight = kernels(conv(5, 7, 3)).weight.numpy()
    tiles, share = filters.tiles(kernels(conv(5, 7, 3)), mode="pca")
    for row in range(5):
        matrix = weight[row].reshape(7, 9)
        _, values, vectors = np.linalg.svd(matrix, full_matrices=False)
        expected = vectors[0] * values[0] / np.sqrt(7)
        expected *= np.sign(expected @ matrix.mean(0))
        np.testing.assert_allclose(tiles[row].ravel(), expected, atol=1e-5)
        assert share[row] == pytest.approx(values[0] ** 2 / (values**2).sum(), abs=1e-5)


def test_a_separable_kernel_is_its_own_component() -> None:
    layer = conv(1, 5, 3)
    plane = torch.randn(3, 3)
    layer.weight.data = (torch.linspace(0.2, 1, 5)[:, None, None] * plane)[None]
    tiles, share = filters.tiles(kernels(layer), mode="pca")
    assert share[0] == pytest.approx(1, abs=1e-5)
    size = float((torch.linspace(0.2, 1, 5) ** 2).mean().sqrt())
    np.testing.assert_allclose(tiles[0], plane.numpy() * size, atol=1e-5)


def test_colours_planes_and_inputs_are_raw_weights() -> None:
    colour = conv(4, 3, 5)
    tiles, share = filters.tiles(kernels(colour))
    assert np.array_equal(tiles, colour.weight.detach().permute(0, 2, 3, 1).numpy())
    assert np.array_equal(share, np.ones(4))
    deep = conv(4, 6, 3)
    tiles, share = filters.tiles(kernels(deep), mode="planes", plane=2)
    weight = deep.weight.detach().numpy()
    assert np.array_equal(tiles, weight[:, 2])
    np.testing.assert_allclose(share, (weight[:, 2] ** 2).sum((1, 2)) / (weight**2).sum((1, 2, 3)), rtol=1e-5)
    tiles, share = filters.tiles(kernels(deep), mode="planes", channel=3)
    assert np.array_equal(tiles, weight[3])
    assert share.sum() == pytest.approx(1, abs=1e-5)
    point = conv(3, 12, 1)
    tiles, _ = filters.tiles(kernels(point))
    assert tiles.shape == (3, 3, 4)
    assert np.array_equal(tiles.reshape(3, 12), point.weight.detach().numpy().reshape(3, 12))


def test_what_fits_no_mode_is_refused() -> None:
    for layer, mode in ((conv(2, 4, 3), "rgb"), (conv(3, 3, 3, groups=3), "rgb"), (conv(2, 3, 3), "inputs")):
        with pytest.raises(Refusal):
            filters.tiles(kernels(layer), mode=mode)
    with pytest.raises(Refusal, match="no input 4"):
        filters.tiles(kernels(conv(2, 4, 3)), mode="planes", plane=4)
    with pytest.raises(Refusal, match="no filter 2"):
        filters.tiles(kernels(conv(2, 4, 3)), channel=2)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_likeness_equals_a_loop_over_pairs(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "BLOCK_BYTES", 4 * 8 * 3)  # several blocks
    layer = conv(8, 8, 3, groups=groups)
    layer.weight.data[5] = 2.5 * layer.weight.data[4] + 1e-4
    layer.weight.data[6] = layer.weight.data[0]
    found = filters.likeness(kernels(layer))
    flat = layer.weight.detach().numpy().reshape(8, -1)
    for row in range(8):
        others = [j for j in range(8) if j != row]
        cosines = [flat[row] @ flat[j] / np.linalg.norm(flat[row]) / np.linalg.norm(flat[j]) for j in others]
        assert found.cosine[row] == pytest.approx(max(cosines), abs=1e-5)
        assert found.nearest[row] == others[int(np.argmax(cosines))]
        own = [c for c, j in zip(cosines, others, strict=True) if j // (8 // groups) == row // (8 // groups)]
        assert found.duplicate[row] == (max(own) > 0.99)
    assert found.duplicate.any() == (groups < 8)
    np.testing.assert_allclose(filters.norms(layer.weight), np.linalg.norm(flat, axis=1), rtol=1e-5)


def test_one_filter_alone_is_like_no_other() -> None:
    found = filters.likeness(kernels(conv(1, 2, 3)))
    assert (found.cosine[0], found.nearest[0], found.duplicate[0]) == (0, -1, False)


def test_transposed_kernels_are_what_an_impulse_draws() -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False)
    weight = kernels(layer).weight
    assert tuple(weight.shape) == filters.shape_of(layer) == (6, 2, 3, 3)
    for i in range(4):
        x = torch.zeros(1, 4, 1, 1)
        x[0, i] = 1
        drawn = layer(x)[0].detach()
        for o in range(6):
            expected = weight[o, i % 2] if o // 3 == i // 2 else torch.zeros(3, 3)
            assert torch.equal(drawn[o], expected)


def test_a_batch_norm_right_after_is_folded_into_the_strength(source: Source) -> None:
    torch.manual_seed(0)
    net = PhotosResNet(width=4, blocks=1, classes=4)
    net.bn1.weight.data = torch.tensor([1.0, 0.0, -2.0, 1e-7])
    net.bn1.running_var = torch.tensor([4.0, 1.0, 1.0, 1.0])
    found = ask(engine(net), source)
    assert isinstance(found, Result), found
    scale = net.bn1.weight.abs() / (net.bn1.running_var + net.bn1.eps).sqrt()
    folded = net.conv1.weight * scale[:, None, None, None]  # the usual fusion of the two
    np.testing.assert_allclose(found.arrays["strength"], folded.flatten(1).norm(dim=1).numpy(), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found.arrays["norms"], net.conv1.weight.flatten(1).norm(dim=1).numpy(), rtol=1e-5)
    assert found.arrays["dead"].tolist() == [False, True, False, True]
    assert (found.meta["layer"], found.meta["mode"], found.meta["folded"]) == ("conv1", "rgb", True)
    assert found.meta["dead_count"] == 2


def test_every_convolution_of_several_families_is_shown(source: Source) -> None:
    made = Engine(threads=1)
    for name in ("mobilenet_v3_small", "squeezenet1_0"):
        first = made.run(Request.make("filters", name, source, {}))
        assert isinstance(first, Result), first
        assert first.meta["layer"] in {"features.0.0", "features.0"}
        net = made.model(name).net
        paths = [p for p, m in net.named_modules() if isinstance(m, nn.Conv2d)]
        assert [one["id"] for one in first.meta["layers"]] == paths
        for path in paths:
            one = made.run(Request.make("filters", name, source, {"layer": path}))
            assert isinstance(one, Result), one
            assert len(one.arrays["tiles"]) == one.meta["shape"][0] == len(one.arrays["order"])
            assert np.isfinite(one.arrays["tiles"]).all()


def test_orders_and_a_single_filter(source: Source) -> None:
    made = engine(PhotosResNet(width=4, blocks=1, classes=4))
    layer = "layer2.0.conv2"
    found = ask(made, source, layer=layer, sort="norm")
    assert np.array_equal(found.arrays["order"], np.argsort(-found.arrays["norms"], kind="stable"))
    alike = ask(made, source, layer=f"{layer}#1", sort="similarity")
    assert np.all(np.diff(alike.arrays["similarity"][alike.arrays["order"]]) <= 0)
    one = ask(made, source, layer=layer, channel=3)
    weight = made.model("net").net.get_submodule(layer).weight.numpy()
    assert np.array_equal(one.arrays["tiles"], weight[3])


def test_layers_without_kernels_are_refused_with_others_named(source: Source) -> None:
    made = engine(PhotosResNet(width=4, blocks=1, classes=4))
    for layer, words in (("fc", "no kernels"), ("layer1.0", "no kernels"), ("conv9", "no layer")):
        refused = ask(made, source, layer=layer)
        assert isinstance(refused, Failure)
        assert words in refused.message
        assert "conv1" in refused.advice
    refused = ask(made, source, layer="conv1", mode="planes", plane=3)
    assert isinstance(refused, Failure) and "no input 3" in refused.message


def test_a_detector_in_whose_picture_nothing_is_found_shows_its_filters(tmp_path: Path) -> None:
    save_png(np.zeros((64, 64, 3), np.uint8), tmp_path / "black.png")
    made = Engine(threads=1)
    found = made.run(Request.make("filters", "digits-ssd", Source.file(tmp_path / "black.png"), {}))
    assert isinstance(found, Result), found
    assert found.meta["mode"] == "rgb"
