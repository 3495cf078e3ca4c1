"""The nodes of PyTorch's backward graph between scores and a picture.

Every differentiable operation leaves a node in this graph, whether it is called by a module, a function, an operator or
a custom autograd function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from models.tracing.rectifiers import Rectified

# Nodes that are not activation functions: sums, products, means, indexing, normalisation, pooling, attention. Anything
# not named here counts as an activation function.
_PLAIN = """
AccumulateGrad Add AddBmm AddR Addbmm Addcdiv Addcmul Addmm AddmmActivation Addmv Addr Alias Amax Amin AsStrided Avg
AvgPool1D AvgPool2D AvgPool3D AdaptiveAvgPool1D AdaptiveAvgPool2D AdaptiveAvgPool3D AdaptiveMaxPool1D
AdaptiveMaxPool2D AdaptiveMaxPool3D Baddbmm Bilinear Bmm Broadcast Cat Chunk Clone Col2Im ConstantPadNd Conv
Convolution ConvolutionOverrideable Copy CopyBackwards CopySlices Cumsum CudnnBatchNorm CudnnConvolution Cdist Det
Diagonal Diag DiagEmbed Div Dot DropPath Einsum Embedding Expand FftC2C FftC2R FftR2C Flip Fold FusedRmsNorm
FractionalMaxPool2D Gather GridSampler2D GridSampler3D GroupNorm Im2Col Imag Index IndexAdd IndexCopy IndexFill
IndexPut IndexSelect InstanceNorm Kthvalue Lerp LiftFresh Linear LinalgVectorNorm LogSoftmax LogSumExp Logsumexp
MaskedFill MaskedScatter MaskedSelect Matmul Max MaxPool2DWithIndices MaxPool3DWithIndices MaxPool2D MaxUnpool2D Mean
Median Min MiopenBatchNorm MkldnnConvolution MkldnnLinear Mm MpsConvolution Mul Mv Narrow NativeBatchNorm
NativeDropout NativeGroupNorm NativeLayerNorm Neg Norm Permute PixelShuffle PixelUnshuffle Pow Prod PutBackward
Reciprocal Real ReflectionPad1D ReflectionPad2D ReflectionPad3D Renorm Repeat RepeatInterleave ReplicationPad1D
ReplicationPad2D ReplicationPad3D Reshape ReshapeAlias Roll Rot90 Rsqrt Rsub ScaledDotProductAttentionMath
ScaledDotProductCudnnAttention ScaledDotProductEfficientAttention ScaledDotProductFlashAttention
ScaledDotProductFlashAttentionForCpu ScaledDotProductFusedAttentionOverrideable Scatter ScatterAdd Select
SelectScatter SliceScatter SlowConv2D SlowConvDilated2D Slice SlowConvTranspose2D Softmax Sort Split SplitWithSizes
Sqrt Squeeze Stack Std StdMean Sub Sum Swapaxes T TakeAlong TensorSplit Tile To ToCopy ToDtype Topk Trace Transpose
Triu Tril Unbind Unflatten Unfold UnsafeSplit UnsafeView Unsqueeze UpsampleBicubic2D UpsampleBicubic2DAa
UpsampleBilinear2D UpsampleBilinear2DAa UpsampleLinear1D UpsampleNearest1D UpsampleNearest2D UpsampleNearestExact2D
UpsampleNearestExact1D UpsampleTrilinear3D Values Var VarMean View ViewAs Where
"""
RECTIFIER = "rectifier"
PRIME = 2**61 - 1
GUARD = 1e-3  # clamps at a lower bound up to this only avoid a division by zero
GATE = "choice by comparison"
_PLAIN_NAMES = {name.lower() for name in _PLAIN.split()}
_TITLES = {
    "celu": "CELU",
    "clamp": "clamp",
    "clampmax": "clamp",
    "clampmin": "clamp",
    "elu": "ELU",
    "gelu": "GELU",
    "glu": "GLU",
    "hardsigmoid": "Hardsigmoid",
    "hardswish": "Hardswish",
    "hardtanh": "Hardtanh",
    "leakyrelu": "LeakyReLU",
    "logsigmoid": "LogSigmoid",
    "mish": "Mish",
    "prelukernel": "PReLU",
    "relu": "ReLU inside another function",
    "rreluwithnoise": "RReLU",
    "silu": "SiLU",
    "softplus": "Softplus",
}


def between(scores: Tensor, picture: Tensor) -> list[Any]:
    """Return the nodes through which the gradient of `scores` reaches `picture`, a leaf; [] if there are none."""
    parents: dict[Any, list[Any]] = {}
    ends, todo = [], [scores.grad_fn] if scores.grad_fn is not None else []
    known = set(todo)
    while todo:
        node = todo.pop()
        if getattr(node, "variable", None) is picture:
            ends.append(node)
        for child, _ in node.next_functions:
            if child is not None:
                parents.setdefault(child, []).append(node)
                if child not in known:
                    known.add(child)
                    todo.append(child)
    found, todo = set(ends), list(ends)
    while todo:
        for parent in parents.get(todo.pop(), ()):
            if parent not in found:
                found.add(parent)
                todo.append(parent)
    return list(found)


def reached(nodes: list[Any], scores: Tensor, picture: Tensor) -> list[Any]:
    """Return those of the `nodes` between scores and a picture that a gradient of the scores does arrive at.

    A score that is picked out of what several ways are put together for, such as a detector's levels, depends on one
    of them alone; the others are nodes of the graph too, and get zeros. All nodes where nothing arrives at the picture.
    """
    alive: set[Any] = set()

    def see(node: Any) -> Any:
        def hook(gradients: tuple[Tensor | None, ...]) -> None:
            if any(g is not None and bool(g.any()) for g in gradients):
                alive.add(node)

        return hook

    leaf = [n for n in nodes if getattr(n, "variable", None) is picture]
    hooks = [n.register_prehook(see(n)) for n in nodes if n not in leaf]
    try:
        # No two columns weigh alike: probabilities add up to one, and that has no gradient.
        weights = torch.linspace(1, 2, scores.numel(), dtype=scores.dtype, device=scores.device).view_as(scores)
        (found,) = torch.autograd.grad(scores, picture, weights, allow_unused=True, retain_graph=True)
    finally:
        for hook in hooks:
            hook.remove()
    if found is None or not found.any():
        return nodes
    return [n for n in nodes if n in alive or n in leaf]


def bottlenecks(nodes: list[Any], scores: Tensor, picture: Tensor) -> set[Any]:
    """Return those of the `nodes` between scores and a picture that lie on every path between the two.

    A node lies on every path if (paths from it to the picture) x (paths from the scores to it) equals the number of all
    paths. The number of paths grows exponentially, so they are counted modulo a large prime.
    """
    among = set(nodes)
    children = {n: [c for c, _ in n.next_functions if c in among] for n in nodes}
    order, state, todo = [], {}, [scores.grad_fn]
    while todo:
        node = todo[-1]
        fresh = [c for c in children[node] if c not in state] if state.setdefault(node, 1) == 1 else []
        if fresh:
            todo.append(fresh[0])
        else:
            todo.pop()
            if state[node] == 1:
                state[node] = 2
                order.append(node)
    up: dict[Any, int] = {}
    for node in order:
        own = 1 if getattr(node, "variable", None) is picture else 0
        up[node] = (own + sum(up[c] for c in children[node])) % PRIME
    down = dict.fromkeys(order, 0)
    down[scores.grad_fn] = 1
    for node in reversed(order):
        for child in children[node]:
            down[child] = (down[child] + down[node]) % PRIME
    return {n for n in order if up[n] * down[n] % PRIME == up[scores.grad_fn]}


def activations(nodes: list[Any], seen: Rectified) -> Iterator[str]:
    """Yield the name of each activation function among the nodes.

    It is RECTIFIER for the nodes that `seen` recorded as such.
    """
    for node in nodes:
        base = node.name().rpartition("::")[2].partition("Backward")[0]
        if node in seen.marks:
            yield RECTIFIER
        elif node in seen.within:
            continue
        elif node in seen.gates:
            yield GATE
        elif base.lower() not in _PLAIN_NAMES and not (base.startswith("Clamp") and _cuts_nothing(node)):
            if base == "Hardtanh" and (node._saved_min_val, node._saved_max_val) == (0, 6):
                base = "ReLU6"
            yield _TITLES.get(base.lower(), base.lower() if base in _LOWER else base)


_LOWER = ("Abs", "Exp", "Erf", "Log", "Maximum", "Minimum", "Round", "Sigmoid", "Sign", "Tanh", "Threshold")


def _cuts_nothing(node: Any) -> bool:
    """Return whether a clamp has no effect: all values are within its bounds, or it only keeps a norm above zero."""
    value, low, high = (getattr(node, f"_saved_{name}", None) for name in ("self", "min", "max"))
    if not isinstance(value, Tensor):
        return False
    if high is None and isinstance(low, float) and 0 < low <= GUARD and bool((value >= 0).all()):
        return True
    return (low is None or bool((value >= low).all())) and (high is None or bool((value <= high).all()))
