"""Read any picture file as RGB pixels, or raise a Refusal that says why not."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from models import files
from models.files import WEIGHTS_SUFFIXES, sha256
from models.output_files import write_whole
from models.pictures import picture_limits, tiff, value_range
from models.pictures.media import VIDEO_SUFFIXES, is_endless
from models.pictures.picture_limits import MAX_PIXELS, Facts
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

PICTURE_SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".mpo"}
    | {".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".tga", ".tif", ".tiff", ".webp"}
)

# Files with a HEIC suffix often hold another format, and a folder of real HEIC files should not count as empty: each
# file gets its own message.
FOLDER_SUFFIXES = PICTURE_SUFFIXES | {".heic", ".heif"}

# Files with these suffixes are not opened to check for a picture, so that folders with a model's files list quickly.
OTHER_SUFFIXES = (
    VIDEO_SUFFIXES
    | files.MODEL_SUFFIXES
    | {".bin", ".c", ".cfg", ".cpp", ".csv", ".data", ".gz", ".h5", ".html", ".ini", ".ipynb", ".js", ".json", ".jsonl"}
    | {".log", ".md", ".names", ".npy", ".npz", ".pdf", ".pkl", ".py", ".pyc", ".rst", ".sh", ".sqlite", ".svg", ".tar"}
    | {".toml", ".tsv", ".txt", ".vitrine", ".wav", ".xml", ".yaml", ".yml", ".zip"}
)

# The formats are listed so that Pillow never passes a file to Ghostscript (EPS), and tries TGA only for its suffix.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000", "ICO", "DIB", "PCX", "PSD", "QOI")
DEFLATE_MOST = 1100  # the highest compression ratio of zlib, rounded up
_LEAST_BITS = {"1": 1, "P": 1, "L": 1, "LA": 4, "RGB": 24, "RGBA": 32}  # smallest size of a pixel in a file, by mode
_ADVICE_KINDS = "Choose a picture: JPEG, PNG, TIFF, WebP, GIF, BMP or another common kind."
_ADVICE_HEIC = (
    "Export it as JPEG or PNG in the program it comes from. An iPhone takes JPEGs itself with Settings, Camera, "
    "Formats, Most Compatible."
)
_HEIC = ("a HEIC picture", "a HEIF picture")
_UNREAD = ("raw", "JPEG XL", "DICOM", "OpenEXR", "Radiance", "FITS", "DDS", "SVG", "EPS")
DARK = 64  # of 255
MOST_FILE_BYTES = 2_000_000_000
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
        """The size of the pixels in bytes."""
        return self.pixels.nbytes


def read(source: Source | str | Path) -> Picture:
    """Return the picture in a file, upright and in 8-bit RGB.

    Raises Refusal if the file is missing, not a picture, damaged, has more than MAX_PIXELS pixels, or demands more
    work than any real picture would.
    """
    path = _path(source)
    with files.Quiet():
        facts = _facts(path)
        if facts.tiff is not None and not facts.tiff.page.plain and facts.tiff.page.compression != tiff.JPEG:
            return _measured(path, facts.tiff)
        with _opened(path) as image:
            return _decoded(path, image, facts)


@lru_cache(maxsize=8)
def bundled(path: Path) -> Pixels:
    """Return the pixels of a picture that comes with the program, which is read once; they are not to be changed."""
    pixels = read(path).pixels
    pixels.setflags(write=False)
    return pixels


def _decoded(path: Path, image: Image.Image, facts: Facts) -> Picture:
    """Decode a picture with Pillow. Raises Refusal."""
    if image.format == "PNG" and _too_short(image, path):
        raise _damaged(path, ValueError("it is too short for its pixels"))
    deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    try:
        count = getattr(image, "n_frames", 1) if image.format == "AVIF" else facts.frames
        if facts.tiff is not None and facts.tiff.page.number:
            image.seek(facts.tiff.page.number)
        image.load()
    except Exception as exc:
        raise _damaged(path, exc) from exc
    notes = [_pages_note(facts.tiff) if facts.tiff is not None else _frames_note(image, count, more=facts.more)]
    turn = _TURNS.get(facts.orientation or _orientation(image))
    try:
        if image.mode == "F" or image.mode.startswith("I"):
            image, note = _eight_bit(image)
            notes.append(note)
        elif deep and _dark(image) and (found := _sixteen_bit(path)) is not None:
            image, note = found
            notes.append(note)
        else:
            notes.append("16 bit: scaled to 8 bit." if deep else "")
            notes.append("CMYK converted to RGB." if image.mode == "CMYK" else "")
            notes.append(_bands_note(facts.tiff.page) if facts.tiff is not None else "")
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
    with files.Quiet():
        facts = _facts(path)
        if facts.tiff is not None:
            page = facts.tiff.page
            return (page.height, page.width) if 5 <= page.orientation <= 8 else (page.width, page.height)
        with _opened(path) as image:
            width, height = image.size
            lying = (facts.orientation or _orientation(image)) >= 5
            return (height, width) if lying else (width, height)


def stored_values(source: Source | str | Path) -> NDArray[np.int32]:
    """Return the values (H, W) of a picture of one channel as they are stored, not scaled for showing.

    Raises Refusal like `read`, and for a picture of several channels.
    """
    path = _path(source)
    with files.Quiet():
        _facts(path)
        with _opened(path) as image:
            if image.format == "PNG" and _too_short(image, path):
                raise _damaged(path, ValueError("it is too short for its pixels"))
            if image.mode not in ("L", "P", "I", "I;16", "I;16B"):
                raise Refusal(
                    f"{path.name} has several channels.", advice="Choose a map with one number for each pixel."
                )
            try:
                return np.array(image).astype(np.int32)
            except Exception as exc:
                raise _damaged(path, exc) from exc


def box_of_mask(content: bytes) -> tuple[int, int, int, int] | None:
    """Return the x0, y0, x1, y1 around what a small encoded mask marks, None if nothing. Raises ValueError."""
    try:
        with files.Quiet(), Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.width * image.height > min(MAX_PIXELS, len(content) * 8 * DEFLATE_MOST):
                raise ValueError("the mask is too large")
            band = image.getchannel("A") if "A" in image.getbands() else image.convert("L")
            return band.getbbox()
    except (OSError, SyntaxError, Image.DecompressionBombError) as exc:
        raise ValueError("the mask cannot be read") from exc


def pictures_in(folder: Path, *, limit: int = 100_000, videos: bool = False) -> list[Path]:
    """Return at most `limit` picture files directly in a folder, in natural order (img2 before img10).

    Hidden files are left out. With `videos`, videos are included. Raises Refusal for an unreadable or empty folder.
    """
    folder = Path(folder).absolute()
    if folder.is_file():
        raise Refusal(f"{folder.name} is a file, not a folder.", advice="Choose the folder that it is in.")
    try:
        wanted = FOLDER_SUFFIXES | (VIDEO_SUFFIXES if videos else frozenset())
        names = [p for p in folder.iterdir() if p.name[0] != "."]
        found = [p for p in names if (p.suffix.lower() in wanted or _is_picture(p)) and p.is_file()]
    except OSError as exc:
        raise files.refusal(folder, exc) from exc
    if not found:
        advice = "Looked for " + " ".join(sorted(wanted)) + ", and at what other files begin with; not in subfolders."
        raise Refusal(f"There is no picture in the folder {folder.name or folder}.", advice=advice)
    return sorted(found, key=_natural)[:limit]


def _is_picture(path: Path) -> bool:
    """Return whether a file is a picture by its first bytes, regardless of its suffix."""
    if path.suffix.lower() in OTHER_SUFFIXES:
        return False
    try:
        return path.is_file() and files.kind(path).endswith("picture")
    except (OSError, ValueError):
        return False


def expand(paths: Iterable[str | Path], *, videos: bool = False) -> list[Path]:
    """Replace folders by the pictures in them and return all files in the given order. Raises Refusal for a folder.

    With `videos`, also the videos in folders.
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
    """Return sources for files, cameras and streams, and for the pictures and videos in folders. Raises Refusal."""
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
    """Encode a picture (H, W, 3) as PNG."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, "PNG", compress_level=compress_level)
    return content.getvalue()


def _path(source: Source | str | Path) -> Path:
    return files.check(source.path if isinstance(source, Source) else source)


def _facts(path: Path) -> Facts:
    """Return the facts in a picture's headers. Raises Refusal."""
    try:
        return picture_limits.check(path)
    except OSError as exc:
        raise files.refusal(path, exc) from exc


