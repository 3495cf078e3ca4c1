"""Training on the pyramid of `digits-ssd`, of which the bottom-up half or all stays as it is."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from models.bundled.pyramid import Pyramid
from models.cards.card import BUNDLED
from models.loading import weights

BOTTOM_UP = ("stem", "stage3", "stage4", "stage5")
WHOLE = (*BOTTOM_UP, "lateral", "smooth")


def load(pyramid: Pyramid, frozen: tuple[str, ...]) -> None:
    """Load the weights of `digits-ssd` and freeze some parts; a level that the pyramid does not have is left out."""
    state = weights.read(BUNDLED / "digits-ssd.safetensors")
    own = {k.removeprefix("backbone."): v.float() for k, v in state.items() if k.startswith("backbone.")}
    left = () if pyramid.extra is not None else ("extra.",)
    pyramid.load_state_dict({k: v for k, v in own.items() if not (left and k.startswith(left))})
    for part in parts(pyramid, frozen):
        for parameter in part.parameters():
            parameter.requires_grad_(False)


def keep_statistics(pyramid: Pyramid, frozen: tuple[str, ...]) -> None:
    """Leave the frozen parts in evaluation mode, so that their normalisation stays as it is."""
    for part in parts(pyramid, frozen):
        part.eval()


def parts(pyramid: Pyramid, frozen: tuple[str, ...]) -> Iterator[nn.Module]:
    """Yield the modules that are frozen."""
    return (getattr(pyramid, name) for name in frozen)
