"""Training computes in bfloat16 only where the processor has instructions for it."""

from __future__ import annotations

import pytest
import torch

from models.training import precision

NAMES = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


@pytest.mark.parametrize(
    ("has", "wanted"),
    [((False, False), torch.float32), ((True, False), torch.bfloat16), ((False, True), torch.bfloat16)],
)
def test_a_processor_without_bfloat16_trains_in_float32(
    has: tuple[bool, bool], wanted: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(NAMES, has, strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda value=value: value)
    with precision.lower_precision():
        assert torch.nn.Linear(3, 2)(torch.ones(1, 3)).dtype == wanted
    assert precision.fast_bfloat16("cpu") is (wanted == torch.bfloat16)
