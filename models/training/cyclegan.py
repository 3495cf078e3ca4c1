"""Train the bundled CycleGAN between digits white on black and ink on ruled paper. Seeded; CPU.

Run: python -m models.training.cyclegan --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.bundled.lenet import digits_lenet
from models.bundled.translation import DigitsCycleGAN, digits_cyclegan
from models.cards import card as cards
from models.training.digit_worlds import on_paper, white_on_black
from models.training.measure import load, normalised, rounded
from models.training.mnist import digits
from models.training.options import DIGITS, begun, training_parser
from models.training.store import save_card, save_weights

TITLE = "Digits white on black, and ink on ruled paper (CycleGAN)"
CYCLE, IDENTITY = 10.0, 2.0
BETAS = (0.5, 0.999)
SAVE_EVERY_STEPS = 200
EMA = 0.995
POOL = 50
SIGMAS = (0, 1, 2, 4, 8)


class Pool:
    """Fakes of earlier steps, half of which are shown to the critic again (Shrivastava et al. 2017)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.kept: list[Tensor] = []
        self.rng = rng

    def mixed(self, made: Tensor) -> Tensor:
        """Return pictures of which some are replaced by earlier ones."""
        out = []
        for one in made:
            if len(self.kept) < POOL:
                self.kept.append(one)
                out.append(one)
            elif self.rng.random() < 0.5:
                at = int(self.rng.integers(POOL))
                out.append(self.kept[at])
                self.kept[at] = one
            else:
                out.append(one)
        return torch.stack(out)


def worlds(ink: Tensor, rng: np.random.Generator, batch: int) -> tuple[Tensor, Tensor]:
    """Return unpaired batches of the two worlds: the first half of the digits in one, the second in the other."""
    half = len(ink) // 2
    first = ink[torch.from_numpy(rng.integers(half, size=batch))]
    second = ink[half + torch.from_numpy(rng.integers(half, size=batch))]
    return white_on_black(first), on_paper(second, rng)


