"""Train a bundled autoregressive network on black and white MNIST, 28x28 px. Seeded; CPU.

Run: python -m models.training.autoregressive --architecture digits_pixelcnn --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.bundled.autoregressive import NADE, SIZE_PX, PixelCNN, digits_nade, digits_pixelcnn
from models.training.measure import load, rounded
from models.training.mnist import shuffled
from models.training.options import DIGITS, begun, training_parser
from models.training.precision import lower_precision
from models.training.scene import mnist
from models.training.store import save_card, save_weights

BUILDERS = {"digits_nade": digits_nade, "digits_pixelcnn": digits_pixelcnn}
TITLES = {
    "digits_nade": "Handwritten digits, pixel by pixel (NADE)",
    "digits_pixelcnn": "Handwritten digits, pixel by pixel (gated PixelCNN)",
}
KNOWS = "Gives the probability of a black and white picture of a digit, pixel by pixel, and draws such pictures."
THRESHOLD = 128
AVERAGE = 0.998
SAVE_EVERY_STEPS = 500
BATCH_OF_TEST = 250


def black_and_white(data: Path, *, split: str) -> Tensor:
    """Read the pictures (N, 1, 28, 28) of `mnist.npz` as uint8 0 and 1: lit from half the brightest grey value on."""
    return torch.from_numpy((mnist(data, split=split).ink >= THRESHOLD).astype(np.uint8))[:, None]


def nats(net: nn.Module, x: Tensor) -> Tensor:
    """Return -log p (N,) of pictures (N, 1, H, W) in 0 and 1, in nats."""
    return functional.cross_entropy(net(x).float(), x[:, 0].long(), reduction="none").flatten(1).sum(1)


def train(net: PixelCNN | NADE, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train on the likelihood with Adam, warm-up and a cosine; save an average of the weights every 500 steps."""
    rng = torch.Generator().manual_seed(options.seed)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    optimiser = torch.optim.Adam(net.parameters(), options.rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.05)
    convolves = isinstance(net, PixelCNN)
    if convolves:
        net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    step, recent = 0, math.log(2) * SIZE_PX**2
    with tqdm(total=options.steps, mininterval=10) as bar:
        while step < options.steps:
            for rows in shuffled(len(pictures), options.batch, rng):
                x = pictures[rows].float()
                with lower_precision() if convolves else torch.autocast("cpu", enabled=False):
                    loss = nats(net, x).mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 50.0)
                optimiser.step()
                schedule.step()
                average.update_parameters(net)
                step, recent = step + 1, 0.98 * recent + 0.02 * float(loss.detach())
                bar.set_postfix_str(f"{recent:.2f} nats", refresh=False)
                bar.update()
                if step % SAVE_EVERY_STEPS == 0 or step == options.steps:
                    save_weights(average.module, options.out)
                if step == options.steps:
                    break


@torch.inference_mode()
def measure(net: nn.Module, pictures: Tensor) -> dict[str, float]:
    """Return the mean of -log p over pictures (N, 1, 28, 28), in nats and in bits per pixel."""
    found = torch.cat([nats(net, part.float()).double() for part in pictures.split(BATCH_OF_TEST)])
    return rounded({"nats": float(found.mean()), "bits per pixel": float(found.mean()) / math.log(2) / SIZE_PX**2})


def write_card(architecture: str, weights: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    figures = measure(load(BUILDERS[architecture](), weights), black_and_white(data, split="test"))
    card = {
        "name": architecture.replace("_", "-"),
        "title": TITLES[architecture],
        "knows": KNOWS,
        "domain": "single digits",
        "colours": "grey",
        "task": "likelihood",
        "architecture": architecture,
        "classes": [],
        "channels": 1,
        "levels": 2,
        "size": SIZE_PX,
        "training_data": "The 60,000 training digits of MNIST (LeCun et al. 1998), lit from grey value 128 on",
        "licence": "MIT",
        "training": training,
        "figures": {"10,000 test digits of MNIST, lit from grey value 128 on": figures},
    }
    save_card(weights, card)
    return figures


def main() -> None:
    """Train, save the weights, and measure the likelihood of the test pictures for the card."""
    options = begun(training_parser(__doc__, data=DIGITS, architectures=BUILDERS, steps=8000, batch=32, rate=2e-3))
    net = BUILDERS[options.architecture]()
    train(net, black_and_white(options.data, split="train"), options)
    description = (
        f"{options.steps:,} steps of {options.batch}, Adam, peak rate {options.rate:g}, cosine, average of the weights "
        f"{AVERAGE}, seed {options.seed}"
    )
    print(write_card(options.architecture, options.out, options.data, description), flush=True)


if __name__ == "__main__":
    main()
