"""The tensors of files that PyTorch would have to run code to load: networks pickled whole, and training states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from models.loading import archive_limits, checkpoint, inert_pickle
from models.types import Refusal

TORCH = ("torch.", "collections.", "builtins.", "__builtin__.", "copyreg.", "numpy", "_codecs.")
ULTRALYTICS = ("ultralytics.",)
YOLOV5 = ("models.yolo.", "models.common.")


@dataclass(frozen=True, eq=False)
class Held:
    """State dicts read from a file without unpickling it, and in `note` what the file is and what was not run."""

    sets: dict[str, dict[str, Tensor]]
    note: str


def read(path: Path) -> Held | None:
    """Return the tensors of networks or state dicts in a pickle that asks for code, None if it holds neither."""
    try:
        contents = inert_pickle.read(path)
    except Refusal:
        return None
    whole = {key or "network": network for key, network in inert_pickle.networks(contents.root)}
    if whole:
        found = {key: inert_pickle.state_of(network)[0] for key, network in whole.items()}
        found = {key: state for key, state in found.items() if state}
        order = [key for key in ("model", "ema") if key in found]
        found = {key: found[key] for key in (*order, *(k for k in found if k not in order))}
        first = whole[next(iter(found), next(iter(whole)))].name
        note = f"The file is a network pickled whole ({first[:100]}). {_advice(first, contents.names, path)}"
    else:
        try:
            found = checkpoint.sets(contents.root, path.name)
        except Refusal:
            return None
        others = [name for name in contents.names if not name.startswith(TORCH)] or list(contents.names)
        note = f"Besides tensors the file asks for {', '.join(others[:3])[:200]}, which was not run."
    if not found:
        return None
    archive_limits.tensors(found, path)
    return Held(found, note)


def _advice(first: str, names: tuple[str, ...], path: Path) -> str:
    """Return what was not run, and the command that writes a file which opens."""
    said = "It was not unpickled, because that would run code: only its tensors were read."
    own = (first, *names)
    if any(name.startswith(ULTRALYTICS) for name in own):
        return (
            f"{said} To find objects with it, export it where Ultralytics is: yolo export model={path.name} format=onnx"
        )
    if any(name.startswith(YOLOV5) for name in own):
        command = f"python export.py --weights {path.name} --include onnx"
        return f"{said} To find objects with it, export it in YOLOv5's folder: {command}"
    return f"{said} Open the code of its network with it, or save torch.save(model.state_dict(), …) there."
