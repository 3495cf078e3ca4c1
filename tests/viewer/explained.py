"""A classifier of our own with random weights in files, so that the window opens it as users' own. No test is here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from models.loading import architectures
from models.pictures.images import save_png

NAMES = (
    "airplane",
    "bird",
    "cat",
    "bird",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
    "lorry",
)  # two birds, as ImageNet has two cranes
PREPROCESSING = {"resize": 32, "crop": 32, "mean": [0.49, 0.48, 0.45], "std": [0.25, 0.24, 0.26]}


def classifier(folder: Path, names: tuple[str, ...] = NAMES, *, seed: int = 3) -> str:
    """Write a card and weights; return the path of the weights."""
    torch.manual_seed(seed)
    net = architectures.build("photos_resnet", classes=len(NAMES))
    card = {"name": "birds", "task": "classification", "architecture": "photos_resnet", "classes": names}
    save_file(net.state_dict(), folder / "birds.safetensors")
    about = {**card, "weights": "birds.safetensors", "preprocessing": PREPROCESSING}
    (folder / "birds.json").write_text(json.dumps(about))
    return str(folder / "birds.safetensors")


def picture(folder: Path, *, seed: int = 0) -> Path:
    """Write a picture (60, 90) that the network's input is a square part of."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)
    save_png(np.repeat(np.repeat(coarse, 10, 0), 10, 1), folder / f"p{seed}.png")
    return folder / f"p{seed}.png"
