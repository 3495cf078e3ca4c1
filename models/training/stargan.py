"""Train the bundled StarGAN of digits in four inks, thin or thick. Seeded; CPU.

Run: python -m models.training.stargan --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import itertools
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.bundled.lenet import digits_lenet
from models.bundled.translation import DigitsStarGAN, digits_stargan
from models.cards import card as cards
from models.training.digit_worlds import INKS, in_inks
from models.training.measure import load, normalised, rounded
from models.training.mnist import digits
from models.training.options import DIGITS, begun, training_parser
from models.training.store import save_card, save_weights

TITLE = "Digits in four inks, thin or thick (StarGAN)"
CYCLE, OF_ATTRIBUTES = 10.0, 1.0
BETAS = (0.5, 0.999)
SAVE_EVERY_STEPS = 200
EMA = 0.995
WIDTHS = 2
CHUNK = 200


def labels(kinds: Tensor, thick: Tensor) -> Tensor:
    """Return the labels (N, 6) of inks `kinds` (N,) and widths `thick` (N,): one of the inks, one of the widths."""
    return torch.cat([functional.one_hot(kinds, len(INKS)), functional.one_hot(thick, WIDTHS)], 1).float()


def attributes(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Draw inks (count,) and widths (count,)."""
    return torch.from_numpy(rng.integers(len(INKS), size=count)), torch.from_numpy(rng.integers(WIDTHS, size=count))


