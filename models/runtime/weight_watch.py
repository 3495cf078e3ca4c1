"""Detect whether a network has changed since it was opened, at low cost; Vitrine never trains it.

Every tensor counts its in-place changes. The counter misses changes through `.data` and those made inside kernels, such
as the running mean of batch normalisation. For networks with users' modules, a sample of every tensor's values and the
modules' training modes are therefore compared too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SAMPLED = 16  # values of each tensor
KNOWN = ("torch", "torchvision", "timm", "transformers", "models")  # packages whose modules do not modify themselves


class Watch:
    """The state of a network when opened. `own`: whether users' code is in it or in its adapter (`served_by`)."""

    def __init__(self, net: nn.Module, served_by: type | None = None) -> None:
        kinds = {type(module) for module in net.modules()} | ({served_by} if served_by else set())
        self.own = any(kind.__module__.partition(".")[0] not in KNOWN for kind in kinds)
        self.own |= any("forward" in vars(module) for module in net.modules())
        found = {**dict(net.named_parameters()), **dict(net.named_buffers())}
        # Inference tensors have no version counter.
        self._counted = {name: tensor for name, tensor in found.items() if not tensor.is_inference()}
        self._versions = [tensor._version for tensor in self._counted.values()]
        if self.own:
            self._modules = dict(net.named_modules())
            self._places = {name: _place(module) for name, module in self._modules.items()}
            self._views = _views(found)
            self._sample = _sample(self._views)

    def changed(self) -> str:
        """Return the name of a tensor or module that has changed, "" if none has."""
        versions = [tensor._version for tensor in self._counted.values()]
        if versions != self._versions:
            pairs = zip(self._counted, versions, self._versions, strict=True)
            return next(name for name, now, before in pairs if now != before)
        if not self.own:
            return ""
        for name, module in self._modules.items():
            now, before = _place(module), self._places[name]
            if now != before:
                changed = [key for key in now.keys() | before.keys() if now.get(key) != before.get(key)]
                return f"{name}.{min(changed)}".lstrip(".")
        for (names, _), now, before in zip(self._views, _sample(self._views), self._sample, strict=True):
            if not torch.equal(now, before):
                at = int((now != before).any(1).nonzero()[0])
                return names[at]
        return ""


def _place(module: nn.Module) -> dict[str, object]:
    """Return the memory addresses of a module's own tensors, and its training mode."""
    own = [*module._parameters.items(), *module._buffers.items()]
    return {"training": module.training, **{key: t.data_ptr() for key, t in own if t is not None}}


def _views(found: dict[str, Tensor]) -> list[tuple[list[str], list[Tensor]]]:
    """Return views of a few values of each tensor, grouped by dtype, with a tensor name for each value."""
    kinds: dict[torch.dtype, tuple[list[str], list[Tensor]]] = {}
    with torch.inference_mode():
        for name, tensor in found.items():
            if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
                continue
            room = tensor.untyped_storage().nbytes() // tensor.itemsize - tensor.storage_offset()
            count = min(tensor.numel(), room)
            step = max(1, count // SAMPLED)
            view = tensor.detach().as_strided(((count + step - 1) // step,), (step,))
            names, views = kinds.setdefault(tensor.dtype, ([], []))
            names += [name] * len(view)
            views.append(view)
    return list(kinds.values())


def _sample(views: list[tuple[list[str], list[Tensor]]]) -> list[Tensor]:
    """Return the sampled values as bytes (N, bytes), so that NaN compares equal to itself."""
    with torch.inference_mode():
        joined = [torch.cat(shown) for _, shown in views]
        return [values.view(torch.uint8).reshape(len(values), -1) for values in joined]
