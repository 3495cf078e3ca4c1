"""Draws the sample for the detector of blood cells: a smear seen under the microscope, drawn and not photographed."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from models.output_files import write_whole

WIDTH, HEIGHT, FINER = 640, 480, 3  # drawn three times as fine, then reduced
PAPER, RED, WHITE, NUCLEUS, PLATELET = (233, 217, 209), (214, 160, 150), (196, 176, 204), (106, 62, 140), (142, 96, 160)
WHITES = ((210, 190, 52), (470, 330, 50))  # place and radius in pixels
REDS, PLATELETS = 17, 6
Disc = tuple[float, float, float]


def draw(seed: int = 5) -> Image.Image:
    """Return the picture; the same seed draws the same one."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), PAPER)
    pen = ImageDraw.Draw(image, "RGBA")
    placed: list[Disc] = [(x, y, 1.05 * radius) for x, y, radius in WHITES]

    def outline(x: float, y: float, radius: float, rough: float = 0.05) -> list[tuple[float, float]]:
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        reach = np.ones(60)
        for waves in (2, 3, 4):
            reach += rng.normal(0, rough / waves) * np.cos(waves * angles + rng.uniform(0, 6.3))
        xs, ys = x + radius * reach * np.cos(angles), y + radius * reach * np.sin(angles)
        return [(float(a) * FINER, float(b) * FINER) for a, b in zip(xs, ys, strict=True)]

    def free(x: float, y: float, radius: float, apart: float) -> bool:
        return all((x - a) ** 2 + (y - b) ** 2 > ((radius + c) * apart) ** 2 for a, b, c in placed)

    reds: list[Disc] = []
    for _ in range(2000):
        radius, x, y = rng.uniform(38, 46), rng.uniform(-10, WIDTH + 10), rng.uniform(-10, HEIGHT + 10)
        if free(x, y, radius, 0.9) and len(reds) < REDS:
            reds.append((x, y, radius))
            placed.append((x, y, radius))
    for x, y, radius in reds:
        shade = np.array(RED) + rng.normal(0, 6, 3)
        pen.polygon(outline(x, y, radius), fill=(*(int(v) for v in shade), 215))
        pen.polygon(outline(x, y, 0.93 * radius), fill=(*(int(v) for v in shade + 8), 200))
        for ring in range(9):
            pen.polygon(outline(x + rng.normal(0, 0.4), y, radius * 0.5 * (1 - ring / 9)), fill=(240, 214, 206, 40))
    for x, y, radius in WHITES:
        pen.polygon(outline(x, y, radius, 0.06), fill=(*WHITE, 235))
        for lobe in range(4):
            angle = lobe * 1.5 + rng.uniform(0, 0.6)
            centre = x + radius * 0.36 * np.cos(angle), y + radius * 0.36 * np.sin(angle)
            pen.polygon(outline(*centre, radius * 0.38, 0.12), fill=(*NUCLEUS, 245))
        pen.polygon(outline(x, y, radius * 0.33, 0.15), fill=(*NUCLEUS, 240))
    while len(placed) < len(WHITES) + len(reds) + PLATELETS:
        x, y = rng.uniform(20, WIDTH - 20), rng.uniform(20, HEIGHT - 20)
        if free(x, y, 10, 1.0):
            pen.polygon(outline(x, y, rng.uniform(8, 11), 0.15), fill=(*PLATELET, 235))
            placed.append((x, y, 10))
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1.3))
    pixels = np.asarray(small).astype(float) + rng.normal(0, 3, (HEIGHT, WIDTH, 3))
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels *= (1 - 0.1 * (((columns - WIDTH / 2) / WIDTH) ** 2 + ((rows - HEIGHT / 2) / HEIGHT) ** 2))[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    content = io.BytesIO()
    draw().save(content, "JPEG", quality=90)
    write_whole(parser.parse_args().out, content.getvalue())
