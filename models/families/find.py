"""Find the family that a state dict belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from models.families import (
    aggregated,
    atrous_segmenters,
    autoencoders,
    cells,
    chain,
    code_chain,
    code_segmenters,
    coded_generators,
    concatenated,
    conditional,
    generators,
    heat_maps,
    inception,
    inverted,
    minifasnet,
    mtcnn,
    named_segmenters,
    numbered_residual,
    paired_generator,
    parallel_branches,
    patch_transformers,
    picture_chain,
    picture_generators,
    plain_unet,
    quantised,
    residual,
    residual_pairs,
    retinaface,
    separable,
    shuffled,
    spatial_transformer,
    super_resolution,
    unet,
    variational,
)
from models.families.proposal import Proposal, Shapes

FAMILIES: tuple[Callable[[Shapes], Proposal | None], ...] = (
    retinaface.propose,
    minifasnet.propose,
    heat_maps.propose,
    mtcnn.propose,
    unet.propose,
    named_segmenters.propose,
    code_segmenters.propose,
    atrous_segmenters.propose,
    plain_unet.propose,
    super_resolution.propose,
    picture_generators.propose,
    paired_generator.propose,
    picture_chain.propose,
    quantised.propose,
    coded_generators.propose,
    patch_transformers.propose,
    variational.propose,
    autoencoders.propose,
    conditional.propose,
    generators.propose,
    code_chain.propose,
    numbered_residual.propose,
    shuffled.propose,
    aggregated.propose,
    cells.propose,
    inception.propose,
    separable.propose,
    parallel_branches.propose,
    inverted.propose,
    concatenated.propose,
    residual_pairs.propose,
    residual.propose,
    spatial_transformer.propose,
    chain.propose,
)


def find(state: Mapping[str, Tensor]) -> Proposal | None:
    """Return the proposal of the first family whose network has exactly these tensors, None if there is none."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return next((found for propose in FAMILIES if (found := propose(shapes)) is not None), None)