def of_attributes(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the cross entropy of logits (N, 6) for labels (N, 6): of the inks and of the widths, summed."""
    parts = zip(logits.split([len(INKS), WIDTHS], 1), wanted.split([len(INKS), WIDTHS], 1), strict=True)
    return torch.stack([functional.cross_entropy(each, of.argmax(1)) for each, of in parts]).sum()


def train(net: DigitsStarGAN, ink: Tensor, options: argparse.Namespace) -> None:
    """Train with the losses of Choi et al. 2018, the least-squares one as the adversarial; save averaged weights."""
    rng = np.random.default_rng(options.seed)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(EMA), use_buffers=True)
    maker = torch.optim.Adam(net.generator.parameters(), options.rate, BETAS)
    judge = torch.optim.Adam(net.critic.parameters(), options.rate, BETAS)
    recent = torch.zeros(4)
    for step in (bar := tqdm(range(options.steps), mininterval=10)):
        share = min(1.0, 2 * (1 - step / options.steps))
        for group in (*maker.param_groups, *judge.param_groups):
            group["lr"] = options.rate * share
        own, other = attributes(rng, options.batch), attributes(rng, options.batch)
        real = in_inks(ink[torch.from_numpy(rng.integers(len(ink), size=options.batch))], *own)
        source, wanted = labels(*own), labels(*other)

        net.critic.requires_grad_(False)
        made = net.translate(real, 0, wanted)
        scores, believed = net.critic(2 * made - 1)
        fooled, meant = ((scores - 1) ** 2).mean(), of_attributes(believed, wanted)
        cycle = (net.translate(made, 0, source) - real).abs().mean()
        maker.zero_grad()
        (fooled + OF_ATTRIBUTES * meant + 2 * CYCLE * cycle).backward()  # 2: pictures from 0 to 1, not -1 to 1
        maker.step()
        net.critic.requires_grad_(True)

        of_real, seen = net.critic(2 * real - 1)
        of_made, _ = net.critic(2 * made.detach() - 1)
        judged = 0.5 * (((of_real - 1) ** 2).mean() + (of_made**2).mean()) + OF_ATTRIBUTES * of_attributes(seen, source)
        judge.zero_grad()
        judged.backward()
        judge.step()
        average.update_parameters(net)
        losses = torch.stack([fooled.detach(), meant.detach(), cycle.detach(), judged.detach()])
        if not math.isfinite(float(losses.sum())):
            raise FloatingPointError(f"The losses are not finite in step {step + 1}: {losses}.")
        recent = recent.lerp(losses, 0.02 if step else 1.0)
        bar.set_postfix_str(
            "fooled {:.3f} attributes {:.3f} cycle {:.4f} judge {:.3f}".format(*recent.tolist()), refresh=False
        )
        if (step + 1) % SAVE_EVERY_STEPS == 0 or step + 1 == options.steps:
            save_weights(average.module, options.out)


@torch.inference_mode()
def figures(net: DigitsStarGAN, judge: nn.Module, ink: Tensor, digit: Tensor) -> dict[str, float]:
    """Return how often the asked attributes are met, and how far pictures are from the truth and from the way back.

    Every digit is drawn in one of the eight ways and asked for in all of them. Whether the answer has the asked
    attributes is judged by the eight true drawings of that digit: the nearest, by mean absolute difference, must be the
    asked one. Errors are mean absolute differences of colours from 0 to 1.
    """
    own = attributes(np.random.default_rng(2024), len(ink))
    real, source = in_inks(ink, *own), labels(*own)
    ways = list(itertools.product(range(len(INKS)), range(WIDTHS)))
    one = torch.ones(len(ink), dtype=torch.int64)
    truth = torch.stack([in_inks(ink, kind * one, thick * one) for kind, thick in ways])
    found: dict[str, list[float]] = {}
    for place, (kind, thick) in enumerate(ways):
        wanted = labels(kind * one, thick * one)
        made = torch.cat([net.translate(*part) for part in _parts(real, wanted)])
        back = torch.cat([net.translate(*part) for part in _parts(made, source)])
        nearest = (truth - made).abs().flatten(2).mean(2).argmin(0)
        seen = torch.cat([net.attributes(part) for part in made.split(CHUNK)])
        read = judge(normalised(1 - made.mean(1, keepdim=True))).argmax(1)
        right = nearest == place
        for name, value in {
            "agreement with the asked attributes": right,
            "agreement of the ink": nearest // WIDTHS == kind,
            "agreement of the width": nearest % WIDTHS == thick,
            "agreement as its own critic sees it": (seen[:, : len(INKS)].argmax(1) == kind)
            & (seen[:, len(INKS) :].argmax(1) == thick),
            "error of the picture": (made - truth[place]).abs(),
            "error of the way back": (back - real).abs(),
            "digits recognised": read == digit,
        }.items():
            found.setdefault(name, []).append(float(value.float().mean()))
        found.setdefault("smallest agreement of a way", []).append(float(right.float().mean()))
    smallest = min(found.pop("smallest agreement of a way"))
    means = {name: sum(values) / len(values) for name, values in found.items()}
    return rounded({**means, "smallest agreement of a way": smallest})


def _parts(pictures: Tensor, wanted: Tensor) -> list[tuple[Tensor, int, Tensor]]:
    return [(x, 0, told) for x, told in zip(pictures.split(CHUNK), wanted.split(CHUNK), strict=True)]


def write_card(weights: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(digits_stargan(), weights)
    lenet = cards.bundled()["digits-lenet"].weights
    assert lenet is not None
    ink, digit = digits(data, split="test")
    found = figures(net, load(digits_lenet(), lenet), ink[::10], digit[::10])  # sorted by digit
    body = {
        "name": "digits-stargan",
        "title": TITLE,
        "knows": "Draws a digit in ink in another ink, thinner or thicker.",
        "domain": "single digits in ink on paper",
        "colours": "colour",
        "task": "picture to picture",
        "architecture": "digits_stargan",
        "classes": [],
        "preprocessing": {"mean": [0.0] * 3, "std": [1.0] * 3},
        "training_data": "MNIST's 60,000 training digits (LeCun et al. 1998), CC BY-SA 3.0, drawn in red, green, blue "
        "or black ink, thin or thick; no pairs",
        "training": training,
        "figures": {"1,000 test digits of MNIST, each asked for in all eight ways": found},
        "licence": "MIT",
    }
    save_card(weights, body)
    return found


def main() -> None:
    """Train, save the weights, and measure the metrics for the card."""
    options = begun(
        training_parser(
            __doc__, data=DIGITS, steps=7000, batch=8, rate=1e-3, rate_help="learning rate; it falls in the second half"
        )
    )
    train(digits_stargan(), digits(options.data, split="train")[0], options)
    description = (
        f"{options.steps} steps of {options.batch}, least-squares loss, attributes {OF_ATTRIBUTES:g}, cycle {CYCLE:g}, "
        f"Adam, rate {options.rate:g}, a moving average of the weights, seed {options.seed}"
    )
    print(write_card(options.out, options.data, description), flush=True)


if __name__ == "__main__":
    main()
