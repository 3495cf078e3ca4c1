"""The layers of a subject: its traced calls, and the automatic choice of a layer for class activation maps."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from models.runtime.failures import out_of_memory
from models.subject import Subject
from models.tracing.backward_graph import between, bottlenecks, reached
from models.tracing.extra_tokens import settled
from models.tracing.traced_calls import Call, Trace, gradients, recorded, traced
from models.types import Refusal

TRIED = 16  # layers, counted from the end, whose gradient is tried first
_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout)
_POOL_NAMES = {kind.__name__ for kind in _POOLS}


def hidden(model: Any) -> dict[str, str]:
    """Return why inspections of layers are unavailable: the modules of a TorchScript program cannot be hooked."""
    if not isinstance(model.net, torch.jit.ScriptModule):
        return {}
    return {
        "": f"{model.card.name} is TorchScript, which hides its layers: export it with torch.export (.pt2) or as ONNX."
    }


def trace_of(subject: Subject, stages: Any) -> Trace:
    """Return the calls made in one pass over the subject's input."""

    def make() -> Trace:
        with torch.inference_mode(False), torch.no_grad(), traced(subject.net, size=subject.size) as trace:
            subject.scores(subject.input)
        return settled(subject, trace)

    return stages.run("trace", make, subject.key)


def call_of(subject: Subject, layer: str, stages: Any, *, spatial: bool = False) -> Call:
    """Return the call with the given id, or the automatic choice for "".

    Raises Refusal if there is no such call, or if it has no spatial positions and `spatial` asks for them.
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
    """Return whether a call's output is a spatial map of the whole picture."""
    return call.layout.spatial and call.shape[0] == 1 and call.module.startswith(subject.body)


@dataclass(frozen=True)
class Choice:
    """The best call for class activation maps, "" if there is none.

    `why` explains the choice where it is not the obvious one.
    """

    id: str = ""
    why: str = ""


def automatic(subject: Subject, stages: Any) -> str:
    """Return the id of the best call for class activation maps, "" if there is none."""
    return chosen(subject, stages).id


def chosen(subject: Subject, stages: Any) -> Choice:
    """Return the best call for class activation maps.

    It is the last map (poolings excluded) that every gradient path from score to picture passes through and on whose
    positions the score depends: the output of the last block, not of a branch inside it. If the score reads only a
    class token, the last block's patch tokens have no influence; then it is the normalised input of that block.
    """

    def make() -> Choice:
        calls = [c for c in trace_of(subject, stages).calls if on_picture(subject, c)]
        pooled = {c.id for c in calls if c.kind in _POOL_NAMES}
        calls = [c for c in calls if c.id not in pooled and c.same not in pooled]
        if not calls:
            return Choice()
        if subject.body:
            # A detector has several feature levels and no common trunk, and its backward graph would be large.
            return Choice(_last_of_branches(subject, calls) or calls[-1].id)
        try:
            return _on_main_path(subject, calls)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            return Choice(_last_of_branches(subject, calls) or calls[-1].id)  # fails with gradients

    return stages.run("automatic layer", make, subject.key)


def _on_main_path(subject: Subject, calls: Sequence[Call]) -> Choice:
    wanted = {c.id for c in calls}
    edges: dict[str, GradientEdge] = {}

    def see(call: Call, value: Tensor) -> None:
        if call.id in wanted and value.requires_grad:
            edges[call.id] = get_gradient_edge(value)

    x = subject.input.detach().clone().requires_grad_()
    with gradients():
        with traced(subject.net, size=subject.size, see=see):
            scores = subject.scores(x.clone())
        nodes = between(scores, x)
        if not nodes:
            return Choice(_last_of_branches(subject, calls) or calls[-1].id)
        nodes = reached(nodes, scores, x)
        alive, narrow = set(nodes), bottlenecks(nodes, scores, x)
        calls = [c for c in calls if c.id not in edges or edges[c.id].node in alive]
        trunk = [c for c in calls if c.id in edges and edges[c.id].node in narrow]
        column = scores[0, : len(subject.classes)].max()

        def places(some: Sequence[Call]) -> dict[str, int]:
            """Return for each call the number of positions that the score depends on."""
            some = [c for c in some if c.id in edges]
            if not some:
                return {}
            found = torch.autograd.grad(column, [edges[c.id] for c in some], allow_unused=True, retain_graph=True)
            return {
                c.id: 0 if g is None else int((c.layout.planes(g.float()).abs().sum((0, 1)) > 0).sum())
                for c, g in zip(some, found, strict=True)
            }

        counted: dict[str, int] = {}
        best = branch = None
        for count in (TRIED, 4 * TRIED, len(calls)):
            counted |= places([c for c in (*trunk[-count:], *calls[-count:]) if c.id not in counted])
            best = next((c for c in reversed(trunk) if counted.get(c.id, 0) >= subject.spread), None)
            branch = next((c for c in reversed(calls) if counted.get(c.id, 0) >= subject.spread), None)
            if best is not None:
                break
        if branch is None:
            # A head initialised with zeros, as in some transformers, passes no gradient: use the last map.
            return Choice(_named(subject, trunk[-1] if trunk else calls[-1], calls))
        if best is None or _cells(best) > _cells(branch):
            return Choice(_named(subject, branch, calls))
        if (last := trunk[-1]) is not best and last.same != best.id and not counted.get(last.id, 1):
            after = calls[calls.index(best) + 1 :]
            counted |= places([c for c in after if c.id not in counted])
            norms = [c for c in after if _is_norm(c) and c.layout == best.layout and counted.get(c.id) == _cells(c)]
            taken = norms[0].id if norms else _named(subject, best, calls)
            why = f"The score does not depend on the places of {_named(subject, last, calls)}, only on its other tokens"
            return Choice(taken, f"{why}: {taken} is the last that it does depend on.")
    return Choice(_named(subject, best, calls))


