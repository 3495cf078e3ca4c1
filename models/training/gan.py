"""Train a bundled generative adversarial network on MNIST. Seeded; CPU.

Run: python -m models.training.gan --architecture digits_gan --data DIR --out FILE
"""

from __future__ import annotations

import argparse
import math
import operator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from models.bundled.gan import (
    CATEGORIES,
    CONTINUOUS,
    GAN,
    ConditionalDiscriminator,
    digits_cgan,
    digits_gan,
    digits_infogan,
    draw,
)
from models.bundled.lenet import digits_lenet
from models.cards import card as cards
from models.training.cluster import agreement, cluster, distorted
from models.training.measure import SEED, body, gan_figures, labels, load
from models.training.mnist import digits, shuffled, unit
from models.training.options import DIGITS, begun, training_parser
from models.training.precision import lower_precision
from models.training.store import save_card, save_weights

BUILDERS = {"digits_cgan": digits_cgan, "digits_gan": digits_gan, "digits_infogan": digits_infogan}
TITLES = {
    "digits_cgan": "Handwritten digits, the digit chosen (conditional GAN)",
    "digits_gan": "Handwritten digits (DCGAN)",
    "digits_infogan": "Handwritten digits with codes for kind and style (InfoGAN)",
}
KNOWS = {"digits_cgan": "Draws the handwritten digit that is asked for."}
FIGURES = {"count": 10_000, "of_manifold": 2_000}
BETAS = (0.5, 0.999)
EMA = 0.999
CATEGORY_WEIGHT, CONTINUOUS_WEIGHT, AGREEMENT_WEIGHT = 1.0, 0.5, 0.5


def bounded(discriminator: nn.Module) -> nn.Module:
    """Constrain every weight to a spectral norm of 1 (Miyato et al. 2018) for training; `plain` makes it permanent."""
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(module)
    return discriminator


def plain(net: GAN, generator: nn.Module, architecture: str) -> GAN:
    """Return a new network to be stored, with an averaged generator and the constrained weights made permanent."""
    stored = BUILDERS[architecture]()
    stored.generator.load_state_dict(generator.state_dict())
    if hasattr(net, "recogniser"):
        stored.recogniser.load_state_dict(net.recogniser.state_dict())
    net.discriminator.eval()  # in training mode each read of a weight runs another power iteration
    for name, parameter in stored.discriminator.named_parameters():
        parameter.data.copy_(operator.attrgetter(name)(net.discriminator))
    net.discriminator.train()
    return stored


def information(net: GAN, made: Tensor, z: Tensor) -> Tensor:
    """Return the negative log-likelihood of the codes under the recogniser, in nats up to a constant.

    Chen et al. 2016, equation 5. The category is read from augmented pictures, so that slant, size and position cannot
    carry it; the continuous codes are read from the unchanged pictures, under a gaussian of fixed width.
    """
    with lower_precision():
        category, _ = net.recogniser(distorted(made))
        _, continuous = net.recogniser(made)
    wanted = z[:, CATEGORIES : CATEGORIES + CONTINUOUS]
    return CATEGORY_WEIGHT * functional.cross_entropy(
        category.float(), z[:, :CATEGORIES].argmax(1)
    ) + CONTINUOUS_WEIGHT * functional.mse_loss(continuous.float(), wanted)


def critic_loss(net: GAN, real: Tensor, made: Tensor, of: tuple[Tensor, Tensor], rng: torch.Generator) -> Tensor:
    """Return the discriminator's loss for real and made pictures (N, 1, 32, 32); `of` are real digits and codes.

    A conditional one is told the digit of each; real pictures of other digits than asked for count half as much.
    """
    digit, z = of
    conditional = isinstance(net.discriminator, ConditionalDiscriminator)
    with lower_precision():
        both = torch.cat([real.to(made.dtype), made])
        scores = (net.discriminator.each(both) if conditional else net.discriminator(both)).float()
    mismatched = torch.zeros(())
    if conditional:
        other = (digit + torch.randint(1, CATEGORIES, (len(real),), generator=rng)) % CATEGORIES
        mismatched = functional.softplus(scores[: len(real)].gather(1, other[:, None])).mean()
        asked = torch.cat([digit, z[:, :CATEGORIES].argmax(1)])
        scores = scores.gather(1, asked[:, None])[:, 0]
    of_real, of_made = scores.chunk(2)
    return functional.softplus(-of_real).mean() + functional.softplus(of_made).mean() + 0.5 * mismatched


def _learning_rate_factor(done: float) -> float:
    """Return the factor of the learning rates after a share of the steps: they fall in the second half."""
    return min(1.0, 0.05 + 1.9 * (1 - done))


