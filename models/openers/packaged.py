"""Opens models that come as Python packages: their network is the package's, their weights are read as any others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models import files
from models.cards import packaged
from models.loading import architectures, heads, weights
from models.loading.opened_model import Opened
from models.runtime.context import Context
from models.types import Refusal


def match(base: str) -> bool:
    """Return whether this is the name of a model that comes as Python packages."""
    return base in packaged.cards()


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the network with its weights. Raises Refusal if the packages are missing or hold other weights."""
    card = packaged.placed(base)
    file = card.weights
    assert file is not None
    with context.stage("read weights"):
        state = weights.read(file)
        if files.sha256(file) != card.sha256:
            raise Refusal(
                f"{file.name} is not the file that the card of {base} describes.",
                advice=f"Install the packages again: {packaged.command(card)}",
            )
    from efficientnet_lite_pytorch import EfficientNet  # pyright: ignore[reportMissingTypeStubs]

    with architectures.unfilled():
        net = EfficientNet.from_name(card.architecture)
    weights.load(net, state, name=base)
    about = {**card.about, "note": f"From the packages {' and '.join(packaged.packages(card))}."}
    return Opened(net, replace(card, about=about), assumed={k: v for k, v in assumed.items() if k == heads.KEY})