def train(net: DigitsCycleGAN, ink: Tensor, options: argparse.Namespace) -> None:
    """Train with the least-squares losses of Zhu et al. 2017; save averaged weights every few hundred steps."""
    rng = np.random.default_rng(options.seed)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(EMA), use_buffers=True)
    maker = torch.optim.Adam(net.generators.parameters(), options.rate, BETAS)
    judge = torch.optim.Adam(net.critics.parameters(), options.rate, BETAS)
    pools = (Pool(rng), Pool(rng))
    recent = torch.zeros(4)
    for step in (bar := tqdm(range(options.steps), mininterval=10)):
        share = min(1.0, 2 * (1 - step / options.steps))
        for group in (*maker.param_groups, *judge.param_groups):
            group["lr"] = options.rate * share
        real = worlds(ink, rng, options.batch)
        net.critics.requires_grad_(False)
        made = (net.translate(real[0], 0), net.translate(real[1], 1))
        adversarial = sum(((net.critic_map(made[k], k) - 1) ** 2).mean() for k in range(2))
        cycle = sum((net.translate(made[k], 1 - k) - real[k]).abs().mean() for k in range(2))
        part = max(1, options.batch // 4)
        identity = sum((net.translate(real[1 - k][:part], k) - real[1 - k][:part]).abs().mean() for k in range(2))
        maker.zero_grad()
        (adversarial + 2 * CYCLE * cycle + 2 * IDENTITY * identity).backward()  # 2: pictures from 0 to 1, not -1 to 1
        maker.step()
        net.critics.requires_grad_(True)
        judged = torch.zeros(())
        for k in range(2):
            shown = pools[k].mixed(made[k].detach())
            judged = (
                judged + ((net.critic_map(real[1 - k], k) - 1) ** 2).mean() + (net.critic_map(shown, k) ** 2).mean()
            )
        judge.zero_grad()
        (0.5 * judged).backward()
        judge.step()
        average.update_parameters(net)
        losses = torch.stack([torch.as_tensor(v).detach() for v in (adversarial, cycle, identity, judged)])
        if not math.isfinite(float(losses.sum())):
            raise FloatingPointError(f"The losses are not finite in step {step + 1}: {losses}.")
        recent = recent.lerp(losses, 0.02 if step else 1.0)
        bar.set_postfix_str(
            "adversarial {:.3f} cycle {:.4f} identity {:.4f} judge {:.3f}".format(*recent.tolist()), refresh=False
        )
        if (step + 1) % SAVE_EVERY_STEPS == 0 or step + 1 == options.steps:
            save_weights(average.module, options.out)


@torch.inference_mode()
def figures(net: DigitsCycleGAN, judge: nn.Module, ink: Tensor, labels: Tensor) -> dict[str, float]:
    """Return cycle and identity errors, how the cycle's grows with noise on the fake, and which digits stay legible.

    Errors are means of absolute differences from 0 to 1; noise is Gaussian, sigma in 255ths; the digits are judged by
    the bundled classifier on what becomes of paper.
    """
    rng = np.random.default_rng(2024)
    paper = on_paper(ink, rng)
    noise = torch.Generator().manual_seed(2024)
    found: dict[str, float] = {}
    for k, (name, real) in enumerate((("A to B to A", white_on_black(ink)), ("B to A to B", paper))):
        made = net.translate(real, k)
        for sigma in SIGMAS:
            noisy = made + torch.randn(made.shape, generator=noise) * sigma / 255
            error = float((net.translate(noisy, 1 - k) - real).abs().mean())
            found[f"cycle error {name}" + (f", noise {sigma}/255" if sigma else "")] = error
        found[f"identity error, {name[5]}"] = float((net.translate(real, 1 - k) - real).abs().mean())
    read = judge(normalised(net.translate(paper, 1).mean(1, keepdim=True))).argmax(1)
    found["digits recognised, paper to white on black"] = float((read == labels).float().mean())
    found["digits recognised, as drawn"] = float(
        (judge(normalised(ink.float() / 255)).argmax(1) == labels).float().mean()
    )
    return rounded(found)


def write_card(weights: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(digits_cyclegan(), weights)
    lenet = cards.bundled()["digits-lenet"].weights
    assert lenet is not None
    ink, labels = digits(data, split="test")
    found = figures(net, load(digits_lenet(), lenet), ink[::10], labels[::10])  # sorted by digit
    body = {
        "name": "digits-cyclegan",
        "title": TITLE,
        "task": "picture to picture",
        "architecture": "digits_cyclegan",
        "classes": [],
        "preprocessing": {"mean": [0.0] * 3, "std": [1.0] * 3},
        "training_data": "MNIST's training digits (LeCun et al. 1998), CC BY-SA 3.0: one half white on black, the "
        "other drawn on ruled paper; no pairs",
        "training": training,
        "figures": {"1,000 test digits of MNIST": found},
        "licence": "MIT",
    }
    save_card(weights, body)
    return found


def main() -> None:
    """Train, save the weights, and measure the metrics for the card."""
    options = begun(
        training_parser(
            __doc__, data=DIGITS, steps=3000, batch=6, rate=5e-4, rate_help="learning rate; it falls in the second half"
        )
    )
    net = digits_cyclegan()
    ink = digits(options.data, split="train")[0]
    order = torch.randperm(len(ink), generator=torch.Generator().manual_seed(options.seed))
    train(net, ink[order], options)
    description = (
        f"{options.steps} steps of {options.batch}, least-squares losses, cycle {CYCLE:g}, identity {IDENTITY:g}, "
        f"Adam, rate {options.rate:g}, a moving average of the weights, seed {options.seed}"
    )
    print(write_card(options.out, options.data, description), flush=True)


if __name__ == "__main__":
    main()
