"""Weights of students' networks, saved as their authors save them: the same answers as the network that was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import strangers_networks as strangers
import torch
from torch import Tensor, nn

from models.engine import registry

NOISE, CODE, CLASS = torch.randn(3, 128), torch.randn(3, 8), torch.eye(10)[:3]
Wrap = Callable[[dict[str, Any]], Any]


def _plain(state: dict[str, Any]) -> Any:
    return state


def _kept(state: dict[str, Any]) -> Any:
    return {"model": state, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}


def _lightning(state: dict[str, Any]) -> Any:
    named = {f"model.{name}": tensor for name, tensor in state.items()}
    return {"state_dict": named, "hyper_parameters": {"lr": 1e-3}, "pytorch-lightning_version": "2.1", "epoch": 1}


def _nnunet(state: dict[str, Any]) -> Any:
    return {"network_weights": state, "trainer_name": "nnUNetTrainer", "init_args": {"plans": {}}, "current_epoch": 9}


def _with_statistics(kind: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    net = kind()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return net.eval()


AUTOENCODERS: tuple[tuple[Callable[[], nn.Module], int, int, Wrap], ...] = (
    (strangers.Udacity, 1, 28, _plain),
    (strangers.UdacityDenoise, 1, 28, _kept),
    (strangers.MLPAE, 1, 28, _lightning),
    (strangers.ConvAE7, 1, 28, _plain),
    (strangers.CifarAE, 3, 32, _kept),
)


@pytest.mark.parametrize(
    ("kind", "channels", "side", "wrap"), AUTOENCODERS, ids=lambda one: getattr(one, "__name__", "")
)
def test_an_autoencoder_gives_back_what_the_one_that_was_saved_does(
    kind: Any, channels: int, side: int, wrap: Wrap, tmp_path: Path
) -> None:
    net = _with_statistics(kind)
    torch.save(wrap(net.state_dict()), tmp_path / "ae.ckpt")
    code = "plain" if kind in (strangers.MLPAE, strangers.ConvAE7) else "activated"
    model = registry.open_model(f"{tmp_path / 'ae.ckpt'}?activation=relu&output=sigmoid&code={code}")
    x = torch.rand(2, channels, side, side)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-5, atol=1e-6)
    assert model.card.task == "picture to picture"
    assert model.preprocess.size == (side, side)
    assert "probably wrong" in model.card.about["note"], "it was not trained, and nothing may hide that"


def test_pictures_that_come_back_tell_strides_activation_and_code(tmp_path: Path) -> None:
    """A tutorial's odd strides (3 and 2, pooled by 2 and by 1), trained for a moment on the bundled digits."""
    from models.cards.card import DIGITS
    from models.families.proposal import grey
    from models.loading.rebuilt_networks import prepared
    from models.pictures import images

    pixels = [images.read(path).pixels for path in sorted(DIGITS.glob("*.png"))]
    x = grey(torch.cat([prepared("minus_one_one", 28).input(one, torch.device("cpu")) for one in pixels]))
    torch.manual_seed(0)
    net = strangers.L1AE()
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(400):
        optimiser.zero_grad()
        (net(x) - x).square().mean().backward()
        optimiser.step()
    torch.save(net.state_dict(), tmp_path / "conv_autoencoder.pth")
    model = registry.open_model(str(tmp_path / "conv_autoencoder.pth"))
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-5, atol=1e-5)
    assert model.card.about["assumptions"]["output"]["value"] == "tanh"


Call = Callable[[Any], Tensor]
GENERATORS: tuple[tuple[Callable[[], nn.Module], Tensor, Call], ...] = (
    (
        strangers.CDCGAN,
        torch.cat([NOISE[:, :100], CLASS], 1),
        lambda net: net(NOISE[:, :100, None, None], CLASS[:, :, None, None]),
    ),
    (strangers.WGANGP, NOISE, lambda net: net(NOISE)),
    (strangers.WGANGPCifar, NOISE, lambda net: net(NOISE)),
    (strangers.AntixCVAE, torch.cat([CODE, CLASS], 1), lambda net: net.decode(CODE, CLASS)),
)


