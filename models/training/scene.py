"""Compose seeded scenes of handwritten digits with exact boxes, for training and for the sample pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

GLYPH_PX = 96
MAX_OVERLAP = 0.15
INK = 0.3  # opacity above which a pixel counts as ink

Image = NDArray[np.uint8]
Rng = np.random.Generator


@dataclass(frozen=True)
class Glyphs:
    """Handwritten digits: `ink` (N, H, W) uint8 with 255 = ink, `digit` (N,) in 0..9."""

    ink: NDArray[np.uint8]
    digit: NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """A picture (H, W, 3) RGB uint8 with `boxes` (N, 4) xyxy in its pixels and `digits` (N,) in 0..9.

    `ink` holds for each the opacity (h, w) of its ink within its box, in the order in which they were written.
    """

    image: Image
    boxes: NDArray[np.float32]
    digits: NDArray[np.int64]
    ink: tuple[NDArray[np.float32], ...] = ()

    def masks(self) -> NDArray[np.bool_]:
        """Return where the ink of each is seen (N, H, W): what was written later hides it."""
        seen = np.zeros((len(self.ink), *self.image.shape[:2]), np.bool_)
        for row, ((x0, y0, x1, y1), alpha) in enumerate(zip(self.boxes.astype(int).tolist(), self.ink, strict=True)):
            written = alpha > INK
            seen[:row, y0:y1, x0:x1] &= ~written
            seen[row, y0:y1, x0:x1] = written
        return seen


def mnist(data: Path, *, split: str) -> Glyphs:
    """Read the `train` or `test` digits of `mnist.npz` in the folder `data`.

    Raises FileNotFoundError saying what to do if the file is missing.
    """
    path = Path(data) / "mnist.npz"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing. Put MNIST there as an .npz with train_images, train_labels, test_images and"
            " test_labels (torchvision.datasets.MNIST downloads the same pictures)."
        )
    with np.load(path) as archive:
        return Glyphs(archive[f"{split}_images"], archive[f"{split}_labels"].astype(np.int64))


def sklearn_digits() -> Glyphs:
    """Return scikit-learn's `load_digits`: 1,797 digits of 8x8 pixels by other writers than MNIST's."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = np.clip(bunch.images * 16, 0, 255).astype(np.uint8)
    padded = np.pad(small, ((0, 0), (2, 2), (2, 2)))
    return Glyphs(padded, bunch.target.astype(np.int64))


def compose(
    glyphs: Glyphs,
    rng: Rng,
    *,
    width: int = 320,
    height: int = 320,
    count: tuple[int, int] = (3, 11),
    size_px: tuple[float, float] = (16, 110),
) -> Scene:
    """Draw one scene: paper, ruled lines, digits in ink, clutter, then camera blur and noise.

    `size_px` bounds the longer side of a digit's ink, drawn log-uniformly. Boxes are tight around the rendered ink.
    """
    paper, ink = _colours(rng)
    canvas = _paper(rng, width, height, paper)
    if rng.random() < 0.45:
        _rule(rng, canvas, ink)
    if rng.random() < 0.3:
        _draw_distractors(rng, canvas, ink)

    boxes: list[tuple[int, int, int, int]] = []
    inks: list[NDArray[np.float32]] = []
    digits: list[int] = []
    sizes = np.exp(rng.uniform(np.log(size_px[0]), np.log(size_px[1]), int(rng.integers(*count, endpoint=True))))
    for size in np.sort(sizes)[::-1]:
        index = int(rng.integers(len(glyphs.digit)))
        alpha = _write(rng, glyphs.ink[index], float(size))
        place = _place(rng, alpha.shape, width, height, boxes)
        if place is None:
            continue
        x, y = place
        h, w = alpha.shape
        colour = np.clip(ink + rng.normal(0, 10, 3), 0, 255)
        opacity = alpha[..., None] * rng.uniform(0.85, 1.0)
        spot = canvas[y : y + h, x : x + w]
        spot[:] = spot * (1 - opacity) + colour * opacity
        boxes.append((x, y, x + w, y + h))
        inks.append(alpha)
        digits.append(int(glyphs.digit[index]))

    return Scene(
        _photograph(rng, canvas),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(digits, np.int64),
        tuple(inks),
    )


