"""The zoo's catalogue against the libraries it lists; its caches; opening from them against the libraries' own ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models import detection, get_model, get_model_weights, list_models, segmentation

from models.cards import card as cards
from models.cards import zoo_catalogue
from models.engine import registry
from models.files import sha256
from models.loading.preprocess import Preprocess
from models.types import Refusal
from models.zoo import build_catalogue, cached, fetch, recognise
from models.zoo.open_published import open_zoo

SHIPPED = "The zoo was made with another version: python -m models.zoo.build_catalogue"
TASKS = {torchvision.models: "classification", detection: "detection", segmentation: "segmentation"}
SMALL = ("squeezenet1_1", "googlenet", "ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every cache in a folder of its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


def test_every_published_model_of_torchvision_is_in_it() -> None:
    if zoo_catalogue.raw("torchvision")["version"] != torchvision.__version__.partition("+")[0]:
        pytest.skip(SHIPPED)
    wanted = {
        f"torchvision:{name}:{w.name}": (task, w.url, w.meta["num_params"], len(w.meta["categories"] or ()))
        for module, task in TASKS.items()
        for name in list_models(module)
        for w in _all_weights(name)
    }
    entries = [e for e in zoo_catalogue.entries() if e.library == "torchvision"]
    assert {e.name: (e.task, e.url, e.parameters, e.classes) for e in entries} == wanted


def _all_weights(name: str) -> Any:
    return [w if w.meta.get("categories") else _without(w) for w in get_model_weights(name)]  # pyright: ignore


def _without(published: Any) -> Any:
    published.meta.setdefault("categories", None)
    return published


def test_sizes_and_hashes_are_those_that_torchvision_tells() -> None:
    for name in (*SMALL, "resnet50"):
        for published in get_model_weights(name):  # pyright: ignore[reportGeneralTypeIssues]
            entry = zoo_catalogue.find(f"torchvision:{name}:{published.name}")
            assert entry.bytes == pytest.approx(published.meta["_file_size"] * 2**20, abs=1)
            assert published.url.endswith(f"-{cached.digest(entry)}.pth")
        assert zoo_catalogue.find(f"torchvision:{name}:DEFAULT").tag == get_model_weights(name).DEFAULT.name  # pyright: ignore


@pytest.mark.parametrize("name", ["squeezenet1_1", "regnet_y_400mf", "swin_t", "lraspp_mobilenet_v3_large"])
def test_torchvision_networks_have_the_tensors_that_are_listed(name: str) -> None:
    row = zoo_catalogue.raw("torchvision")["models"][name]
    more: dict[str, Any] = {"weights_backbone": None} if "lraspp" in name else {}
    net = get_model(name, weights=None, num_classes=21, **more)
    assert row["body"] + 21 * row["per_class"] == sum(p.numel() for p in net.parameters())
    given = {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}
    assert recognise.Candidate(name, 21) in recognise.candidates(given)
    wider = dict(given)
    wider[next(iter(wider))] = (1, 1)
    assert not recognise.candidates(wider)


def test_what_was_saved_without_its_auxiliary_head_is_recognised() -> None:
    with torch.device("meta"):
        net = get_model("fcn_resnet50", weights=None, weights_backbone=None, num_classes=5, aux_loss=False)
    given = {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}
    assert recognise.candidates(given) == [recognise.Candidate("fcn_resnet50", 5)]


def test_timm_is_listed_as_it_is_installed() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    if zoo_catalogue.raw("timm")["version"] != timm.__version__:
        pytest.skip(SHIPPED)
    assert set(zoo_catalogue.raw("timm")["models"]) == set(timm.list_models())
    wanted = {f"timm:{name}" for name in timm.list_pretrained()}
    assert {e.name for e in zoo_catalogue.entries() if e.library == "timm" and e.tag} == wanted
    for name in ("resnet18", "vit_tiny_patch16_dinov3_qkvb"):
        assert zoo_catalogue.find(f"timm:{name}").classes == timm.get_pretrained_cfg(name).num_classes
    for name in timm.list_pretrained("resnet18.*"):
        config = timm.get_pretrained_cfg(name)
        entry = zoo_catalogue.find(f"timm:{name}")
        assert (entry.classes, entry.size) == (config.num_classes, config.input_size[-1])
        assert (entry.licence, entry.hub) == (config.license, config.hf_hub_id)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_timm_networks_have_the_tensors_that_are_listed(name: str) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    net = timm.create_model(name, num_classes=21)
    row = zoo_catalogue.raw("timm")["models"][name]
    assert row["body"] + 21 * row["per_class"] == sum(p.numel() for p in net.parameters())
    assert json.loads(json.dumps(build_catalogue.timm_zoo([name])["models"][name])) == row
    found = recognise.candidates({key: tuple(tensor.shape) for key, tensor in net.state_dict().items()})
    assert recognise.Candidate(f"timm:{name}", 21) in found
    headless = timm.create_model(name, num_classes=0)
    found = recognise.candidates({key: tuple(tensor.shape) for key, tensor in headless.state_dict().items()})
    assert recognise.Candidate(f"timm:{name}", 0) in found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torchvision:resnet18", "does not say which"),
        ("torchvision:resnet18:NONE", "has no weights 'NONE'"),
        ("timm:resnet18.none", "has no weights 'none'"),
        ("timm:reznet18", "There is no model"),
    ],
)
def test_a_name_that_there_is_not_is_told_with_what_is_like_it(name: str, words: str) -> None:
    with pytest.raises(Refusal, match=words) as told:
        zoo_catalogue.find(name)
    assert "resnet18" in told.value.advice or "IMAGENET1K_V1" in told.value.advice or "a1_in1k" in told.value.advice


def test_names_of_the_zoo_are_no_paths() -> None:
    assert cards.canonical("timm:resnet18.a1_in1k") == "timm:resnet18.a1_in1k"
    assert cards.task("torchvision:fcn_resnet50:DEFAULT") == "segmentation"
    assert cards.task("timm:resnet18") == "classification"
    assert cards.task("timm:none") == ""


def test_the_cache_is_torch_hubs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cached.checkpoints() == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    assert cached.checkpoints() == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cached.checkpoints() == Path(torch.hub.get_dir()) / "checkpoints"


def test_what_hugging_face_keeps_is_found(home: Path) -> None:
    entry = zoo_catalogue.find("timm:resnet18.a1_in1k")
    assert cached.find(entry) is None
    folder = home / "hf" / "hub" / "models--timm--resnet18.a1_in1k"
    file = folder / "snapshots" / ("ab" * 20) / "model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"there")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("../../../../etc")
    assert cached.find(entry) is None
    (folder / "refs" / "main").write_text("ab" * 20)
    assert cached.find(entry) == file
    assert fetch.fetch(entry) == file
    assert fetch.missing(entry.name) is None


def put(name: str) -> torch.nn.Module:
    """Put random numbers into the cache as the published weights of torchvision's `name`; return what has them."""
    entry = zoo_catalogue.find(f"torchvision:{name}:DEFAULT")
    more: dict[str, Any] = {"weights_backbone": None} if entry.task != "classification" else {}
    more |= {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
    torch.manual_seed(1)
    net = get_model(name, weights=None, num_classes=entry.classes, **more)
    cached.place(entry).parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), cached.place(entry))
    assert fetch.missing(entry.name) is None
    return net


