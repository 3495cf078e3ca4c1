"""Generators of GANs that take a class through an embedding: those of PyTorch-GAN and of tutorials (CGAN, ACGAN)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from models.families import code_chain, generators
from models.families.codes import JOINED, Conditioned, distance
from models.families.proposal import Proposal, Shapes, choice

EMBEDDING = re.compile(r"(.*\.)?(label_?emb\w*|emb\w*|class_?emb\w*|label_?embed\w*)(\.0)?\.weight", re.I)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the generator that has these tensors, None if it is none."""
    found = [name for name, shape in shapes.items() if EMBEDDING.fullmatch(name) and len(shape) == 2]
    if len(found) != 1 or f"{found[0].removesuffix('weight')}bias" in shapes:
        return None
    own, (classes, width) = found[0], shapes[found[0]]
    rest = {name: shape for name, shape in shapes.items() if name != own}
    inner = generators.propose(rest) or code_chain.propose(rest)
    if inner is None:
        return None
    assumed = {name: item["choices"][0] for name, item in inner.offered.items()} | {"code": "plain"}
    with torch.device("meta"):
        dims = inner.build(assumed).latent[0]["size"]  # type: ignore[index, union-attr]
    if dims == width:
        ways = ("product",)
    elif dims > width:
        label = own.lower().startswith("label")
        ways = ("class_first", "noise_first") if label else ("noise_first", "class_first")
    else:
        return None
    offered: dict[str, Mapping[str, Any]] = {name: item for name, item in inner.offered.items() if name != "code"}
    if len(ways) > 1:
        offered["joined"] = choice("Class", "How the class's row and the noise are joined.", ways, JOINED)

    def build(given: Mapping[str, str]) -> nn.Module:
        return Conditioned(inner.build({**given, "code": "plain"}), classes, width, given.get("joined", ways[0]))

    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "generator.embedding.weight" if name == own else f"generator.inner.{name}": tensor
            for name, tensor in state.items()
        }

    return replace(
        inner,
        title=f"{inner.title}, with an embedding of {classes} classes",
        build=build,
        offered=offered,
        judged=tuple(name for name in (*inner.judged, "joined") if name in offered) if inner.measure else (),
        renamed=renamed,
        measure=distance if inner.measure is not None else None,
    )
