"""Train a bundled variational autoencoder on MNIST. Seeded; CPU.

Run: python -m models.training.vae --architecture digits_vae --data DIR --out FILE
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from models.bundled.vae import VAE, digits_vae, digits_vae_2d
from models.training.measure import body, load, vae_figures
from models.training.mnist import digits, shuffled, unit
from models.training.options import DIGITS, begun, training_parser
from models.training.precision import lower_precision
from models.training.store import save_card, save_weights

BUILDERS = {"digits_vae": digits_vae, "digits_vae_2d": digits_vae_2d}
TITLES = {
    "digits_vae": "Handwritten digits, ten latent dimensions (variational autoencoder)",
    "digits_vae_2d": "Handwritten digits on a plane (variational autoencoder)",
}
WARM_UP = 0.25


def loss(net: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the reconstruction loss and the KL of pictures (N, 1, 32, 32) in [0, 1], in nats, as batch means.

    The reconstruction loss is the negative Bernoulli log-likelihood of grey values: binary cross entropy summed over
    the pixels, at one sampled code per picture (Kingma, Welling 2014, equation 10, beta 1).
    """
    with lower_precision():
        mu, logvar = net.encode(x)
    mu, logvar = mu.float(), logvar.float()
    z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
    with lower_precision():
        logits = net.logits(z)
    reconstruction = functional.binary_cross_entropy_with_logits(logits.float(), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction, kl


def train(net: VAE, pictures: Tensor, options: argparse.Namespace) -> None:
    """Train with Adam and a one-cycle schedule; save the weights after every epoch.

    The weight of the KL term grows from 0 to 1 in the first quarter, so that dimensions do not collapse before they are
    used (Bowman et al. 2016, section 3.1).
    """
    generator = torch.Generator().manual_seed(options.seed)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = torch.optim.Adam(net.parameters(), options.rate, fused=True)
    steps = len(pictures) // options.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=steps * options.epochs)
    for epoch in range(options.epochs):
        recent = torch.zeros(2)
        bar = tqdm(shuffled(len(pictures), options.batch, generator), f"epoch {epoch + 1}", steps, mininterval=10)
        for step, rows in enumerate(bar):
            x = unit(pictures[rows]).contiguous(memory_format=torch.channels_last)
            reconstruction, kl = loss(net, x)
            optimiser.zero_grad()
            weight = min(1.0, (epoch * steps + step) / (WARM_UP * steps * options.epochs))
            (reconstruction + weight * kl).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 100.0)
            optimiser.step()
            schedule.step()
            recent = recent.lerp(torch.stack([reconstruction, kl]).detach(), 1 / min(step + 1, 100))
            bar.set_postfix_str(f"reconstruction {recent[0]:.1f} KL {recent[1]:.2f} nats", refresh=False)
        save_weights(net, options.out)


def write_card(architecture: str, weights: Path, data: Path, training: str) -> dict[str, float]:
    """Write the card of trained weights with metrics measured on the stored weights, and return the metrics."""
    net = load(BUILDERS[architecture](), weights)
    figures, kl = vae_figures(net, digits(data, split="test")[0])
    card = body(
        architecture,
        TITLES[architecture],
        latent=net.latent,
        range=net.range,
        likelihood=net.likelihood,
        kl=kl,
        training=training,
        figures={"10,000 test digits of MNIST, nats": figures},
    )
    save_card(weights, card)
    return figures


def main() -> None:
    """Train, save the weights, and measure the metrics for the card."""
    options = begun(training_parser(__doc__, data=DIGITS, architectures=BUILDERS, epochs=20, batch=64, rate=1e-3))
    net = BUILDERS[options.architecture]()
    train(net, digits(options.data, split="train")[0], options)
    description = (
        f"{options.epochs} epochs of {options.batch}, Adam, peak rate {options.rate:g}, one cycle, beta 1 after a "
        f"warm-up over the first {WARM_UP:.0%}, seed {options.seed}"
    )
    print(write_card(options.architecture, options.out, options.data, description), flush=True)


if __name__ == "__main__":
    main()
