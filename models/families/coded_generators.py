"""Generators told by the names of well-known code: conditional ones with a layer for the class, a cropping one.

They are the conditional DCGAN whose noise and class each have a first layer, the WGAN-GP for 28 px that crops a map to
7 px, and a collection's conditional VAE, of which the decoder opens: its encoder needs the class of a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.families import codes
from models.families.proposal import ACTIVATION, ACTIVATIONS, Proposal, Shapes, choice, indices, place

OUTPUTS = {"tanh": ("tanh, -1 to 1", nn.Tanh, (-1.0, 1.0)), "sigmoid": ("sigmoid, 0 to 1", nn.Sigmoid, (0.0, 1.0))}
ACTIVATED = ("relu", "leaky_relu", "leaky_relu_01", "elu")
NORM = ("running_mean", "running_var", "weight", "bias", "num_batches_tracked")


class NamedGenerator(nn.Module):
    """A generator with what Vitrine needs to know of it; `generator` has the layers at the paths of the file."""

    def __init__(self, generator: nn.Module, latent: Sequence[Mapping[str, Any]], output: str) -> None:
        super().__init__()
        self.generator, self.latent, self.range = generator, [dict(one) for one in latent], OUTPUTS[output][2]

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)


class _Named(nn.Module):
    """Layers at the paths they have in the file."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str], usual: Mapping[str, str]) -> None:
        super().__init__()
        self.shapes = shapes
        self.activation = ACTIVATIONS[assumed.get("activation", usual["activation"])]()
        self.last = OUTPUTS[assumed.get("output", usual["output"])][1]()

    def turned(self, path: str, stride: int, padding: int, more: int = 0) -> nn.Module:
        """Put a transposed convolution at a path."""
        inside, out, side, _ = self.shapes[f"{path}.weight"]
        bias = f"{path}.bias" in self.shapes
        return place(self, path, nn.ConvTranspose2d(inside, out, side, stride, padding, more, bias=bias))

    def normed(self, path: str) -> nn.Module:
        """Put a norm of maps at a path."""
        return place(self, path, nn.BatchNorm2d(self.shapes[f"{path}.running_mean"][0]))

    def linear(self, path: str) -> nn.Module:
        """Put a linear layer at a path."""
        out, inside = self.shapes[f"{path}.weight"]
        return place(self, path, nn.Linear(inside, out, bias=f"{path}.bias" in self.shapes))


class JoinedDCGAN(_Named):
    """`deconv1_1` of the noise and `deconv1_2` of the class, each with a norm, then `deconv2` to the last."""

    usual: Mapping[str, str] = {"activation": "relu", "output": "tanh"}

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__(shapes, assumed, self.usual)
        self.dims, self.classes = shapes["deconv1_1.weight"][0], shapes["deconv1_2.weight"][0]
        for path in ("deconv1_1", "deconv1_2"):
            self.turned(path, 1, 0)
            self.normed(f"{path}_bn")
        self.rest = sorted(at for at in indices(shapes, "deconv") if at > 1)
        for at in self.rest:
            self.turned(f"deconv{at}", 2, 1)
            if at != self.rest[-1]:
                self.normed(f"deconv{at}_bn")

    @property
    def latent(self) -> list[dict[str, Any]]:
        """The noise, then the class."""
        return [
            {"kind": "gaussian", "size": self.dims, "name": "noise"},
            {"kind": "categorical", "size": self.classes, "name": "class"},
        ]

    def forward(self, z: Tensor) -> Tensor:
        parts = {"deconv1_1": z[:, : self.dims], "deconv1_2": z[:, self.dims :]}
        x = torch.cat([self._unit(path, part[:, :, None, None]) for path, part in parts.items()], 1)
        for at in self.rest[:-1]:
            x = self._unit(f"deconv{at}", x)
        return self.last(self.get_submodule(f"deconv{self.rest[-1]}")(x))

    def _unit(self, path: str, x: Tensor) -> Tensor:
        return self.activation(self.get_submodule(f"{path}_bn")(self.get_submodule(path)(x)))


class CroppingGenerator(_Named):
    """`preprocess`, `block1`, whose map is cropped to 7 px, `block2`, `deconv_out`: 28 px."""

    usual: Mapping[str, str] = {"activation": "relu", "output": "sigmoid"}

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__(shapes, assumed, self.usual)
        self.linear("preprocess.0")
        for path, stride in (("block1.0", 1), ("block2.0", 1), ("deconv_out", 2)):
            self.turned(path, stride, 0)
        self.width = shapes["block1.0.weight"][0]
        self.dims = shapes["preprocess.0.weight"][1]

    @property
    def latent(self) -> list[dict[str, Any]]:
        """The noise."""
        return codes.blocks(self.dims, "plain")

    def forward(self, z: Tensor) -> Tensor:
        x = self.activation(self.get_submodule("preprocess.0")(z))
        side = round((x.shape[1] / self.width) ** 0.5)
        x = self.activation(self.get_submodule("block1.0")(x.view(len(x), self.width, side, side)))
        x = self.activation(self.get_submodule("block2.0")(x[:, :, :7, :7]))
        return self.last(self.get_submodule("deconv_out")(x))


