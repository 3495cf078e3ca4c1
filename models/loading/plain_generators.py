"""Recognise plain VAEs and GANs by their state dict, and offer what the tensors leave open as assumptions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import model_name
from models.families.statistics import clearly_closer, distances
from models.loading import layer_chain
from models.loading.plain_layouts import LAYOUTS, MLPVAE, ConvVAE, PlainGAN
from models.types import Refusal

Read = Callable[[Path], Mapping[str, Tensor]]
# File names that training scripts use for generators, and for the discriminators beside them.
PARTNERS = (
    ("netG", "netD"),
    ("generator", "discriminator"),
    ("Generator", "Discriminator"),
    ("gen", "disc"),
    ("G", "D"),
)
NAMES = {"relu": "ReLU", "leaky_relu": "Leaky ReLU, 0.2", "elu": "ELU"}
ACTIVATION = {
    "title": "Activation",
    "help": "The function between the layers; it is not stored in the tensors.",
    "titles": NAMES,
}
OUTPUT = {"title": "Output", "help": "The last function of the generator, which gives the range of its pixels."}
EPS = {"title": "Epsilon", "help": "What batch normalisation adds to the variance."}
LAYOUT = {"title": "Mean, variance", "help": "Whether they alternate in the encoder's last layer or are its halves."}


def propose(
    state: Mapping[str, Tensor], file: Path, given: Mapping[str, str], read: Read
) -> tuple[nn.Module, dict[str, Any]] | None:
    """Return the network with its tensors loaded, and the contents of its card; None if it is no such model.

    `given` are the user's choices; `read` reads the file of a discriminator beside a generator. Raises Refusal for a
    discriminator alone and for assumptions that are not offered.
    """
    if "encoder.mu_logvar_gen.weight" in state:
        return _conv_vae(state, file, given)
    if {"fc21.weight", "fc22.weight", "fc3.weight", "fc4.weight"} <= state.keys():
        return _mlp_vae(state, file, given)
    layers = layer_chain.numbered(state)
    kind = layer_chain.role(layers) if layers else ""
    if kind == "discriminator":
        raise Refusal(f"{file.name} is a discriminator.", advice="Open its generator; it is found beside that.")
    return _gan(layers, file, given, read) if kind else None


def _conv_vae(
    state: Mapping[str, Tensor], file: Path, given: Mapping[str, str]
) -> tuple[nn.Module, dict[str, Any]] | None:
    first = state.get("encoder.conv1.weight")
    if first is None or first.ndim != 4:
        return None
    offered = {"layout": {**LAYOUT, "choices": LAYOUTS}}
    assumed = model_name.check(given, offered, name=file.name)
    net = ConvVAE(
        dims=state["encoder.mu_logvar_gen.weight"].shape[0] // 2,
        channels=first.shape[1],
        side=64 if "encoder.conv_64.weight" in state else 32,
        width=first.shape[0],
        hidden=state["encoder.lin1.weight"].shape[0],
        layout=assumed["layout"],
    )
    return _loaded(net, state, file), _about("ConvVAE", offered, assumed)


def _mlp_vae(
    state: Mapping[str, Tensor], file: Path, given: Mapping[str, str]
) -> tuple[nn.Module, dict[str, Any]] | None:
    hidden, pixels = state["fc1.weight"].shape
    side = layer_chain.side_of(pixels)
    if not side:
        return None
    model_name.check(given, {}, name=file.name)
    net = MLPVAE(pixels=pixels, hidden=hidden, dims=state["fc21.weight"].shape[0], side=side)
    return _loaded(net, state, file), _about("MLPVAE", {}, {})


def _gan(
    layers: dict[int, dict[str, Tensor]], file: Path, given: Mapping[str, str], read: Read
) -> tuple[nn.Module, dict[str, Any]]:
    offered: dict[str, dict[str, Any]] = {
        "activation": {**ACTIVATION, "choices": tuple(layer_chain.ACTIVATIONS)},
        "output": {**OUTPUT, "choices": tuple(layer_chain.OUTPUTS)},
    }
    if any("running_mean" in one for one in layers.values()):
        offered["eps"] = {**EPS, "choices": ("1e-05", "0.8")}
    partner = beside(file)
    critic = layer_chain.numbered(read(partner)) if partner else {}
    if partner and layer_chain.role(critic) != "discriminator":
        partner, critic = None, {}
    if partner:
        own = {**ACTIVATION, "title": "Discriminator's", "choices": ("leaky_relu", "relu", "tanh", "elu")}
        offered["critic"] = own
    if "eps" in offered:
        offered |= _judged(layers, offered, given)
    assumed = model_name.check(given, offered, name=file.name)
    generator, dims = layer_chain.rebuild(layers, assumed)
    judge = layer_chain.rebuild(critic, {**assumed, "activation": assumed["critic"]})[0] if partner else None
    net = PlainGAN(generator, judge, dims=dims, value_range=layer_chain.OUTPUTS[assumed["output"]][1])
    about = _about("PlainGAN", offered, assumed)
    return net, {**about, "discriminator": partner.name if partner else "none was found beside it"}


def _judged(
    layers: dict[int, dict[str, Tensor]], offered: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the assumptions on activation and epsilon with those first that fit the statistics kept in training.

    The usual ones stay first unless others fit clearly better.
    """
    names = ("activation", "eps")
    tried: dict[tuple[str, ...], float] = {}
    for way in itertools.product(*((given[n],) if n in given else offered[n]["choices"] for n in names)):
        with suppress(Refusal, KeyError, ValueError):
            assumed = {"output": "tanh", **dict(zip(names, way, strict=True))}
            net, dims = layer_chain.rebuild(layers, assumed)
            codes = torch.randn(64, dims, generator=torch.Generator().manual_seed(0))
            with torch.inference_mode():
                tried[way] = distances(net.eval(), codes)[1]
    best = min(tried, key=tried.__getitem__, default=())
    usual = tuple(given.get(n, offered[n]["choices"][0]) for n in names)
    if usual in tried and not clearly_closer(tried[best], tried[usual]):
        best = usual
    return {
        name: {**offered[name], "choices": (value, *(v for v in offered[name]["choices"] if v != value))}
        for name, value in zip(names, best, strict=False)
        if name not in given
    }


def beside(file: Path) -> Path | None:
    """Return the discriminator's file beside a generator's, found by name."""
    for ours, theirs in PARTNERS:
        if ours in file.stem:
            other = file.with_name(file.name.replace(ours, theirs, 1))
            if other.is_file():
                return other
    return None


def _loaded(net: nn.Module, state: Mapping[str, Tensor], file: Path) -> nn.Module:
    try:
        net.load_state_dict(dict(state))
    except RuntimeError as error:
        text = str(error).splitlines()[-1].strip()
        raise Refusal(f"{file.name} does not fit {type(net).__name__} ({text}).", advice="Give a card.") from error
    return net


def _about(name: str, offered: Mapping[str, Mapping[str, Any]], assumed: Mapping[str, str]) -> dict[str, Any]:
    items = {key: {**item, "value": assumed[key]} for key, item in offered.items()}
    return {"architecture": name, "task": "generation", "note": "Recognised by its tensors.", "assumptions": items}
