"""Attention of a vision transformer, recomputed from each block's input, since the modules do not return it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.runtime.forward_passes import repetition
from models.subject import Subject
from models.tracing.tensor_layout import CLASS_TOKEN, TOKENS, Layout, layout_of
from models.tracing.traced_calls import Numbers
from models.types import Refusal


@dataclass
class Seen:
    """The input of each block's self-attention: B modules with their paths and inputs (1, T, D)."""

    paths: list[str] = field(default_factory=list)
    modules: list[Any] = field(default_factory=list)
    tokens: list[Tensor] = field(default_factory=list)
    layout: Layout = field(default_factory=lambda: Layout(TOKENS))

    @property
    def nbytes(self) -> int:
        """The size of the inputs in bytes."""
        return sum(one.nbytes for one in self.tokens)

    @property
    def has_class_token(self) -> bool:
        """Whether the first token is a class token, which has no position in the picture."""
        return self.layout.name == CLASS_TOKEN


def attends(net: nn.Module) -> bool:
    """Return whether a network has self-attention modules of PyTorch or timm, over all of its tokens."""
    return any(_is_own(module) for module in net.modules())


def _is_own(module: nn.Module) -> bool:
    return isinstance(module, nn.MultiheadAttention) or _is_timms(module)


def _is_timms(module: nn.Module) -> bool:
    """Return whether a module is timm's plain attention, compared by name because timm need not be installed."""
    return (type(module).__module__, type(module).__name__) == ("timm.layers.attention", "Attention")


def seen(subject: Subject, stages: Any) -> Seen:
    """Return the inputs of all blocks. Raises Refusal if the tokens do not form a grid over the picture."""

    def make() -> Seen:
        found = Seen()
        with torch.inference_mode(False), torch.no_grad(), _watched(subject.net, found):
            subject.scores(subject.input)
        if not found.tokens or len({tokens.shape for tokens in found.tokens}) != 1:
            raise Refusal("The attention of this network is not over one row of tokens.")
        found.layout = layout_of(tuple(found.tokens[0].shape), subject.size)
        if not found.layout.spatial:
            raise Refusal("The tokens of this network do not form a grid over the picture.")
        return found

    return stages.run("attention inputs", make, subject.key)


def weights(module: Any, tokens: Tensor, query: slice = slice(None)) -> Tensor:
    """Return softmax(Q K^T / sqrt d) (heads, Q, T) of tokens (1, T, D), for all queries or some.

    Vaswani et al. 2017, equation 1; equal to what `nn.MultiheadAttention` returns with `need_weights` and no averaging.
    timm's modules may normalise queries and keys first.
    """
    heads, size = module.num_heads, module.head_dim
    width, timms = heads * size, _is_timms(module)
    weight, bias = (module.qkv.weight, module.qkv.bias) if timms else (module.in_proj_weight, module.in_proj_bias)
    q, k = (
        functional.linear(part, weight[start : start + width], None if bias is None else bias[start : start + width])
        .view(-1, heads, size)
        .transpose(0, 1)
        for start, part in ((0, tokens[0, query]), (width, tokens[0]))
    )
    if timms:
        q, k = module.q_norm(q), module.k_norm(k)
    return ((q / math.sqrt(size)) @ k.transpose(1, 2)).softmax(-1)


def rollout(blocks: Iterable[Tensor], *, discard: float = 0.0) -> Tensor:
    """Return how tokens mix from the input to the last block (T, T), row by row (Abnar & Zuidema 2020, section 3).

    `blocks` yields the attention (heads, T, T) of one block after the other. Heads are averaged; in each row the lowest
    share `discard` is set to zero; the skip connection adds half of the identity. Rows sum to 1.
    """
    joined: Tensor | None = None
    for attention in blocks:
        mixed = attention.mean(0)
        if cut := int(discard * mixed.shape[1]):
            lowest = mixed.topk(cut, dim=1, largest=False).indices
            mixed = mixed.scatter(1, lowest, 0.0)
        mixed = mixed / mixed.sum(1, keepdim=True)
        mixed = 0.5 * mixed + 0.5 * torch.eye(len(mixed), dtype=mixed.dtype, device=mixed.device)
        joined = mixed if joined is None else mixed @ joined
    assert joined is not None
    return joined


def rolled(found: Seen, discard: float, check: Callable[[float], None]) -> Tensor:
    """Return the rollout of the recorded blocks, computing one block's attention at a time. `check` may raise."""

    def blocks() -> Iterator[Tensor]:
        for number, (module, tokens) in enumerate(zip(found.modules, found.tokens, strict=True)):
            check(number / len(found.modules))
            yield weights(module, tokens)

    return rollout(blocks(), discard=discard)


def position_embedding(net: nn.Module, tokens: int) -> Tensor | None:
    """Return the learned position embedding (T, D) for this number of tokens, or None if the network has none."""
    for name, value in net.named_parameters():
        if name.endswith(("pos_embedding", "pos_embed", "position_embedding")) and value.shape[-2:-1] == (tokens,):
            return value.detach().reshape(tokens, -1).float()
    return None


@contextmanager
def _watched(net: nn.Module, found: Seen) -> Iterator[None]:
    """Record clones of the inputs of self-attention inside the context."""
    names = {id(m): name for name, m in net.named_modules() if _is_own(m)}
    counts, places = Numbers(), dict[tuple[str, int], int]()

    def before(module: nn.Module, inputs: Any) -> None:
        if id(module) not in names:
            return
        query = inputs[0]
        if isinstance(module, nn.MultiheadAttention):
            usual = query is inputs[1] and module.in_proj_weight is not None and module.batch_first
        else:
            usual = len(inputs) == 1 or inputs[1] is None  # no mask
        if not usual:
            raise Refusal(f"{names[id(module)]} is not self-attention of the usual kind.")
        number = counts.next(names[id(module)])
        at = (names[id(module)], number)
        if again := repetition():  # a repeated pass of a random network: keep the running mean
            found.tokens[places[at]] += (query.detach() - found.tokens[places[at]]) / (again + 1)
            return
        places[at] = len(found.tokens)
        found.paths.append(names[id(module)])
        found.modules.append(module)
        found.tokens.append(query.detach().clone())

    hook = nn.modules.module.register_module_forward_pre_hook(before)
    try:
        yield
    finally:
        hook.remove()
