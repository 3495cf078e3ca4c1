"""What captum's methods run on: passes of a subject that can be called off, and layers of our own to hook.

captum is imported where it is used, because it imports matplotlib, which takes half a second. It draws from the global
random states and hooks the layers it is given; here it draws from a seed of its own, and hooks a module of ours through
which the chosen call's output is led. So the user's network keeps its own hooks, and a call is followed however often
its module is called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.attributions import gradients as gradient
from models.attributions.attribution import Heatmap, LayerParams, Probe, Verdict
from models.attributions.perturbation import BASELINES as PLAIN_BASELINES
from models.attributions.perturbation import baseline
from models.params import param
from models.runtime import device
from models.runtime.failures import MOST_CHARACTERS, out_of_memory
from models.runtime.forward_passes import apart, seed
from models.runtime.watched_pass import put_random_state, random_state
from models.subject import Subject
from models.tracing.backward_pass import INSTEAD, arriving, no_gradient
from models.tracing.layers import call_of, chosen
from models.tracing.traced_calls import Call, changed
from models.types import Cancelled, Refusal

GROUP = "Layers"
AVERAGED = "Its answer is the mean of {count} passes with different random numbers, and captum follows a single pass."
LOST = "captum cannot follow layer {layer}: {why}"
_CUT_OFF = (
    "does not require grad",
    "not have been used",
    "numpy()",
    "nference tensor",
    "backward or vjp",
    "inplace op",
)


Forward = Callable[[Tensor], Tensor]


class _Batched(Exception):  # noqa: N818 - caught here
    """A network that takes one input at a time was given several."""


@dataclass(frozen=True)
class PathParams(LayerParams):
    """A target, a layer, the baseline the path starts from, and the number of steps on it."""

    baseline: str = param(
        "mean",
        "Baseline",
        "The input that stands for no picture, where the path begins.",
        choices=PLAIN_BASELINES,
        titles=("Black", "Mean colour", "Blurred picture"),
    )
    steps: int = param(32, "Steps", "How many points of the path are visited.", low=2, high=512, step=1)


@contextmanager
def drawing(number: int = 0) -> Iterator[None]:
    """Let captum draw its random numbers from the seed `number`, and restore all random states afterwards.

    captum's own warnings, about settings that are chosen here on purpose, are not shown.
    """
    state = random_state()
    seed(number)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        put_random_state(state)


def forward(probe: Probe, what: str, *, total: int = 0, run: Callable[[Tensor], Tensor] | None = None) -> Forward:
    """Return the function from inputs (N, 3, h, w) to the target's values (N,) that captum is given.

    Each pass is reported as `what`, with its share of `total` inputs if that is known, and may be called off. A network
    that draws random numbers leaves captum's own random states alone. Large batches are computed in parts, whose graphs
    are made again for the backward pass. `run` is called with whole batches in the place of the subject.
    """
    done, most = 0, gradient.batch_of(probe.subject)

    def values(x: Tensor) -> Tensor:
        nonlocal done
        probe.stages.progress(min(done / total, 1.0) if total else None, what)
        done += len(x)
        state = random_state()
        try:
            with arriving():
                if run is not None:
                    return run(x)
                if len(x) <= most or not torch.is_grad_enabled():
                    return torch.cat([probe.of(part) for part in x.split(most)])
                return torch.cat([_again(probe.of, part) for part in x.split(most)])
        finally:
            put_random_state(state)

    return values


def _again(run: Callable[[Tensor], Tensor], part: Tensor) -> Tensor:
    made: Any = checkpoint(run, part, use_reentrant=False)
    return made


class Tapped:
    """A subject whose chosen calls lead through modules of ours, `taps`, which captum may hook.

    Called with inputs (N, 3, h, w) it returns the scores (N, C), and runs each tap once. A network that takes one input
    at a time runs twice for each: once for the layers' values, and once with what the taps make of them.
    """

    def __init__(self, subject: Subject, *calls: Call) -> None:
        self.subject, self.calls = subject, calls
        self.taps = [nn.Identity() for _ in calls]

    def __call__(self, x: Tensor) -> Tensor:
        if not (self.subject.alone and len(x) > 1):
            try:
                return self._scores(x)
            except _Batched:
                pass
        return self._one_by_one(x)

    def _scores(self, x: Tensor) -> Tensor:
        def replacing(tap: nn.Module) -> Callable[[Tensor], Tensor]:
            def replace_value(value: Tensor) -> Tensor:
                if len(value) != len(x):
                    raise _Batched
                return _through(tap, value)

            return replace_value

        change = {call.id: replacing(tap) for call, tap in zip(self.calls, self.taps, strict=True)}
        with changed(self.subject.net, change):
            return self.subject.scores(x)

    def _one_by_one(self, x: Tensor) -> Tensor:
        parts, kept = x.split(1), [list[Tensor]() for _ in self.calls]

        def keeping(number: int) -> Callable[[Tensor], Tensor]:
            def keep(value: Tensor) -> Tensor:
                kept[number].append(value)
                return value.clone()

            return keep

        for part in parts:
            with changed(self.subject.net, {call.id: keeping(n) for n, call in enumerate(self.calls)}):
                self.subject.scores(part)
        made = [_through(tap, torch.cat(values)) for tap, values in zip(self.taps, kept, strict=True)]
        rows = []
        for row, part in enumerate(parts):
            put = {call.id: _constant(value[row : row + 1]) for call, value in zip(self.calls, made, strict=True)}
            with changed(self.subject.net, put):
                rows.append(self.subject.scores(part))
        return torch.cat(rows)


def _through(tap: nn.Module, value: Tensor) -> Tensor:
    with apart():
        replacing: Tensor = tap(value.clone())
    return replacing.clone()  # what follows in the network may write into it


def _constant(value: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda old: value.clone()


def layer_of(probe: Probe, layer: str) -> Call:
    """Return the call that a layer method uses. Raises Refusal if it has no map of the picture."""
    return call_of(probe.subject, layer, probe.stages, spatial=True)


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return whether captum can follow a layer, found by one pass through it and back."""
    call = call_of(subject, params.layer, stages, spatial=True)
    if subject.repeats > 1:
        return Verdict("never", AVERAGED.format(count=subject.repeats))
    reason = partial(_reason_captum_fails, subject, call)
    why: str = stages.run("captum's check of the layer", reason, subject.key, call.id)
    if why:
        return Verdict("never", f"{why} {INSTEAD}")
    return Verdict(reason="" if params.layer else chosen(subject, stages).why)


