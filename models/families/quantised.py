"""Autoencoders with a table of codes (VQ-VAE, van den Oord et al. 2017), as three well-known codes name layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.named_layers import NamedLayers, fitting
from models.families.picture_scales import SCALE, leading, proposal
from models.families.proposal import ACTIVATION, Proposal, RebuiltTranslator, Shapes, place

SIDE, STEP = 32, 4


class Quantised(NamedLayers, RebuiltTranslator):
    """Gives back the picture: an encoder, the nearest code of a table for each cell, and a decoder."""

    way = "direct"

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture that comes back, of the size of the one that goes in."""
        high, wide = x.shape[-2:]
        x = functional.pad(x, (0, -wide % STEP, 0, -high % STEP), mode="replicate") if wide % STEP or high % STEP else x
        return super().forward(x)[..., :high, :wide]

    def nearest(self, path: str, x: Tensor) -> Tensor:
        """Return maps (N, D, h, w) with the nearest of the codes (K, D) at a path in the place of each cell."""
        count, width = self.shapes[f"{path}.weight"]
        if self._making:
            if x.shape[1] != width:
                raise ValueError(f"{path} has other codes")
            if not self._made(path):
                place(self, path, nn.Embedding(count, width))
            return x
        table = self.get_submodule(path).get_parameter("weight")
        cells = x.permute(0, 2, 3, 1)
        found = torch.cdist(cells.reshape(-1, width), table).argmin(1)
        return table[found].view(cells.shape).permute(0, 3, 1, 2)

    def held(self, *names: str) -> None:
        """Keep tensors of the training that no pass needs."""
        for name in names if self._making else ():
            path, _, last = name.rpartition(".")
            if name in self.shapes:
                owner = self.get_submodule(path)
                owner.register_buffer(last, torch.empty(self.shapes[name]))

    def added(self, paths: tuple[str, str], x: Tensor, *, norms: tuple[str, ...] = (), first: bool = True) -> Tensor:
        """Return what a residual block of two convolutions makes of a map, an activation before each."""
        out = self.convolve(paths[0], self.activate(x) if first else x)
        out = self.normalise(norms[0], out) if norms else out
        out = self.convolve(paths[1], self.activate(out))
        return x + (self.normalise(norms[1], out) if norms else out)


class NotebookVQ(Quantised):
    """`_encoder`, `_pre_vq_conv`, `_vq_vae`, `_decoder`: a notebook's, on values from -0.5 to 0.5."""

    def run(self, x: Tensor) -> Tensor:
        """Return the picture that comes back."""
        x = self.activate(self.convolve("_encoder._conv_1", x, 2, padding=1))
        x = self.activate(self.convolve("_encoder._conv_2", x, 2, padding=1))
        x = self._stack("_encoder._residual_stack", self.convolve("_encoder._conv_3", x, padding=1))
        x = self.nearest("_vq_vae._embedding", self.convolve("_pre_vq_conv", x))
        self.held("_vq_vae._ema_w", "_vq_vae._ema_cluster_size")
        x = self._stack("_decoder._residual_stack", self.convolve("_decoder._conv_1", x, padding=1))
        x = self.activate(self.enlarge("_decoder._conv_trans_1", x, padding=1))
        return self.enlarge("_decoder._conv_trans_2", x, padding=1)

    def _stack(self, path: str, x: Tensor) -> Tensor:
        for at in self.numbers(f"{path}._layers"):
            # Its first activation works in place, so that the sum has it too.
            block = f"{path}._layers.{at}._block"
            x = self.added((f"{block}.1", f"{block}.3"), self.activate(x), first=False)
        return self.activate(x)


