"""Any picture file to RGB pixels, or a Refusal that says why not. Knows no Qt, no torch, no video."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from models import files
from models.files import WEIGHTS_SUFFIXES, sha256
from models.media import VIDEO_SUFFIXES, is_endless
from models.output_files import write_whole
from models.types import Pixels, Refusal, Source

__all__ = [
    "MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "WEIGHTS_SUFFIXES",
    "Picture",
    "expand",
    "pictures_in",
    "read",
    "save_png",
    "sha256",
    "size",
    "sources",
]

MAX_PIXELS = 100_000_000
PICTURE_SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".mpo"}
    | {".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".tga", ".tif", ".tiff", ".webp"}
)

# Files named as HEIC often hold something else, and a folder of true ones is not without pictures: each is told of.
FOLDER_SUFFIXES = PICTURE_SUFFIXES | {".heic", ".heif"}

# The formats are named so that Pillow never hands a file to Ghostscript (EPS), and guesses TGA only by its suffix.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000", "ICO", "DIB", "PCX", "PSD", "QOI")
DEFLATE_MOST = 1100  # times that zlib can make something smaller, rounded up
_LEAST_BITS = {"1": 1, "P": 1, "L": 1, "LA": 4, "RGB": 24, "RGBA": 32}  # of a pixel in a file, by mode
_ADVICE_KINDS = "Choose a picture: JPEG, PNG, TIFF, WebP, GIF, BMP or another common kind."
_ADVICE_AGAIN = "Copy or export it again."
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ANIMATED = {"GIF", "PNG", "WEBP", "AVIF"}


@dataclass(frozen=True)
class Picture:
    """The pixels of a picture, (H, W, 3) RGB and contiguous, and a note on what was lost or chosen, "" if nothing."""

    pixels: Pixels
    note: str = ""

    @property
    def nbytes(self) -> int:
        """The size of the pixels."""
        return self.pixels.nbytes


def read(source: Source | str | Path) -> Picture:
    """Return the picture in a file, upright and in 8-bit RGB.

    Raises Refusal if there is no such file, it is no picture, is damaged or has more than MAX_PIXELS pixels.
    """
    path = _path(source)
    with files.Quiet(), _opened(path) as image:
        if image.format == "PNG" and _too_short(image, path):
            raise _damaged(path, ValueError("it is too short for its pixels"))
        deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
        try:
            count = getattr(image, "n_frames", 1)
            image.load()
        except Exception as exc:
            raise _damaged(path, exc) from exc
        notes = [_frames_note(image, count)]
        turn = _TURNS.get(_orientation(image))
        try:
            if image.mode == "F" or image.mode.startswith("I"):
                image, note = _eight_bit(image)  # noqa: PLW2901 - the file is closed by the one that was opened
                notes.append(note)
            else:
                notes.append("16 bit: scaled to 8 bit." if deep else "")
                notes.append("CMYK converted to RGB." if image.mode == "CMYK" else "")
            rgb, note = _opaque(image)
        except ValueError as exc:
            message = f"{path.name} stores its colours in a way that cannot be shown ({image.mode})."
            raise Refusal(message, advice="Save it as RGB first.") from exc
        if turn is not None:
            rgb = rgb.transpose(turn)
        return Picture(np.array(rgb), " ".join(n for n in (*notes, note) if n))


def size(source: Source | str | Path) -> tuple[int, int]:
    """Return width and height in pixels of the upright picture, without decoding it. Raises Refusal like `read`."""
    path = _path(source)
    with files.Quiet(), _opened(path) as image:
        if image.format == "PNG" and "exif" not in image.info:
            image.info.update(_late_exif(path))
        width, height = image.size
        # Pillow turns a TIFF upright by itself, and tells its size so from the start.
        lying = _orientation(image) >= 5 and image.format != "TIFF"
        return (height, width) if lying else (width, height)


def pictures_in(folder: Path, *, limit: int = 100_000, videos: bool = False) -> list[Path]:
    """Return the picture files directly in a folder, img2 before img10, hidden ones left out, `limit` at most.

    With `videos` also those. Raises Refusal if the folder cannot be read or holds no picture.
    """
    folder = Path(folder).absolute()
    if folder.is_file():
        raise Refusal(f"{folder.name} is a file, not a folder.", advice="Choose the folder that it is in.")
    try:
        wanted = PICTURE_SUFFIXES | (VIDEO_SUFFIXES if videos else frozenset())
        found = [p for p in folder.iterdir() if p.suffix.lower() in wanted and p.name[0] != "." and p.is_file()]
    except OSError as exc:
        raise files.refusal(folder, exc) from exc
    if not found:
        advice = "Looked for " + " ".join(sorted(wanted)) + ", not in subfolders."
        raise Refusal(f"There is no picture in the folder {folder.name or folder}.", advice=advice)
    return sorted(found, key=_natural)[:limit]


def expand(paths: Iterable[str | Path], *, videos: bool = False) -> list[Path]:
    """Return files as they are and folders as the pictures in them, in the order given. Raises Refusal for a folder.

    With `videos` also the videos in folders.
    """
    listed: list[Path] = []
    for path in map(Path, paths):
        try:
            folder = path.is_dir()
        except OSError as exc:
            raise files.refusal(path, exc) from exc
        listed += pictures_in(path, videos=videos) if folder else [path]
    return listed


def sources(paths: Iterable[str | Path]) -> list[Source]:
    """Return files, cameras and streams as they are, folders as the pictures and videos in them. Raises Refusal."""
    listed: list[Source] = []
    for path in paths:
        endless = isinstance(path, str) and is_endless(path)
        listed += [Source.file(found) for found in ([path] if endless else expand([path], videos=True))]
    return listed


def save_png(pixels: Pixels, path: str | Path) -> None:
    """Write (H, W, 3) RGB pixels to a PNG file. Raises Refusal if it cannot be written."""
    path = Path(path)
    try:
        write_whole(path, png(pixels, compress_level=1))
    except OSError as exc:
        message = f"{path.name} could not be written ({exc.strerror or exc})."
        raise Refusal(message, advice="Choose another folder, or make room on the disk.") from exc


def png(pixels: Pixels, *, compress_level: int = 6) -> bytes:
    """Return a picture (H, W, 3) as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, "PNG", compress_level=compress_level)
    return content.getvalue()


