"""Metrics for the cards of the generative models, each computed by its definition from the stored weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bundled import lenet
from models.bundled.gan import CATEGORIES, CONTINUOUS, GAN, ConditionalDiscriminator, draw
from models.bundled.vae import VAE
from models.loading.weights import read
from models.training.mnist import SIZE_PX, unit

SEED = 2024
ACTIVE = 0.01
NEIGHBOURS = 3
BATCH = 500
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
Net = TypeVar("Net", bound=nn.Module)


def load(net: Net, weights: Path) -> Net:
    """Load stored weights into a network in single precision, and return it in evaluation mode."""
    state = read(weights)
    net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    return net.eval()


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Return the figures rounded to four digits after the decimal point."""
    return {name: round(value, 4) for name, value in figures.items()}


@torch.inference_mode()
def vae_figures(
    net: VAE, pictures: Tensor, *, step: int = 20, draws: int = 200
) -> tuple[dict[str, float], list[float]]:
    """Return the metrics of a VAE over pictures (N, 1, 32, 32) uint8, in nats, and the KL of each dimension (D,).

    The reconstruction term is the Bernoulli log-likelihood of grey values at one sampled code per picture. The bound of
    Burda et al. 2016 (IWAE) is computed over every `step`th picture, together with the ELBO of the same pictures.
    """
    rng = torch.Generator().manual_seed(SEED)
    means, terms, kls = [], [], []
    for part in pictures.split(BATCH):
        x = unit(part)
        mu, logvar = net.encode(x)
        z = mu + torch.exp(logvar / 2) * torch.randn(mu.shape, generator=rng)
        terms.append(likelihood(net, x, z))
        kls.append(0.5 * (mu**2 + logvar.exp() - 1 - logvar))
        means.append(mu)
    term, kl, mean = torch.cat(terms), torch.cat(kls), torch.cat(means)
    elbo = term - kl.sum(1)
    figures = {
        "reconstruction": float(term.mean()),
        "KL": float(kl.sum(1).mean()),
        "ELBO": float(elbo.mean()),
        f"ELBO, every {step}th": float(elbo[::step].mean()),
        f"IWAE({draws}), every {step}th": float(iwae(net, pictures[::step], draws, rng).mean()),
        "active units": int((mean.var(0) > ACTIVE).sum()),
    }
    return rounded(figures), [round(v, 4) for v in kl.mean(0).tolist()]


def likelihood(net: VAE, x: Tensor, z: Tensor) -> Tensor:
    """Return the Bernoulli log-likelihood (N,) of grey values (N, 1, H, W) given codes (N, D), in nats."""
    return -functional.binary_cross_entropy_with_logits(net.logits(z), x, reduction="none").flatten(1).sum(1)


def iwae(net: VAE, pictures: Tensor, draws: int, rng: torch.Generator) -> Tensor:
    """Return the importance-weighted bound (N,) on log p(x) of uint8 pictures (Burda et al. 2016, equation 8)."""
    bounds = []
    for x in unit(pictures).split(1):
        mu, logvar = net.encode(x)
        noise = torch.randn(draws, mu.shape[1], generator=rng)
        z = mu + torch.exp(logvar / 2) * noise
        prior = (-0.5 * z**2 - HALF_LOG_2PI).sum(1)
        posterior = (-0.5 * noise**2 - HALF_LOG_2PI - logvar / 2).sum(1)
        weight = likelihood(net, x.expand(draws, -1, -1, -1), z) + prior - posterior
        bounds.append(weight.logsumexp(0) - math.log(draws))
    return torch.stack(bounds)


def normalised(pictures: Tensor) -> Tensor:
    """Convert pictures (N, 1, 32, 32) in [0, 1] to the classifier's input, (N, 3, 32, 32)."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (lenet.MEAN, lenet.STD))
    return (pictures.expand(-1, 3, -1, -1) - mean) / std


@dataclass(frozen=True)
class Seen:
    """The classifier's output for N pictures: probabilities (N, 10) and features (N, F)."""

    probabilities: Tensor
    features: Tensor


@torch.inference_mode()
def seen(net: lenet.LeNet, pictures: Tensor) -> Seen:
    """Return the classifier's output for pictures (N, 1, 32, 32) in [0, 1]."""
    probabilities, features = [], []
    for part in pictures.split(BATCH):
        feature = net.features(normalised(part))
        features.append(feature)
        probabilities.append(net.fc3(feature).softmax(1))
    return Seen(torch.cat(probabilities), torch.cat(features))


@torch.inference_mode()
def made(net: GAN, z: Tensor) -> Tensor:
    """Return the pictures for codes (N, D), in [-1, 1]."""
    return torch.cat([net(part) for part in z.split(BATCH)])


