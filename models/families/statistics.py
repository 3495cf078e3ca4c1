"""How far what reaches a network's normalisation layers is from what they saw in training."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

# The same whatever epsilon a layer has: a large one in its place would make every distance look small.
LEAST_VARIANCE = 1e-5
CLOSER = 0.6


def clearly_closer(other: float, usual: float) -> bool:
    """Return whether a distance is so much smaller than that of the usual choice that it takes its place."""
    return other < CLOSER * usual


def distances(net: nn.Module, inputs: Tensor) -> tuple[Any, float]:
    """Return the network's output, and how far what reaches its normalisation layers is from what they saw in training.

    That is the mean Kullback-Leibler divergence in nats of each channel, both taken as normal, over all layers.
    """
    found: list[float] = []

    def see(module: Any, given: Any) -> None:
        x = given[0].transpose(0, 1).flatten(1).double()
        mean, variance = module.running_mean.double(), module.running_var.double() + LEAST_VARIANCE
        own = x.var(1) + LEAST_VARIANCE
        each = (own + (x.mean(1) - mean) ** 2) / variance - 1 + (variance / own).log()
        found.append(float(each.clamp_max(1e6).mean() / 2))

    kinds = nn.BatchNorm1d | nn.BatchNorm2d
    hooks = [
        module.register_forward_pre_hook(see)
        for module in net.modules()
        if isinstance(module, kinds) and module.running_mean is not None
    ]
    try:
        output = net(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    usable = [value for value in found if math.isfinite(value)]
    return output, sum(usable) / len(usable) if usable else float("inf")
