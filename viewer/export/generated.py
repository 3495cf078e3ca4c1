"""Results of generative models as files: pictures as one PNG, codes as NPY, numbers as JSON."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from models.detection import report
from models.live.record import write_film
from models.output_files import OutputFiles
from models.pictures.images import png
from models.requests import Request
from models.types import Pixels, Result

LATENT = "latent"
REEL = ("mp4", "gif", "png", "npy", "json")  # file kinds of a path
PICTURES = ("picture", "pictures", "strips", "strip", "thumbs")
CODES = ("vectors", "vector", "code", "codes", "means", "mu", "maps", "values", "strength", "nats")
CELL_PX = 32
GAP_PX = 2
STRIP_PX = 8192  # width of a strip; further frames start a new row
FILM_PX = 256
GIF_FPS = 50


def add(files: OutputFiles, path: Path, kind: str, request: Request, result: Result) -> None:
    """Write one kind of file. Raises OSError."""
    match kind:
        case "png":
            files.add(path, png(whole(result)))
        case "mp4":
            frames = result.arrays["pictures"]
            write_film(files, path, (enlarged(frame, FILM_PX) for frame in frames), fps=result.meta["fps"])
        case "gif":
            files.add(path, gif(result.arrays["pictures"], fps=result.meta["fps"], loop=result.meta["loop"]))
        case "npy":
            files.add(path, npy(codes(result)))
        case _:
            few = {name: array for name, array in result.arrays.items() if array.dtype != np.uint8}
            files.add(path, report.as_plain_json(request, Result(few, result.meta)))


def kinds(result: Result) -> list[str]:
    """Return the kinds of file that a result has content for."""
    if "segment" in result.arrays:
        return list(REEL)
    return ["png"] * bool(_first_present(result, PICTURES)) + ["npy"] * bool(_first_present(result, CODES)) + ["json"]


def whole(result: Result) -> Pixels:
    """Return the result as one picture: a single one as it is, several in a nearly square grid, a path as a strip.

    Results that are already arranged in rows (tiles of a map, strips along directions) keep their arrangement.
    """
    name = "pictures" if "segment" in result.arrays else _first_present(result, PICTURES)
    pictures = result.arrays[name]
    match pictures.ndim:
        case 3:
            return pictures
        case 5:
            return grid(pictures.reshape(-1, *pictures.shape[2:]), columns=pictures.shape[1])
    if "segment" not in result.arrays:
        return grid(pictures, columns=len(pictures) if name == "strip" else 0)
    wide = times_for(pictures, CELL_PX) * pictures.shape[2] + GAP_PX
    return grid(pictures, columns=max(1, min(len(pictures), STRIP_PX // wide)))


def codes(result: Result) -> np.ndarray:
    """Return the codes of a result (N, D), or (D,) for a single one.

    For directions these, for units their maps (C, h, w).
    """
    return result.arrays[_first_present(result, CODES)]


def _first_present(result: Result, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in result.arrays), "")


def grid(pictures: Pixels, *, columns: int = 0) -> Pixels:
    """Return pictures (N, H, W, 3) in a grid, small ones enlarged by a whole factor, with 2 px of grey between them."""
    count, height, width = pictures.shape[:3]
    times = times_for(pictures, CELL_PX)
    columns = columns or math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    cell = height * times + GAP_PX, width * times + GAP_PX
    sheet = np.full((rows * cell[0] + GAP_PX, columns * cell[1] + GAP_PX, 3), 128, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = GAP_PX + number // columns * cell[0], GAP_PX + number % columns * cell[1]
        large = enlarged(picture, CELL_PX)
        sheet[top : top + large.shape[0], left : left + large.shape[1]] = large
    return sheet


def times_for(pictures: Pixels, least: int) -> int:
    """Return the whole factor that enlarges pictures (..., H, W, 3) to about `least` pixels a side."""
    return max(1, round(least / max(pictures.shape[-3:-1])))


def enlarged(picture: Pixels, least: int) -> Pixels:
    """Return a picture (H, W, 3) enlarged by a whole factor to about `least` pixels a side, or unchanged."""
    times = times_for(picture, least)
    return picture.repeat(times, 0).repeat(times, 1)


def gif(pictures: Pixels, *, fps: int, loop: bool) -> bytes:
    """Return frames (N, H, W, 3) as a GIF file that repeats forever with `loop`, and plays once otherwise.

    GIF times are in hundredths of a second, and programs play at most 50 frames per second: above that, frames are left
    out. Grey pictures are lossless; colours are reduced to 256 per frame.
    """
    step = -(-fps // GIF_FPS)
    frames = pictures[::step]
    ends = [round(100 * step * number / fps) for number in range(len(frames) + 1)]
    lasting = [10 * (end - begin) for begin, end in itertools.pairwise(ends)]
    grey = bool((pictures[..., :1] == pictures).all())
    images = [Image.fromarray(np.ascontiguousarray(enlarged(f, FILM_PX))) for f in frames]
    images = [image.convert("L") for image in images] if grey else [image.quantize(256) for image in images]
    file = io.BytesIO()
    forever = {"loop": 0} if loop else {}
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=lasting, optimize=False, **forever)
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    """Return an array as an NPY file of float32."""
    file = io.BytesIO()
    np.save(file, values.astype(np.float32), allow_pickle=False)
    return file.getvalue()


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays by name as an NPZ file."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
