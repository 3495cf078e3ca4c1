"""Chains of convolutions from pictures to pictures: SRCNN, ESPCN, FSRCNN, VDSR, DnCNN, FFDNet and their like.

Every convolution keeps the size. The last gives the picture, or as many channels as its enlargement has pixels; a
transposed one enlarges. Names are free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.picture_scales import (
    SCALE,
    WAY,
    Unit,
    convolution,
    detail_lost,
    leading,
    noise_left,
    proposal,
    units_of,
)
from models.families.proposal import ACTIVATION, ACTIVATIONS, Proposal, RebuiltTranslator, Shapes, choice, place

TIMES = (2, 3, 4, 8)
DEEP = 8  # convolutions from which a network of this kind gives the noise
SIGMAS = ("25", "15", "50", "5")
SIGMA = choice("Noise", "The noise that the network is told is in the picture, of 255.", SIGMAS)
BASE = choice(
    "Gives",
    "What the output is.",
    ("direct", "base"),
    {"direct": "the picture itself", "base": "what is added to the enlarged input"},
)


class PictureChain(RebuiltTranslator):
    """Convolutions at the paths they have in the file, with norms, PReLUs or activations between."""

    def __init__(self, units: Sequence[Unit], plan: Mapping[str, Any], assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.channels, self.plan = plan["channels"], plan
        self.way = assumed.get("way", "direct")
        self.base = self.way == "base"
        self.way = "direct" if self.base else self.way
        self.times = int(assumed.get("times", plan["times"]))
        self.sigma = int(assumed.get("sigma", 0)) / 255
        self._steps: list[str] = []
        convs = [unit for unit in units if unit.kind == "conv"]
        for at, unit in enumerate(units):
            if unit.kind == "norm":
                self._put(unit.path, nn.BatchNorm2d(unit.shape[0]))
            elif unit.kind == "prelu":
                self._put(unit.path, nn.PReLU(unit.shape[0]))
            elif unit is convs[-1] and plan["transposed"]:
                width, out, side, _ = unit.shape
                times = self.times
                made = nn.ConvTranspose2d(width, out, side, times, side // 2, times - 1, bias=unit.bias)
                self._put(unit.path, made)
            else:
                self._put(unit.path, convolution(unit))
            following = units[at + 1].kind if at + 1 < len(units) else "end"
            bare = following in ("norm", "prelu", "end") or unit.kind == "prelu"
            if not bare and not plan["prelus"]:
                self._put(f"activation{at}", ACTIVATIONS[assumed.get("activation", "relu")]())

    def _put(self, path: str, module: nn.Module) -> None:
        place(self, path, module)
        self._steps.append(path)

    def run(self, x: Tensor) -> Tensor:
        """Return the picture, or what is added to or taken off the input."""
        given, high, wide = x, *x.shape[-2:]
        if self.plan["unshuffled"]:
            x = functional.pad(x, (0, wide % 2, 0, high % 2), mode="replicate")
            x = functional.pixel_unshuffle(x, 2)
            level = torch.full_like(x[:, :1], self.sigma)
            x = torch.cat([x, level], 1)
        for step in self._steps:
            x = self.get_submodule(step)(x)
        if self.plan["unshuffled"]:
            return functional.pixel_shuffle(x, 2)[..., :high, :wide]
        if self.times > 1 and not self.plan["transposed"]:
            x = functional.pixel_shuffle(x, self.times)
        return x + functional.interpolate(given, scale_factor=self.times, mode="nearest") if self.base else x


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    try:
        units = _led(units_of(shapes))
    except ValueError:
        return None
    convs = [unit for unit in units if unit.kind == "conv"]
    plan = _plan(units, convs)
    if plan is None:
        return None
    deep, normed = len(convs) >= DEEP, any(unit.kind == "norm" for unit in units)
    offered: dict[str, dict[str, Any]] = {"scale": leading(SCALE, "zero_one")}
    more: dict[str, Any] = {}
    if plan["unshuffled"]:
        offered["sigma"] = SIGMA
        title = f"Denoiser of {len(convs)} convolutions on a picture of half the sides, FFDNet's kind"
    elif plan["times"] > 1 or plan["transposed"]:
        if plan["transposed"]:
            offered["times"] = choice("Enlarged", "How many times the sides get.", tuple(map(str, TIMES)))
        else:
            offered["way"] = leading(BASE, "base" if plan["prelus"] and deep else "direct")
        times = "" if plan["transposed"] else f" {plan['times']} times"
        title = f"Super resolution of {len(convs)} convolutions, which enlarges{times}"
        measure = _enlarging if plan["transposed"] else partial(detail_lost, plan["times"])
        more = {
            "measure": measure,
            "evidence": "Bundled pictures made smaller come back with a mean squared error of {number}",
        }
    else:
        first = "direct" if not deep else "added" if any("residual" in unit.path for unit in units) else "subtracted"
        offered["way"] = leading(WAY, first)
        title = f"{'Denoiser' if deep else 'Network from pictures to pictures'} of {len(convs)} convolutions"
        if deep:
            more = {"measure": partial(noise_left, _same), "fits": 0.004}
            more["evidence"] = "Noisy bundled pictures come back with a mean squared error of {number}"
    if not plan["prelus"]:
        offered["activation"] = {
            **ACTIVATION,
            "choices": ("relu", "tanh", "leaky_relu", "leaky_relu_01", "gelu", "elu"),
        }
    more["judged"] = tuple(n for n in ("way", "activation", "times") if n in offered) if "measure" in more else ()
    if normed:
        title += " with norms"
    build = partial(PictureChain, units, plan)
    return proposal(title, build, offered=offered, channels=plan["channels"], **more)


def _led(units: list[Unit]) -> list[Unit]:
    """Return the layers with the one that sees the picture first, which some code declares after the others."""
    entries = [unit for unit in units if unit.kind == "conv" and unit.shape[1] in (1, 3)]
    if len(entries) != 1 or units[0].kind != "conv":
        return units
    return [entries[0], *(unit for unit in units if unit is not entries[0])]


def _same(x: Tensor) -> Tensor:
    return x


def _enlarging(net: Any, pictures: Tensor) -> float:
    return detail_lost(net.times, net, pictures)


def _plan(units: Sequence[Unit], convs: Sequence[Unit]) -> dict[str, Any] | None:
    """Return channels, enlargement and kind of such a network, None if its layers do not follow each other."""
    if len(convs) < 2 or units[0].kind != "conv" or any(unit.shape[2] % 2 == 0 for unit in convs):
        return None
    first, last = convs[0].shape, convs[-1].shape
    unshuffled = {5: 1, 13: 3}.get(first[1], 0)
    channels = unshuffled or first[1]
    if channels not in (1, 3):
        return None
    width = first[0]
    for unit in units[1:]:
        own = unit.shape
        if unit.kind != "conv":
            if own[0] != width:
                return None
        elif unit is convs[-1]:
            break
        elif own[1] != width:
            return None
        else:
            width = own[0]
    transposed = last[0] == width and last[1] == channels and (last[1] != width or last[0] != channels)
    if unshuffled:
        times = 1 if last[0] == 4 * channels else 0
    elif transposed:
        times = 1 if last[2] > 3 else 0
    else:
        times = next((t for t in (1, *TIMES) if last[0] == channels * t * t), 0) if last[1] == width else 0
    if not times or units[-1] is not convs[-1] or (not unshuffled and width <= channels):
        return None
    prelus = sum(unit.kind == "prelu" for unit in units)
    if prelus and prelus != len(convs) - 1:
        return None
    return {
        "channels": channels,
        "times": times,
        "transposed": transposed,
        "unshuffled": bool(unshuffled),
        "prelus": bool(prelus),
    }
