"""The options that every training script has, and what each does with them first."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import torch

DIGITS = "folder with mnist.npz"
PHOTOS = "folder with cifar10-jpeg.zip"


def training_parser(
    description: str | None,
    *,
    data: str,
    batch: int,
    rate: float,
    rate_help: str = "peak learning rate",
    steps: int = 0,
    epochs: int = 0,
    architectures: Iterable[str] = (),
    threads: int = 1,
) -> argparse.ArgumentParser:
    """Return a parser with those options and their defaults; `data` says what is in the data folder.

    A script counts `steps` or `epochs`, or has an option of its own for it. One that trains several `architectures`
    asks for the name of one.
    """
    parser = argparse.ArgumentParser(description=description)
    if architectures:
        parser.add_argument("--architecture", choices=sorted(architectures), required=True)
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="where the weights go (.safetensors)")
    if steps:
        parser.add_argument("--steps", type=int, default=steps)
    if epochs:
        parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate, help=rate_help)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=threads)
    return parser


def begun(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options of the command line; torch has their seed and number of threads."""
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    return options
