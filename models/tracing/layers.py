"""The layers of a subject: its traced calls, and which of them a class activation map should be made of by itself."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.subject import Subject
from models.tracing.tensor_layout import CLASS_TOKEN, TOKENS
from models.tracing.traced_calls import Call, Trace, gradients, recorded, traced
from models.types import Refusal

TRIED = 16  # layers from the end that are asked for a gradient at first
_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout)
_POOL_NAMES = {kind.__name__ for kind in _POOLS}


def hidden(model: Any) -> dict[str, str]:
    """Return why a question about layers is of no use to a model: TorchScript calls its modules out of sight."""
    if not isinstance(model.net, torch.jit.ScriptModule):
        return {}
    return {
        "": f"{model.card.name} is TorchScript, which hides its layers: export it with torch.export (.pt2) or as ONNX."
    }


def trace_of(subject: Subject, stages: Any) -> Trace:
    """Return the calls of one pass over the subject's input."""

    def make() -> Trace:
        with torch.inference_mode(False), torch.no_grad(), traced(subject.net, size=subject.size) as trace:
            subject.scores(subject.input)
        return trace

    return stages.run("trace", make, subject.key)


def call_of(subject: Subject, layer: str, stages: Any, *, spatial: bool = False) -> Call:
    """Return the call named by its id, or the automatic one for "".

    Raises Refusal when it is never called, or has one place alone where a map is wanted.
    """
    trace = trace_of(subject, stages)
    wanted = layer or automatic(subject, stages)
    if not wanted:
        raise Refusal("No layer of this network has a map of the picture.", advice="Use a method without a layer.")
    if wanted not in trace:
        raise _unknown(subject, trace, wanted)
    call = trace[wanted]
    if spatial and not on_picture(subject, call):
        shape = " x ".join(map(str, call.shape))
        raise Refusal(
            f"{call.id} ({shape}) has no map of the picture.",
            advice=f"Choose a layer with places, such as {automatic(subject, stages)}.",
        )
    return call


def on_picture(subject: Subject, call: Call) -> bool:
    """Tell whether a call's value is a map of the picture, cell for cell."""
    return call.layout.spatial and call.shape[0] == 1 and call.module.startswith(subject.body)


def automatic(subject: Subject, stages: Any) -> str:
    """Return the id of the call that class activation maps are best made of, "" where none serves.

    It is the last one whose places the score depends on, not a pooling's. In a transformer gradients reach the patches
    only through attention, so its last blocks' own outputs are passed over by themselves; the patch embedding, the
    only map of other shape, is not taken for it: tokens go first.
    """

    def make() -> str:
        calls = [c for c in trace_of(subject, stages).calls if on_picture(subject, c)]
        pooled = {c.id for c in calls if c.kind in _POOL_NAMES}
        calls = [c for c in calls if c.id not in pooled and c.same not in pooled]
        tokens = [c for c in calls if c.layout.name in (TOKENS, CLASS_TOKEN)]
        calls = tokens or calls
        tried = (_last_that_counts(subject, calls[-count:]) for count in (TRIED, 4 * TRIED, len(calls)))
        # A head of zeros, as some transformers begin with, lets no gradient through: then the last map has to do.
        return next((found for found in tried if found), calls[-1].id if calls else "")

    return stages.run("automatic layer", make, subject.key)


def _last_that_counts(subject: Subject, calls: Sequence[Call]) -> str:
    if not calls:
        return ""
    first, rest = calls[0].id, [c.id for c in calls[1:]]
    # The graph begins at the first of them, for parameters are frozen: no more of it is kept than is looked at.
    with gradients(), recorded(subject.net, [first], leaf=True) as start, recorded(subject.net, rest) as kept:
        column = subject.scores(subject.input)[0, : len(subject.classes)].max()
        values = {**start, **kept}
        tried = [c for c in calls if values[c.id].requires_grad]
        if not column.requires_grad:
            return ""
        found = torch.autograd.grad(column, [values[c.id] for c in tried], allow_unused=True)
    for call, gradient in reversed(list(zip(tried, found, strict=True))):
        if gradient is None:
            continue
        places = call.layout.planes(gradient).abs().sum((0, 1)) > 0
        if int(places.sum()) >= subject.spread:
            return call.id
    return ""


def activations(subject: Subject, call: Call, stages: Any) -> Tensor:
    """Return the value (1, C, h, w) of a call that has places, without gradients."""

    def make() -> Tensor:
        with torch.inference_mode(False), torch.no_grad(), recorded(subject.net, [call.id]) as kept:
            subject.scores(subject.input)
        return call.layout.planes(kept[call.id])

    return stages.run("activations", make, subject.key, call.id)


def _unknown(subject: Subject, trace: Trace, wanted: str) -> Refusal:
    if wanted in trace.silent:
        inside = "its work is done inside another module's function"
        return Refusal(f"{wanted} is never called: {inside}.", advice="Choose a layer from the list of calls.")
    near = difflib.get_close_matches(wanted, [c.id for c in trace.calls], 3)
    if wanted in dict(subject.net.named_modules()):
        return Refusal(f"{wanted} is never called for this picture.", advice="Choose a layer from the list of calls.")
    hint = f"Did you mean {' or '.join(near)}?" if near else f"The last one is {trace.calls[-1].id}."
    return Refusal(f"There is no layer {wanted!r}.", advice=hint)
