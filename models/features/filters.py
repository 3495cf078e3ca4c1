"""The kernels of a convolution as small pictures, with their norms and similarities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.types import Bool, Float, Int, Refusal

MODES = ("auto", "rgb", "planes", "pca", "inputs")
DEAD = 1e-3  # relative to the layer's root mean square norm
DUPLICATE = 0.99  # cosine
BLOCK_BYTES = 32 << 20
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_NORMS = ("BatchNorm2d", "FrozenBatchNorm2d", "SyncBatchNorm")


@dataclass(frozen=True)
class Kernels:
    """The weights (N, I, k, l) of a layer with `groups`: N filters over I inputs each, and the layer's geometry."""

    weight: Tensor
    groups: int = 1
    stride: tuple[int, ...] = (1, 1)
    padding: str = "0 x 0"
    dilation: tuple[int, ...] = (1, 1)

    @property
    def mode(self) -> str:
        """The best way to show them: in colour, as the only plane, one cell per input, or by principal component."""
        inputs, height, width = self.weight.shape[1:]
        if height * width == 1:
            return "inputs"
        if inputs == 3 and self.groups == 1:
            return "rgb"
        return "planes" if inputs == 1 else "pca"


def kernels_of(module: nn.Module) -> Kernels | None:
    """Return a layer's kernels, outputs first, or None if it has none. A transposed convolution stores inputs first."""
    if not isinstance(module, _CONVOLUTIONS):
        return None
    weight = module.weight.detach()
    if isinstance(module, nn.ConvTranspose2d):
        inputs, outputs, *size = weight.shape
        parts = weight.reshape(module.groups, inputs // module.groups, outputs, *size)
        weight = parts.transpose(1, 2).reshape(module.groups * outputs, inputs // module.groups, *size)
    padding = module.padding if isinstance(module.padding, str) else " x ".join(map(str, module.padding))
    return Kernels(weight, module.groups, module.stride, padding, module.dilation)


def tiles(kernels: Kernels, *, mode: str = "auto", channel: int = -1, plane: int = 0) -> tuple[Float, Float]:
    """Return a picture of each filter (N, h, w), or (N, h, w, 3) in `rgb`, and how much of the filter it shows (N,).

    That share is 0 to 1. `planes` are the raw weights for one input, `plane`; with a `channel` all planes of that
    filter instead, one tile each. `inputs` is for 1 x 1 kernels: the weight of every input, in rows. `pca` is the first
    principal component over inputs: of the matrix (I, k l) with the inputs' planes as rows, the first right singular
    vector times its singular value times the root of 1 / I, so that its sum of squares equals that of a mean plane; its
    share is the share of the sum of squares. Its sign follows the mean plane. Raises Refusal for a mode that does not
    fit, or a missing channel.
    """
    weight = kernels.weight
    count, inputs, height, width = weight.shape
    mode = kernels.mode if mode == "auto" else mode
    if channel >= count:
        raise Refusal(f"There is no filter {channel}.", advice=f"They go from 0 to {count - 1}.")
    if channel >= 0:
        weight = weight[channel : channel + 1]
    whole = np.ones(len(weight), np.float32)
    match mode:
        case "rgb":
            if inputs != 3 or kernels.groups != 1:
                raise Refusal(
                    f"Only kernels over three colours can be shown in colour; these have {inputs} inputs.",
                    advice="Use planes or pca.",
                )
            return _numpy(weight.permute(0, 2, 3, 1)), whole
        case "inputs":
            if height * width != 1:
                raise Refusal("Only kernels of 1 x 1 have one weight for each input.", advice="Use planes or pca.")
            rows = next(r for r in range(math.isqrt(inputs), 0, -1) if inputs % r == 0)
            return _numpy(weight.reshape(len(weight), rows, inputs // rows)), whole
        case "planes" if channel >= 0:
            shares = weight[0].float().square().sum((1, 2))
            return _numpy(weight[0]), _numpy(shares / shares.sum().clamp(min=1e-30))
        case "planes":
            if plane >= inputs:
                raise Refusal(f"There is no input {plane}.", advice=f"They go from 0 to {inputs - 1}.")
            part = torch.cat([w[:, plane].float().square().sum((1, 2)) / _squares(w) for w in blocks(weight)])
            return _numpy(weight[:, plane]), _numpy(part)
    found = [_component(block) for block in blocks(weight)]
    return _numpy(torch.cat([f[0] for f in found])), _numpy(torch.cat([f[1] for f in found]))


def norms(weight: Tensor) -> Float:
    """Return the Euclidean norm (N,) of each filter."""
    return _numpy(torch.cat([block.flatten(1).float().norm(dim=1) for block in blocks(weight)]))


@dataclass(frozen=True)
class Likeness:
    """Similarity of each filter to the others (N,): highest cosine, the row of that filter, and near-duplicates.

    `nearest` is -1 if there is no other filter. `duplicate` only considers filters of the same group, which see the
    same inputs.
    """

    cosine: Float
    nearest: Int
    duplicate: Bool

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return self.cosine.nbytes + self.nearest.nbytes + self.duplicate.nbytes


def likeness(kernels: Kernels, *, check: Callable[[float], None] = lambda share: None) -> Likeness:
    """Compare each filter with all others. `check` is called with the share done, and may raise.

    Across groups only the patterns are comparable: only filters of the same group can duplicate each other.
    """
    weight = kernels.weight.flatten(1)
    count = len(weight)
    sizes = torch.from_numpy(norms(kernels.weight)).to(weight.device).clamp(min=1e-30)
    group = torch.arange(count, device=weight.device) // max(1, count // kernels.groups)
    step = max(1, min(256, BLOCK_BYTES // (4 * count)))
    cosine, nearest, same = [], [], []
    for start in range(0, count, step):
        check(start / count)
        block = weight[start : start + step]
        rows = torch.arange(start, start + len(block), device=weight.device)
        angles = (block @ weight.T).float() / sizes[rows, None] / sizes[None]
        angles[torch.arange(len(block)), rows] = -2.0
        best = angles.max(1)
        cosine.append(best.values)
        nearest.append(best.indices)
        same.append(angles.masked_fill(group[rows, None] != group[None], -2.0).amax(1) > DUPLICATE)
    if count < 2:
        return Likeness(np.zeros(count, np.float32), np.full(count, -1, np.int64), np.zeros(count, np.bool_))
    joined = torch.cat(cosine).clamp(-1, 1)
    return Likeness(_numpy(joined), torch.cat(nearest).cpu().numpy(), torch.cat(same).cpu().numpy())


def gains(norm: nn.Module | None, count: int) -> Float | None:
    """Return the factor by which a batch normalisation scales each of `count` channels, |gamma| / sqrt(var + eps)."""
    if norm is None or type(norm).__name__ not in _NORMS:
        return None
    var, weight = getattr(norm, "running_var", None), getattr(norm, "weight", None)
    if var is None or len(var) != count:
        return None
    gain = (var.float() + float(norm.eps)).rsqrt()  # type: ignore[arg-type]
    return _numpy(gain if weight is None else gain * weight.detach().float().abs())


def dead(strength: Float) -> Bool:
    """Return which filters have almost no effect: a norm below a thousandth of the layer's root mean square."""
    return strength <= DEAD * float(np.sqrt(np.mean(np.square(strength, dtype=np.float64))))


def order(sort: str, sizes: Float, alike: Likeness) -> Int:
    """Return the filters' rows by falling norm, by falling similarity, or in their own order."""
    keys = {"norm": sizes, "similarity": alike.cosine}
    if sort not in keys:
        return np.arange(len(sizes), dtype=np.int64)
    return np.argsort(-keys[sort], kind="stable").astype(np.int64)


def blocks(weight: Tensor) -> Iterator[Tensor]:
    """Yield the filters a few at a time, to bound the memory of what is computed from them."""
    step = max(1, BLOCK_BYTES // (4 * math.prod(weight.shape[1:])))
    return iter(weight.split(step))


def _component(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first principal component (N, k, l) of filters (N, I, k, l), and its share (N,)."""
    count, inputs, *size = weight.shape
    # eigh of the Gram matrix (k l, k l), far smaller than an SVD over all inputs.
    planes = weight.reshape(count, inputs, -1).float()
    values, vectors = torch.linalg.eigh(planes.transpose(1, 2) @ planes)
    first = vectors[:, :, -1]
    sign = (first * planes.mean(1)).sum(1).sign()
    sign[sign == 0] = 1
    strength = (values[:, -1].clamp(min=0) / inputs).sqrt()
    share = values[:, -1].clamp(min=0) / values.clamp(min=0).sum(1).clamp(min=1e-30)
    return (first * (sign * strength)[:, None]).reshape(count, *size), share


def _squares(weight: Tensor) -> Tensor:
    return weight.float().square().sum((1, 2, 3)).clamp(min=1e-30)


def _numpy(values: Tensor) -> Float:
    return np.ascontiguousarray(values.detach().float().cpu().numpy())


def with_kernels(net: nn.Module) -> Sequence[tuple[str, nn.Module]]:
    """Return the layers that have kernels, with their paths, in the order in which they were created."""
    return [(name, module) for name, module in net.named_modules() if isinstance(module, _CONVOLUTIONS)]


def shape_of(module: nn.Module) -> tuple[int, ...]:
    """Return the shape (N, I, k, l) of a layer's kernels."""
    assert isinstance(module, _CONVOLUTIONS)
    return (module.out_channels, module.in_channels // module.groups, *module.kernel_size)