@pytest.mark.parametrize(("kind", "codes", "call"), GENERATORS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_generator_gives_the_pictures_of_the_one_that_was_saved(
    kind: Any, codes: Tensor, call: Call, tmp_path: Path
) -> None:
    net = _with_statistics(kind)
    torch.save(net.state_dict(), tmp_path / "G.pth")
    activation = "leaky_relu_01" if kind is strangers.AntixCVAE else "relu"
    model = registry.open_model(f"{tmp_path / 'G.pth'}?activation={activation}")
    with torch.no_grad():
        made = call(net)
        got = model.net.generator(codes)
    torch.testing.assert_close(got, made, rtol=1e-5, atol=1e-6)
    assert model.space.size == codes.shape[1]
    assert [block.kind for block in model.space.blocks][1:] == ["categorical"] * (codes.shape[1] in (110, 18))


def test_a_table_of_codes_is_looked_up_as_in_the_network_that_was_saved(tmp_path: Path) -> None:
    net = _with_statistics(strangers.VQ)
    torch.save(_kept(net.state_dict()), tmp_path / "vqvae.pt")
    model = registry.open_model(str(tmp_path / "vqvae.pt"))
    x = torch.rand(2, 3, 32, 48) - 0.5
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-5, atol=1e-6)
        assert model.net(x[..., :30, :33]).shape == (2, 3, 30, 33)
    assert model.preprocess.mean == (0.5, 0.5, 0.5)
    assert model.preprocess.std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("older", [False, True])
def test_a_vision_transformer_gives_the_scores_of_the_one_that_was_saved(older: bool, tmp_path: Path) -> None:
    """Its heads stand in no tensor: that is said, and one choice sets it right. Older code wraps each part."""
    net = _with_statistics(strangers.LucidViT)
    state = net.state_dict()
    if older:
        state = {name.replace(".0.norm.", ".0.hidden."): tensor for name, tensor in state.items()}
        state = {_wrapped(name): tensor for name, tensor in state.items()}
    torch.save({"net": state, "acc": 80.1, "epoch": 3}, tmp_path / "ckpt.t7.pth")
    assert "say so with Heads" in registry.open_model(str(tmp_path / "ckpt.t7.pth")).card.about["note"]
    model = registry.open_model(f"{tmp_path / 'ckpt.t7.pth'}?heads=2")
    x = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-5, atol=1e-6)
    assert model.card.classes[0] == "airplane"


def _wrapped(name: str) -> str:
    """Return the name that code with a wrapper around each part gives a tensor."""
    parts = name.split(".")
    if parts[:2] != ["transformer", "layers"]:
        return name
    if parts[4] == "hidden":
        return ".".join([*parts[:4], "norm", parts[-1]])
    if parts[3] == "1" and parts[5] == "0":  # the norm that begins the list is the wrapper's
        return ".".join([*parts[:4], "norm", parts[-1]])
    if parts[3] == "1":
        return ".".join([*parts[:4], "fn", "net", str(int(parts[5]) - 1), parts[-1]])
    return ".".join([*parts[:4], "fn", *parts[4:]])


SEGMENTERS: tuple[tuple[Callable[[], nn.Module], int, Wrap], ...] = (
    (strangers.BubbleUNet, 3, _plain),
    (strangers.NNUNet, 1, _nnunet),
)


@pytest.mark.parametrize(("kind", "channels", "wrap"), SEGMENTERS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_segmenter_gives_the_scores_of_the_one_that_was_saved(
    kind: Any, channels: int, wrap: Wrap, tmp_path: Path
) -> None:
    net = _with_statistics(kind)
    torch.save(wrap(net.state_dict()), tmp_path / "net.pth")
    model = registry.open_model(str(tmp_path / "net.pth"))
    x = torch.rand(1, channels, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.net.run(x), net(x), rtol=1e-5, atol=1e-5)
    assert len(model.card.classes) == 3


def test_a_spatial_transformer_gives_the_scores_of_the_one_that_was_saved(tmp_path: Path) -> None:
    net = _with_statistics(strangers.STN)
    torch.save(net.state_dict(), tmp_path / "stn.pt")
    model = registry.open_model(f"{tmp_path / 'stn.pt'}?activation=relu&corners=pixels")
    x = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x).log_softmax(1), net(x), rtol=1e-5, atol=1e-5)