def train(net: GAN, pictures: Tensor, digit: Tensor, options: argparse.Namespace) -> None:
    """Train with the non-saturating loss (Goodfellow et al. 2014) and Adam; save the weights after every epoch.

    A conditional GAN's discriminator is also shown which `digit` (N,) each picture is, or was asked to be; that a real
    picture is another digit than asked for is as wrong as that it was made (Reed et al. 2016, section 4.2).

    InfoGAN's category may come to mean anything recognisable in a picture. To make it the digit, the recogniser first
    clusters real pictures without their labels, and continues to do so during the adversarial training.
    """
    rng = torch.Generator().manual_seed(options.seed)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    bounded(net.discriminator)
    average = AveragedModel(net.generator, multi_avg_fn=get_ema_multi_avg_fn(EMA), use_buffers=True)
    informed, conditional = hasattr(net, "recogniser"), isinstance(net.discriminator, ConditionalDiscriminator)
    if informed:
        cluster(net.recogniser, pictures, rng, epochs=options.sorting)
    groups = [{"params": net.generator.parameters(), "lr": options.rate}]
    if informed:
        groups.append({"params": net.recogniser.parameters()})
    maker = torch.optim.Adam(groups, 2 * options.rate, BETAS, fused=True)
    judge = torch.optim.Adam(net.discriminator.parameters(), 2 * options.rate, BETAS, fused=True)
    steps = len(pictures) // options.batch
    total = steps * options.epochs
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(o, lambda step: _learning_rate_factor(step / total)) for o in (maker, judge)
    ]
    recent = torch.zeros(3)
    for epoch in range(options.epochs):
        bar = tqdm(shuffled(len(pictures), options.batch, rng), f"epoch {epoch + 1}", steps, mininterval=10)
        for rows in bar:
            real = (unit(pictures[rows]) * 2 - 1).contiguous(memory_format=torch.channels_last)
            z = draw(net.latent, options.batch, rng)

            with lower_precision():
                made = net.generator(z)
            judged = critic_loss(net, real, made.detach(), (digit[rows], z), rng)
            judge.zero_grad()
            judged.backward()
            judge.step()

            net.discriminator.requires_grad_(False)
            with lower_precision():
                believed = net.discriminator(made, z[:, :CATEGORIES]) if conditional else net.discriminator(made)
                fooled = functional.softplus(-believed.float()).mean()
            loss_of_code = torch.zeros(())
            if informed:
                loss_of_code = information(net, made.float(), z) - AGREEMENT_WEIGHT * agreement(net.recogniser, real)
            maker.zero_grad()
            (fooled + loss_of_code).backward()
            maker.step()
            net.discriminator.requires_grad_(True)
            average.update_parameters(net.generator)
            for schedule in schedules:
                schedule.step()

            losses = torch.stack([judged.detach(), fooled.detach(), loss_of_code.detach()])
            if not math.isfinite(float(losses.sum())):
                raise FloatingPointError(f"The losses are not finite in epoch {epoch + 1}: {losses}.")
            recent = recent.lerp(losses, 0.02)
            bar.set_postfix_str("judge {:.3f} maker {:.3f} codes {:.3f}".format(*recent.tolist()), refresh=False)
        save_weights(plain(net, average.module, options.architecture), options.out)


def write_card(architecture: str, weights: Path, judge: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(BUILDERS[architecture](), weights)
    sees = load(digits_lenet(), judge)
    figures = gan_figures(net, sees, digits(data, split="test")[0], **FIGURES)
    more = {"categories": labels(net, sees, FIGURES["count"])} if hasattr(net, "recogniser") else {}
    card = body(
        architecture,
        TITLES[architecture],
        knows=KNOWS.get(architecture, "Draws single handwritten digits."),
        domain="single digits",
        colours="grey",
        latent=net.latent,
        range=net.range,
        training=training,
        **more,
        figures={f"{FIGURES['count']:,} pictures drawn with seed {SEED}, as digits-lenet sees them": figures},
    )
    save_card(weights, card)
    return figures


def main() -> None:
    """Train, save the weights, and measure the metrics for the card."""
    parser = training_parser(
        __doc__,
        data=DIGITS,
        architectures=BUILDERS,
        epochs=20,
        batch=64,
        rate=2e-4,
        rate_help="learning rate of the generator; the judge's is twice",
    )
    parser.add_argument("--judge", type=Path, default=cards.BUNDLED / "digits-lenet.safetensors", help="classifier")
    parser.add_argument("--sorting", type=int, default=7, help="epochs of the recogniser alone, InfoGAN only")
    options = begun(parser)
    train(BUILDERS[options.architecture](), *digits(options.data, split="train"), options)
    description = (
        f"{options.epochs} epochs of {options.batch}, non-saturating loss, spectral norm on the discriminator, Adam, "
        f"rates {options.rate:g} and {2 * options.rate:g}, falling in the second half, average of the generator's "
        f"weights {EMA}, seed {options.seed}"
    )
    if options.architecture == "digits_cgan":
        description += "; the discriminator also learns that real pictures are not of other digits"
    if options.architecture == "digits_infogan":
        description += (
            f"; before, {options.sorting} epochs in which the recogniser sorts real pictures without labels by "
            "invariant information (Ji et al. 2019), which it goes on doing beside the game"
        )
    print(write_card(options.architecture, options.out, options.judge, options.data, description), flush=True)


if __name__ == "__main__":
    main()
