"""Train the bundled pair of colouring networks on CIFAR-10: L1 alone, and L1 with a critic. Seeded; CPU.

Run: python -m models.training.colouring --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from models.bundled.translation import (
    PatchCritic,
    PhotosColouring,
    chroma,
    coloured,
    luminance,
    photos_colouring,
)
from models.evaluation.picture_quality import colourfulness
from models.training.measure import load, rounded
from models.training.options import PHOTOS, begun, training_parser
from models.training.store import save_card, save_weights
from models.training.super_resolution import decibels, photo_card, unit_pictures

KNOWS = "Gives small grey photographs colours, by two networks to be compared."
TITLE = "Colours for grey photographs, by L1 alone and by L1 with a critic (pix2pix)"
BETAS = (0.5, 0.999)
L1_WEIGHT = 25.0
SAVE_EVERY_STEPS = 200
CHUNK = 500


def batch_of(pictures: Tensor, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Return luminance and chroma of random photographs, some of them mirrored."""
    x = pictures[torch.from_numpy(rng.integers(len(pictures), size=count))]
    x = x.flip(3) if rng.random() < 0.5 else x
    return luminance(x), chroma(x)


def train_l1(net: PhotosColouring, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train the first network on the mean absolute error of the chroma alone."""
    rng = np.random.default_rng(options.seed)
    colourer = net.colourers[0].train()
    optimiser = torch.optim.Adam(colourer.parameters(), options.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps)
    recent = 0.0
    for step in (bar := tqdm(range(options.steps), "L1", mininterval=10)):
        y, wanted = batch_of(pictures, rng, options.batch)
        loss = (colourer(y) - wanted).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        recent = 0.98 * recent + 0.02 * float(loss.detach()) if step else float(loss.detach())
        bar.set_postfix_str(f"L1 {recent:.5f}", refresh=False)
        if (step + 1) % SAVE_EVERY_STEPS == 0 or step + 1 == options.steps:
            save_weights(net, options.out)


def train_gan(net: PhotosColouring, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train the second network, from the first one's weights, on L1 and a critic of the coloured picture.

    The critic sees luminance and chroma (Isola et al. 2017); both use the least-squares loss.
    """
    rng = np.random.default_rng(options.seed + 1)
    colourer = net.colourers[1].train()
    colourer.load_state_dict(net.colourers[0].state_dict())
    critic = PatchCritic()
    maker = torch.optim.Adam(colourer.parameters(), options.rate / 4, BETAS)
    judge = torch.optim.Adam(critic.parameters(), options.rate / 4, BETAS)
    recent = torch.zeros(3)
    for step in (bar := tqdm(range(options.gan_steps), "L1 and GAN", mininterval=10)):
        share = min(1.0, 2 * (1 - step / options.gan_steps))
        for group in (*maker.param_groups, *judge.param_groups):
            group["lr"] = options.rate / 4 * share
        y, wanted = batch_of(pictures, rng, options.batch)
        made = colourer(y)
        real, fake = (torch.cat([2 * y - 1, 4 * c], 1) for c in (wanted, made))
        judged = ((critic(real) - 1) ** 2).mean() + (critic(fake.detach()) ** 2).mean()
        judge.zero_grad()
        (0.5 * judged).backward()
        judge.step()
        critic.requires_grad_(False)
        fooled = ((critic(fake) - 1) ** 2).mean()
        error = (made - wanted).abs().mean()
        maker.zero_grad()
        (fooled + L1_WEIGHT * error).backward()
        maker.step()
        critic.requires_grad_(True)
        losses = torch.stack([fooled.detach(), error.detach(), judged.detach()])
        if not math.isfinite(float(losses.sum())):
            raise FloatingPointError(f"The losses are not finite in step {step + 1}: {losses}.")
        recent = recent.lerp(losses, 0.02 if step else 1.0)
        bar.set_postfix_str("fooled {:.3f} L1 {:.5f} judge {:.3f}".format(*recent.tolist()), refresh=False)
        if (step + 1) % SAVE_EVERY_STEPS == 0 or step + 1 == options.gan_steps:
            save_weights(net, options.out)


@torch.inference_mode()
def figures(net: PhotosColouring, pictures: Tensor) -> dict[str, float]:
    """Return error (mean absolute difference of chroma), PSNR and colourfulness of both, and those of grey and true."""
    found: dict[str, list[float]] = {}

    def add(name: str, made: Tensor, wanted: Tensor) -> None:
        found.setdefault(f"chroma error, {name}", []).append(float((chroma(made) - chroma(wanted)).abs().mean()))
        found.setdefault(f"colourfulness, {name}", []).append(float(colourfulness(made).mean()))
        if made is not wanted:
            found.setdefault(f"PSNR, {name}", []).append(decibels(made, wanted))

    for wanted in pictures.split(CHUNK):
        y = luminance(wanted)
        add("L1 alone", net.translate(wanted, 0).clamp(0, 1), wanted)
        add("L1 and GAN", net.translate(wanted, 1).clamp(0, 1), wanted)
        add("grey", coloured(y, torch.zeros(len(y), 2, *y.shape[2:])), wanted)
        add("true colours", wanted, wanted)
    found.pop("chroma error, true colours")
    return rounded({name: sum(values) / len(values) for name, values in found.items()})


def write_card(weights: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(photos_colouring(), weights)
    found = figures(net, unit_pictures(data, split="test"))
    of = "10,000 test photographs of CIFAR-10"
    save_card(weights, photo_card("photos_colouring", TITLE, knows=KNOWS, training=training, figures={of: found}))
    return found


def main() -> None:
    """Train both networks, save the weights, and measure the metrics for the card."""
    parser = training_parser(
        __doc__,
        data=PHOTOS,
        steps=6000,
        batch=16,
        rate=2e-3,
        rate_help="peak learning rate; the GAN has a quarter of it",
    )
    parser.add_argument("--gan-steps", type=int, default=4000)
    options = begun(parser)
    net, pictures = photos_colouring(), unit_pictures(options.data, split="train")
    train_l1(net, pictures, options)
    train_gan(net, pictures, options)
    description = (
        f"{options.steps} steps of {options.batch} on L1, Adam, peak rate {options.rate:g}, one cycle; for the second "
        f"network then {options.gan_steps} more on {L1_WEIGHT:g} L1 and a critic, least-squares loss, "
        f"rate {options.rate / 4:g}; seed {options.seed}"
    )
    print(write_card(options.out, options.data, description), flush=True)


if __name__ == "__main__":
    main()
