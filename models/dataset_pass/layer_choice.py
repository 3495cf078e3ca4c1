"""Which layer pictures are compared in: the one that was named, or a sensible one for the kind of model.

A layer is the id of a call, or one of: `output`, what the network gives as a whole; `code`, the mean that a VAE's
encoder gives; `MODULE:input`, what a module receives. By itself a classifier is compared in the input of its last
linear layer, a backbone in its output, a VAE in its code, a discriminator and everything else (detectors, segmenters,
depth) in the deepest map, the one with the most channels.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from models.dataset_pass.forward import CODE, SCORES, Forward, Prepared
from models.dataset_pass.pooling import AUTOMATIC, MAX, MEAN, pooled, settled
from models.runtime.forward_passes import repetition
from models.tracing.tensor_layout import NCHW, Layout
from models.tracing.traced_calls import Call
from models.types import Refusal

OUTPUT, CODES, INPUT = "output", "code", ":input"
GATES = ("Sigmoid", "Softmax", "Hardsigmoid", "HardSigmoid")  # what values are multiplied by
LINEAR = ("Linear", "Conv2d", "LazyLinear", "NonDynamicallyQuantizableLinear", "Gemm", "Conv")


@dataclass(frozen=True)
class LayerChoice:
    """A layer that is compared, how its values become a vector, and in words what that is and why."""

    layer: str
    pooling: str
    why: str = ""

    @property
    def title(self) -> str:
        """The layer in words."""
        if self.layer.endswith(INPUT):
            return f"the input of {self.layer.removesuffix(INPUT)}"
        named = {OUTPUT: "the network's output", CODES: "the mean code"}.get(self.layer, self.layer)
        return named if self.pooling in ("", MEAN) else f"{named}, {self.pooling}"


@dataclass
class _Look:
    """What one pass shows: its calls with their layouts and shapes, the inputs of linear modules and their outputs."""

    calls: list[Call] = field(default_factory=list)
    linear: list[tuple[str, Tensor]] = field(default_factory=list)
    scores: Tensor | None = None

    @property
    def maps(self) -> list[Call]:
        """The calls that are maps of the picture."""
        return [call for call in self.calls if call.layout.spatial and call.shape[0] == 1]


def choose(forward: Forward, picture: Prepared, layer: str = "", pooling: str = AUTOMATIC) -> LayerChoice:
    """Return the layer to compare, after one pass over a picture; `layer` "" stands for the sensible one.

    Raises Refusal for a layer that does not exist or gives no vector.
    """
    if forward.hidden:
        if layer not in ("", OUTPUT):
            text = f"{forward.model.card.name} is TorchScript, which hides its layers."
            raise Refusal(text, advice="Use its output.")
        return LayerChoice(OUTPUT, "", "a TorchScript program shows no other layer")
    look = _look(forward, picture)
    name, why = (layer, "") if layer else _sensible(forward, look)
    if name == OUTPUT and forward.kind == SCORES:
        return LayerChoice(OUTPUT, "", why)
    if name == CODES and forward.kind == CODE:
        return LayerChoice(CODES, "", why)
    if name.endswith(INPUT):
        module = name.removesuffix(INPUT)
        if module not in dict(forward.net.named_modules()):
            raise _unknown(name, look)
        return LayerChoice(name, "", why)
    call = next((each for each in look.calls if each.id == name), None)
    if call is None:
        raise _unknown(name, look)
    if call.shape[0] != 1 or len(call.shape) < 2:
        shape = " x ".join(map(str, call.shape))
        raise Refusal(f"{name} ({shape}) gives no vector for each picture.", advice=_advice(look))
    way = settled(call.layout, pooling)
    _check(call.layout, way, call.shape)
    return LayerChoice(name, way, why)


def spatial(forward: Forward, picture: Prepared, layer: str = "", pooling: str = AUTOMATIC) -> LayerChoice:
    """Return a layer with places, for comparing a region of a picture; its pooling is mean or max. Raises Refusal."""
    if forward.hidden:
        text = f"{forward.model.card.name} is TorchScript, which hides its layers."
        raise Refusal(text, advice="Compare whole pictures.")
    way = MAX if pooling == MAX else MEAN
    look = _look(forward, picture)
    if layer and layer in {call.id for call in look.maps}:
        return LayerChoice(layer, way)
    if layer:
        choose(forward, picture, layer)
        raise Refusal(f"{layer} has no places, so a region of it has no vector.", advice=_advice(look))
    found = forward.automatic() or _deepest(look)
    if not found:
        raise Refusal("No layer of this network has a map of the picture.", advice="Compare whole pictures.")
    return LayerChoice(found, way, "the deepest layer with places, because a region is compared")


def _sensible(forward: Forward, look: _Look) -> tuple[str, str]:
    if forward.kind == CODE:
        return CODES, "the mean that the encoder gives"
    if forward.embeds:
        return OUTPUT, "the network ends in features"
    if forward.classifies and look.linear:
        return look.linear[-1][0] + INPUT, "what the classifier decides from"
    found = _deepest(look)
    if found:
        return found, "the deepest map: the one with the most channels"
    if look.linear:
        return look.linear[-1][0] + INPUT, "what the last linear layer gets"
    vectors = [call for call in look.calls if call.shape[0] == 1 and len(call.shape) >= 2]
    if not vectors and forward.kind == SCORES:
        return OUTPUT, "no other layer gives a vector"
    if not vectors:
        raise Refusal("No layer of this network gives a vector for a picture.", advice="Choose another model.")
    return vectors[-1].id, "the last layer"


def _deepest(look: _Look) -> str:
    """Return the map with the most channels, the last among equals; rather convolutional maps than tokens."""
    maps = [call for call in look.maps if call.layout.name == NCHW and call.kind not in GATES] or look.maps
    if not maps:
        return ""
    most = max(call.layout.channels for call in maps)
    return [call for call in maps if call.layout.channels == most][-1].id


def _look(forward: Forward, picture: Prepared) -> _Look:
    """Pass one picture and note every call, and which linear module gave the scores."""
    look = _Look()
    outputs: dict[str, Tensor] = {}
    linear = {name for name, module in forward.net.named_modules() if _is_linear(module)}

    def see(call: Call, value: Tensor) -> None:
        if not repetition():
            look.calls.append(call)
            if call.module in linear:
                outputs[call.module] = value.detach().float().clone() if value.numel() <= 1 << 20 else value[:0]

    batch = forward.run([picture], see)
    look.scores = batch.scores
    order = [call.module for call in look.calls if call.module in outputs]
    if batch.scores is not None and forward.classifies:
        same = [name for name in order if _gives(outputs[name], batch.scores)]
        # The raw numbers may be read in another way: then it is the last linear module with as many outputs.
        fits = [name for name in order if outputs[name].shape[:1] == (1,) and outputs[name].ndim == 2]
        order = same or fits
    look.linear = [(name, outputs[name]) for name in order]
    return look


def _gives(output: Tensor, scores: Tensor) -> bool:
    return output.numel() == scores.numel() and bool(torch.allclose(output.flatten(), scores.flatten(), atol=1e-5))


def _is_linear(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return type(module).__name__ in LINEAR or (isinstance(weight, Tensor) and weight.ndim == 2)


def _check(layout: Layout, pooling: str, shape: tuple[int, ...]) -> None:
    """Raise Refusal if a layer of this shape has no such vector."""
    pooled(torch.zeros(shape), layout, pooling)


def _advice(look: _Look) -> str:
    maps = look.maps
    return f"Choose a layer with places, such as {maps[-1].id}." if maps else "Leave the layer empty."


def _unknown(name: str, look: _Look) -> Refusal:
    near = difflib.get_close_matches(name, [call.id for call in look.calls], 3)
    last = look.calls[-1].id if look.calls else OUTPUT
    hint = f"Did you mean {' or '.join(near)}?" if near else f"The last one is {last}."
    return Refusal(f"There is no layer {name!r}.", advice=hint)
