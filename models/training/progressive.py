"""Train the bundled progressive GAN on MNIST, level by level. Seeded; CPU.

Run: python -m models.training.progressive --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.bundled.gan import draw
from models.bundled.lenet import digits_lenet
from models.bundled.progressive import LAST, SIDES_PX, ProgressiveGAN, digits_progan, real_at, scaled_start
from models.cards import card as cards
from models.training.measure import SEED, body, gan_figures, load, rounded
from models.training.mnist import digits, unit
from models.training.options import DIGITS, begun, training_parser
from models.training.store import save_card, save_weights

TITLE = "Handwritten digits, from 4 to 32 px (progressive GAN)"
BETAS = (0.0, 0.99)
EMA = 0.998
SAVE_EVERY_STEPS = 100
PENALTY_EVERY_STEPS = 4  # four times as strong then (lazy regularisation; Karras et al. 2020, section 3.1)
FIGURES = {"count": 10_000, "of_manifold": 2_000}


def positions(fade: list[int], stay: list[int]) -> Iterator[float]:
    """Yield the position of every step: each level but the first is faded in, then stays for a while."""
    for level in range(len(SIDES_PX)):
        for step in range(fade[level] if level else 0):
            yield level - 1 + (step + 1) / (fade[level] + 1)
        for _ in range(stay[level]):
            yield float(level)


def penalty(discriminator: nn.Module, real: Tensor, position: float) -> Tensor:
    """Return half the mean squared gradient of the logits in real pictures (R1; Mescheder et al. 2018, equation 9)."""
    real = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(real, position).sum(), real, create_graph=True)
    return slope.square().flatten(1).sum(1).mean() / 2


def train(net: ProgressiveGAN, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train with the non-saturating loss and R1 on the critic; save averaged weights as it grows."""
    rng = torch.Generator().manual_seed(options.seed)
    average = AveragedModel(net.generator, multi_avg_fn=get_ema_multi_avg_fn(EMA))
    maker = torch.optim.Adam(net.generator.parameters(), options.rate, BETAS)
    judge = torch.optim.Adam(net.discriminator.parameters(), 2 * options.rate, BETAS)
    steps = list(positions(options.fade, options.stay))
    calm = len(steps) - options.stay[LAST] / 2
    recent = torch.zeros(2)
    for step, position in enumerate(bar := tqdm(steps, mininterval=10)):
        share = min(1.0, 0.05 + 0.95 * (len(steps) - step) / (len(steps) - calm))  # it falls at the end alone
        for group, times in ((maker.param_groups[0], 1), (judge.param_groups[0], 2)):
            group["lr"] = options.rate * times * share
        rows = torch.randint(len(pictures), (options.batch,), generator=rng)
        real = real_at(unit(pictures[rows]) * 2 - 1, position)
        made = net.generator(draw(net.latent, options.batch, rng), position)
        of_real, of_made = net.discriminator(torch.cat([real, made.detach()]), position).chunk(2)
        judged = functional.softplus(-of_real).mean() + functional.softplus(of_made).mean()
        loss = judged
        if step % PENALTY_EVERY_STEPS == 0:
            loss = judged + PENALTY_EVERY_STEPS * options.penalty * penalty(net.discriminator, real, position)
        judge.zero_grad()
        loss.backward()
        judge.step()
        net.discriminator.requires_grad_(False)
        fooled = functional.softplus(-net.discriminator(made, position)).mean()
        maker.zero_grad()
        fooled.backward()
        maker.step()
        net.discriminator.requires_grad_(True)
        average.update_parameters(net.generator)
        losses = torch.stack([judged.detach(), fooled.detach()])
        if not math.isfinite(float(losses.sum())):
            raise FloatingPointError(f"The losses are not finite in step {step + 1}: {losses}.")
        recent = recent.lerp(losses, 0.02 if step else 1.0)
        bar.set_postfix_str("at {:.2f} judge {:.3f} maker {:.3f}".format(position, *recent.tolist()), refresh=False)
        if (step + 1) % SAVE_EVERY_STEPS == 0 or step + 1 == len(steps):
            stored = digits_progan()
            stored.generator.load_state_dict(average.module.state_dict())
            stored.discriminator.load_state_dict(net.discriminator.state_dict())
            save_weights(stored, options.out)


def write_card(weights: Path, judge: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(digits_progan(), weights)
    found = gan_figures(net, load(digits_lenet(), judge), digits(data, split="test")[0], **FIGURES)
    card = body(
        "digits_progan",
        TITLE,
        knows="Draws single handwritten digits, at 4, 8, 16 and 32 px.",
        domain="single digits",
        colours="grey",
        latent=net.latent,
        range=net.range,
        training=training,
        figures={f"{FIGURES['count']:,} pictures drawn with seed {SEED}, as digits-lenet sees them": rounded(found)},
    )
    save_card(weights, card)
    return found


def main() -> None:
    """Train, save the weights, and measure the metrics for the card."""
    parser = training_parser(
        __doc__, data=DIGITS, batch=16, rate=1e-3, rate_help="learning rate of the generator; the critic's is twice"
    )
    parser.add_argument("--judge", type=Path, default=cards.BUNDLED / "digits-lenet.safetensors", help="classifier")
    parser.add_argument("--fade", type=int, nargs=len(SIDES_PX), default=[0, 400, 500, 700], help="steps of fade-in")
    parser.add_argument("--stay", type=int, nargs=len(SIDES_PX), default=[600, 500, 700, 2000], help="steps after it")
    parser.add_argument("--penalty", type=float, default=0.05, help="weight of R1")
    options = begun(parser)
    net = digits_progan()
    scaled_start(net)
    train(net, digits(options.data, split="train")[0], options)
    description = (
        f"fade-ins of {options.fade[1:]} steps and {options.stay} steps at the levels of {list(SIDES_PX)} px, of "
        f"{options.batch}, non-saturating loss, R1 of weight {options.penalty:g} on the critic, Adam, "
        f"rates {options.rate:g} and {2 * options.rate:g}, falling at the end, average of the generator's weights "
        f"{EMA}, seed {options.seed}"
    )
    print(write_card(options.out, options.judge, options.data, description), flush=True)


if __name__ == "__main__":
    main()
