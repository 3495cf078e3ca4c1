"""The bundled adversarial autoencoder of digits, 32x32 px, whose latent space is a plane."""

from __future__ import annotations

from torch import Tensor, nn

from models.bundled.vae import LEAST_PX, dense, down, up

SLOPE = 0.2
PRIOR = "gaussian"


class AAE(nn.Module):
    """An adversarial autoencoder (Makhzani et al. 2016) of one channel and 32x32 px.

    The encoder gives one code for a picture, without a variance. A critic of codes, which tells them from samples of
    the prior, takes the place of a VAE's KL divergence.
    """

    def __init__(self, *, dimensions: int = 2, width: int = 32, hidden: int = 256, prior: str = PRIOR) -> None:
        super().__init__()
        self.latent = [{"kind": "gaussian", "size": dimensions, "name": "z"}]
        self.range, self.prior = (0.0, 1.0), prior
        flat = 4 * width * LEAST_PX**2
        self.encoder = nn.Sequential(
            *down(1, width),
            *down(width, 2 * width),
            *down(2 * width, 4 * width),
            nn.Flatten(),
            *dense(flat, hidden),
            *dense(hidden, hidden),
            nn.Linear(hidden, dimensions),
        )
        self.decoder = nn.Sequential(
            *dense(dimensions, hidden),
            *dense(hidden, hidden),
            *dense(hidden, flat),
            nn.Unflatten(1, (4 * width, LEAST_PX, LEAST_PX)),
            *up(4 * width, 2 * width),
            *up(2 * width, width),
            nn.ConvTranspose2d(width, 1, 4, 2, 1),
        )
        self.critic = nn.Sequential(
            nn.Linear(dimensions, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, 1),
        )

    def code(self, x: Tensor) -> Tensor:
        """Return the codes (N, D) of pictures (N, 1, 32, 32) in [0, 1]."""
        return self.encoder(x)

    def logits(self, z: Tensor) -> Tensor:
        """Return the logits (N, 1, 32, 32) that codes (N, D) decode to."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Return the pictures (N, 1, 32, 32) in [0, 1] for codes (N, D)."""
        return self.logits(z).sigmoid()

    def judge(self, z: Tensor) -> Tensor:
        """Return the critic's logits (N,) of codes (N, D), above 0 for those taken for samples of the prior."""
        return self.critic(z)[:, 0]

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstructions of pictures."""
        return self.decode(self.code(x))


def digits_aae() -> AAE:
    """Build the autoencoder with 2 latent dimensions, whose prior is the standard normal distribution."""
    return AAE()
