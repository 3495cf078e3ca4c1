"""Latent directions that change the picture: from the Jacobian at a code, the first weights, or an early layer.

Directions are rows (k, D) of unit length, strongest first. Since a direction and its opposite are equivalent, the sign
is chosen so that the largest entry in magnitude is positive. The caller must enable gradients.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.types import Refusal

Decode = Callable[[Tensor], Tensor]
WEIGHTS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)

MOST_EXACT = 128  # up to this many dimensions the whole Jacobian is formed
EXTRA = 6  # oversampling: extra vectors beyond k make the k-th one converge
TURNS = 12


@dataclass(frozen=True)
class Directions:
    """Directions (k, D), and `strength` (k,), which ranks them; its meaning depends on the function that made them."""

    vectors: Tensor
    strength: Tensor


def singular(decode: Decode, code: Tensor, *, k: int, seed: int = 0) -> Directions:
    """Return the top right singular directions of the decoder's Jacobian at a code (D,), with its singular values.

    To first order, a step of length e along direction i changes the picture by e times value i (Euclidean distance over
    all its values). Exact for up to MOST_EXACT dimensions; beyond that, block power iteration on JᵀJ (Halko et al.
    2011, algorithm 4.4) from a seeded start, using only Jacobian products. The use follows Ramesh et al. 2018
    (1812.01161).
    """

    def flat(z: Tensor) -> Tensor:
        return decode(z[None])[0].flatten()

    with warnings.catch_warnings():
        # The first forward-mode product makes PyTorch import modules that warn, and it warns when a layer has only a
        # slow rule.
        warnings.simplefilter("ignore")
        small = len(code) <= MOST_EXACT
        basis = torch.eye(len(code)).to(code) if small else _iterated(flat, code, k + EXTRA, seed)
        products = _forward_products(flat, code, basis)
    _, values, rows = torch.linalg.svd(products.double(), full_matrices=False)
    return _ranked((rows @ basis.double().T)[:k], values[:k])


def factorised(weight: Tensor, *, k: int) -> Directions:
    """Return the right singular directions of the generator's first weight, with its singular values.

    SeFa (Shen & Zhou 2021, 2007.06600, equation 4): the eigenvectors of AᵀA. `weight` belongs to a linear layer (M, D)
    or a transposed convolution (D, M, h, w). Anything the code passes through before that layer is ignored. Raises
    Refusal for another shape.
    """
    match weight.ndim:
        case 2:
            matrix = weight
        case 4:
            matrix = weight.flatten(1).T
        case _:
            message = f"The first weight has the shape {tuple(weight.shape)}."
            raise Refusal(message, advice="It has to be that of a linear layer or a transposed convolution.")
    _, values, rows = torch.linalg.svd(matrix.detach().double(), full_matrices=False)
    return _ranked(rows[:k], values[:k])


def principal(activations: Tensor, codes: Tensor, *, k: int) -> Directions:
    """Return the latent directions (k, D) that follow the principal components of an early layer (N, ...).

    GANSpace (Härkönen et al. 2020, 2004.02546, section 2.2): the codes (N, D) are regressed on the coordinates of the
    layer's activations along the components. `strength` is the share of the layer's variance that each component
    explains. Components without variance are left out, so there may be fewer than `k`. Raises Refusal unless there are
    more codes than dimensions.
    """
    count, size = codes.shape
    if count <= size:
        raise Refusal(f"{count} codes are too few for {size} dimensions.", advice="Draw more.")
    rows = activations.flatten(1).double()
    rows = rows - rows.mean(0)
    u, values, _ = torch.linalg.svd(rows, full_matrices=False)
    there = values > values[0] * 1e-6
    coordinates = (u * values)[:, there][:, :k]
    share = (values**2 / (values**2).sum())[there][:k]
    centred = codes.double() - codes.double().mean(0)
    # The columns are orthogonal, so least squares reduces to one division per component.
    vectors = (coordinates / (coordinates**2).sum(0)).T @ centred
    return _ranked(vectors, share)


def early(decode: Decode, codes: Tensor) -> tuple[nn.Module, Tensor]:
    """Return the first layer with weights that codes (N, D) pass through, and the output (N, ...) of the second one.

    Raises Refusal if there are fewer than two.
    """
    met: list[tuple[nn.Module, Tensor]] = []

    def after(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(module, WEIGHTS) and len(met) < 2:
            met.append((module, output.detach().clone()))

    hook = nn.modules.module.register_module_forward_hook(after)
    try:
        with torch.no_grad():
            decode(codes)
    finally:
        hook.remove()
    if len(met) < 2:
        raise Refusal("The generator has fewer than two layers with weights.", advice="Use the Jacobian.")
    return met[0][0], met[1][1]


def _forward_products(flat: Decode, code: Tensor, block: Tensor) -> Tensor:
    """Return J V (P, n) for the columns of V (D, n), by forward-mode products."""
    return torch.func.vmap(lambda v: torch.func.jvp(flat, (code,), (v,))[1], in_dims=1, out_dims=1)(block)


def _iterated(flat: Decode, code: Tensor, width: int, seed: int) -> Tensor:
    """Return an orthonormal basis (D, n) that approximates the strongest right singular directions."""
    found: Any = torch.func.vjp(flat, code)
    back = found[1]
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(len(code), min(len(code), width), generator=generator).to(code)
    block = torch.linalg.qr(start)[0]
    for _ in range(TURNS):
        products = _forward_products(flat, code, block)
        block = torch.linalg.qr(torch.stack([back(column)[0] for column in products.T], 1))[0]
    return block


def _ranked(vectors: Tensor, strength: Tensor) -> Directions:
    unit = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-30)
    largest = unit.gather(1, unit.abs().argmax(1, keepdim=True))
    return Directions((unit * torch.where(largest < 0, -1.0, 1.0)).float(), strength.float())
