"""Networks that see no picture: what they take instead, told by names, shapes and types of their inputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from models.types import Refusal

Told = Sequence[tuple[str, Sequence[int], "torch.dtype | None"]]
ADVICE = "Vitrine opens networks that see a picture: N x channels x height x width."
WHOLE = (torch.int32, torch.int64)
TEXT = {"ids", "token", "tokens", "text", "words", "tokentype", "segment"}
AUDIO = {"audio", "waveform", "wav", "speech", "mel", "mels", "spectrogram", "pcm"}
POINTS = {"points", "point", "xyz", "cloud", "pointcloud", "voxels", "pts"}
BANDS = (40, 64, 80, 128)  # of mel spectrograms


def words_of(name: str) -> set[str]:
    """Return the words of an input's name."""
    return set(re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))


def described(name: str, inputs: Told, *, picture: bool = False) -> Refusal:
    """Return the refusal of a network that sees no picture, or a `picture` and text: in one sentence what it takes."""
    if picture:
        return Refusal(
            f"{name} takes a picture together with text (token numbers), which Vitrine does not give it.",
            advice="Export the part that sees the picture alone, such as CLIP's vision side; or open its folder of "
            "Hugging Face's, where labels are text.",
        )
    if not inputs:
        return Refusal(f"{name} takes no input, so it sees no picture.", advice=ADVICE)
    shapes = ", ".join(
        f"{_plain(n)}: {' x '.join(str(s or '?') for s in shape) or 'one number'}" for n, shape, _ in inputs[:4]
    )
    more = ", …" if len(inputs) > 4 else ""
    return Refusal(f"{name} takes no picture: it takes {_kind(inputs)} ({shapes}{more}).", advice=ADVICE)


def _kind(inputs: Told) -> str:
    """Return in words what inputs are."""
    words = {word for name, _, _ in inputs for word in words_of(name)}
    _, shape, dtype = inputs[0]
    rank, last = len(shape), shape[-1] if shape else 0
    if words & TEXT or (dtype in WHOLE and rank in (1, 2) and "mask" in words):
        return "text, as numbers of tokens"
    if words & POINTS or (
        rank == 3
        and dtype not in WHOLE
        and 3 in shape[1:]
        and max(shape[1:]) != 3
        and 0 in (*shape[1:], 0)
        and min(s or 999 for s in shape[1:]) == 3
    ):
        return "a point cloud, x y z of each point"
    if words & AUDIO or (rank == 3 and any(side in BANDS for side in shape[1:])) or (rank in (2, 3) and last >= 8000):
        return "sound, as samples or a spectrogram"
    if rank == 5:
        return "clips or volumes of five dimensions"
    if dtype in WHOLE and rank <= 2:
        return "whole numbers, such as the tokens of text"
    if rank == 2:
        return f"rows of {last:,} numbers, such as a table" if last else "rows of numbers, such as a table"
    if rank == 1 or not rank:
        return "single numbers"
    if rank == 3:
        return "sequences of numbers"
    return "something of another form"


def _plain(text: str) -> str:
    return ascii(text)[1:-1][:80]
