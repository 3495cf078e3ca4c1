"""Say in words what a state dict of no known family is, as far as its tensors tell."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from models.families.proposal import STATISTICS, Shapes

_STAGE = re.compile(r"(?:^|\.)((?:layer|stage|block|conv)s?_?\d+)(?:\.|$)")


def describe(shapes: Shapes) -> str:
    """Return one or two sentences on the network that tensors of these names and shapes belong to."""
    weights = {name: shape for name, shape in shapes.items() if name.endswith("weight") and len(shape) >= 2}
    kernels = {name: shape for name, shape in weights.items() if len(shape) == 4}
    linear = {name: shape for name, shape in weights.items() if len(shape) == 2}
    parts = [_kind(shapes, kernels, linear)]
    if kernels:
        parts.append(_convolutions(kernels))
    if linear:
        parts.append(f"{len(linear):,} linear layer{'s' * (len(linear) > 1)}")
    text = ": ".join((parts[0], ", ".join(parts[1:]))) if parts[1:] else parts[0]
    return f"As far as its tensors tell, it is {text}. {_ends(shapes, kernels, linear)}".strip()


def _kind(shapes: Shapes, kernels: Shapes, linear: Shapes) -> str:
    names = " ".join(shapes).lower()
    if len(shapes) and any(len(shape) == 5 for shape in shapes.values()):
        return "a network of three-dimensional convolutions"
    if re.search(r"attn|attention|qkv|q_proj", names):
        return "a transformer" if len(linear) > len(kernels) else "a network with attention"
    if re.search(r"mu_?logvar|fc_mu|logvar|log_var|fc21", names):
        return "a variational autoencoder"
    if re.search(r"lstm|gru|weight_ih|weight_hh", names):
        return "a recurrent network"
    if re.search(r"anchor|bbox|loc_layers|regression_head|classheads?\.|yolo|rpn|detect", names):
        return "a detector"
    if not kernels:
        return "a network of linear layers" if linear else "a set of tensors"
    if re.search(r"shortcut|downsample|skip|residual", names) or _repeated(kernels):
        return "a residual network"
    ups = re.search(r"up\d?\.|upconv|decoder|deconv|convt", names)
    return "a network from pictures to pictures" if ups and not linear else "a convolutional network"


def _repeated(kernels: Shapes) -> bool:
    """Return whether blocks of the same shape are repeated in stages, as in residual networks."""
    blocks = Counter(re.sub(r"\.\d+\.", ".N.", name, count=1) for name in kernels)
    return any(count >= 2 and ".N." in name for name, count in blocks.items()) and len(kernels) > 4


def _convolutions(kernels: Shapes) -> str:
    sizes = Counter(f"{shape[2]} x {shape[3]}" for shape in kernels.values())
    widths = [shape[0] for name, shape in kernels.items() if shape[1] > 1 or len(kernels) == 1]
    growing = list(dict.fromkeys(w for w in widths))
    stages = list(dict.fromkeys(found[1] for name in kernels if (found := _STAGE.search(name))))
    apart = sum(shape[1] == 1 for shape in list(kernels.values())[1:])
    text = f"{len(kernels):,} convolution{'s' * (len(kernels) > 1)}, mostly of {sizes.most_common(1)[0][0]}"
    if len(stages) > 1:
        text += f" in {len(stages)} stages"
    if 1 < len(growing) <= 8 and all(a < b for a, b in pairwise(growing)):
        text += f" with {', '.join(map(str, growing[:-1]))} and {growing[-1]} channels"
    elif widths:
        text += f" with up to {max(widths):,} channels"
    return text + (f" ({apart:,} of them by channel)" if apart > 2 else "")


def _ends(shapes: Shapes, kernels: Shapes, linear: Shapes) -> str:
    said = []
    first = next(iter(kernels.values()), None)
    if first is not None and first[1] in (1, 3, 4):
        seen = {1: "grey pictures", 3: "colour pictures", 4: "pictures with four channels"}[first[1]]
        small = first[2] <= 3 and len(kernels) <= 60 and "grey" not in seen
        said.append(f"It takes {seen}{', probably small ones' if small and len(kernels) > 4 else ''}")
    elif not kernels and linear:
        said.append(f"It takes {next(iter(linear.values()))[1]:,} numbers")
    last = list(linear.values())[-1] if linear else None
    if last is not None and list(linear)[-1] == [n for n in shapes if len(shapes[n]) >= 2][-1]:
        count = last[0]
        said.append(
            f"ends in {count:,} number{'s' * (count > 1)}" + (f", as for {count:,} classes" if count > 1 else "")
        )
    count = sum(_size(shape) for name, shape in shapes.items() if not name.endswith(STATISTICS))
    said.append(f"has {count:,} parameters")
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else ["It " + said[0]]) + "."


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for one in shape:
        size *= one
    return size
