"""Real pictures of a folder, resized to a generative model's pictures, and the features in which they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.pictures import images
from models.types import Float, Pixels, Refusal, Source

PIXELS = "pixels"
MOST = 2000
SLICE = 64


@dataclass(frozen=True)
class RealPictures:
    """Pictures (N, H, W, 3) uint8 at the model's size, their `paths`, and how many files could not be read."""

    pictures: Pixels
    paths: tuple[str, ...]
    unreadable: int


def real_pictures(model: Any, folder: str, stages: Any, *, most: int = MOST) -> RealPictures:
    """Return up to `most` pictures of a folder, spread evenly over its files. Raises Refusal if there are none."""
    path = Path(folder).expanduser()
    if not folder or not path.is_dir():
        raise Refusal(f"{folder or 'No folder'} is not a folder of pictures.", advice="Choose one with real pictures.")
    files = images.pictures_in(path)
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(int)]
    stamps = tuple(Source.file(file).stamp for file in chosen)
    return stages.run("real pictures", lambda: _read(model, chosen, path, stages), str(path), most, stamps)


def with_classes(model: Any, folder: str, stages: Any, *, most: int = MOST) -> tuple[RealPictures, list[str]]:
    """Return up to `most` pictures of a folder, or of its subfolders with their names, which are the classes.

    Raises Refusal if there are none.
    """
    path = Path(folder).expanduser()
    inner = sorted(each for each in path.iterdir() if each.is_dir() and each.name[0] != ".") if path.is_dir() else []
    if not inner:
        return real_pictures(model, folder, stages, most=most), []
    try:
        return real_pictures(model, folder, stages, most=most), []
    except Refusal:
        pass
    parts = []
    for each in inner:
        try:
            parts.append((each.name, real_pictures(model, str(each), stages, most=-(-most // len(inner)))))
        except Refusal:
            continue
    if not parts:
        raise Refusal(f"{path.name} holds no pictures.", advice="Choose a folder with real pictures.")
    found = [part for _, part in parts]
    whole = RealPictures(
        np.concatenate([part.pictures for part in found]),
        tuple(one for part in found for one in part.paths),
        sum(part.unreadable for part in found),
    )
    return whole, [name for name, _ in parts]


def _read(model: Any, files: list[Path], folder: Path, stages: Any) -> RealPictures:
    _, height, width = model.shape
    made, paths = [], []
    for number, file in enumerate(files):
        if number % SLICE == 0:
            stages.progress(number / len(files), f"read {number:,} of {len(files):,} pictures")
        try:
            x, _ = model.input(images.read(file).pixels)
        except Refusal:
            continue
        made.append(np.broadcast_to((x[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy(), (height, width, 3)))
        paths.append(str(file))
    if not made:
        raise Refusal(f"{folder.name} contains no picture that can be read.", advice="Choose another folder.")
    return RealPictures(np.stack(made), tuple(paths), len(files) - len(made))


def features(space: str, model: Any, pictures: Pixels, stages: Any) -> Float:
    """Return the features (N, F) of pictures (N, H, W, 3): their pixels from 0 to 1, or a classifier's scores.

    Raises Refusal if the model named by `space` is not a classifier.
    """
    if space == PIXELS:
        values = np.divide(pictures[..., : model.shape[0]], 255, dtype=np.float32)
        return values.reshape(len(pictures), -1)
    other = stages.model(space)
    if not hasattr(other, "preprocess"):
        raise Refusal(f"{space} is not a classifier.", advice="Choose one, such as digits-lenet.")
    found = []
    with torch.inference_mode(False), torch.no_grad():
        for at in range(0, len(pictures), SLICE):
            stages.progress(at / len(pictures), f"compare in {space}")
            batch = [other.preprocess.input(one, other.device) for one in pictures[at : at + SLICE]]
            found.append(other.net(torch.cat(batch)).float().cpu().numpy())
    return np.concatenate(found)
