"""Draw the bundled sample pictures from scikit-learn's digits.

Run: python -m models.training.samples --out assets/samples
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from models.pictures.images import save_png
from models.training.scene import compose, sklearn_digits

SEEDS = {"board": 13, "ruled-paper": 3, "slate": 8, "squared-paper": 4}
WIDTH_PX, HEIGHT_PX = 640, 480

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    digits = sklearn_digits()
    for name, seed in SEEDS.items():
        scene = compose(
            digits,
            np.random.default_rng((77, seed)),
            width=WIDTH_PX,
            height=HEIGHT_PX,
            count=(10, 18),
            size_px=(40, 150),
        )
        save_png(scene.image, folder / f"{name}.png")
