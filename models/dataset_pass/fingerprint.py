"""A SHA-256 of everything of a model that its answers depend on: weights, code, and how it is read."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from models import files, model_name
from models.types import Refusal, Source

NOT_VALUES = ("device",)  # of a model's name: where it runs does not change what it answers
_states: weakref.WeakKeyDictionary[nn.Module, str] = weakref.WeakKeyDictionary()
_files: dict[Source, str] = {}


def fingerprint(name: str, model: Any, made_of: Sequence[Path] = ()) -> str:
    """Return the SHA-256 for an opened model of this full name; `made_of` are the files it was opened from."""
    _, assumed = model_name.split(name)
    digest = hashlib.sha256()
    for part in (
        type(model).__qualname__,
        type(model.net).__qualname__,
        model.card.sha256 or _state(model.net),
        *(f"{key}={value}" for key, value in sorted(assumed.items()) if key not in NOT_VALUES),
        *(_file(path) for path in made_of),
        repr(getattr(model, "preprocess", "")) if _is_plain(getattr(model, "preprocess", None)) else "",
    ):
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def _state(net: nn.Module) -> str:
    if net not in _states:
        digest = hashlib.sha256()
        for key, value in net.state_dict().items():
            digest.update(f"{key}{tuple(value.shape)}".encode())
            plain = value.detach().cpu()
            plain = plain.float() if plain.is_floating_point() else plain
            digest.update(np.ascontiguousarray(plain.numpy()).tobytes())
        _states[net] = digest.hexdigest()
    return _states[net]


def _file(path: Path) -> str:
    source = Source.file(path)
    if source not in _files:
        try:
            _files[source] = files.sha256(path)
        except Refusal:  # it was there when the model was opened
            return ""
    return _files[source]


def _is_plain(value: Any) -> bool:
    """Return whether a value's text is made of its content, and not of its place in memory."""
    return hasattr(value, "__dataclass_fields__")
