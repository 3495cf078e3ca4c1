"""Whether a network has changed since it was opened, told cheaply: nobody asks it to learn here. It changes nothing.

Every tensor has a counter of what was done to it in place. That misses what goes through `.data`, or is done by kernels
themselves, such as the running mean of batch normalisation. So of networks with modules of somebody's own a sample of
every tensor's values is compared too, and which modules are in training mode.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SAMPLED = 16  # values of each tensor
KNOWN = ("torch", "torchvision", "timm", "models")  # packages whose modules change nothing of themselves


class Watch:
    """A network as it was. `own` tells whether code of somebody's own is in it, or in what serves it (`served_by`)."""

    def __init__(self, net: nn.Module, served_by: type | None = None) -> None:
        self._net = net
        kinds = {type(module) for module in net.modules()} | ({served_by} if served_by else set())
        self.own = any(kind.__module__.partition(".")[0] not in KNOWN for kind in kinds)
        self.own |= any("forward" in vars(module) for module in net.modules())
        self._tensors = tensors(net)
        # What was made in inference mode has no counter.
        self._counted = {name: tensor for name, tensor in self._tensors.items() if not tensor.is_inference()}
        self._versions = [tensor._version for tensor in self._counted.values()]
        self._training = _training(net)
        self._sample = _sample(self._tensors) if self.own else None

    def changed(self) -> str:
        """Return the name of a tensor or module that has changed, "" where none has."""
        versions = [tensor._version for tensor in self._counted.values()]
        if versions != self._versions:
            pairs = zip(self._counted, versions, self._versions, strict=True)
            return next(name for name, now, before in pairs if now != before)
        if self._sample is None:
            return ""
        now = tensors(self._net)
        for name in now.keys() ^ self._tensors.keys():
            return name
        for name, tensor in now.items():
            if tensor is not self._tensors[name]:
                return name
        for name, training in _training(self._net).items():
            if training != self._training.get(name):
                return f"{name or 'the network'}.training"
        sample = _sample(now)
        for name, values in sample.items():
            if not torch.equal(values, self._sample[name]):
                return name
        return ""


def tensors(net: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a network by name."""
    return {**dict(net.named_parameters()), **dict(net.named_buffers())}


def _training(net: nn.Module) -> dict[str, bool]:
    return {name: module.training for name, module in net.named_modules()}


def _sample(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a few values of each tensor as bits, so that what is not a number is equal to itself."""
    with torch.inference_mode():
        return {
            name: tensor.detach().reshape(-1)[:: max(1, tensor.numel() // SAMPLED)].clone().view(torch.uint8)
            for name, tensor in found.items()
            if tensor.numel() and tensor.layout == torch.strided and not tensor.is_quantized
        }
