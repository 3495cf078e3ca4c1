"""ONNX's LSTM, GRU and RNN as PyTorch's layers; a GRU that resets before its product is computed step by step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.exported.onnx_node import Build, UnsupportedError

GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}  # ONNX's gates in PyTorch's order
USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
LAYERS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


class Recurrent(nn.Module):
    """A recurrent layer with ONNX's inputs and outputs: all states (T, D, N, H), the last ones, an LSTM's cells."""

    def __init__(self, kind: str, layer: nn.Module, direction: str, *, batch_first: bool, late: bool) -> None:
        super().__init__()
        self.layer, self.kind, self.direction = layer, kind, direction
        self.batch_first, self.late = batch_first, late

    def forward(self, x: Tensor, first: Tensor | None = None, cell: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the states for a sequence (T, N, I), or (N, T, I) where the batch comes first."""
        if self.batch_first:
            x = x.transpose(0, 1)
            first, cell = (s.transpose(0, 1) if s is not None else None for s in (first, cell))
        x = x.flip(0) if self.direction == "reverse" else x
        count = 2 if self.direction == "bidirectional" else 1
        layer: Any = self.layer
        zero = x.new_zeros(count, x.shape[1], layer.hidden_size)
        first = zero if first is None else first.contiguous()
        if self.kind == "LSTM":
            made, (last, cells) = layer(x, (first, zero if cell is None else cell.contiguous()))
        elif self.kind == "GRU" and not self.late:
            (made, last), cells = self._early(x, first), None
        else:
            (made, last), cells = layer(x, first), None
        made = made.unflatten(-1, (count, -1)).transpose(1, 2)
        made = made.flip(0) if self.direction == "reverse" else made
        if self.batch_first:
            made, last = made.permute(2, 0, 1, 3), last.transpose(0, 1)
            cells = cells.transpose(0, 1) if cells is not None else None
        return (made, last) if cells is None else (made, last, cells)

    def _early(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return states of a GRU that resets the state before its product (linear_before_reset 0)."""
        found, lasts = [], []
        for at, end in enumerate(("_l0", "_l0_reverse")[: len(first)]):
            w, r, wb, rb = (getattr(self.layer, f"{n}{end}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            size = r.shape[1]
            state, states = first[at], []
            for step in x.flip(0) if at else x:
                given = step @ w.T + wb
                reset = (given[:, :size] + state @ r[:size].T + rb[:size]).sigmoid()
                update = (given[:, size : 2 * size] + state @ r[size : 2 * size].T + rb[size : 2 * size]).sigmoid()
                new = (given[:, 2 * size :] + (reset * state) @ r[2 * size :].T + rb[2 * size :]).tanh()
                state = (1 - update) * new + update * state
                states.append(state)
            made = torch.stack(states)
            found.append(made.flip(0) if at else made)
            lasts.append(state)
        return torch.cat(found, -1), torch.stack(lasts)


def build(b: Build) -> Any:
    """Return a recurrent layer. Raises UnsupportedError for settings that PyTorch's layers do not have."""
    w, r = b.held(1), b.held(2)
    direction, size = b.get("direction", "forward"), b.get("hidden_size", r.shape[2])
    told = [one.decode() if isinstance(one, bytes) else str(one) for one in b.get("activations", [])]
    count = 2 if direction == "bidirectional" else 1
    relu = b.kind == "RNN" and told == ["Relu"] * count
    if told and not relu and [t.lower() for t in told] != [u.lower() for u in USUAL[b.kind]] * count:
        raise UnsupportedError(f"{b.kind} with the activations {', '.join(told)}")
    if b.get("clip") is not None or b.get("input_forget", 0) or b.at(7) is not None or b.at(4) is not None:
        raise UnsupportedError(f"{b.kind} with clipping, peepholes, coupled gates or lengths of sequences")
    more: dict[str, Any] = {"nonlinearity": "relu"} if relu else {}
    layer = LAYERS[b.kind](w.shape[2], size, bidirectional=count == 2, **more)
    bias = b.held(3) if b.at(3) is not None else w.new_zeros(count, 2 * w.shape[1])
    with torch.no_grad():
        for at, end in enumerate(("_l0", "_l0_reverse")[:count]):
            for name, value in zip(("weight_ih", "weight_hh"), (w[at], r[at]), strict=True):
                getattr(layer, name + end).copy_(_ordered(b.kind, value, size))
            for name, value in zip(("bias_ih", "bias_hh"), bias[at].split(w.shape[1]), strict=True):
                getattr(layer, name + end).copy_(_ordered(b.kind, value, size))
    settings = {"batch_first": bool(b.get("layout", 0)), "late": bool(b.get("linear_before_reset", 0))}
    return b.module(Recurrent(b.kind, layer, direction, **settings), b.at(0), b.at(5), b.at(6))


def _ordered(kind: str, values: Tensor, size: int) -> Tensor:
    """Return the gates' rows in PyTorch's order."""
    gates = values.split(size)
    return torch.cat([gates[at] for at in GATES[kind]])
