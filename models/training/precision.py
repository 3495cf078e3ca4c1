"""Lower precision for training where the processor computes in it."""

from __future__ import annotations

import torch


def fast_bfloat16(device: str) -> bool:
    """Return whether `device` ("cpu", "cuda") has instructions for bfloat16.

    A CPU without AVX-512 BF16 and AMX emulates bfloat16, which is several times slower than float32.
    """
    if device == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def lower_precision(device: str = "cpu") -> torch.autocast:
    """Return a context in which operations that tolerate it run in bfloat16, if that is fast on `device`."""
    return torch.autocast(device, torch.bfloat16, enabled=fast_bfloat16(device))
