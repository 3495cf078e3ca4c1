"""What autograd does, step by step: `.grad` after each call, the error of a vector output with Jᵀv, and the tape.

All of it is really run, on leaves of our own that stand in for the network's weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._C._autograd import _get_sequence_nr  # type: ignore[attr-defined]

from models.features import weight_gradients as grads
from models.features.losses import SCORES, Losses
from models.features.weight_gradients import Gradients, Layer, Leaves
from models.runtime.forward_passes import repetition
from models.types import Float

NONE = -1.0  # stands for `.grad is None` in the lengths of the steps
MOST_NODES = 600


def backward_twice(leaves: Leaves, losses: Losses, loss: str, layers: Sequence[Layer], seed: int) -> tuple[Float, list]:
    """Return the lengths of `.grad` by step and layer (S, L), NONE where it is None, and what each step does.

    Each step is {"code", "says", "error", "times"}, `times` being the length of all of `.grad` over that of one
    gradient.
    """
    rows: list[Float] = []
    steps: list[dict[str, Any]] = []
    weights, once = leaves.weights, 0.0
    optimizer = torch.optim.SGD(list(weights.values()), lr=0.1)

    def note(code: str, says: str, error: str = "") -> None:
        nonlocal once
        held = {name: value.grad for name, value in weights.items() if value.grad is not None}
        row = grads.norms(held, layers)
        row[[not any(n in held for n in layer.names) for layer in layers]] = NONE
        whole = grads.length(held) if held else 0.0
        once = once or whole
        rows.append(row)
        steps.append(
            {
                "code": code,
                "says": says,
                "error": error,
                "times": whole / once if held and once else 0.0,
                "none": not held,
            }
        )

    with grads.steady(seed):
        for value in weights.values():
            value.grad = None
        try:
            found = leaves.losses(losses)[loss]
            note(f"loss = {loss}(net(x))", "The forward pass writes the tape. No gradient exists yet: .grad is None.")
            found.backward(retain_graph=True)
            note("loss.backward(retain_graph=True)", "Each .grad holds the gradient. retain_graph keeps the tape.")
            found.backward()
            note("loss.backward()", "backward() adds to .grad: it is twice the gradient now. The tape is freed.")
            error = ""
            try:
                found.backward()
            except RuntimeError as failure:
                error = str(failure).strip()
            note(
                "loss.backward()",
                "The tape is gone, so there is nothing to go back along; what was reached before the error was added."
                if error
                else "This loss keeps no values on its tape, so PyTorch lets it go back once more.",
                error,
            )
            optimizer.zero_grad(set_to_none=False)
            note("optimizer.zero_grad(set_to_none=False)", "Every .grad is filled with zeros.")
            leaves.losses(losses)[loss].backward()
            note("loss = …; loss.backward()", "A new forward pass writes a new tape: once the gradient again.")
            optimizer.zero_grad()
            note("optimizer.zero_grad()", "By default .grad becomes None, which saves memory.")
        finally:
            for value in weights.values():
                value.grad = None
    return np.stack(rows), steps


def vector_output(leaves: Leaves, losses: Losses, first: Gradients, seed: int) -> dict[str, Any]:
    """Return what `backward()` of the scores says, and the length of Jᵀv for some v; {} without a vector of scores.

    `rows` are {"v", "says", "length"}. For a softmax, v = p - onehot gives the gradient of the cross-entropy:
    `difference` is how far it is from the one computed, -1 where that does not apply.
    """
    with grads.steady(seed):
        scores = leaves.losses(losses).get(SCORES)
        if scores is None or not scores.requires_grad:
            return {}
        error = ""
        if scores.numel() > 1:
            try:
                scores.backward(retain_graph=True)
            except RuntimeError as failure:
                error = str(failure).strip()
        target, rows, difference = max(losses.target, 0), [], -1.0
        onehot = torch.zeros_like(scores)
        onehot[:, target] = 1
        tried = [
            ("e (1 for the answer, else 0)", onehot, "the gradient of one score alone"),
            ("(1, …, 1)", torch.ones_like(scores), "the gradient of the sum of all scores"),
        ]
        if losses.link == "softmax":
            tried.append(("p − e", scores.detach().softmax(1) - onehot, "the gradient of the cross-entropy"))
        for name, v, says in tried:
            found = torch.autograd.grad(scores, list(leaves.weights.values()), v, allow_unused=True, retain_graph=True)
            made = {n: g for n, g in zip(leaves.weights, found, strict=True) if g is not None}
            rows.append({"v": name, "says": says, "length": grads.length(made)})
            if name.startswith("p"):
                difference = grads.difference(made, first)
    return {"error": error, "count": int(scores.numel()), "rows": rows, "difference": difference}


def tape(leaves: Leaves, losses: Losses, loss: str, seed: int) -> tuple[list[dict[str, Any]], int]:
    """Return the nodes of a loss's tape in the order in which backward() visits them, and how many there are in all.

    Each is {"node", "layer", "saved"}: its name, the innermost module in whose call it was written ("" for none), and
    the tensors that it keeps for the way back.
    """
    with grads.steady(seed), _calls(leaves.net) as spans:
        value = leaves.losses(losses)[loss]
        start: Any = value.grad_fn
        known, todo = {start}, [start]
        while todo:
            for child, _ in todo.pop().next_functions:
                if child is not None and child not in known:
                    known.add(child)
                    todo.append(child)
        names = {id(value): name for name, value in leaves.weights.items()}
        nodes = sorted((n for n in known if not hasattr(n, "variable")), key=lambda n: -n._sequence_nr())
        places = {id(value): -row for row, value in enumerate(leaves.weights.values(), 1)}
        ends = sorted((n for n in known if hasattr(n, "variable")), key=lambda n: places.get(id(n.variable), 0))
        rows = []
        for node in nodes[:MOST_NODES]:
            number = node._sequence_nr()
            inside = [span for span in spans if span[0] <= number < span[1]]
            path = max(inside, key=lambda span: span[0])[2] if inside else ""
            rows.append({"node": node.name(), "layer": path, "saved": _saved(node)})
        for node in ends[: max(0, MOST_NODES - len(rows))]:
            name = names.get(id(node.variable), "")
            rows.append({"node": node.name(), "layer": name, "saved": "adds to .grad" if name else "a leaf of its own"})
    return rows, len(known)


@contextmanager
def _calls(net: nn.Module) -> Iterator[list[tuple[int, int, str]]]:
    """Collect the first and the end number of the nodes that each call of a module writes, with its path."""
    paths = {id(module): name for name, module in net.named_modules()}
    begun: list[tuple[int, int]] = []
    spans: list[tuple[int, int, str]] = []

    def before(module: nn.Module, inputs: Any) -> None:
        begun.append((id(module), _get_sequence_nr()))

    def after(module: nn.Module, inputs: Any, output: Any) -> None:
        while begun:
            known, start = begun.pop()
            if known == id(module):
                path = paths.get(known, "")
                if path and not repetition():
                    spans.append((start, _get_sequence_nr(), path))
                return

    hooks = [
        nn.modules.module.register_module_forward_pre_hook(before),
        nn.modules.module.register_module_forward_hook(after),
    ]
    try:
        yield spans
    finally:
        for hook in hooks:
            hook.remove()


def _saved(node: Any) -> str:
    found = []
    for name in dir(node):
        if not name.startswith("_saved_"):
            continue
        try:
            value = getattr(node, name)
        except RuntimeError:
            found.append(f"{name.removeprefix('_saved_')} overwritten in place since")
            continue
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, Tensor):
                shape = "×".join(map(str, each.shape)) or "1"
                found.append(f"{name.removeprefix('_saved_')} {shape}")
    own = getattr(node, "saved_tensors", ())
    found += ["×".join(map(str, each.shape)) or "1" for each in own if isinstance(each, Tensor)]
    return ", ".join(found)
