"""Outputs of any kind are taken for what they are, or it is asked: networks built here, on the bundled photographs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from models.cards.card import PHOTOS, Card
from models.engine import registry
from models.engine.engine import Engine
from models.pictures import images
from models.requests import Request
from models.types import Result, Source

CAT = PHOTOS / "cat.jpg"


class Does(nn.Module):
    """A network that does what a function of its input and a linear layer says."""

    def __init__(self, what: Callable[..., Any], layer: nn.Module | None = None, sides: int = 1) -> None:
        super().__init__()
        self.what, self.layer, self.sides = what, layer, sides

    def forward(self, x: Tensor) -> Any:
        assert x.shape[1] == 3 and x.shape[2] % self.sides == 0 and x.shape[3] % self.sides == 0
        return self.what(x) if self.layer is None else self.what(x, self.layer)


def mixed(channels: int, seed: int = 0, spread: float = 3.0) -> nn.Conv2d:
    torch.manual_seed(seed)
    layer = nn.Conv2d(3, channels, 1)
    nn.init.normal_(layer.weight, std=spread)
    return layer


def blurred(x: Tensor) -> Tensor:
    kernel = torch.ones(x.shape[1], 1, 5, 5) / 25
    return functional.conv2d(functional.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, groups=x.shape[1])


def coarse(x: Tensor, layer: nn.Module, step: int = 4) -> Tensor:
    return layer(functional.avg_pool2d(x, step))


PLACES = torch.rand(17, 2, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1  # x and y, in shares


def heat(x: Tensor) -> Tensor:
    height, width = x.shape[2] // 4, x.shape[3] // 4
    y, column = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    away = (column - PLACES[:, :1, None] * width) ** 2 + (y - PLACES[:, 1:, None] * height) ** 2
    return (-away / (2 * 2.0**2)).exp() * (0.9 + 0.1 * x.mean((1, 2, 3)).sigmoid()[:, None, None, None])


def deep(x: Tensor) -> Tensor:
    seen = blurred(functional.avg_pool2d(x, 8)).mean(1, keepdim=True)
    rows = torch.linspace(1, 30, seen.shape[2])[:, None]
    return functional.softplus(functional.interpolate(rows + seen, scale_factor=8, mode="bilinear"))[:, 0]


def points(x: Tensor, layer: nn.Module) -> Tensor:
    seen = layer(functional.adaptive_avg_pool2d(x, 4).flatten(1))
    return PLACES.flatten()[None] + 0.01 * seen


torch.manual_seed(0)
# The network, the reading that is right, and whether it must be asked because the numbers allow another.
NETWORKS: dict[str, tuple[nn.Module, str, bool]] = {
    "a denoiser": (Does(blurred), "picture", False),
    "a denoiser's noise": (Does(lambda x: x - blurred(x)), "picture-subtracted", True),
    "super resolution": (
        Does(lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic").clamp(0, 1)),
        "picture",
        False,
    ),
    "a style from 0 to 255": (Does(lambda x: (255 - blurred(x)) * 0.8 + 10), "picture", False),
    "a generator with tanh": (Does(lambda x: (1.2 * x).tanh()), "picture", False),
    "channels last": (Does(lambda x: blurred(x).permute(0, 2, 3, 1)), "picture", False),
    "logits of pixels": (
        Does(lambda x, layer: functional.interpolate(coarse(x, layer, 8), scale_factor=8, mode="bilinear"), mixed(5)),
        "segments-softmax",
        False,
    ),
    "probabilities of pixels": (
        Does(lambda x, layer: coarse(x, layer).softmax(1), mixed(5)), "segments-probabilities", False
    ),
    "three classes of pixels": (
        Does(lambda x, layer: layer(blurred(x)), mixed(3, spread=8)), "segments-softmax", False
    ),
    "one mask": (Does(lambda x: (40 * (x[:, :1] - x[:, 1:2] - 0.05)).sigmoid()), "mask", False),
    "labels of pixels": (Does(lambda x, layer: layer(x).argmax(1), mixed(5)), "segments-labels", False),
    "labels without a batch": (Does(lambda x, layer: layer(x).argmax(1)[0].int(), mixed(5)), "segments-labels", False),
    "labels, channels last": (
        Does(lambda x, layer: layer(x).argmax(1)[..., None].to(torch.uint8), mixed(5)), "segments-labels", False
    ),
    "a picture in whole numbers": (
        Does(lambda x: (255 * (1 - blurred(x))).clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8)), "picture", False
    ),
    "directions of surfaces": (
        Does(lambda x, layer: functional.normalize(layer(blurred(x))), mixed(3)), "directions", False
    ),
    "one mask's logits": (Does(lambda x: 40 * blurred(x[:, :1] - x[:, 1:2] - 0.05)), "mask", True),
    "nearness of a sigmoid": (Does(lambda x: (deep(x)[:, None] / 20 - 0.8).sigmoid()), "depth", True),
    "heat maps": (Does(heat), "heat-maps", False),
    "depth": (Does(deep), "depth", False),
    "coordinates": (Does(points, nn.Linear(48, 34)), "points-shares-xy", True),
    "points with scores": (Does(lambda x: torch.full((1, 1, 17, 3), 0.4) + 0.01 * x.mean()), "points-shares-yx", False),
    "one axis at a time": (
        Does(lambda x: (torch.rand(1, 17, 2 * x.shape[3]), torch.rand(1, 17, 2 * x.shape[2]))), "axes", False
    ),
    "text": (
        Does(lambda x, layer: layer(functional.adaptive_avg_pool2d(x, (1, 28)))[:, :, 0].permute(2, 0, 1), mixed(97)),
        "text",
        False,
    ),
    "an embedding": (
        Does(
            lambda x, layer: functional.normalize(layer(functional.adaptive_avg_pool2d(x, 4).flatten(1))),
            nn.Linear(48, 64),
        ),
        "features",
        False,
    ),
    "maps of features": (nn.Sequential(nn.Conv2d(3, 8, 5, stride=16), nn.ReLU()), "features", False),
    "tokens": (Does(lambda x: torch.ones(1, 197, 384) * x.mean()), "features", False),
}  # fmt: skip


def opened(net: nn.Module, assumed: dict[str, str] | None = None, **about: Any) -> tuple[Engine, Any]:
    made = Engine(threads=1)
    made._models["net"] = registry.adapt(net.eval(), Card("net", about=about), assumed)
    return made, made._models["net"]


def ask(made: Engine, inspection: str, **settings: Any) -> Result:
    answer = made.run(Request.make(inspection, "net", Source.file(CAT), settings))
    assert isinstance(answer, Result), answer
    return answer


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_taken_for_what_it_is_or_it_is_asked(name: str) -> None:
    net, wanted, asked = NETWORKS[name]
    made, model = opened(net)
    found = model.interpretation
    assert bool(found.question) == asked, [(r.id, r.fit) for r in found.readings]
    assert found.reading.id == wanted
    assert found.reading.evidence and found.reading.title
    row = next(row for row in ask(made, "interpretation").meta["readings"] if row["chosen"])
    assert row["id"] == wanted
    assert row["finds"]


def test_values_go_in_on_the_scale_on_which_they_come_out() -> None:
    _, model = opened(NETWORKS["a style from 0 to 255"][0])
    assert model.preprocess.range == 255 and model.interpretation.reading.how.scale == "zero_255"
    assert model.card.about["assumptions"]["input"]["value"] == "zero_255"
    _, model = opened(NETWORKS["a denoiser"][0])
    assert model.preprocess.range == 1 and model.interpretation.reading.how.scale == "zero_one"


def test_classes_of_pixels_are_those_of_the_networks_own_maps() -> None:
    net, _, _ = NETWORKS["logits of pixels"]
    made, model = opened(net)
    found = ask(made, "segment")
    with torch.no_grad():
        logits = net(model.preprocess.input(images.read(CAT).pixels, torch.device("cpu")))
    np.testing.assert_array_equal(found.arrays["labels"], logits[0].argmax(0).numpy())
    np.testing.assert_allclose(found.arrays["probability"], logits.softmax(1)[0].amax(0).numpy(), atol=1e-5)
    assert found.meta["extent"] == (0, 0, 451, 300), "the whole picture is looked at"


def test_a_mask_is_yes_where_its_probability_is_above_one_half() -> None:
    net, _, _ = NETWORKS["one mask"]
    made, model = opened(net)
    found = ask(made, "segment")
    with torch.no_grad():
        chance = net(model.preprocess.input(images.read(CAT).pixels, torch.device("cpu")))[0, 0]
    np.testing.assert_array_equal(found.arrays["labels"] == 1, (chance > 0.5).numpy())
    assert found.meta["names"][:2] == ("background", "mask")
    sure = torch.maximum(chance, 1 - chance).numpy()
    np.testing.assert_allclose(found.arrays["probability"], sure, atol=1e-4)


def test_landmarks_lie_where_the_maps_were_drawn() -> None:
    made, _ = opened(NETWORKS["heat maps"][0])
    found = ask(made, "landmarks")
    wanted = PLACES.numpy() * np.array([451, 300])
    np.testing.assert_allclose(found.arrays["points"][:, :2], wanted, atol=0.02)
    assert found.arrays["heat"].shape == (17, 56, 56) and found.arrays["inside"].all()
    assert found.meta["point_names"][0] == "nose" and len(found.meta["limbs"]) > 10


def test_coordinates_are_pixels_of_the_picture() -> None:
    made, model = opened(NETWORKS["coordinates"][0], {"fit": "stretch"})
    found = ask(made, "landmarks")
    with torch.no_grad():
        rows = model.net(model.preprocess.input(images.read(CAT).pixels, torch.device("cpu"))).reshape(17, 2)
    np.testing.assert_allclose(found.arrays["points"][:, :2], rows.numpy() * np.array([451, 300]), rtol=1e-4)
    assert not found.meta["scored"]
    flipped, _ = opened(NETWORKS["coordinates"][0], {"fit": "stretch", "reading": "points-shares-yx"})
    np.testing.assert_allclose(
        ask(flipped, "landmarks").arrays["points"][:, :2], rows.numpy()[:, ::-1] * np.array([451, 300]), rtol=1e-4
    )


def test_depth_is_the_networks_own_map() -> None:
    made, model = opened(NETWORKS["depth"][0])
    found = ask(made, "depth")
    with torch.no_grad():
        wanted = model.net(model.preprocess.input(images.read(CAT).pixels, torch.device("cpu")))[0]
    np.testing.assert_allclose(found.arrays["map"], wanted.numpy(), rtol=1e-5)
    assert found.meta["lowest"] == pytest.approx(float(wanted.min()))


def test_a_picture_comes_out_as_large_as_it_went_in_and_tiles_show_no_seams() -> None:
    made, _ = opened(NETWORKS["a denoiser"][0])
    whole, tiled = ask(made, "translate", tile=0), ask(made, "translate", tile=128, overlap=32)
    pixels = images.read(CAT).pixels
    assert whole.arrays["output"].shape == pixels.shape and whole.meta["times"] == 1
    plain = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    wanted = (blurred(plain)[0] * 255).round().permute(1, 2, 0).numpy()
    np.testing.assert_allclose(whole.arrays["output"], wanted, atol=1)
    np.testing.assert_array_equal(whole.arrays["input"], pixels)
    change = (blurred(plain) - plain)[0].numpy()
    most = np.abs(change).max(0)
    np.testing.assert_allclose(np.abs(whole.arrays["difference"]), most, atol=0.01)
    with_sign = np.abs(change - whole.arrays["difference"]).min(0)
    assert with_sign.max() < 0.01, "the sign is that of the colour that changed most"
    assert whole.meta["changed"] == pytest.approx([float(np.abs(change).mean()), float(most.max())], abs=0.01)
    assert tiled.meta["tiles"] == 40 and tiled.meta["seam"] < 1e-5
    np.testing.assert_array_equal(tiled.arrays["output"], whole.arrays["output"])
    seamed = ask(made, "translate", tile=128, overlap=0)
    assert np.abs(seamed.arrays["output"].astype(int) - whole.arrays["output"]).max() > 2, "without overlap there are"


def test_super_resolution_in_tiles_and_sides_that_must_be_multiples() -> None:
    net = Does(lambda x: functional.interpolate(x, scale_factor=2, mode="nearest"), sides=16)
    made, _ = opened(net)
    found = ask(made, "translate", tile=160, overlap=32)
    pixels = images.read(CAT).pixels
    assert found.meta["times"] == 2 and found.meta["seam"] == 0
    np.testing.assert_array_equal(found.arrays["output"], pixels.repeat(2, 0).repeat(2, 1))


def test_noise_is_taken_off_and_detail_is_added() -> None:
    net, _, _ = NETWORKS["a denoiser's noise"]
    plain = torch.from_numpy(images.read(CAT).pixels).permute(2, 0, 1)[None].float() / 255
    for name, sign in (("picture-subtracted", -1), ("picture-added", 1)):
        made, _ = opened(net, {"reading": name})
        found = ask(made, "translate")
        wanted = (plain + sign * (plain - blurred(plain)))[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255
        np.testing.assert_allclose(found.arrays["output"], wanted, atol=1)


def test_quality_against_a_reference_is_scikit_images(tmp_path: Any) -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    reference = tmp_path / "reference.png"
    pixels = images.read(CAT).pixels
    rng = np.random.default_rng(0)
    spoilt = np.clip(pixels.astype(int) + rng.integers(-12, 13, pixels.shape), 0, 255).astype(np.uint8)
    Image.fromarray(spoilt).save(reference)
    made, _ = opened(NETWORKS["a denoiser"][0])
    found = ask(made, "translate", reference=str(reference))
    plain = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    output = blurred(plain)[0].permute(1, 2, 0).numpy()
    wanted, before = spoilt / 255, pixels / 255
    more = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    for name, picture in (("", output), ("_before", before)):
        psnr = metrics.peak_signal_noise_ratio(wanted, picture, data_range=1.0)
        ssim = metrics.structural_similarity(wanted, picture.astype(np.float64), channel_axis=2, **more)
        assert found.meta[f"psnr{name}"] == pytest.approx(psnr, abs=1e-3)
        assert found.meta[f"ssim{name}"] == pytest.approx(ssim, abs=1e-5)
    assert ask(made, "translate", reference=str(CAT)).meta["psnr_before"] == 1000
