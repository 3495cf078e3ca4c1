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
from models.training.gan import bounded
from models.training.measure import SEED, body, gan_figures, load, rounded
from models.training.mnist import digits, unit
from models.training.store import save_card, save_weights

TITLE = "Handwritten digits, from 4 to 32 px (progressive GAN)"
BETAS = (0.0, 0.99)
EMA = 0.998
SAVE_EVERY_STEPS = 100
FIGURES = {"count": 10_000, "of_manifold": 2_000}


def positions(fade: list[int], stay: list[int]) -> Iterator[float]:
    """Yield the position of every step: each level but the first is faded in, then stays for a while."""
    for level in range(len(SIDES_PX)):
        for step in range(fade[level] if level else 0):
            yield level - 1 + (step + 1) / (fade[level] + 1)
        for _ in range(stay[level]):
            yield float(level)


def plain(net: ProgressiveGAN, generator: nn.Module) -> ProgressiveGAN:
    """Return a new network to be stored, with an averaged generator and the constrained weights made permanent."""
    stored = digits_progan()
    stored.generator.load_state_dict(generator.state_dict())
    net.discriminator.eval()
    for name, parameter in stored.discriminator.named_parameters():
        *path, last = name.split(".")
        parameter.data.copy_(getattr(net.discriminator.get_submodule(".".join(path)), last))
    net.discriminator.train()
    return stored


def train(net: ProgressiveGAN, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train with the non-saturating loss and spectral norms on the critic; save averaged weights as it grows."""
    rng = torch.Generator().manual_seed(options.seed)
    bounded(net.discriminator)
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
        judge.zero_grad()
        judged.backward()
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
            save_weights(plain(net, average.module), options.out)


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist.npz")
    parser.add_argument("--out", type=Path, required=True, help="where the weights go (.safetensors)")
    parser.add_argument("--judge", type=Path, default=cards.BUNDLED / "digits-lenet.safetensors", help="classifier")
    parser.add_argument("--fade", type=int, nargs=len(SIDES_PX), default=[0, 400, 500, 700], help="steps of fade-in")
    parser.add_argument("--stay", type=int, nargs=len(SIDES_PX), default=[600, 500, 700, 2000], help="steps after it")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--rate", type=float, default=1e-3, help="learning rate of the generator; the critic's is twice"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    net = digits_progan()
    scaled_start(net)
    train(net, digits(options.data, split="train")[0], options)
    description = (
        f"fade-ins of {options.fade[1:]} steps and {options.stay} steps at the levels of {list(SIDES_PX)} px, of "
        f"{options.batch}, non-saturating loss, spectral norm on the critic, Adam, rates {options.rate:g} and "
        f"{2 * options.rate:g}, falling at the end, average of the generator's weights {EMA}, seed {options.seed}"
    )
    print(write_card(options.out, options.judge, options.data, description), flush=True)


if __name__ == "__main__":
    main()