def _path(source: Source | str | Path) -> Path:
    return files.check(source.path if isinstance(source, Source) else source)


def _opened(path: Path) -> Image.Image:
    """Return the picture with its header read and nothing decoded. Raises Refusal."""
    try:
        image = _identified(path)
    except Image.DecompressionBombError as exc:
        raise _too_big(path, int((re.findall(r"\((\d+) pixels\)", str(exc)) or [2 * MAX_PIXELS])[0])) from exc
    except UnidentifiedImageError as exc:
        raise _unknown(path) from exc
    except (FileNotFoundError, PermissionError) as exc:
        raise files.refusal(path, exc) from exc
    except Exception as exc:
        raise _damaged(path, exc) from exc
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise _too_big(path, image.width * image.height)
    return image


def _identified(path: Path) -> Image.Image:
    # The five commonest formats first: importing all of Pillow's takes a tenth of the start-up.
    Image.preinit()
    with contextlib.suppress(UnidentifiedImageError):
        return Image.open(path, formats=_formats(path))
    Image.init()
    return Image.open(path, formats=_formats(path))


def _formats(path: Path) -> list[str]:
    return [f for f in _FORMATS if f in Image.OPEN] + (["TGA"] if path.suffix.lower() == ".tga" else [])


def _too_short(image: Image.Image, path: Path) -> bool:
    """Tell whether a PNG cannot hold all its pixels, however alike they are: no memory is spent on such a claim."""
    bits = image.width * image.height * _LEAST_BITS.get(image.mode, 8)
    return bits > path.stat().st_size * 8 * DEFLATE_MOST


def _too_big(path: Path, pixels: int) -> Refusal:
    message = f"{path.name} has {pixels:,} pixels; the limit is {MAX_PIXELS / 1e6:,.0f} million."
    return Refusal(message, advice="Crop or shrink it in another program first.")


def _unknown(path: Path) -> Refusal:
    what = files.kind(path)
    if what.endswith("picture") and "HEIC" not in what:
        return Refusal(f"{path.name} is {what}, but cut short, damaged or of an unusual sort.", advice=_ADVICE_AGAIN)
    return Refusal(f"{path.name} is not a picture{what and f': it is {what}'}.", advice=_ADVICE_KINDS)


def _damaged(path: Path, exc: Exception) -> Refusal:
    if isinstance(exc, MemoryError):
        return Refusal(f"{path.name} needs more memory than there is.", advice="Close other programs, or shrink it.")
    return Refusal(f"{path.name} is cut short or damaged, so it is not shown.", advice=_ADVICE_AGAIN)


def _frames_note(image: Image.Image, count: int) -> str:
    if count < 2:
        return ""
    if image.format in _ANIMATED:
        return f"Animated: the first of {count} frames is shown."
    return f"The first of {count} pages is shown." if image.format == "TIFF" else ""


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8: 1 where there is none, or none that can be read."""
    try:
        # Not the PNG class's own getexif: it decodes the picture.
        found = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _late_exif(path: Path) -> dict[str, bytes]:
    """Return the EXIF of a PNG that has it behind the pixels, where Pillow finds it only by decoding."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return {"exif": b"Exif\0\0" + file.read(length)}
            file.seek(length + 4, 1)
    return {}


def _eight_bit(image: Image.Image) -> tuple[Image.Image, str]:
    """Return a grey picture of 16 bits or more per pixel as 8-bit grey, with a note on how it was scaled."""
    values = np.asarray(image)
    whole = values.dtype.kind in "iu"
    if whole and values.min() >= 0 and values.max() <= 0xFFFF:
        # Scanners and microscopes store 12 bits in 16: at full scale those pictures would be all but black.
        bits = next(b for b in (8, 12, 16) if values.max() < 2**b)
        table = np.rint(np.minimum(np.arange(0x10000) * 255.0 / (2**bits - 1), 255)).astype(np.uint8)
        used = "" if bits == 16 else f", of which {bits} are used"
        return Image.fromarray(table[values]), f"16 bit{used}: scaled to 8 bit."
    grey, low, high = _stretched(values)
    name = "32 bit" if whole else "Floating point"
    return Image.fromarray(grey), f"{name}: {low:g} is shown as black, {high:g} as white."


def _stretched(values: NDArray[np.generic]) -> tuple[Pixels, float, float]:
    wide = values.astype(np.float64)
    finite = np.isfinite(wide)
    low, high = (float(wide[finite].min()), float(wide[finite].max())) if finite.any() else (0.0, 0.0)
    scaled = (np.where(finite, wide, low) - low) * (255 / (high - low) if high > low else 0)
    return np.rint(scaled).astype(np.uint8), low, high


def _opaque(image: Image.Image) -> tuple[Image.Image, str]:
    """Return the picture as RGB on white, with a note if any of it was transparent."""
    if not image.has_transparency_data:
        return (image if image.mode == "RGB" else image.convert("RGB")), ""
    layer = image.convert("RGBA")
    alpha = layer.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return layer.convert("RGB"), ""
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=alpha)
    return white, "Transparent areas are shown on white."


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key that compares runs of digits as numbers."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts] + [(2, 0, path.name)]
