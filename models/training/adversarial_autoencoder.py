"""Train the bundled adversarial autoencoder on MNIST. Seeded; CPU.

Run: python -m models.training.adversarial_autoencoder --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.bundled.aae import AAE, digits_aae
from models.bundled.lenet import digits_lenet
from models.cards import card as cards
from models.latent import priors
from models.training.measure import SEED, body, load, rounded, seen
from models.training.mnist import digits, shuffled, unit
from models.training.options import DIGITS, begun, training_parser
from models.training.precision import lower_precision
from models.training.store import save_card, save_weights

AVERAGE = 0.998
BETAS = (0.5, 0.99)
RECENT = 4  # batches of codes that the critic sees
COMPARED = 1000
DRAWN = 2000


def train(net: AAE, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train in the three steps of Makhzani et al. 2016, section 2: reconstruction, critic, encoder.

    For the critic, samples of the prior are the real ones and codes the others. It takes several steps to one of the
    encoder, over the latest codes: a weak critic is satisfied by codes that are far from the prior. Stores an average
    of the weights.
    """
    rng = torch.Generator().manual_seed(options.seed)
    draws = np.random.default_rng(options.seed)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE), use_buffers=True)
    both = [*net.encoder.parameters(), *net.decoder.parameters()]
    rebuild = torch.optim.Adam(both, options.rate, fused=True)
    judge = torch.optim.Adam(net.critic.parameters(), options.rate, BETAS, fused=True)
    deceive = torch.optim.Adam(net.encoder.parameters(), options.rate / 2, BETAS, fused=True)
    steps = len(pictures) // options.batch
    total = steps * options.epochs
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(each, lambda step: 0.5 * (1 + math.cos(math.pi * step / (total + 1))))
        for each in (rebuild, judge, deceive)
    ]
    kept = torch.zeros(0, net.latent[0]["size"])
    for epoch in range(options.epochs):
        recent = torch.zeros(3)
        bar = tqdm(shuffled(len(pictures), options.batch, rng), f"epoch {epoch + 1}", steps, mininterval=10)
        for step, rows in enumerate(bar):
            x = unit(pictures[rows]).contiguous(memory_format=torch.channels_last)
            with lower_precision():
                codes = net.code(x)
                logits = net.logits(codes)
            codes = codes.float()
            rebuilt = functional.binary_cross_entropy_with_logits(logits.float(), x, reduction="sum") / len(x)
            net.critic.requires_grad_(False)
            fooled = functional.softplus(-net.judge(codes)).mean()
            net.critic.requires_grad_(True)
            own = list(net.encoder.parameters())
            towards = torch.autograd.grad(fooled, own, retain_graph=True)
            rebuild.zero_grad()
            rebuilt.backward()
            rebuild.step()
            for parameter, gradient in zip(own, towards, strict=True):
                parameter.grad = gradient
            deceive.step()

            kept = torch.cat([codes.detach(), kept])[: RECENT * len(x)]
            judged = torch.zeros(())
            for _ in range(options.critic):
                wanted = torch.from_numpy(priors.sample(net.prior, len(kept), draws))
                judged = functional.softplus(-net.judge(wanted)).mean() + functional.softplus(net.judge(kept)).mean()
                judge.zero_grad()
                judged.backward()
                judge.step()
            for schedule in schedules:
                schedule.step()
            average.update_parameters(net)
            recent = recent.lerp(torch.stack([rebuilt, judged, fooled]).detach(), 1 / min(step + 1, 100))
            bar.set_postfix_str("nats {:.1f} critic {:.3f} encoder {:.3f}".format(*recent.tolist()), refresh=False)
        save_weights(average.module, options.out)


@torch.inference_mode()
def figures(net: AAE, pictures: Tensor, judge: torch.nn.Module) -> dict[str, float]:
    """Return the metrics over held-out pictures (N, 1, 32, 32) uint8, in a random order."""
    codes = torch.cat([net.code(unit(part)) for part in pictures.split(500)])
    logits = torch.cat([net.logits(part) for part in codes.split(500)])
    error = functional.binary_cross_entropy_with_logits(logits, unit(pictures), reduction="none").flatten(1).sum(1)
    rng = np.random.default_rng(SEED)
    wanted = priors.sample(net.prior, len(codes), rng)
    found = priors.discrepancy(codes[:COMPARED].numpy(), wanted[:COMPARED])
    right = torch.cat([net.judge(torch.from_numpy(wanted)) > 0, net.judge(codes) <= 0]).float().mean()
    mean, spread = codes.mean(0), torch.cov(codes.T)
    drawn = net.decode(torch.from_numpy(priors.sample(net.prior, DRAWN, rng)))
    label = seen(judge, drawn).probabilities.argmax(1)  # pyright: ignore[reportArgumentType]
    share = torch.bincount(label, minlength=10) / len(label)
    return rounded(
        {
            "cross entropy of the reconstruction (nats)": float(error.mean()),
            f"MMD of {COMPARED:,} codes and the prior, times 1,000": found.mmd * 1000,
            "its permutation bound of 95 %, times 1,000": found.bound * 1000,
            "accuracy of the critic": float(right),
            "mean of the codes, 1": float(mean[0]),
            "mean of the codes, 2": float(mean[1]),
            "variance, 1": float(spread[0, 0]),
            "variance, 2": float(spread[1, 1]),
            "covariance": float(spread[0, 1]),
            "class entropy of samples (nats)": float(-(share * share.clamp(min=1e-12).log()).sum()),
        }
    )


def write_card(weights: Path, judge: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(digits_aae(), weights)
    pictures = digits(data, split="test")[0]
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(SEED))
    found = figures(net, pictures[order], load(digits_lenet(), judge))
    card = body(
        "digits_aae",
        "Handwritten digits on a plane (adversarial autoencoder)",
        knows="Draws single handwritten digits and encodes them.",
        domain="single digits",
        colours="grey",
        latent=net.latent,
        range=net.range,
        prior=net.prior,
        training=training,
        figures={"10,000 test digits of MNIST": found},
    )
    save_card(weights, card)
    return found


def main() -> None:
    """Train, save the weights, and measure the metrics for the card."""
    parser = training_parser(__doc__, data=DIGITS, epochs=12, batch=128, rate=1e-3)
    parser.add_argument("--judge", type=Path, default=cards.BUNDLED / "digits-lenet.safetensors", help="classifier")
    parser.add_argument("--critic", type=int, default=5, help="steps of the critic to one of the encoder")
    parser.add_argument("--start", type=Path, help="weights to go on from, with their card")
    options = begun(parser)
    net = load(digits_aae(), options.start) if options.start else digits_aae()
    train(net.train(), digits(options.data, split="train")[0], options)
    description = (
        f"{options.epochs} epochs of {options.batch}, Adam, peak rate {options.rate:g}, half of it for the encoder's "
        f"adversarial step, {options.critic} steps of the critic to one of the encoder, cosine, average of the weights "
        f"{AVERAGE}, seed {options.seed}"
    )
    if options.start:
        before = json.loads(options.start.with_suffix(".json").read_text(encoding="utf-8"))["training"]
        description = f"{before}, with one step of the critic; then {description}"
    print(write_card(options.out, options.judge, options.data, description), flush=True)


if __name__ == "__main__":
    main()