def _opened(path: Path) -> Image.Image:
    """Open a picture, reading only its header. Raises Refusal."""
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


def prepare() -> None:
    """Import the modules of the five most common formats, so that threads need not."""
    Image.preinit()
    import_module("fractions")  # for the resolution of a PNG


def _identified(path: Path) -> Image.Image:
    # Try the five most common formats first: importing all of Pillow's takes a tenth of the start-up time.
    Image.preinit()
    try:
        image = Image.open(path, formats=_formats(path))
    except UnidentifiedImageError:
        Image.init()
        image = Image.open(path, formats=_formats(path))
    # With a file name Pillow would map the file into memory. It then rotates a grey TIFF twice, and the process would
    # die if another program truncated the file meanwhile.
    image.filename = ""
    return image


def _formats(path: Path) -> list[str]:
    return [f for f in _FORMATS if f in Image.OPEN] + (["TGA"] if path.suffix.lower() == ".tga" else [])


def _too_short(image: Image.Image, path: Path) -> bool:
    """Return whether a PNG file is too short for its pixels at any compression, so that decoding is in vain."""
    bits = image.width * image.height * _LEAST_BITS.get(image.mode, 8)
    return bits > path.stat().st_size * 8 * DEFLATE_MOST


def _too_big(path: Path, pixels: int) -> Refusal:
    message = f"{path.name} has {pixels:,} pixels; the limit is {MAX_PIXELS / 1e6:,.0f} million."
    return Refusal(message, advice="Crop or shrink it in another program first.")


