"""Networks that were given to torch.compile, taken out of it: compiled code calls no module that could be looked into.

The numbers are those of the same network uncompiled, which compiling promises not to change.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

WRAPPED = "_orig_mod"


def plain(net: nn.Module) -> nn.Module:
    """Return a network without the compiled wrappers in it; what is compiled in its code runs as it is written."""
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