def gan_figures(net: GAN, judge: lenet.LeNet, pictures: Tensor, *, count: int, of_manifold: int) -> dict[str, float]:
    """Return the metrics of a GAN, from `count` generated pictures and real ones (N, 1, 32, 32) uint8.

    The features are those of `judge`, the bundled classifier. The Fréchet distance is between gaussians fitted to these
    features; it is not an FID, which uses Inception's. Precision and recall are those of Kynkäänniemi et al. 2019 in
    the same features, with `of_manifold` pictures of each kind.
    """
    z = draw(net.latent, count, torch.Generator().manual_seed(SEED))
    drawn = made(net, z)
    fake, real = seen(judge, (drawn + 1) / 2), seen(judge, unit(pictures))
    label = fake.probabilities.argmax(1)
    share = torch.bincount(label, minlength=CATEGORIES) / count
    each = real.features[:: max(len(pictures) // of_manifold, 1)]  # a stride, because MNIST is sorted by digit
    precision, recall = precision_recall(each[:of_manifold], fake.features[:of_manifold])
    figures = {
        "class entropy (nats)": float(-(share * share.clamp(min=1e-12).log()).sum()),
        "class entropy, at most (nats)": math.log(CATEGORIES),
        "smallest class share": float(share.min()),
        "mean confidence": float(fake.probabilities.max(1).values.mean()),
        f"precision (k = {NEIGHBOURS})": precision,
        f"recall (k = {NEIGHBOURS})": recall,
        "Fréchet distance in the classifier's features": frechet(real.features, fake.features),
    }
    if hasattr(net, "recogniser"):
        figures |= recovery(net, z, drawn, label)
    if isinstance(net.discriminator, ConditionalDiscriminator):
        agrees = torch.stack([(label == z[:, :CATEGORIES].argmax(1))[z[:, at] == 1].float().mean() for at in range(10)])
        asked = fake.probabilities.gather(1, z[:, :CATEGORIES].argmax(1, keepdim=True))
        figures |= {
            "agreement with the digit asked for": float((label == z[:, :CATEGORIES].argmax(1)).float().mean()),
            "smallest agreement of a digit": float(agrees.min()),
            "mean probability of the digit asked for": float(asked.mean()),
            "distance of two pictures of one digit": apart(drawn.add(1).div(2), z[:, :CATEGORIES].argmax(1)),
            "distance of two real pictures of one digit": apart(
                unit(pictures), seen(judge, unit(pictures)).probabilities.argmax(1)
            ),
        }
    return rounded(figures)


def apart(pictures: Tensor, kinds: Tensor) -> float:
    """Return the mean Euclidean distance, in grey values from 0 to 1, of pictures (N, 1, H, W) of the same kind (N,).

    Each picture is compared with one other of its kind; the mean is over the kinds.
    """
    each = [pictures[kinds == kind].flatten(1) for kind in kinds.unique()]
    return float(torch.stack([(part - part.roll(1, 0)).norm(dim=1).mean() for part in each]).mean())


@torch.inference_mode()
def recovery(net: GAN, z: Tensor, drawn: Tensor, label: Tensor) -> dict[str, float]:
    """Return how well the codes (N, D) of generated pictures can be recovered, and whether each category is one digit.

    Purity is the share of pictures that the classifier assigns to the most frequent class of their category.
    """
    recognised = [net.recogniser(part) for part in drawn.split(BATCH)]
    category, continuous = (torch.cat(parts) for parts in zip(*recognised, strict=True))
    true = z[:, :CATEGORIES].argmax(1)
    table = shown(true, label)
    found = {
        "category recovered": float((category.argmax(1) == true).float().mean()),
        "purity of categories": float(table.max(1).values.sum() / table.sum()),
        "digits that some category shows most": int(table.argmax(1).unique().numel()),
    }
    for i in range(CONTINUOUS):
        pair = torch.stack([continuous[:, i], z[:, CATEGORIES + i]])
        found[f"correlation of continuous code {i + 1}"] = float(torch.corrcoef(pair)[0, 1])
    return found


def shown(category: Tensor, label: Tensor) -> Tensor:
    """Return how often (10, 10) each category (rows) is classified as each digit (columns)."""
    return torch.bincount(category * CATEGORIES + label, minlength=CATEGORIES**2).view(CATEGORIES, CATEGORIES)


def labels(net: GAN, judge: lenet.LeNet, count: int) -> list[str]:
    """Return, for each category, the digit that the classifier sees most often in its pictures."""
    z = draw(net.latent, count, torch.Generator().manual_seed(SEED))
    label = seen(judge, (made(net, z) + 1) / 2).probabilities.argmax(1)
    return [lenet.CLASSES[i] for i in shown(z[:, :CATEGORIES].argmax(1), label).argmax(1)]


def precision_recall(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Return precision and recall of features (N, F) and (M, F) (Kynkäänniemi et al. 2019, equations 1 to 3)."""
    return _covered(real, fake), _covered(fake, real)


def _covered(manifold: Tensor, points: Tensor) -> float:
    """Return the share of `points` that lie within the distance of some manifold point to its k-th neighbour."""
    radius = torch.cdist(manifold, manifold).kthvalue(NEIGHBOURS + 1).values
    return float((torch.cdist(points, manifold) <= radius).any(1).float().mean())


def frechet(real: Tensor, fake: Tensor) -> float:
    """Return the squared Fréchet distance of gaussians fitted to features (N, F) and (M, F) (Dowson, Landau 1982)."""
    a, b = real.double().numpy(), fake.double().numpy()
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    mixed = np.linalg.eigvals(cov_a @ cov_b).real.clip(min=0)
    shift = a.mean(0) - b.mean(0)
    return float(shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(mixed).sum())


def body(architecture: str, title: str, **more: Any) -> dict[str, Any]:
    """Return the entries shared by the cards of all generative models, with `more` of this one."""
    return {
        "name": architecture.replace("_", "-"),
        "title": title,
        "task": "generation",
        "architecture": architecture,
        "classes": [],
        "channels": 1,
        "size": SIZE_PX,
        "training_data": "The 60,000 training digits of MNIST (LeCun et al. 1998), enlarged to 32 x 32 px, bilinear",
        "licence": "MIT",
        **more,
    }
