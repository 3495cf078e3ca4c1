"""ONNX operators of spectra and positions: Fourier transforms, their windows, and rotary embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from models.exported.onnx_node import TYPES, Build, UnsupportedError

# Weights of the cosines of a window, by its name: w(n) = sum of a_k cos(2 pi k n / N).
WINDOWS = {
    "HannWindow": (0.5, -0.5),
    "HammingWindow": (25 / 46, -21 / 46),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}


def _complex(x: Tensor) -> Tensor:
    """Return real (…, 1) or complex (…, 2) numbers as complex ones (…)."""
    return torch.view_as_complex(x.contiguous()) if x.shape[-1] == 2 else torch.complex(x[..., 0], x[..., 0] * 0)


def transformed(x: Tensor, length: Any, axis: Any, inverse: bool, onesided: bool) -> Tensor:
    """Return the discrete Fourier transform (…, 2) of numbers (…, 1 or 2) along an axis (DFT)."""
    along = int(axis) % x.ndim
    count = int(length) if length is not None else None
    if inverse:
        return torch.view_as_real(torch.fft.ifft(_complex(x), count, along))
    if onesided:
        return torch.view_as_real(torch.fft.rfft(x[..., 0], count, along))
    return torch.view_as_real(torch.fft.fft(_complex(x), count, along))


def _dft(b: Build) -> Any:
    axis: Any = b.get("axis", 1)
    if b.opset >= 20:
        axis = b.at(2) if b.at(2) is not None else -2
    inverse, onesided = bool(b.get("inverse", 0)), bool(b.get("onesided", 0))
    if inverse and onesided:
        raise UnsupportedError("DFT that is inverse and onesided")
    return b.call(transformed, b.at(0), b.at(1), axis, inverse, onesided)


def framed(x: Tensor, step: Any, window: Tensor | None, length: Any, onesided: bool) -> Tensor:
    """Return the spectra (N, frames, bins, 2) of a signal (N, L, 1 or 2) in frames of a length, by steps (STFT)."""
    wide = int(length) if length is not None else len(window) if window is not None else x.shape[1]
    frames = _complex(x).unfold(1, wide, int(step))
    if window is not None:
        frames = frames * F.pad(window, (0, wide - len(window)))
    found = torch.fft.fft(frames)
    return torch.view_as_real(found[..., : wide // 2 + 1] if onesided else found)


def window(size: Any, periodic: bool, kind: Any, *, weights: tuple[float, ...]) -> Tensor:
    """Return a window of weighted cosines (size,): periodic, or symmetric."""
    count = int(size)
    turn = 2 * torch.pi * torch.arange(count, dtype=torch.float64) / max(1, count if periodic else count - 1)
    made = sum((a * (k * turn).cos() for k, a in enumerate(weights)), torch.zeros(count, dtype=torch.float64))
    return made.to(kind or torch.float32)


def _window(b: Build) -> Any:
    periodic, kind = bool(b.get("periodic", 1)), TYPES.get(b.get("output_datatype", 1))
    return b.call(window, b.at(0), periodic, kind, weights=WINDOWS[b.kind])


def rotated(
    x: Tensor, cos: Tensor, sin: Tensor, places: Tensor | None, *, heads: int, interleaved: bool, part: int
) -> Tensor:
    """Return (N, H, L, D), or (N, L, H * D) with a number of heads, turned by its place (RotaryEmbedding).

    `cos` and `sin` are (places, part / 2), looked up by `places` (N, L), or (N, L, part / 2).
    """
    flat = x.ndim == 3
    x = x.unflatten(-1, (heads, -1)) if flat else x.transpose(1, 2)  # (N, L, H, D)
    part = part or x.shape[-1]
    turned, rest = x[..., :part], x[..., part:]
    cos, sin = ((t[places] if places is not None else t)[:, :, None] for t in (cos, sin))
    a, b = (turned[..., 0::2], turned[..., 1::2]) if interleaved else turned.chunk(2, -1)
    real, other = cos * a - sin * b, sin * a + cos * b
    made = torch.stack([real, other], -1).flatten(-2) if interleaved else torch.cat([real, other], -1)
    made = torch.cat([made, rest], -1)
    return made.flatten(2) if flat else made.transpose(1, 2)


def _rotary(b: Build) -> Any:
    more = {"heads": b.get("num_heads", 0), "interleaved": bool(b.get("interleaved", 0))}
    return b.call(rotated, b.at(0), b.at(1), b.at(2), b.at(3), **more, part=b.get("rotary_embedding_dim", 0))


BUILDERS: dict[str, Callable[[Build], Any]] = {
    "DFT": _dft,
    "STFT": lambda b: b.call(framed, b.at(0), b.at(1), b.at(2), b.at(3), bool(b.get("onesided", 1))),
    "RotaryEmbedding": _rotary,
    **dict.fromkeys(WINDOWS, _window),
}