@pytest.mark.parametrize("name", SMALL)
def test_torchvisions_weights_open_as_torchvision_opens_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(name)
    published: Any = get_model_weights(name).DEFAULT  # pyright: ignore[reportAttributeAccessIssue]
    wanted = get_model(name, weights=published).eval()
    monkeypatch.setattr(torch, "load", _load_safely(torch.load))
    net, card = open_zoo(f"torchvision:{name}:DEFAULT")
    assert "get_state_dict" not in vars(published)
    picture = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        _same(net.eval()(picture), wanted(picture))
    assert card.name == f"torchvision:{name}:{published.name}"
    assert card.classes == tuple(published.meta["categories"])
    assert card.sha256 == sha256(cached.place(zoo_catalogue.find(card.name)))
    assert card.about["licence of the weights"] == "not stated"


def _load_safely(load: Any) -> Any:
    def safely(*given: Any, **named: Any) -> Any:
        assert named["weights_only"] is True
        return load(*given, **named)

    return safely


def _same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            _same(one[key], other[key])
    else:
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            _same(a, b)


def test_an_opened_classifier_preprocesses_as_torchvision_does() -> None:
    put("squeezenet1_1")
    model = registry.open_model("torchvision:squeezenet1_1:DEFAULT")
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    preset = get_model_weights("squeezenet1_1").DEFAULT.transforms()  # pyright: ignore[reportAttributeAccessIssue]
    wanted = preset(torch.from_numpy(pixels).permute(2, 0, 1))[None]
    assert torch.equal(model.preprocess.input(pixels, torch.device("cpu")), wanted)