def _cells(call: Call) -> int:
    return call.layout.grid[0] * call.layout.grid[1]


def _is_norm(call: Call) -> bool:
    last = call.module.rpartition(".")[2].lower()
    return "norm" in call.kind.lower() or "norm" in last or last.startswith("ln")


def _named(subject: Subject, call: Call, calls: Sequence[Call]) -> str:
    """Return the outermost module's call that returned this same tensor, and from which the network goes on.

    Of several values that a module returns, the one that is used may be another, computed from this one inside.
    """
    owner = call.same or call.id
    path = next((c.module for c in calls if c.id == owner), call.module)
    same = [c for c in calls if owner in (c.id, c.same) and (path + ".").startswith(c.module + ".")]
    for each in reversed(same):
        if each.id == owner or ":" not in each.id or _has_gradient(subject, each.id):
            return each.id
    return call.id


def _has_gradient(subject: Subject, name: str) -> bool:
    """Return whether a gradient of the scores arrives at a call's value as its module returns it."""
    with gradients(), recorded(subject.net, [name], leaf=True) as start:
        column = subject.scores(subject.input)[0, : len(subject.classes)].max()
        if name not in start or not column.requires_grad:
            return False
        return torch.autograd.grad(column, [start[name]], allow_unused=True)[0] is not None


def _last_of_branches(subject: Subject, calls: Sequence[Call]) -> str:
    tried = (_last_that_counts(subject, calls[-count:]) for count in (TRIED, 4 * TRIED, len(calls)))
    return next((found for found in tried if found), "")


def _last_that_counts(subject: Subject, calls: Sequence[Call]) -> str:
    if not calls:
        return ""
    first, rest = calls[0].id, [c.id for c in calls[1:]]
    # Parameters are frozen, so the graph starts at the first of these calls and holds nothing before it.
    try:
        with gradients(), recorded(subject.net, [first], leaf=True) as start, recorded(subject.net, rest) as kept:
            column = subject.scores(subject.input)[0, : len(subject.classes)].max()
            values = {**start, **kept}
            tried = [c for c in calls if c.id in values and values[c.id].requires_grad]
            if not column.requires_grad:
                return ""
            found = torch.autograd.grad(column, [values[c.id] for c in tried], allow_unused=True)
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        return ""  # the network runs only without gradients
    for call, gradient in reversed(list(zip(tried, found, strict=True))):
        if gradient is None:
            continue
        places = call.layout.planes(gradient).abs().sum((0, 1)) > 0
        if int(places.sum()) >= subject.spread:
            return call.id
    return ""


def earlier(subject: Subject, layer: str, stages: Any) -> str:
    """Return the id of the last call before a layer whose positions affect the score, "" if there is none."""
    calls = [c for c in trace_of(subject, stages).calls if c.id == layer or on_picture(subject, c)]
    at = next((row for row, call in enumerate(calls) if call.id == layer), len(calls))
    same = [c for c in calls[:at] if c.layout.name == calls[at].layout.name] if at < len(calls) else []
    return _last_that_counts(subject, same)


def activations(subject: Subject, call: Call, stages: Any) -> Tensor:
    """Return the output (1, C, h, w) of a call with spatial positions, detached."""

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