def _reason_captum_fails(subject: Subject, call: Call) -> str:
    """Return in a sentence why captum cannot follow a call, "" if it can."""
    import captum.attr

    tapped = Tapped(subject, call)
    try:
        with drawing():
            method: Any = captum.attr.LayerGradientXActivation(_best(tapped), tapped.taps[0])
            found: Any = method.attribute(subject.input.detach().clone())
    except (Refusal, Cancelled):
        raise
    except Exception as error:  # whatever captum or the network makes of it becomes the reason
        if out_of_memory(error):
            raise
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:MOST_CHARACTERS]
        if any(sign in said for sign in _CUT_OFF):
            return str(no_gradient(f"layer {call.id}", error))
        return LOST.format(layer=call.id, why=f"{said}.")
    same = isinstance(found, Tensor) and tuple(found.shape) == call.shape
    return "" if same else LOST.format(layer=call.id, why="it comes out in another shape.")


def _best(tapped: Tapped) -> Callable[[Tensor], Tensor]:
    return lambda x: tapped(x)[:, : len(tapped.subject.classes)].amax(1)


def on_layer(probe: Probe, params: PathParams, what: str, attribute: Callable[..., Tensor], *, full: bool) -> Heatmap:
    """Return a layer method's map, summed over channels, at the layer's own resolution.

    `attribute(forward, tap, start, batch)` calls captum; with `full` it promises completeness, so the error is given.
    """
    call = layer_of(probe, params.layer)
    start = baseline(probe.subject, params.baseline)
    tapped = Tapped(probe.subject, call)

    def run(x: Tensor) -> Tensor:
        return probe.target.of(tapped(x))

    def attempt(batch: int) -> Tensor:
        with drawing(), arriving(f"layer {call.id}"):
            values = forward(probe, what, total=params.steps + 2, run=run)
            return attribute(values, tapped.taps[0], start, batch)

    found = fitting(attempt, max(2, gradient.batch_of(probe.subject))).detach()
    values = call.layout.planes(found).sum(1)[0].double().cpu().numpy()
    delta = None
    more: dict[str, Any] = {"layer": call.id, "baseline": params.baseline, "steps": params.steps}
    if full:
        with torch.no_grad():
            promised = probe.score - float(probe.of(start)[0])
        whole = float(found.sum())
        delta = abs(whole - promised) / max(abs(promised), 1e-12)
        more |= {"promised": promised}
    return Heatmap(values.astype("float32"), probe.subject.extent, delta, more)


def fitting(attempt: Callable[[int], Tensor], batch: int, *, least: int = 2) -> Tensor:
    """Return `attempt(batch)`, with half the batch as often as memory runs out."""
    while True:
        try:
            return attempt(batch)
        except (RuntimeError, MemoryError) as error:
            if batch <= least or not out_of_memory(error):
                raise
        device.release()
        batch = max(least, batch // 2)
