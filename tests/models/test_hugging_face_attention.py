"""Attention with any number of tokens that have no place: Hugging Face's own weights, timm's by its own formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hugging_face_folders import make

from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Result, Source

# The tokens before and after the patches.
EXTRA = {"vit": (1, 0), "deit": (2, 0), "registers": (5, 0), "dinov2": (1, 0), "yolos": (1, 12), "detr": (0, 0)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    place = tmp_path_factory.mktemp("picture") / "a.png"
    rng = np.random.default_rng(3)
    save_png(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8), place)
    return Source.file(place)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def ask(engine: Engine, name: str, source: Source, **settings: Any) -> Result:
    found = engine.run(Request.make("attention", name, source, settings))
    assert isinstance(found, Result), (found.text, found.details)
    return found


def truth(engine: Engine, name: str, source: Source) -> list[np.ndarray]:
    """Each block's attention (heads, T, T), which the library returns on request."""
    model = engine.model(name)
    pixels = engine.pixels(Request("attention", name, source), _context())
    with torch.no_grad():
        x = model.preprocess.input(pixels, torch.device("cpu"))
        made = model.net(pixel_values=x, output_attentions=True)
    return [each[0].numpy() for each in (made.get("encoder_attentions") or made.attentions)]


def _context() -> Any:
    from models.runtime.context import Context

    return Context()


@pytest.mark.parametrize("name", EXTRA)
def test_the_blocks_are_the_librarys_own_and_patches_are_told_from_other_tokens(
    name: str, tmp_path: Path, source: Source, engine: Engine
) -> None:
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    place = str(make(name, tmp_path / name))
    before, after = EXTRA[name]
    blocks = np.stack(truth(engine, place, source))
    for query in (-1, 3):
        found = ask(engine, place, source, query=query)
        rows, columns = found.meta["grid"]
        assert blocks.shape[-1] == before + rows * columns + after
        patches = slice(before, before + rows * columns)
        asked = patches if query < 0 and not before else 0 if query < 0 else before + query
        expected = blocks[:, :, asked]
        expected = expected.mean(2) if isinstance(asked, slice) else expected
        np.testing.assert_allclose(
            found.arrays["all"], expected[..., patches].reshape(*expected.shape[:2], rows, columns), atol=1e-5
        )
        assert found.meta["class_token"] == (before > 0)
        total = found.arrays["all"].sum((2, 3)) + found.arrays.get("to_class", 0) + found.arrays.get("to_others", 0)
        np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["distilled", "registers"])
def test_timms_distilled_and_register_tokens_are_no_patches(kind: str, source: Source, engine: Engine) -> None:
    pytest.importorskip("timm", reason="timm is not installed")
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(1)
    sizes: dict[str, Any] = {"img_size": 64, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 4}
    made = VisionTransformerDistilled if kind == "distilled" else VisionTransformer
    more: dict[str, Any] = {} if kind == "distilled" else {"reg_tokens": 4, "no_embed_class": True}
    net = made(num_classes=4, **sizes, **more).eval()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
        torch.nn.init.normal_(parameter, std=0.3)
    about = {"preprocessing": {"resize": 64, "crop": 64, "fit": "stretch"}}
    engine._models[kind] = registry.adapt(net, Card(kind, classes=tuple("abcd"), about=about))
    inputs: list[torch.Tensor] = []
    hooks = [block.attn.register_forward_pre_hook(lambda m, given: inputs.append(given[0])) for block in net.blocks]
    pixels = engine.pixels(Request("attention", kind, source), _context())
    with torch.no_grad():
        net(engine.model(kind).preprocess.input(pixels, torch.device("cpu")))
    for hook in hooks:
        hook.remove()
    extra = 2 if kind == "distilled" else 5
    found = ask(engine, kind, source, query=5)
    assert found.meta["grid"] == (4, 4)
    for block, x in enumerate(inputs):
        q, k, _ = net.blocks[block].attn.qkv(x[0]).reshape(-1, 3, 4, 8).permute(1, 2, 0, 3)
        expected = (q @ k.transpose(1, 2) / 8**0.5).softmax(-1)[:, extra + 5, extra:].reshape(4, 4, 4)
        np.testing.assert_allclose(found.arrays["all"][block], expected.numpy(), atol=1e-5)
    assert found.meta["others"] == extra - 1
    assert found.arrays["position"].shape == (4, 4)
    assert found.arrays["position"].argmax() == 5  # a position is most like itself
