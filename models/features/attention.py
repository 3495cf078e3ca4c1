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
from models.tracing.layers import trace_of
from models.tracing.tensor_layout import TOKENS, Layout, layout_of
from models.tracing.traced_calls import Numbers
from models.types import Refusal

NAMES = ("pos_embedding", "pos_embed", "position_embedding", "position_embeddings", "position_embedding.weight")

# Words in the names of transformers' classes that attend from or to parts only, and attributes of such.
PARTIAL = ("Cross", "Window", "Deformable", "Swin", "MultiScale", "Multiscale", "MaskUnit", "Neighborhood", "Pooling")
REDUCED = ("sr_ratio", "sequence_reduction_ratio", "sequence_reduction", "window_size")


@dataclass
class Seen:
    """The self-attention of each block: B modules with their paths and inputs.

    `inputs` are the tokens (1, T, D) that a module of PyTorch or timm was called with; of one of transformers, which
    returns its attention itself, all its arguments. `heads` is the number of heads, `count` that of tokens.
    """

    paths: list[str] = field(default_factory=list)
    modules: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    heads: int = 0
    count: int = 0
    layout: Layout = field(default_factory=lambda: Layout(TOKENS))

    @property
    def nbytes(self) -> int:
        """The size of the inputs in bytes."""
        return sum(one.nbytes for one in _tensors(self.inputs))

    @property
    def extra(self) -> list[int]:
        """The tokens without a position in the picture, such as a class token, distillation token and registers."""
        places = self.layout.grid[0] * self.layout.grid[1]
        return [*range(self.layout.before), *range(self.layout.before + places, self.count)]

    @property
    def has_class_token(self) -> bool:
        """Whether the first token is a class token, which has no position in the picture."""
        return self.layout.before > 0

    def grid(self, values: Tensor) -> Tensor:
        """Return values (..., T) of all tokens as (..., h, w) of those with a position."""
        rows, columns = self.layout.grid
        flat = values[..., self.layout.before : self.layout.before + rows * columns]
        return flat.reshape(*flat.shape[:-1], rows, columns)

    def weights(self, block: int, query: slice = slice(None)) -> Tensor:
        """Return the attention (heads, Q, T) of a block, for all queries or some."""
        module, given = self.modules[block], self.inputs[block]
        if not _is_transformers(module):
            return weights(module, given, query)
        arguments, named = given
        with torch.no_grad():
            return module(*arguments, **named)[1][0, :, query]


def attends(net: nn.Module) -> bool:
    """Return whether a network has self-attention modules over all of its tokens, of a library that is known."""
    return bool(_own(net))


def _own(net: nn.Module) -> dict[int, str]:
    """Return the names of the self-attention modules by their ids, without those that pool all tokens into one."""
    pooling = [module for module in net.modules() if type(module).__name__.endswith("PoolingHead")]
    inner = {id(part) for module in pooling for part in module.modules()}
    return {id(m): name for name, m in net.named_modules() if _is_own(m, name) and id(m) not in inner}


def _is_own(module: nn.Module, name: str) -> bool:
    return isinstance(module, nn.MultiheadAttention) or _is_timms(module) or _of_transformers(module, name)


def _is_timms(module: nn.Module) -> bool:
    """Return whether a module is timm's plain attention, compared by name because timm need not be installed."""
    return (type(module).__module__, type(module).__name__) == ("timm.layers.attention", "Attention")


def _is_transformers(module: nn.Module) -> bool:
    return type(module).__module__.startswith("transformers.")


def _of_transformers(module: nn.Module, name: str) -> bool:
    """Return whether a module is an attention of transformers' that returns its weights over all positions.

    Attention in windows or between queries is another matter.
    """
    kind = type(module).__name__
    if not _is_transformers(module) or not kind.endswith("Attention") or "decoder" in name.split("."):
        return False
    inner = any(_is_transformers(each) and type(each).__name__.endswith("Attention") for each in module.children())
    less = any(hasattr(module, name) for name in REDUCED)
    return not inner and not less and not any(word in kind for word in PARTIAL)


