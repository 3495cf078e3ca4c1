"""Pictures and refusals that the picture tests share."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.pictures import images
from models.types import Refusal

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def picture(width: int = 5, height: int = 3) -> np.ndarray:
    """A picture without any symmetry: red and blue corners on a gradient."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 20 + 10, columns * 20 + 10, (rows + columns) * 9 + 3], axis=2).astype(np.uint8)
    pixels[0, 0], pixels[0, -1] = RED, BLUE
    return pixels


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png_of(width: int, height: int) -> bytes:
    """The header of an RGB PNG with pixel data for almost none of it."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    pixels = zlib.compress(bytes(64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def refused(source: Any, call: Callable[[Any], object] = images.read) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call(source)
    assert caught.value.advice, "every refusal says what to do"
    assert "Error" not in str(caught.value)
    return caught.value


def never(*_args: object, **_options: object) -> None:
    pytest.fail("the picture was decoded")  # unlike an AssertionError, nothing catches this one
