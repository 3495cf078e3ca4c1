"""What generative models make, as files: pictures as one PNG, codes as NPY, numbers as JSON. No dialogs, no recipe."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from models.detection import report
from models.files import write_whole
from models.requests import Request
from models.types import Pixels, Result

LATENT = "latent"
CELL_PX = 32
GAP_PX = 2


def save(path: Path, kind: str, request: Request, result: Result) -> None:
    """Write one kind of file, all of it or none. Raises OSError."""
    match kind:
        case "png":
            write_whole(path, png(whole(result)))
        case "npy":
            write_whole(path, npy(codes(result)))
        case _:
            few = {name: array for name, array in result.arrays.items() if array.dtype != np.uint8}
            write_whole(path, report.as_plain_json(request, Result(few, result.meta)).encode())


def whole(result: Result) -> Pixels:
    """Return what was made as one picture: one as it is, several side by side in a grid about as wide as high."""
    if "picture" in result.arrays:
        return result.arrays["picture"]
    return grid(result.arrays["pictures"])


def codes(result: Result) -> np.ndarray:
    """Return the codes of what was made (N, D), or (D,) of one."""
    return result.arrays["code" if "code" in result.arrays else "codes"]


def grid(pictures: Pixels, *, columns: int = 0) -> Pixels:
    """Return pictures (N, H, W, 3) side by side, small ones a whole number of times larger, 2 px of grey apart."""
    count, height, width = pictures.shape[:3]
    times = max(1, CELL_PX // max(height, width))
    columns = columns or math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    cell = height * times + GAP_PX, width * times + GAP_PX
    sheet = np.full((rows * cell[0] + GAP_PX, columns * cell[1] + GAP_PX, 3), 128, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = GAP_PX + number // columns * cell[0], GAP_PX + number % columns * cell[1]
        large = picture.repeat(times, 0).repeat(times, 1)
        sheet[top : top + large.shape[0], left : left + large.shape[1]] = large
    return sheet


def png(pixels: Pixels) -> bytes:
    """Return a picture (H, W, 3) as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    """Return an array as an NPY file of float32."""
    file = io.BytesIO()
    np.save(file, values.astype(np.float32), allow_pickle=False)
    return file.getvalue()