def test_weights_that_are_not_there_are_told_with_their_size() -> None:
    with pytest.raises(Refusal, match=r"not on this computer yet \(47 MB\)") as told:
        open_zoo("torchvision:resnet18:DEFAULT")
    assert "zoo" in told.value.advice


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    entry = zoo_catalogue.find("torchvision:squeezenet1_1:DEFAULT")
    cached.place(entry).parent.mkdir(parents=True)
    torch.save({"a": torch.zeros(1)}, cached.place(entry))
    with pytest.raises(Refusal, match="do not fit"):
        open_zoo(entry.name)
    cached.place(entry).write_bytes(b"nothing of the kind")
    with pytest.raises(Refusal, match=r"not a PyTorch file|damaged|cut short") as told:
        open_zoo(entry.name)
    assert "Delete" in told.value.advice


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k"])
def test_timms_weights_open_as_timm_opens_them(name: str) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    import safetensors.torch

    entry = zoo_catalogue.find(f"timm:{name}")
    torch.manual_seed(1)
    cached.place(entry).parent.mkdir(parents=True)
    safetensors.torch.save_file(timm.create_model(entry.architecture).state_dict(), cached.place(entry))
    wanted = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(cached.place(entry))}).eval()
    net, card = open_zoo(entry.name)
    picture = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(net.eval()(picture), wanted(picture))
    assert len(card.classes) == 1000
    assert card.classes[1] == "goldfish"
    assert card.licence == "apache-2.0"
    assert not dict(net.pretrained_cfg).get("state_dict")  # pyright: ignore


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_a_timm_model_preprocesses_as_timm_does(name: str) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    from PIL import Image

    pixels = np.asarray(Image.effect_noise((400, 300), 60).convert("RGB").resize((400, 300)))
    model = registry.open_model(f"timm:{name}")
    config = timm.data.resolve_model_data_config(model.net)
    wanted = timm.data.create_transform(**config, is_training=False)(Image.fromarray(pixels))
    given = model.preprocess.input(pixels, torch.device("cpu"))[0]
    assert given.shape == wanted.shape
    # timm resizes with Pillow, which rounds colours once more.
    assert (given - wanted).abs().mean() < 0.01


def test_a_squashed_picture_is_seen_whole() -> None:
    from torchvision.transforms import Compose, Normalize, Resize

    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    seen = Preprocess(resize=64, crop=64, fit="squash")
    scaled = Resize((64, 64), antialias=True)(torch.from_numpy(pixels).permute(2, 0, 1)) / 255
    wanted = Compose([Normalize(seen.mean, seen.std)])(scaled)
    assert torch.allclose(seen.input(pixels, torch.device("cpu"))[0], wanted, atol=1e-6)
    assert seen.extent(400, 300) == (0, 0, 400, 300)


def test_without_timm_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(Refusal, match="timm, which is not installed") as told:
        open_zoo("timm:resnet18")
    assert "pip install" in told.value.advice