def _unknown(path: Path) -> Refusal:
    what = files.kind(path)
    if what in _HEIC:
        message = f"{path.name} is in fact {what}, as phones take them. It cannot be read here."
        if path.suffix.lower() in (".heic", ".heif"):
            message = f"{path.name} is {what}, as phones take them. It cannot be read here."
        return Refusal(message, advice=_ADVICE_HEIC)
    if what.endswith("picture") and not any(kind in what for kind in _UNREAD):
        return Refusal(f"{path.name} is {what}, but cut short, damaged or of an unusual sort.", advice=_ADVICE_AGAIN)
    if what.endswith("picture"):
        return Refusal(f"{path.name} is {what}, which cannot be read here.", advice="Export it as JPEG, PNG or TIFF.")
    return Refusal(f"{path.name} is not a picture{what and f': it is {what}'}.", advice=_ADVICE_KINDS)


def _damaged(path: Path, exc: Exception) -> Refusal:
    if isinstance(exc, ValueError) and ("too large" in str(exc) or "Too much memory" in str(exc)):
        return Refusal(f"{path.name} carries an absurdly large text or profile.", advice=_ADVICE_AGAIN)
    if isinstance(exc, MemoryError):
        return Refusal(f"{path.name} needs more memory than there is.", advice="Close other programs, or shrink it.")
    return Refusal(f"{path.name} is cut short or damaged, so it is not shown.", advice=_ADVICE_AGAIN)


def _frames_note(image: Image.Image, count: int, *, more: bool) -> str:
    if count < 2 or image.format not in _ANIMATED:
        return ""
    return f"Animated: the first of {'more than ' if more else ''}{count:,} frames is shown."


def _pages_note(found: tiff.File) -> str:
    """Return which page of how many is shown."""
    if found.pages < 2:
        return ""
    count = f"{'more than ' if found.more else ''}{found.pages:,}"
    if found.page.number:
        first = f"{found.first[0]} × {found.first[1]}"
        return f"Page {found.page.number + 1} of {count} is shown: page 1 is a preview of {first}."
    return f"Page 1 of {count} is shown."


def _bands_note(page: tiff.Page) -> str:
    """Return which of a page's bands are shown, "" if all are."""
    colours = 3 if page.samples > 2 else 1
    if page.samples <= colours or page.photometric == tiff.CMYK or _alpha(page) == colours == page.samples - 1:
        return ""
    shown = "1, 2 and 3 are shown as red, green and blue" if colours == 3 else "1 is shown as grey"
    return f"{page.samples} bands, of which {shown}."


