"""Train the bundled digit classifier on MNIST. Seeded; CPU.

Run: python -m models.training.lenet --data DIR --out FILE
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from models.bundled.lenet import CLASSES, MEAN, SIZE_PX, STD, LeNet, digits_lenet
from models.training.cluster import distorted
from models.training.measure import load, normalised, seen
from models.training.mnist import digits, shuffled, unit
from models.training.options import DIGITS, begun, training_parser
from models.training.store import save_card, save_weights

BENT = 0.5


def varied(x: Tensor) -> Tensor:
    """Return pictures in [0, 1], about half of them augmented."""
    return torch.where(torch.rand(len(x), 1, 1, 1) < BENT, (distorted(x * 2 - 1) + 1) / 2, x)


def train(net: LeNet, pictures: Tensor, labels: Tensor, options: argparse.Namespace) -> None:
    """Train with AdamW and a one-cycle schedule; save the weights after every epoch."""
    rng = torch.Generator().manual_seed(options.seed)
    optimiser = torch.optim.AdamW(net.parameters(), options.rate, fused=True)
    steps = len(labels) // options.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps * options.epochs)
    for epoch in range(options.epochs):
        recent = 0.0
        bar = tqdm(shuffled(len(labels), options.batch, rng), f"epoch {epoch + 1}", steps, mininterval=10)
        for step, rows in enumerate(bar):
            logits = net(normalised(varied(unit(pictures[rows]))))
            loss = functional.cross_entropy(logits, labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            recent += (loss.item() - recent) / min(step + 1, 100)
            bar.set_postfix_str(f"loss {recent:.4f}", refresh=False)
        save_weights(net, options.out)


def accuracy(net: LeNet, pictures: Tensor, labels: Tensor) -> float:
    """Return the share of pictures (N, 1, 32, 32) uint8 whose top class is correct."""
    return float((seen(net, unit(pictures)).probabilities.argmax(1) == labels).float().mean())


def write_card(weights: Path, data: Path, training: str) -> float:
    """Write the card of trained weights with the accuracy measured on the stored weights, and return it."""
    reached = accuracy(load(digits_lenet(), weights), *digits(data, split="test"))
    card = {
        "name": "digits-lenet",
        "title": "Handwritten digits, ten classes (LeNet)",
        "task": "classification",
        "architecture": "digits_lenet",
        "classes": list(CLASSES),
        "preprocessing": {"resize": SIZE_PX, "crop": SIZE_PX, "mean": list(MEAN), "std": list(STD)},
        "training_data": "The 60,000 training digits of MNIST (LeCun et al. 1998), enlarged to 32 x 32 px, varied",
        "training": training,
        "figures": {"10,000 test digits of MNIST": {"accuracy": round(reached, 4)}},
        "licence": "MIT",
    }
    save_card(weights, card)
    return reached


def main() -> None:
    """Train, save the weights and write their card."""
    options = begun(training_parser(__doc__, data=DIGITS, epochs=6, batch=128, rate=3e-3))
    net = digits_lenet()
    train(net, *digits(options.data, split="train"), options)
    description = (
        f"{options.epochs} epochs of {options.batch}, AdamW, peak rate {options.rate:g}, one cycle, "
        f"half of the pictures turned, sheared, scaled, moved and swollen, seed {options.seed}"
    )
    print(f"test accuracy {write_card(options.out, options.data, description):.4f}", flush=True)


if __name__ == "__main__":
    main()
