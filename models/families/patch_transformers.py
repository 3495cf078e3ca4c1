"""Vision transformers (Dosovitskiy et al. 2021) of the code that tutorials build on, told by their tensors' names.

How many heads share a layer's numbers, and whether the class token or the mean of all goes to the head, stand in no
tensor; pictures do not tell either, so the usual choices are listed first and asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.proposal import (
    CIFAR_10,
    CIFAR_100,
    Proposal,
    RebuiltClassifier,
    Shapes,
    choice,
    indices,
    numbered,
    place,
    same,
)

HEAD = 64  # numbers of a head, where nothing else was chosen
HEADS = (8, 4, 16, 12, 6, 3, 2, 1)
TAKEN = choice(
    "Taken",
    "What goes to the last layer.",
    ("token", "mean"),
    {"token": "the class token", "mean": "the mean of all tokens"},
)


class PatchTransformer(RebuiltClassifier):
    """Patches to tokens, layers of attention and of two linear layers, and a head."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self._patch = [f"to_patch_embedding.{at}" for at in indices(shapes, "to_patch_embedding.")]
        tokens, dim = shapes["pos_embedding"][-2:]
        entry = next(path for path in self._patch if len(shapes[f"{path}.weight"]) == 2)
        self._token = "cls_token" in shapes
        count, pixels = tokens - self._token, shapes[f"{entry}.weight"][1]
        self.channels = next(c for c in (3, 1) if pixels % c == 0 and round((pixels / c) ** 0.5) ** 2 * c == pixels)
        self._step, self._row = round((pixels / self.channels) ** 0.5), round(count**0.5)
        if self._row**2 != count:
            raise ValueError("no square picture")
        self.side = self._step * self._row
        self.pos_embedding = nn.Parameter(torch.empty(shapes["pos_embedding"]))
        if self._token:
            self.cls_token = nn.Parameter(torch.empty(shapes["cls_token"]))
        self._blocks = [
            (self._inner(shapes, at, 0), self._inner(shapes, at, 1)) for at in indices(shapes, "transformer.layers.")
        ]
        self._ends = [
            path for path in ("transformer.norm", "mlp_head.0", "mlp_head.1", "mlp_head") if _has(shapes, path)
        ]
        for path in dict.fromkeys(name.rpartition(".")[0] for name in shapes):
            weight = shapes.get(f"{path}.weight", ())
            bias = f"{path}.bias" in shapes
            if path and len(weight) == 2:
                place(self, path, nn.Linear(weight[1], weight[0], bias=bias))
            elif path and len(weight) == 1:
                place(self, path, nn.LayerNorm(weight[0], bias=bias))
        inside = shapes[f"{self._blocks[0][0]}.to_qkv.weight"][0] // 3
        self._heads = int(assumed.get("heads", heads_of(inside)[0]))
        self._mean = assumed.get("taken", "token") == "mean" or not self._token
        del dim

    def _inner(self, shapes: Shapes, at: int, part: int) -> str:
        path = f"transformer.layers.{at}.{part}"
        return f"{path}.fn" if _has(shapes, f"{path}.fn") else path

    def _normed(self, path: str, x: Tensor) -> Tensor:
        """Return tokens normalised by the layer in a part, or beside it where it is wrapped."""
        for own in (f"{path}.norm", f"{path.removesuffix('.fn')}.norm"):
            if own != "transformer.norm" and self._found(own):
                return self.get_submodule(own)(x)
        return x

    def _found(self, path: str) -> bool:
        try:
            return bool(self.get_submodule(path))
        except AttributeError:
            return False

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, S, S)."""
        step = self._step
        x = x.unfold(2, step, step).unfold(3, step, step).permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)
        for path in self._patch:
            x = self.get_submodule(path)(x)
        x = torch.cat([self.cls_token.view(1, 1, -1).expand(len(x), -1, -1), x], 1) if self._token else x
        x = x + self.pos_embedding.view(1, *self.pos_embedding.shape[-2:])
        for attention, forward in self._blocks:
            x = x + self._attended(attention, self._normed(attention, x))
            x = x + self._projected(f"{forward}.net", self._normed(forward, x))
        taken = "mlp_head.0" not in self._ends and self._ends[:1] == ["transformer.norm"]
        x = self.get_submodule("transformer.norm")(x) if taken or "transformer.norm" in self._ends else x
        x = x.mean(1) if self._mean else x[:, 0]
        for path in self._ends:
            x = self.get_submodule(path)(x) if path.startswith("mlp_head") else x
        return x

    def _attended(self, path: str, x: Tensor) -> Tensor:
        numbers = self.get_submodule(f"{path}.to_qkv")(x).chunk(3, -1)
        query, key, value = (one.unflatten(2, (self._heads, -1)).transpose(1, 2) for one in numbers)
        x = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return self.get_submodule(f"{path}.to_out.0")(x) if self._found(f"{path}.to_out.0") else x

    def _projected(self, path: str, x: Tensor) -> Tensor:
        """Return what the two linear layers make of tokens; a norm may be the first of their list."""
        layers = [at for at in range(6) if self._found(f"{path}.{at}")]
        for at in layers[:-1]:
            x = self.get_submodule(f"{path}.{at}")(x)
            x = functional.gelu(x) if isinstance(self.get_submodule(f"{path}.{at}"), nn.Linear) else x
        return self.get_submodule(f"{path}.{layers[-1]}")(x)


def heads_of(inside: int) -> tuple[int, ...]:
    """Return how many heads may share so many numbers, the usual count first."""
    usual = inside // HEAD if inside % HEAD == 0 else 0
    found = [count for count in HEADS if inside % count == 0 and count != usual]
    return (usual, *found) if usual else tuple(found)


def _has(shapes: Shapes, path: str) -> bool:
    return any(name.startswith(f"{path}.") for name in shapes)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the vision transformer that has these tensors, None if it is none."""
    if "pos_embedding" not in shapes or not _has(shapes, "to_patch_embedding"):
        return None
    build = partial(PatchTransformer, shapes)
    try:
        with torch.device("meta"):
            net = build({})
            made = net.run(torch.empty(2, net.channels, net.side, net.side))
    except (KeyError, ValueError, RuntimeError, IndexError, StopIteration, AttributeError):
        return None
    if not same(shapes, net) or made.ndim != 2:
        return None
    inside = next(shape[0] // 3 for name, shape in shapes.items() if name.endswith("to_qkv.weight"))
    heads = tuple(str(count) for count in heads_of(inside))
    count = made.shape[1]
    offered: dict[str, Mapping[str, Any]] = {
        "heads": choice("Heads", "How many heads share the numbers of attention; the usual has 64 numbers.", heads)
    }
    if "cls_token" in shapes:
        offered["taken"] = TAKEN
    names = {len(CIFAR_10): CIFAR_10, len(CIFAR_100): CIFAR_100}.get(count) if net.side == 32 else None
    small = ("cifar10", "cifar100", "imagenet", "minus_one_one", "zero_one")
    inputs = ("mnist", "zero_one", "minus_one_one") if net.channels == 1 else small
    title = f"Vision transformer of {len(net._blocks)} layers, patches of {net._step} px"
    unsure = "" if inside % HEAD == 0 else " No tensor tells how many heads its attention has: say so with Heads."
    return Proposal(
        title=title,
        task="classification",
        build=build,
        side=net.side,
        channels=net.channels,
        classes=names or numbered(count),
        inputs=inputs if net.side <= 64 else ("minus_one_one", "imagenet", "zero_one"),
        offered=offered,
        about={"note": f"Recognised by its tensors: {title}.{unsure}"},
    )
