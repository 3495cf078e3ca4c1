"""VAEs and generators rebuilt from their tensors: the same pictures and codes as the network that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import small_generators as small
import torch

from models.engine import registry

VAES = (
    *(small.HeadedVAE, small.NumberedVAE, small.VanillaVAE, small.DigitsConvVAE),
    *(small.StridedVAE, small.WorldVAE, small.UnnamedVAE),
)
GANS = (
    *(small.CourseDCGAN, small.ExampleDCGAN, small.EnlargingGAN, small.LinearGAN),
    *(small.LeastSquaresGAN, small.UnfoldingGAN, small.NamedLinearGAN),
)
CONDITIONAL = (small.ConcatenatedGAN, small.MultipliedGAN, small.EmbeddedDCGAN)
EPS = (small.EnlargingGAN, small.LinearGAN, small.LeastSquaresGAN)


@pytest.mark.parametrize("kind", VAES, ids=lambda kind: kind.__name__)
def test_a_vae_encodes_and_decodes_as_the_one_that_was_saved(kind: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = kind().eval()
    torch.save({"model_state_dict": net.state_dict(), "epoch": 9}, tmp_path / "vae.pth")
    choices = getattr(kind, "choices", "?activation=relu&output=sigmoid")
    model = registry.open_model(f"{tmp_path / 'vae.pth'}{choices}")
    with torch.no_grad():
        z, x = torch.randn(3, model.space.size), torch.rand(2, *model.shape)
        torch.testing.assert_close(model.generate(z), net.decode(z), rtol=1e-4, atol=1e-5)
        for found, right in zip(model.encode(x), net.encode(x * (model.high - model.low) + model.low), strict=True):
            torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5)


def test_pictures_that_come_back_decide_the_activation(tmp_path: Path) -> None:
    """An autoencoder that was trained for a moment, with Leaky ReLU: the others give pictures that are further off."""
    from models.cards.card import DIGITS
    from models.families.proposal import grey
    from models.loading.rebuilt_networks import prepared
    from models.pictures import images

    made = prepared("zero_one", 28)
    pixels = [images.read(path).pixels for path in sorted(DIGITS.glob("*.png"))]
    x = grey(torch.cat([made.input(one, torch.device("cpu")) for one in pixels]))
    torch.manual_seed(0)
    net = small.HeadedVAE()
    net.encoder[1], net.encoder[3], net.decoder[1] = (torch.nn.Tanh() for _ in range(3))
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        (net.decode(net.encode(x)[0]) - x).square().mean().backward()
        optimiser.step()
    torch.save(net.state_dict(), tmp_path / "vae.pth")
    model = registry.open_model(str(tmp_path / "vae.pth"))
    assert model.card.about["assumptions"]["activation"]["value"] == "tanh"
    assert "mean squared error" in model.card.about["note"]


def test_a_conditional_vae_makes_pictures_of_a_class(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = small.ConditionalVAE().eval()
    torch.save(net.state_dict(), tmp_path / "cvae.pth")
    model = registry.open_model(str(tmp_path / "cvae.pth"))
    assert [(block.kind, block.size) for block in model.space.blocks] == [("gaussian", 6), ("categorical", 10)]
    z = torch.cat([torch.randn(2, 6), torch.eye(10)[:2]], 1)
    with torch.no_grad():
        torch.testing.assert_close(model.generate(z), net.decode(z))


@pytest.mark.parametrize("kind", GANS, ids=lambda kind: kind.__name__)
def test_a_generator_makes_the_pictures_of_the_one_that_was_saved(kind: Any, tmp_path: Path) -> None:
    net = small.settled(kind(), kind.dims)
    torch.save(net.state_dict(), tmp_path / "generator.pth")
    model = registry.open_model(str(tmp_path / "generator.pth"))
    z = torch.randn(3, kind.dims)
    with torch.no_grad():
        torch.testing.assert_close(model.generate(z), net(z), rtol=1e-4, atol=1e-5)
    offered = model.card.about["assumptions"]
    assert {"activation", "output"} <= set(offered)
    if kind is not small.NamedLinearGAN:  # without a norm there is no epsilon
        assert offered["eps"]["value"] == ("0.8" if kind in EPS else "1e-05")


@pytest.mark.parametrize("kind", CONDITIONAL, ids=lambda kind: kind.__name__)
def test_a_class_goes_through_its_embedding(kind: Any, tmp_path: Path) -> None:
    net = small.settled(kind(), kind.noise)
    torch.save(net.state_dict(), tmp_path / "generator.pth")
    model = registry.open_model(str(tmp_path / "generator.pth"))
    assert [(block.kind, block.size) for block in model.space.blocks] == [
        ("gaussian", kind.noise),
        ("categorical", kind.classes),
    ]
    z, labels = torch.randn(3, kind.noise), torch.tensor([0, 3, 6])
    with torch.no_grad():
        made = model.generate(torch.cat([z, torch.eye(kind.classes)[labels]], 1))
        torch.testing.assert_close(made, net.made(z, labels), rtol=1e-5, atol=1e-6)


def test_what_a_code_is_made_of_is_assumed_and_flips(tmp_path: Path) -> None:
    """A code of 74 numbers: a course's 64 and ten classes; InfoGAN's code is one flip away."""
    net = small.CourseDCGAN()
    net.gen[0][0] = torch.nn.ConvTranspose2d(74, 32, 3, 2)
    small.settled(net, 74)
    file = tmp_path / "generator.pth"
    torch.save(net.state_dict(), file)
    found = [(block.kind, block.size) for block in registry.open_model(str(file)).space.blocks]
    assert found == [("gaussian", 64), ("categorical", 10)]
    model = registry.open_model(f"{file}?code=classes_codes")
    found = [(block.kind, block.size) for block in model.space.blocks]
    assert found == [("gaussian", 62), ("categorical", 10), ("uniform", 2)]
    z = torch.cat([torch.randn(2, 62), torch.eye(10)[:2], torch.rand(2, 2)], 1)
    with torch.no_grad():
        torch.testing.assert_close(model.generate(z), net(z), rtol=1e-5, atol=1e-6)