class ConditionalDecoder(_Named):
    """`decoder_input` of code and class, `decoder` and `final_layer` of a conditional VAE."""

    usual: Mapping[str, str] = {"activation": "leaky_relu_01", "output": "tanh"}

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__(shapes, assumed, self.usual)
        self.dims = shapes["fc_mu.weight"][0]
        self.linear("decoder_input")
        self.classes = shapes["decoder_input.weight"][1] - self.dims
        self.stages = [f"decoder.{at}" for at in indices(shapes, "decoder.")]
        for path in (*self.stages, "final_layer"):
            self.turned(f"{path}.0", 2, 1, 1)
            self.normed(f"{path}.1")
        out, inside, side, _ = shapes["final_layer.3.weight"]
        place(self, "final_layer.3", nn.Conv2d(inside, out, side, padding=side // 2))
        self.width = shapes[f"{self.stages[0]}.0.weight"][0]
        if self.classes < 2 or "embed_class.weight" not in shapes:
            raise ValueError("no conditional one")

    @property
    def latent(self) -> list[dict[str, Any]]:
        """The code, then the class."""
        return [
            {"kind": "gaussian", "size": self.dims, "name": "z"},
            {"kind": "categorical", "size": self.classes, "name": "class"},
        ]

    def forward(self, z: Tensor) -> Tensor:
        x = self.get_submodule("decoder_input")(z)
        side = round((x.shape[1] / self.width) ** 0.5)
        x = x.view(len(x), self.width, side, side)
        for path in (*self.stages, "final_layer"):
            x = self.activation(self.get_submodule(f"{path}.1")(self.get_submodule(f"{path}.0")(x)))
        return self.last(self.get_submodule("final_layer.3")(x))


ENCODER = ("encoder.", "fc_mu.", "fc_var.", "embed_class.", "embed_data.")
Kind = type[JoinedDCGAN] | type[CroppingGenerator] | type[ConditionalDecoder]
KINDS: tuple[tuple[tuple[str, ...], Kind, str, tuple[str, ...]], ...] = (
    (("deconv1_1.weight", "deconv1_2.weight"), JoinedDCGAN, "Conditional DCGAN", ()),
    (("preprocess.0.weight", "block1.0.weight", "deconv_out.weight"), CroppingGenerator, "WGAN-GP for 28 px", ()),
    (("embed_class.weight", "decoder_input.weight"), ConditionalDecoder, "Decoder of a conditional VAE", ENCODER),
)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the generator that has these tensors, None if it is none."""
    found = next((one for one in KINDS if all(mark in shapes for mark in one[0])), None)
    if found is None:
        return None
    _, kind, title, aside = found
    own = {name: shape for name, shape in shapes.items() if not name.startswith(aside or "\n")}

    def build(assumed: Mapping[str, str]) -> nn.Module:
        net = kind(shapes, assumed)
        return NamedGenerator(net, net.latent, assumed.get("output", kind.usual["output"]))

    if not _fits(own, build):
        return None
    activation, output = kind.usual["activation"], kind.usual["output"]
    outputs = {name: words for name, (words, _, _) in OUTPUTS.items()}
    offered: dict[str, Mapping[str, Any]] = {
        "activation": {**ACTIVATION, "choices": _led(activation, ACTIVATED)},
        "output": choice(
            "Output", "The last function, which gives the range of pixels.", _led(output, outputs), outputs
        ),
    }
    # A decoder's norms saw the codes of pictures in training, which are no draws from the prior.
    normed = any(name.endswith("running_mean") for name in own) and not aside
    return Proposal(
        title=title,
        task="generation",
        build=build,
        offered=offered,
        judged=("activation",) if normed else (),
        renamed=lambda state: {f"generator.{name}": tensor for name, tensor in state.items() if name in own},
        measure=codes.distance if normed else None,
        evidence="With random codes its normalisation layers get values {number} nats from those in training",
    )


def _fits(own: Shapes, build: Callable[[Mapping[str, str]], nn.Module]) -> bool:
    """Return whether a network has exactly these tensors, and makes pictures."""
    try:
        with torch.device("meta"):
            net = build({})
            made = net(torch.empty(2, sum(block["size"] for block in net.latent)))  # type: ignore[union-attr]
    except (KeyError, ValueError, RuntimeError, IndexError):
        return False
    wanted = {name.removeprefix("generator."): tuple(t.shape) for name, t in net.state_dict().items()}
    same = {n: s for n, s in wanted.items() if not n.endswith(NORM[-1])} == {
        n: s for n, s in own.items() if not n.endswith(NORM[-1])
    }
    return same and made.ndim == 4 and made.shape[1] in (1, 3)


def _led(first: str, choices: Sequence[str] | Mapping[str, Any]) -> tuple[str, ...]:
    return (first, *(one for one in choices if one != first))
