"""Small VAEs and GANs with random weights in files, so that the window opens them as users' own. No test is here."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.loading.plain_layouts import ConvVAE


def vae(folder: Path, *, dims: int = 4) -> str:
    """Write the weights of a VAE for 32 px; return their path."""
    torch.manual_seed(5)
    net = ConvVAE(dims=dims, width=4, hidden=16)
    with torch.no_grad():
        for parameter in net.decoder.parameters():
            parameter.mul_(3)  # so that another code is another picture
    torch.save(net.state_dict(), folder / "vae.pt")
    return str(folder / "vae.pt")


def gan(folder: Path, *, dims: int = 6) -> str:
    """Write the weights of a generator for 8 px and of its discriminator; return the generator's path."""
    torch.manual_seed(6)
    generator = nn.Sequential(nn.Linear(dims, 20), nn.ReLU(), nn.Linear(20, 64))
    critic = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 1))
    torch.save(generator.state_dict(), folder / "netG.pth")
    torch.save(critic.state_dict(), folder / "netD.pth")
    return str(folder / "netG.pth")