class StackedVQ(Quantised):
    """`encoder.conv_stack`, `pre_quantization_conv`, `vector_quantization`, `decoder.inverse_conv_stack`."""

    def run(self, x: Tensor) -> Tensor:
        """Return the picture that comes back."""
        path = "encoder.conv_stack"
        x = self.activate(self.convolve(f"{path}.0", x, 2, padding=1))
        x = self.activate(self.convolve(f"{path}.2", x, 2, padding=1))
        x = self._stack(f"{path}.5", self.convolve(f"{path}.4", x, padding=1))
        x = self.nearest("vector_quantization.embedding", self.convolve("pre_quantization_conv", x))
        path = "decoder.inverse_conv_stack"
        x = self._stack(f"{path}.1", self.enlarge(f"{path}.0", x, 1, padding=1))
        return self.enlarge(f"{path}.4", self.activate(self.enlarge(f"{path}.2", x, padding=1)), padding=1)

    def _stack(self, path: str, x: Tensor) -> Tensor:
        for at in self.numbers(f"{path}.stack"):
            # One block is often in the list several times.
            block = f"{path}.stack.{at}.res_block"
            x = self.added((f"{block}.1", f"{block}.3"), self.activate(x), first=False)
        return self.activate(x)


class ListedVQ(Quantised):
    """`encoder` and `decoder` as numbered lists with residual blocks between, `vq_layer`; a collection's."""

    def run(self, x: Tensor) -> Tensor:
        """Return the picture that comes back."""
        x = self.nearest("vq_layer.embedding", self._through("encoder", x))
        x = self._through("decoder", x)
        return x if self._making else x.tanh()

    def _through(self, path: str, x: Tensor) -> Tensor:
        numbers = self.numbers(path)
        for at in numbers:
            here = f"{path}.{at}"
            if self.has(f"{here}.resblock"):
                out = self.activate(self.convolve(f"{here}.resblock.0", x, padding=1))
                x = x + self.convolve(f"{here}.resblock.2", out)
                # After the last block stands an activation alone.
                following = at + 1 in numbers
                x = x if following else self.activate(x)
                continue
            inner = self.has(f"{here}.0")
            name = f"{here}.0" if inner else here
            a, _, side, _ = self.shapes[f"{name}.weight"]
            bias = self.shapes.get(f"{name}.bias", (0,))[0]
            if side == 4 and (path == "decoder" or bias != a):
                x = self.enlarge(name, x, padding=1)
            else:
                x = self.convolve(name, x, 2 if side == 4 else 1, padding=1 if side > 1 else 0)
            x = self.activate(x) if inner else x
        return x


KINDS: tuple[tuple[str, type[Quantised], str, str], ...] = (
    (r"_vq_vae\._embedding\.weight", NotebookVQ, "halved", "relu"),
    (r"vector_quantization\.embedding\.weight", StackedVQ, "minus_one_one", "relu"),
    (r"vq_layer\.embedding\.weight", ListedVQ, "minus_one_one", "leaky_relu_01"),
)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the autoencoder with a table of codes that has these tensors, None if it is none."""
    found = next((one for one in KINDS if any(re.fullmatch(one[0], name) for name in shapes)), None)
    if found is None:
        return None
    mark, kind, scale, activation = found
    table = next(shapes[name] for name in shapes if re.fullmatch(mark, name))
    first = next((shape for name, shape in shapes.items() if len(shape) == 4 and "enc" in name), None)
    if first is None or first[1] not in (1, 3):
        return None
    build = partial(_built, kind, shapes, first[1])
    if fitting(shapes, build) is None:
        return None
    ways = (activation, *(way for way in ("relu", "leaky_relu_01", "leaky_relu", "elu") if way != activation))
    offered: dict[str, Mapping[str, Any]] = {
        "scale": leading(SCALE, scale),
        "activation": {**ACTIVATION, "choices": ways},
    }
    title = f"Autoencoder with a table of {table[0]:,} codes (VQ-VAE)"
    return proposal(title, build, offered=offered, channels=first[1])


def _built(kind: type[Quantised], shapes: Shapes, channels: int, assumed: Mapping[str, str]) -> Quantised:
    return kind(shapes, assumed, side=SIDE, channels=channels)
