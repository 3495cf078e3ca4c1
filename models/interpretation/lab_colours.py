"""CIE L*a*b* of sRGB pictures (D65) and back, differentiable, and the 313 bins of ab that networks choose from.

L is from 0 to 100, a and b about from -110 to 110. The bins are those of Zhang, Isola and Efros, "Colorful Image
Colorization" (ECCV 2016): a grid of 10 in ab, row by row of a.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Linear sRGB to XYZ (IEC 61966-2-1), and the white point of D65 at 2 degrees.
XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)
ROUNDING = 1e-4  # beyond 0 to 1 that conversion there and back may leave
STEP = 10
# The lowest and highest b of each a from -90 on.
RANGES = (
    *((50, 90), (20, 90), (0, 90), (-20, 90), (-30, 100), (-40, 100), (-50, 100), (-50, 100), (-60, 100), (-70, 100)),
    *((-80, 90), (-80, 90), (-90, 90), (-100, 90), (-100, 80), (-110, 80), (-110, 80), (-110, 70), (-110, 70)),
    (-90, 0),
)
BINS = tuple(
    (float(-90 + STEP * row), float(b)) for row, (low, high) in enumerate(RANGES) for b in range(low, high + 1, STEP)
)


def lab(plain: Tensor) -> Tensor:
    """Return L, a and b (N, 3, h, w) of pictures (N, 3, h, w) RGB from 0 to 1."""
    linear = torch.where(plain > 0.04045, ((plain.clamp_min(0.04) + 0.055) / 1.055) ** 2.4, plain / 12.92)
    xyz = torch.einsum("kc,nchw->nkhw", plain.new_tensor(XYZ), linear) / plain.new_tensor(WHITE).view(1, 3, 1, 1)
    root = torch.where(xyz > 0.008856, xyz.clamp_min(0.008) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lightness(plain: Tensor) -> Tensor:
    """Return L (N, 1, h, w), 0 to 100, of pictures (N, 3, h, w) RGB from 0 to 1."""
    return lab(plain)[:, :1]


def joined(light: Tensor, ab: Tensor) -> Tensor:
    """Return the pictures (N, 3, h, w) RGB of L (N, 1, h, w) and ab (N, 2, h, w); 0 to 1 for colours that sRGB has."""
    y = (light[:, 0] + 16) / 116
    root = torch.stack([y + ab[:, 0] / 500, y, y - ab[:, 1] / 200], 1)
    xyz = torch.where(root > 0.2068966, root**3, (root - 16 / 116) / 7.787)
    xyz = xyz * xyz.new_tensor(WHITE).view(1, 3, 1, 1)
    back = torch.linalg.inv(torch.tensor(XYZ, dtype=torch.float64)).to(xyz)
    linear = torch.einsum("ck,nkhw->nchw", back, xyz)
    made = torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(0.003) ** (1 / 2.4) - 0.055, 12.92 * linear)
    made = torch.where((made < 0) & (made > -ROUNDING), made * 0, made)
    return torch.where((made > 1) & (made < 1 + ROUNDING), made * 0 + 1, made)


def grey(plain: Tensor) -> Tensor:
    """Return pictures (N, 3, h, w) RGB from 0 to 1 without their colours: of the same lightness."""
    light = lightness(plain)
    return joined(light, light.new_zeros(len(light), 2, *light.shape[2:]))
