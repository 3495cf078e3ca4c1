"""Find the family that a state dict belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from models.families import chain, generators, minifasnet, residual, retinaface, unet, variational
from models.families.proposal import Proposal, Shapes

FAMILIES: tuple[Callable[[Shapes], Proposal | None], ...] = (
    retinaface.propose,
    minifasnet.propose,
    unet.propose,
    variational.propose,
    generators.propose,
    residual.propose,
    chain.propose,
)


def find(state: Mapping[str, Tensor]) -> Proposal | None:
    """Return the proposal of the first family whose network has exactly these tensors, None if there is none."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return next((found for propose in FAMILIES if (found := propose(shapes)) is not None), None)