def _alpha(page: tiff.Page) -> int:
    """Return the index of the band that a page marks as alpha, 0 for none."""
    colours = page.samples - len(page.extra)
    return next((colours + row for row, extra in enumerate(page.extra) if extra in (1, 2)), 0)


def _measured(path: Path, found: tiff.File) -> Picture:
    """Return a TIFF page whose values are not 8-bit colours, scaled to a range that the note names. Raises Refusal."""
    page = found.page
    try:
        values = tiff.raster(path, page)
        alpha = values[:, :, _alpha(page)] if _alpha(page) else None
        colours = values[:, :, : 4 if page.photometric == tiff.CMYK else 3 if page.samples > 2 else 1]
        made = value_range.scaled(colours, nodata=page.nodata, span=page.span)
    except MemoryError as exc:
        raise _damaged(path, exc) from exc
    pixels = 255 - made.pixels if page.photometric == tiff.WHITE_IS_ZERO else made.pixels
    notes = [_pages_note(found), _bands_note(page), made.note]
    if page.photometric == tiff.CMYK and pixels.shape[2] == 4:
        pixels = np.asarray(Image.fromarray(pixels, mode="CMYK").convert("RGB"))
    elif pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if made.empty is not None:
        pixels = np.where(made.empty[:, :, None], np.uint8(255), pixels)
    if alpha is not None and alpha.dtype.kind == "u" and alpha.any() and alpha.min() < np.iinfo(alpha.dtype).max:
        share = (alpha / np.iinfo(alpha.dtype).max)[:, :, None]
        pixels = np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)
        notes.append("Transparent areas are shown on white.")
    turn = _TURNS.get(page.orientation)
    rgb = pixels if turn is None else np.asarray(Image.fromarray(pixels).transpose(turn))
    return Picture(np.ascontiguousarray(rgb), " ".join(note for note in notes if note))


def _dark(image: Image.Image) -> bool:
    """Return whether a picture uses so little of its range that 8 bits would lose detail."""
    colours = image.getbands()[:3] if len(image.getbands()) > 2 else image.getbands()[:1]
    return all(image.getchannel(band).getextrema()[1] < DARK for band in colours)  # type: ignore[operator]


def _sixteen_bit(path: Path) -> tuple[Image.Image, str] | None:
    """Return a 16-bit colour picture scaled by the bits in use, which Pillow would cut off; None if unreadable."""
    import cv2  # here, because only few pictures need it

    content = np.frombuffer(files.content(path, most=MOST_FILE_BYTES), np.uint8)
    try:
        values = cv2.imdecode(content, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] < 3:
        return None
    made = value_range.scaled(values[:, :, 2::-1])
    return Image.fromarray(np.ascontiguousarray(made.pixels)), made.note


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing or unreadable."""
    try:
        # Call the base class: PngImageFile.getexif would decode the picture.
        found = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _eight_bit(image: Image.Image) -> tuple[Image.Image, str]:
    """Return a grey picture of 16 bits or more per pixel as 8-bit grey, with a note on how it was scaled."""
    made = value_range.scaled(np.asarray(image)[:, :, None])
    grey = made.pixels[:, :, 0]
    if made.empty is not None:
        grey = np.where(made.empty, np.uint8(255), grey)
    return Image.fromarray(grey), made.note


def _opaque(image: Image.Image) -> tuple[Image.Image, str]:
    """Return the picture as RGB on white, with a note if any of it was transparent."""
    if not image.has_transparency_data:
        return (image if image.mode == "RGB" else image.convert("RGB")), ""
    layer = image.convert("RGBA")
    alpha = layer.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return layer.convert("RGB"), ""
    plain = layer.convert("RGB")
    if alpha.getextrema()[1] == 0 and any(low != high for low, high in plain.getextrema()):  # type: ignore[misc]
        # Programs that do not know transparency leave the alpha byte at zero.
        return plain, "Its transparency would hide all of it, so it is ignored."
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=alpha)
    return white, "Transparent areas are shown on white."


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key that compares runs of digits as numbers."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts] + [(2, 0, path.name)]


def thumbnail(source: Source, *, side: int) -> Pixels:
    """Return a picture (h, w, 3) uint8 whose longer side is at most `side` pixels. Raises Refusal as `read`."""
    pixels = read(source).pixels
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), reducing_gap=2.0)
    return np.ascontiguousarray(image)
