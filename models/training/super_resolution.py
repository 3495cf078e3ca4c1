"""Train the bundled network that doubles the sides of photographs, on CIFAR-10. Seeded; CPU.

Run: python -m models.training.super_resolution --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from models.bundled.translation import PhotosUpscaler, photos_upscaler
from models.training.measure import load, rounded
from models.training.options import PHOTOS, begun, training_parser
from models.training.photos import photos
from models.training.store import save_card, save_weights

KNOWS = "Makes small photographs twice as large, sharper than bicubic enlargement does."
TITLE = "Photographs of twice the sides (super resolution)"
SAVE_EVERY_STEPS = 500


def smaller(pictures: Tensor) -> Tensor:
    """Return pictures (N, 3, H, W) from 0 to 1 of half the sides: bicubic with anti-aliasing, rounded to 8 bits."""
    made = functional.interpolate(pictures, scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False)
    return (made.clamp(0, 1) * 255).round() / 255


def decibels(made: Tensor, wanted: Tensor) -> float:
    """Return the mean PSNR in dB over pictures (N, 3, H, W) from 0 to 1."""
    return float((-10 * ((made.clamp(0, 1) - wanted) ** 2).mean((1, 2, 3)).log10()).mean())


@torch.inference_mode()
def figures(net: PhotosUpscaler, pictures: Tensor) -> dict[str, float]:
    """Return the mean PSNR of the network, of bicubic and of nearest enlargement, for pictures from 0 to 1."""
    found = {"PSNR": [], "PSNR, bicubic": [], "PSNR, nearest": []}
    for wanted in pictures.split(500):
        x = smaller(wanted)
        found["PSNR"].append(decibels(net(x), wanted))
        for mode in ("bicubic", "nearest"):
            found[f"PSNR, {mode}"].append(decibels(functional.interpolate(x, scale_factor=2, mode=mode), wanted))
    return rounded({name: sum(values) / len(values) for name, values in found.items()})


def unit_pictures(data: Path, *, split: str) -> Tensor:
    """Return CIFAR-10's photographs (N, 3, 32, 32) from 0 to 1."""
    pictures, _ = photos(data, split=split)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def photo_card(architecture: str, title: str, *, knows: str, training: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Return the card of a network that makes pictures of CIFAR-10's photographs."""
    return {
        "name": architecture.replace("_", "-"),
        "title": title,
        "knows": knows,
        "domain": "photographs",
        "task": "picture to picture",
        "architecture": architecture,
        "classes": [],
        "preprocessing": {"mean": [0.0] * 3, "std": [1.0] * 3},
        "training_data": "The 50,000 training photographs of CIFAR-10 (Krizhevsky 2009); a research data set",
        "training": training,
        "figures": figures,
        "licence": "MIT",
    }


def train(net: PhotosUpscaler, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train on the mean absolute error with Adam and a falling rate; save the weights every few hundred steps."""
    rng = np.random.default_rng(options.seed)
    optimiser = torch.optim.Adam(net.parameters(), options.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps)
    recent = 0.0
    for step in (bar := tqdm(range(options.steps), mininterval=10)):
        wanted = pictures[torch.from_numpy(rng.integers(len(pictures), size=options.batch))]
        wanted = wanted.flip(3) if rng.random() < 0.5 else wanted
        wanted = wanted.transpose(2, 3) if rng.random() < 0.5 else wanted
        loss = (net(smaller(wanted)) - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"The loss is not finite in step {step + 1}.")
        recent = 0.98 * recent + 0.02 * float(loss.detach()) if step else float(loss.detach())
        bar.set_postfix_str(f"L1 {recent:.5f}", refresh=False)
        if (step + 1) % SAVE_EVERY_STEPS == 0 or step + 1 == options.steps:
            save_weights(net, options.out)


def write_card(weights: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(photos_upscaler(), weights)
    found = figures(net, unit_pictures(data, split="test"))
    of = "10,000 test photographs of CIFAR-10, halved and enlarged, RGB, dB"
    save_card(weights, photo_card("photos_upscaler", TITLE, knows=KNOWS, training=training, figures={of: found}))
    return found


def main() -> None:
    """Train, save the weights, and measure the metrics for the card."""
    options = begun(training_parser(__doc__, data=PHOTOS, steps=4000, batch=32, rate=2e-3))
    net = photos_upscaler()
    train(net, unit_pictures(options.data, split="train"), options)
    description = (
        f"{options.steps} steps of {options.batch} on the mean absolute error, Adam, peak rate {options.rate:g}, "
        f"one cycle, seed {options.seed}"
    )
    print(write_card(options.out, options.data, description), flush=True)


if __name__ == "__main__":
    main()
