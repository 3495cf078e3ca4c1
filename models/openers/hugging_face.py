"""Opens folders in Hugging Face's form (`config.json`, safetensors, a processor), also by a file inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.cards import model_folder
from models.hugging_face.opening import opened
from models.loading.opened_model import Opened
from models.runtime.context import Context


def match(base: str) -> bool:
    """Return whether this names such a folder, or its configuration or weights."""
    return model_folder.folder_of(Path(base)) is not None


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the network with its weights, its adapter chosen by its class.

    Raises Refusal with a sentence on what does not open, and why.
    """
    found = model_folder.folder_of(Path(base))
    assert found is not None
    return opened(found.absolute(), assumed, context)
