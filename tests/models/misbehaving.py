"""Models that misbehave, as a user's own code may. Each is a file `NAME.py` with a function `build`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from models.user_code import consent

BODY = '''
import ctypes, os, random, signal, subprocess, sys, threading, time, warnings
import numpy as np
import torch
import torchvision


class Odd(torch.nn.Module):
    """Passes its input on, and does something else besides."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(1))
        self.norm = torch.nn.BatchNorm1d(1024)
        self.kept = []

    def forward(self, x):
        {what}
        return x


class Mute(BaseException):
    def __str__(self):
        raise ValueError("no words")


def build():
    torch.manual_seed(0)
    net = torchvision.models.shufflenet_v2_x0_5(num_classes=3)
    net.fc = torch.nn.Sequential(Odd(), torch.nn.Linear(1024, 3))
    return net
'''


def model(folder: Path, name: str, what: str, *, sign: str = "") -> str:
    """Write a model that does something in `forward`, allow its code, and return its full name.

    With the name of a `sign` it does so from when a file of that name lies beside it; as it is opened, it behaves.
    """
    path = folder / f"{name}.py"
    if sign:
        what = f"if os.path.exists({str(folder / sign)!r}):\n    " + what.replace("\n", "\n    ")
    path.write_text(BODY.replace("{what}", what.replace("\n", "\n        ")), encoding="utf-8")
    consent.allow(path, hashlib.sha256(path.read_bytes()).hexdigest())
    return f"{path}:build"
