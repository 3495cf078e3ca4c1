"""Unwrap networks from torch.compile, whose compiled code calls no modules and so cannot be hooked.

The results are those of the uncompiled network, which compilation promises to preserve.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

WRAPPED = "_orig_mod"


def plain(net: nn.Module) -> nn.Module:
    """Return a network without compile wrappers; functions compiled inside its code run uncompiled."""
    if "torch._dynamo" not in sys.modules:  # nothing can have been compiled, and importing it takes seconds
        return net
    net = _inside(net)
    for module in list(net.modules()):
        for name, child in module._modules.items():
            if child is not None:
                module._modules[name] = _inside(child)
        module._compiled_call_impl = None
    torch.compiler.set_stance("force_eager")
    return net


def _inside(module: nn.Module) -> nn.Module:
    inside: Any = module
    while type(inside).__name__ == "OptimizedModule" and isinstance(getattr(inside, WRAPPED, None), nn.Module):
        inside = getattr(inside, WRAPPED)
    return inside