def scenes(glyphs: Glyphs, count: int, *, seed: int) -> list[Scene]:
    """Return `count` scenes that depend only on `seed` and their index."""
    return [compose(glyphs, np.random.default_rng((seed, i))) for i in range(count)]


def _write(rng: Rng, ink: NDArray[np.uint8], size: float) -> NDArray[np.float32]:
    """Return one digit's opacity (h, w) in 0..1, cropped tightly, with a longer side of about `size` pixels."""
    glyph = ink
    if rng.random() < 0.15 and min(glyph.shape) > 16:
        side = int(rng.integers(10, 16))
        glyph = cv2.resize(glyph, (side, side), interpolation=cv2.INTER_AREA)
    big = cv2.resize(glyph, (GLYPH_PX, GLYPH_PX), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    stretch = rng.uniform(1.5, 5)
    big = np.clip((big - rng.uniform(0.35, 0.6)) * stretch + 0.5, 0, 1)
    if rng.random() < 0.3:
        kernel = np.ones((int(rng.integers(2, 5)),) * 2, np.uint8)
        big = cv2.dilate(big, kernel) if rng.random() < 0.6 else cv2.erode(big, kernel)
    if big.max() < 0.5:
        big = cv2.resize(ink, (GLYPH_PX, GLYPH_PX), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255

    angle = np.clip(rng.normal(0, 12), -28, 28)
    matrix = cv2.getRotationMatrix2D((0, 0), float(angle), 1.0)[:, :2]
    matrix = matrix @ np.array([[1, rng.uniform(-0.25, 0.25)], [0, 1]]) @ np.diag([np.exp(rng.uniform(-0.25, 0.25)), 1])
    rows, columns = np.nonzero(big > 0.4)
    points = np.stack([columns, rows], 1) @ matrix.T
    low, high = points.min(0), points.max(0)
    scale = size / max(float((high - low).max()), 1.0)
    matrix = matrix * scale
    offset = 2 - low * scale
    extent = np.ceil((high - low) * scale).astype(int) + 5
    if scale < 0.6:
        big = cv2.GaussianBlur(big, (0, 0), 0.35 / scale)
    alpha = cv2.warpAffine(
        big, np.column_stack([matrix, offset]), (int(extent[0]), int(extent[1])), flags=cv2.INTER_LINEAR
    )
    seen_rows, seen_columns = np.nonzero(alpha > INK)
    if len(seen_rows) == 0:
        return alpha
    return alpha[seen_rows.min() : seen_rows.max() + 1, seen_columns.min() : seen_columns.max() + 1]


def _place(
    rng: Rng, shape: tuple[int, ...], width: int, height: int, boxes: list[tuple[int, int, int, int]]
) -> tuple[int, int] | None:
    """Return a corner where the digit overlaps earlier ones by at most `MAX_OVERLAP` of the smaller, or None."""
    h, w = shape
    if w >= width or h >= height:
        return None
    crowded = rng.random() < 0.25
    for _ in range(30):
        x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
        if crowded and boxes:
            x0, y0, x1, y1 = boxes[int(rng.integers(len(boxes)))]
            x = int(np.clip(x1 + rng.integers(-4, 6), 0, width - w))
            y = int(np.clip((y0 + y1) / 2 - h / 2 + rng.integers(-8, 9), 0, height - h))
        worst = 0.0
        for x0, y0, x1, y1 in boxes:
            shared = max(0, min(x + w, x1) - max(x, x0)) * max(0, min(y + h, y1) - max(y, y0))
            worst = max(worst, shared / min(w * h, (x1 - x0) * (y1 - y0)))
        if worst <= MAX_OVERLAP:
            return x, y
        crowded = False
    return None


def _colours(rng: Rng) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return paper and ink colours whose luminance differs by at least 70 of 255, in either polarity."""
    weights = np.array([0.299, 0.587, 0.114])
    while True:
        paper = np.clip(rng.uniform(0, 255) + rng.normal(0, 25, 3), 0, 255)
        ink = np.clip(rng.uniform(0, 255) + rng.normal(0, 45, 3), 0, 255)
        if rng.random() < 0.4:
            paper = np.clip(rng.uniform(190, 255) + rng.normal(0, 10, 3), 0, 255)
            ink = np.clip(rng.uniform(0, 100) + rng.normal(0, 30, 3), 0, 255)
        if abs(float((paper - ink) @ weights)) > 70:
            return paper, ink


def _paper(rng: Rng, width: int, height: int, colour: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a sheet (height, width, 3) in 0..255 with a lighting gradient and soft stains."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    light = (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)) * rng.uniform(0, 50)
    coarse = rng.normal(0, 1, (int(rng.integers(3, 9)),) * 2).astype(np.float32)
    stain = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * rng.uniform(0, 9)
    return (colour.astype(np.float32) + (light + stain)[..., None]).astype(np.float32)


def _rule(rng: Rng, canvas: NDArray[np.float32], ink: NDArray[np.float64]) -> None:
    """Draw ruled or squared lines, fainter than the ink and slightly tilted."""
    height, width = canvas.shape[:2]
    gap = rng.uniform(14, 48)
    colour = canvas.mean((0, 1)) * 0.6 + rng.uniform(0, 255, 3) * 0.2 + ink * 0.2
    layer = canvas.copy()
    tilt = rng.uniform(-0.04, 0.04)
    thickness = int(rng.integers(1, 3))
    for y in np.arange(rng.uniform(0, gap) - 20, height + 20, gap):
        cv2.line(layer, (0, int(y)), (width, int(y + tilt * width)), colour.tolist(), thickness, cv2.LINE_AA)
    if rng.random() < 0.4:
        for x in np.arange(rng.uniform(0, gap) - 20, width + 20, gap):
            cv2.line(layer, (int(x), 0), (int(x - tilt * height), height), colour.tolist(), thickness, cv2.LINE_AA)
    share = rng.uniform(0.3, 0.9)
    canvas[:] = canvas * (1 - share) + layer * share


def _draw_distractors(rng: Rng, canvas: NDArray[np.float32], ink: NDArray[np.float64]) -> None:
    """Draw a few things that are not digits: dots, dashes, an arc, a frame."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        colour = (ink + rng.normal(0, 30, 3)).clip(0, 255).tolist()
        at = (int(rng.integers(width)), int(rng.integers(height)))
        to = (at[0] + int(rng.integers(-90, 90)), at[1] + int(rng.integers(-90, 90)))
        match int(rng.integers(4)):
            case 0:
                cv2.circle(canvas, at, int(rng.integers(1, 5)), colour, -1, cv2.LINE_AA)
            case 1:
                far = (at[0] + int(rng.integers(60, 240)), at[1] + int(rng.integers(-40, 40)))
                cv2.line(canvas, at, far, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
            case 2:
                axes = (int(rng.integers(30, 90)), int(rng.integers(60, 160)))
                cv2.ellipse(canvas, at, axes, float(rng.uniform(0, 360)), 0, 70, colour, 1, cv2.LINE_AA)
            case _:
                cv2.rectangle(canvas, at, to, colour, 1, cv2.LINE_AA)


def _photograph(rng: Rng, canvas: NDArray[np.float32]) -> Image:
    """Add camera effects: blur, sensor noise, JPEG blocks."""
    if rng.random() < 0.5:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 1.1))
    noise = rng.normal(0, 1, (*canvas.shape[:2], 1)).astype(np.float32)
    canvas = canvas + noise * rng.uniform(0, 12)
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return np.ascontiguousarray(image)
