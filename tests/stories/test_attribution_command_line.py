"""Stories of attribution on the command line: a map, its numbers, its recipe; and what is said of what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import main as program
from models.cards.card import SAMPLES
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source
from tests.viewer.explained import NAMES, classifier, picture

BOARD = SAMPLES / "board.png"
METHODS = ("saliency", "grad_cam", "integrated_gradients", "guided_backprop", "occlusion")
KINDS = {"png", "svg", "json", "npy", "recipe.json"}
PACED = ("occlusion", "ablation")  # batches as large as the machine is quick: sums round otherwise


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "home"))


def run(*words: object) -> int:
    return program.main([str(word) for word in words])


def body(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_method_that_the_readme_names_is_there() -> None:
    assert set(METHODS) <= set(registry.all_attributions())


@pytest.mark.parametrize("method", sorted(registry.all_attributions()))
def test_a_method_writes_its_map_and_a_replay_the_same_bytes(tmp_path: Path, method: str) -> None:
    file, model, out = picture(tmp_path), classifier(tmp_path), tmp_path / "out"
    engine, settings = Engine(threads=1), ["--set", "target=dog"]
    known = engine.run(Request("describe", model)).meta["description"].offers[method]
    if any(parameter.name == "samples" for parameter in known.parameters):
        settings += ["--set", "samples=16"]
    code = run("run", method, file, "--model", model, *settings, "--out", out)
    if not engine_applies(engine, method, model, file):
        assert code == 1
        return
    assert code == 0
    assert files(out) == {f"p0.{method}.{kind}" for kind in KINDS}

    values = np.load(out / f"p0.{method}.npy")
    assert values.dtype == np.float32 and values.ndim == 2 and np.isfinite(values).all()
    told = body(out / f"p0.{method}.json")
    placed = told["map"]
    assert placed["file"] == f"p0.{method}.npy" and placed["shape"] == list(values.shape)
    assert placed["extent"] == [15.0, 0.0, 75.0, 60.0] and "original picture" in placed["extent_unit"]
    assert (placed["lowest"], placed["highest"]) == (float(values.min()), float(values.max()))
    assert told["target"] == "dog" and told["verdict"] in ("applies", "partial")
    assert 0 <= told["probability"] <= 1 and told["parameters"]["target"] == "dog"
    with Image.open(out / f"p0.{method}.png") as overlay:
        assert overlay.size == (90, 60)
    assert "<svg" in (out / f"p0.{method}.svg").read_text(encoding="utf-8")

    assert run("replay", out / f"p0.{method}.recipe.json", "--out", tmp_path / "again") == 0
    if method in PACED:
        repeated = np.load(tmp_path / "again" / f"p0.{method}.npy")
        np.testing.assert_allclose(repeated, values, rtol=0, atol=1e-5 * float(abs(values).max()))
        return
    for kind in ("npy", "png", "svg"):
        name = f"p0.{method}.{kind}"
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes(), kind
    again = body(tmp_path / "again" / f"p0.{method}.json")
    for each in (told, again):
        each["model"].pop("name")  # the path of a weights file leads there from elsewhere
    assert again == told


def engine_applies(engine: Engine, method: str, model: str, file: Path) -> bool:
    answer = engine.run(Request.make("verdicts", model, Source.file(file)))
    assert isinstance(answer, Result)
    return next(m["level"] for m in answer.meta["methods"] if m["id"] == method) != "never"


def test_the_map_is_that_of_the_network_itself(tmp_path: Path) -> None:
    """Saliency by plain autograd on the network, with torchvision's own preprocessing written out."""
    import torch

    file, model = picture(tmp_path), classifier(tmp_path)
    assert run("run", "saliency", file, "--model", model, "--set", "target=ship", "--out", tmp_path / "out") == 0
    opened = registry.open_model(model)
    with Image.open(file) as image:
        x = opened.preprocess.input(np.array(image.convert("RGB")), opened.device).detach().requires_grad_()
    opened.net(x)[0, NAMES.index("ship")].backward()
    assert x.grad is not None
    values = np.load(tmp_path / "out" / "p0.saliency.npy")
    assert np.allclose(values, x.grad.abs().amax(1)[0].numpy(), rtol=1e-5, atol=1e-8)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("method", ["saliency", "grad_cam"])
@pytest.mark.parametrize("model", ["digits-ssd", "resnet18"])
def test_detectors_and_untrained_networks_are_explained_alike(tmp_path: Path, method: str, model: str) -> None:
    target = "3" if model == "digits-ssd" else "tabby"
    assert run("run", method, BOARD, "--model", model, "--set", f"target={target}", "--out", tmp_path / "a") == 0
    recipe = tmp_path / "a" / f"board.{method}.recipe.json"
    assert run("replay", recipe, "--out", tmp_path / "b") == 0
    name = f"board.{method}.npy"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    told = body(tmp_path / "a" / f"board.{method}.json")
    assert told["target"].startswith(target) and told["source"] == {"file": "board.png", "width": 640, "height": 480}
    x0, y0, x1, y1 = told["map"]["extent"]
    assert x1 - x0 == pytest.approx(640 if model == "digits-ssd" else 480 * 224 / 256, rel=0.05)
    assert y1 - y0 == pytest.approx(480 if model == "digits-ssd" else 480 * 224 / 256, rel=0.05)


def test_a_layer_is_chosen_by_its_name(tmp_path: Path) -> None:
    sizes = {}
    for layer in ("layer2", "layer3"):
        out = tmp_path / layer
        words = ("--set", f"layer={layer}", "--set", "target=tabby", "--out", out)
        assert run("run", "grad_cam", BOARD, "--model", "resnet18", *words) == 0
        assert body(out / "board.grad_cam.json")["layer"].startswith(layer)
        sizes[layer] = np.load(out / "board.grad_cam.npy").shape
    assert sizes == {"layer2": (28, 28), "layer3": (14, 14)}


@pytest.mark.parametrize(
    ("inspection", "setting", "code", "words"),
    [
        ("grad_camm", "target=3", 2, ("There is no inspection 'grad_camm'", "grad_cam", "saliency")),
        ("grad_cam", "tarrget=3", 2, ("tarrget", "target")),
        ("grad_cam", "target=zebra", 1, ("There is no class 'zebra'", "Classes: airplane")),
        ("grad_cam", "target=dgo", 1, ("There is no class 'dgo'", "Did you mean dog")),
        ("grad_cam", "target=99", 1, ("There is no class 99", "0 to 9")),
        ("grad_cam", "layer=nowhere", 1, ("nowhere",)),
        ("saliency", "part=x0", 2, ("part does not apply",)),
        ("saliency", "layer=layer1", 2, ("layer",)),
    ],
)
def test_what_is_wrong_says_what_is_valid_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], inspection: str, setting: str, code: int, words: tuple[str, ...]
) -> None:
    file, model, out = picture(tmp_path), classifier(tmp_path), tmp_path / "out"
    assert run("run", inspection, file, "--model", model, "--set", setting, "--out", out) == code
    said = capsys.readouterr().err
    assert all(word in said for word in words), said
    assert "Traceback" not in said and not out.exists()
