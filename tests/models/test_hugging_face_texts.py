"""Hugging Face folders that compare pictures with texts, and those of other forms: against transformers and timm."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hugging_face_folders import VIT, make

from models.cards.card import PHOTOS
from models.engine import registry
from models.engine.engine import Engine
from models.pictures import images
from models.requests import Request
from models.types import Refusal, Result, Source

transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
WORDS = ("<start>", "<end>", "<pad>", "a", "photo", "of", "cat", "dog", "cup", "the", "red", "[UNK]")
TEXTS = ("a photo of a cat", "the red cup", "a dog")
SOURCE = Source.file(PHOTOS / "cat.jpg")


def tokenizer(folder: Path, *, ends: bool) -> None:
    """A tokenizer of whole words, in the file that such folders hold."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    single = "<start> $A <end>" if ends else "$A <end>"
    tokens = [("<start>", 0), ("<end>", 1)]
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=tokens)  # pyright: ignore
    made.save(str(folder / "tokenizer.json"))


def clip(folder: Path) -> Path:
    torch.manual_seed(0)
    text = {**VIT, "vocab_size": len(WORDS), "max_position_embeddings": 20, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={"image_size": 64, "patch_size": 16, **VIT}, projection_dim=24
    )
    return saved(transformers.CLIPModel(config), folder, "CLIPImageProcessor", ends=True)


def siglip(folder: Path) -> Path:
    torch.manual_seed(0)
    text = {**VIT, "vocab_size": len(WORDS), "max_position_embeddings": 12, "pad_token_id": 2, "eos_token_id": 1}
    config = transformers.SiglipConfig(text_config=text, vision_config={"image_size": 64, "patch_size": 16, **VIT})
    return saved(transformers.SiglipModel(config), folder, "SiglipImageProcessor", ends=False)


def saved(net: Any, folder: Path, processor: str, *, ends: bool) -> Path:
    net.save_pretrained(folder)
    sizes = {"size": {"height": 64, "width": 64}}
    if processor == "CLIPImageProcessor":
        sizes = {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}  # type: ignore[dict-item]
    getattr(transformers, processor)(**sizes).save_pretrained(folder)
    tokenizer(folder, ends=ends)
    return folder


def theirs(folder: Path, net: Any, texts: tuple[str, ...], *, fill: int) -> np.ndarray:
    """The library's own scores: texts filled up to one length, with a mask unless it was trained without."""
    from tokenizers import Tokenizer

    ids = [Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids for text in texts]
    length = fill or max(map(len, ids))
    filled = torch.tensor([[*one, *([2] * (length - len(one)))] for one in ids])
    mask = torch.tensor([[1] * len(one) + [0] * (length - len(one)) for one in ids])
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    processor = getattr(transformers, settings["image_processor_type"]).from_pretrained(folder)
    seen = processor(images=images.read(PHOTOS / "cat.jpg").pixels.copy(), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        given = {} if fill else {"attention_mask": mask}
        return net(input_ids=filled, pixel_values=seen, **given).logits_per_image[0].numpy()


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_texts_that_are_written_are_the_classes(kind: str, tmp_path: Path) -> None:
    folder = (clip if kind == "clip" else siglip)(tmp_path / kind)
    library = getattr(transformers, "CLIPModel" if kind == "clip" else "SiglipModel")
    wanted = theirs(folder, library.from_pretrained(folder).eval(), TEXTS, fill=0 if kind == "clip" else 12)
    name = f"{folder}?prompts={';'.join(TEXTS)}"
    engine = Engine(threads=1)
    model = engine.model(name)
    assert model.card.classes == TEXTS and "what you write" in model.card.about["note"]
    found = engine.run(Request.make("classify", name, SOURCE))
    assert isinstance(found, Result), found
    np.testing.assert_allclose(
        model.logits(engine.pixels(Request.make("classify", name, SOURCE), None), _stages(engine)), wanted, atol=1e-4
    )  # type: ignore[arg-type]
    chances = torch.tensor(wanted).softmax(0) if kind == "clip" else torch.tensor(wanted).sigmoid()
    best = int(chances.argmax())
    assert found.arrays["probabilities"].max() == pytest.approx(float(chances[best]), abs=1e-4)
    attention = engine.run(Request.make("attention", name, SOURCE))
    assert isinstance(attention, Result), attention


def _stages(engine: Engine) -> Any:
    from models.runtime.context import Context
    from models.runtime.stage_cache import CachedStages

    return CachedStages(engine.cache, "test", Context())


def test_texts_come_from_the_card_too_and_what_is_missing_is_said(tmp_path: Path) -> None:
    folder = clip(tmp_path / "clip")
    assert registry.open_model(str(folder)).card.classes[0] == "a photo of a person"
    (folder / "model.json").write_text(
        json.dumps({"name": "clip", "classes": ["a cat", "a dog"], "weights": "model.safetensors"})
    )
    assert registry.open_model(str(folder)).card.classes == ("a cat", "a dog")
    with pytest.raises(Refusal, match="there twice"):
        registry.open_model(f"{folder}?prompts=a cat;a cat")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(Refusal, match="cannot be read"):
        registry.open_model(str(folder))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(Refusal, match=r"tokenizer\.json is not there"):
        registry.open_model(str(folder))


def test_weights_in_pytorchs_own_file_are_read_as_tensors_alone(tmp_path: Path) -> None:
    folder = make("vit", tmp_path / "vit")
    own = registry.open_model(str(folder))
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    other = registry.open_model(str(folder))
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(own.scores(x), other.scores(x))
    torch.save({**state, "code": Path("x")}, folder / "pytorch_model.bin")
    with pytest.raises(Refusal, match="asks for"):
        registry.open_model(str(folder))


def test_a_network_of_timms_in_transformers_form(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    torch.manual_seed(0)
    config = transformers.TimmWrapperConfig(architecture="resnet10t", id2label={0: "cat", 1: "dog", 2: "cup"})
    net = transformers.TimmWrapperForImageClassification(config).eval()
    net.save_pretrained(tmp_path / "timm")
    file = tmp_path / "timm" / "config.json"
    own = {"input_size": [3, 96, 96], "crop_pct": 0.9, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.25] * 3}
    file.write_text(json.dumps({**json.loads(file.read_text()), "pretrained_cfg": own}))
    model = registry.open_model(str(tmp_path / "timm"))
    assert model.card.classes == ("cat", "dog", "cup")
    pixels = images.read(PHOTOS / "cat.jpg").pixels
    from PIL import Image

    way = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=own))
    wanted = way(Image.fromarray(pixels))[None]
    made = model.preprocess.input(pixels, torch.device("cpu"))
    torch.testing.assert_close(made, wanted, atol=0.03, rtol=0)
    with torch.no_grad():
        assert torch.equal(model.scores(made), net(pixel_values=made).logits)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "timm", elsewhere)
    file = elsewhere / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "architecture": "hf-hub:someone/net"}))
    with pytest.raises(Refusal, match="elsewhere"):
        registry.open_model(str(elsewhere))