def seen(subject: Subject, stages: Any) -> Seen:
    """Return the inputs of all blocks. Raises Refusal if the tokens do not form a grid over the picture."""

    def make() -> Seen:
        found = Seen()
        with torch.inference_mode(False), torch.no_grad(), _watched(subject.net, found) as counts:
            subject.scores(subject.input)
        if len(set(counts)) != 1:
            raise Refusal("The attention of this network is not over one row of tokens.")
        found.heads, found.count, width = counts[0]
        layouts = [call.layout for call in trace_of(subject, stages).calls if call.shape[:2] == (1, found.count)]
        layouts = [layout for layout in layouts if layout.spatial and layout.channels == width] or [
            layout_of((1, found.count, width), subject.size)
        ]
        found.layout = layouts[0]
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
        for number in range(len(found.modules)):
            check(number / len(found.modules))
            yield found.weights(number)

    return rollout(blocks(), discard=discard)


def position_embedding(net: nn.Module, found: Seen) -> tuple[Tensor, int] | None:
    """Return the learned position embedding (T, D) and its row of the first patch, None if the network has none.

    Registers have no position: T then is less than the number of tokens.
    """
    places = found.layout.grid[0] * found.layout.grid[1]
    firsts = {found.count: found.layout.before, places + 1: 1, places: 0}
    for name, value in net.named_parameters():
        if name.endswith(NAMES) and value.shape[-2] in firsts:
            return value.detach().reshape(value.shape[-2], -1).float(), firsts[value.shape[-2]]
    return None


@contextmanager
def _watched(net: nn.Module, found: Seen) -> Iterator[list[tuple[int, int, int]]]:
    """Record clones of the inputs of self-attention inside the context.

    Yields the heads, tokens and channels of each block, filled inside the context.
    """
    names = _own(net)
    counts, places = Numbers(), dict[tuple[str, int], int]()
    sizes: list[tuple[int, int, int]] = []

    def before(module: nn.Module, arguments: Any, named: Any) -> None:
        if id(module) not in names or _is_transformers(module):
            return
        query = arguments[0]
        if isinstance(module, nn.MultiheadAttention):
            usual = query is arguments[1] and module.in_proj_weight is not None and module.batch_first
        else:
            usual = len(arguments) == 1 or arguments[1] is None  # no mask
        if not usual:
            raise Refusal(f"{names[id(module)]} is not self-attention of the usual kind.")
        heads: Any = module.num_heads
        keep(module, (heads, query.shape[1], query.shape[2]), query.detach().clone())

    def after(module: nn.Module, arguments: Any, named: Any, output: Any) -> None:
        if id(module) not in names or not _is_transformers(module):
            return
        value, made = output[:2] if isinstance(output, tuple) and len(output) > 1 else (None, None)
        if (
            not isinstance(value, Tensor)
            or not isinstance(made, Tensor)
            or made.ndim != 4
            or len(made) != 1
            or made.shape[2] != made.shape[3]
        ):
            raise Refusal(f"{names[id(module)]} does not attend from every position to every other.")
        keep(module, (made.shape[1], made.shape[2], value.shape[-1]), _cloned((arguments, named)))

    def keep(module: nn.Module, size: tuple[int, int, int], given: Any) -> None:
        number = counts.next(names[id(module)])
        at = (names[id(module)], number)
        if again := repetition():  # a repeated pass of a random network: keep the running mean
            for kept, new in zip(_tensors(found.inputs[places[at]]), _tensors(given), strict=True):
                if kept.is_floating_point():
                    kept.add_((new - kept) / (again + 1))
            return
        places[at] = len(found.inputs)
        found.paths.append(names[id(module)])
        found.modules.append(module)
        found.inputs.append(given)
        sizes.append(size)

    hooks = [
        nn.modules.module.register_module_forward_pre_hook(lambda m, given: before(m, given, {})),
        *(
            module.register_forward_hook(after, with_kwargs=True)
            for module in net.modules()
            if id(module) in names and _is_transformers(module)
        ),
    ]
    try:
        yield sizes
    finally:
        for hook in hooks:
            hook.remove()


def _cloned(value: Any) -> Any:
    """Return a module's arguments with their tensors cloned."""
    match value:
        case Tensor():
            return value.detach().clone()
        case dict():
            return {key: _cloned(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(_cloned(item) for item in value)
    return value


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors in a module's arguments."""
    match value:
        case Tensor():
            return [value]
        case dict():
            return [tensor for item in value.values() for tensor in _tensors(item)]
        case list() | tuple():
            return [tensor for item in value for tensor in _tensors(item)]
    return []
