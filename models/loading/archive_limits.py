"""Limits on files of weights, checked before they are unpacked and before their tensors are used."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from models.types import Refusal

# PyTorch stores tensors uncompressed. Recompressing an archive saves little; a zip bomb inflates a thousandfold.
RATIO = 8
ROOM_BYTES = 1 << 24
MOST_PICKLE_BYTES = 1 << 24
MOST_TENSORS = 50_000
MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # start of PyTorch's older format: a pickled magic number
ADVICE = "Nothing of it was used. Get the file from where it was made."


def archive(path: Path) -> None:
    """Raise Refusal for a zip archive that inflates to far more than its size, or has an excessive list of tensors."""
    try:
        with zipfile.ZipFile(path) as opened:
            members = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # reported when the file is read
    total, size = sum(member.file_size for member in members), path.stat().st_size
    if total > RATIO * size + ROOM_BYTES:
        raise Refusal(f"{path.name} has {_size(size)} and would unpack to {_size(total)}.", advice=ADVICE)
    longest = max((m.file_size for m in members if m.filename.endswith(".pkl")), default=0)
    if longest > MOST_PICKLE_BYTES:
        raise Refusal(f"{path.name} lists its tensors on {_size(longest)}, which no network needs.", advice=ADVICE)


def older(path: Path) -> bool:
    """Return whether a file that is no zip archive starts like PyTorch's older formats."""
    with path.open("rb") as file:
        head = file.read(512)
    return MAGIC in head[:32] or head[257:262] == b"ustar"


def count(tensors: int, path: Path) -> None:
    """Raise Refusal for more tensors than a network has."""
    if tensors > MOST_TENSORS:
        raise Refusal(f"{path.name} holds {tensors:,} tensors, more than any network here.", advice=ADVICE)


def tensors(found: Mapping[str, Mapping[str, torch.Tensor]], path: Path) -> None:
    """Raise Refusal for tensors that are not plain numbers, or claim more elements than their file holds."""
    every = [(name, tensor) for state in found.values() for name, tensor in state.items()]
    count(len(every), path)
    for name, tensor in every:
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
            kind = "no numbers" if tensor.is_meta else "sparse or quantised numbers"
            raise Refusal(
                f"{name[:100]!r} in {path.name} holds {kind}.",
                advice="Save plain tensors: float32, bfloat16 or float16.",
            )
    claimed, size = sum(t.numel() * t.element_size() for _, t in every), path.stat().st_size
    if claimed > RATIO * size + ROOM_BYTES:
        raise Refusal(f"{path.name} has {_size(size)}, but its tensors claim {_size(claimed)}.", advice=ADVICE)


def _size(count: int) -> str:
    return (
        f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count:,} bytes"
    )
