"""timm's networks with random weights under Vitrine's own questions, against independent ways to answer them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.engine.engine import Engine
from models.requests import Request
from models.runtime.context import Context
from models.types import Result, Source

pytest.importorskip("timm", reason="timm is not installed")
PHOTO = Source.file(Path(__file__).resolve().parents[2] / "assets" / "photos" / "cat.jpg")
NAMES = ("timm:resnet18", "timm:vit_tiny_patch16_224", "timm:convnext_atto")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def ask(engine: Engine, inspection: str, model: str, **settings: object) -> Result:
    answer = engine.run(Request.make(inspection, model, PHOTO, settings))  # pyright: ignore[reportArgumentType]
    assert isinstance(answer, Result), answer
    return answer


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_those_of_the_network_itself(engine: Engine, name: str) -> None:
    model = engine.model(name)
    pixels = engine.pixels(Request("classify", name, PHOTO), Context())
    with torch.no_grad():
        wanted = model.net(model.preprocess.input(pixels, torch.device("cpu")))[0].softmax(0)
    given = ask(engine, "classify", name, top=1000)
    assert np.allclose(given.arrays["probabilities"], wanted.numpy()[given.arrays["labels"]], atol=1e-6)
    assert given.meta["classes"][281] == "tabby"


@pytest.mark.parametrize("name", NAMES)
def test_layers_and_activations_are_there(engine: Engine, name: str) -> None:
    layers = ask(engine, "layers", name)
    assert len(layers.meta["calls"]) > 20
    shown = ask(engine, "activations", name)
    assert np.isfinite(next(iter(shown.arrays.values()))).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["grad_cam", "saliency", "occlusion"])
def test_attributions_are_maps_that_are_not_flat(engine: Engine, name: str, method: str) -> None:
    heat = ask(engine, method, name, target="281")
    assert np.isfinite(heat.arrays["map"]).all()
    assert heat.arrays["map"].std() > 0


def test_grad_cam_of_a_resnet_is_its_definition(engine: Engine) -> None:
    name = "timm:resnet18"
    net = engine.model(name).net
    pixels = engine.pixels(Request("classify", name, PHOTO), Context())
    kept: list[torch.Tensor] = []
    hook = net.layer4.register_forward_hook(lambda module, given, value: kept.append(value))
    picture = engine.model(name).preprocess.input(pixels, torch.device("cpu")).requires_grad_()
    score = net(picture)[0, 281]
    hook.remove()
    (gradient,) = torch.autograd.grad(score, kept[0])
    wanted = torch.relu((gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1))[0].detach().numpy()
    given = ask(engine, "grad_cam", name, target="281", layer="layer4").arrays["map"]
    assert np.corrcoef(given.ravel(), wanted.ravel())[0, 1] > 0.9999


def test_a_network_without_a_head_shows_its_features(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm  # pyright: ignore[reportMissingImports]

    from models.cards.card import Card
    from models.engine import registry

    torch.manual_seed(0)
    net = timm.create_model("vit_tiny_patch16_224", num_classes=0).eval().requires_grad_(False)
    model = engine._models["encoder"] = registry.adapt(net, Card("encoder", task="features"))
    monkeypatch.setattr(engine, "model", lambda name, context=None: model)
    pixels = engine.pixels(Request("layers", "encoder", PHOTO), Context())
    with torch.no_grad():
        wanted = net(model.preprocess.input(pixels, torch.device("cpu")))[0]
    given = ask(engine, "saliency", "encoder", target="feature 7")
    assert given.meta["score"] == pytest.approx(float(wanted[7]), abs=1e-5)
    assert "Classifies" not in registry.describe(model).capabilities
    assert len(ask(engine, "layers", "encoder").meta["calls"]) > 20


def test_attention_is_what_timm_multiplies_its_values_with(engine: Engine) -> None:
    name = "timm:vit_tiny_patch16_224"
    model = engine.model(name)
    shown = ask(engine, "attention", name, block=3)
    blocks, kept = [block.attn for block in model.net.blocks], []
    hooks = [b.attn_drop.register_forward_hook(lambda module, given, value: kept.append(given[0])) for b in blocks]
    try:
        for block in blocks:
            block.fused_attn = False  # the way in which the weights are there to be seen
        pixels = engine.pixels(Request("attention", name, PHOTO), Context())
        with torch.no_grad():
            model.net(model.preprocess.input(pixels, torch.device("cpu")))
    finally:
        for hook, block in zip(hooks, blocks, strict=True):
            hook.remove()
            block.fused_attn = True
    wanted = torch.stack([weights[0, :, 0, 1:].reshape(-1, 14, 14) for weights in kept])
    assert np.allclose(shown.arrays["all"], wanted.numpy(), atol=1e-6)
    assert np.allclose(shown.arrays["heads"], wanted[3].numpy(), atol=1e-6)
    assert "position" in shown.arrays
