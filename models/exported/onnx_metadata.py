"""What exporters write beside an ONNX graph: class names, task, stride and input size, as ultralytics and YOLOv5 do.

Values are Python literals as text. They are parsed with `ast.literal_eval`, within a bound of length, and used only
where they have the form that is expected; everything else is left out.
"""

from __future__ import annotations

import ast
from typing import Any

MOST_CHARACTERS = 200_000
MOST_NAMES = 20_000
MOST_TEXT = 200
MOST_SIDE = 4096


def names(model: Any) -> tuple[str, ...]:
    """Return the class names in the metadata of a ModelProto, or a dictionary's, in order; empty for none."""
    found = _literal(_entries(model).get("names", ""))
    if isinstance(found, dict):
        found = {int(key) if str(key).isdecimal() else key: name for key, name in found.items()}
        found = [found.get(number) for number in range(len(found))]
    if not isinstance(found, list | tuple) or not 0 < len(found) <= MOST_NAMES:
        return ()
    texts = [name[:MOST_TEXT] for name in found if isinstance(name, str)]
    return tuple(texts) if len(texts) == len(found) else ()


def task(model: Any) -> str:
    """Return the task that the metadata name (detect, segment, pose, obb, classify), "" for none."""
    text = str(_entries(model).get("task", "")).strip("'\"")
    return text if text.isalpha() and len(text) < MOST_TEXT else ""


def size(model: Any) -> tuple[int, int]:
    """Return the height and width of the input that the metadata name, (0, 0) where they name none."""
    found = _literal(_entries(model).get("imgsz", ""))
    if isinstance(found, int):
        found = [found, found]
    if not isinstance(found, list | tuple) or len(found) != 2:
        return 0, 0
    height, width = found
    sound = all(type(side) is int and 0 < side <= MOST_SIDE for side in (height, width))
    return (height, width) if sound else (0, 0)


def is_classifier(model: Any) -> bool:
    """Return whether this is a classifier of ultralytics', whose pictures are scaled to 0 to 1 and not normalised."""
    found = _entries(model)
    return found.get("task", "").strip("'\"") == "classify" and "names" in found


def _entries(model: Any) -> dict[str, str]:
    if isinstance(model, dict):
        return {str(k): str(v) for k, v in model.items() if len(str(v)) <= MOST_CHARACTERS}
    return {entry.key: entry.value for entry in model.metadata_props if len(entry.value) <= MOST_CHARACTERS}


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip()) if text else None
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
