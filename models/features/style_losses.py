"""Losses of content and style over layers of a network (Gatys et al. 2016, Johnson et al. 2016), and their descent.

The Gram matrix of maps F (C, h w) is F F^T; places are summed over, so it keeps which channels respond together and
forgets where. Here it is divided by h w, so that pictures of different sizes compare. Three conventions of the loss
differ by a factor for each layer of C channels and M = h w places, so that weights convert exactly:

- "gatys": content 1/2 sum (F - P)^2, style 1/(4 C^2) sum (G - A)^2 of these Gram matrices;
- "fast", of the feed-forward nets: the mean of (F - P)^2, and the mean of (G - A)^2 of matrices divided by C h w,
  which is the sum divided by C^4;
- "relative": the content's divided by the sum of P^2, the style's by the sum of A^2, which has no unit and makes layers
  of any network comparable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.subject import Subject
from models.tracing.traced_calls import Call, recorded
from models.types import Refusal

RELATIVE, GATYS, FAST = CONVENTIONS = ("relative", "gatys", "fast")
CONTENT, NOISE, STYLE = STARTS = ("content", "noise", "style")
ADAM, LBFGS = OPTIMISERS = ("adam", "lbfgs")
LEAST = 1e-30
SPREAD = 0.15  # standard deviation of the noise around grey that a picture starts from
KEPT_STATES = 24
FILM_PX, FILM_EVERY = 192, 5  # longest side and steps between the pictures of the way


class _Reached(Exception):  # noqa: N818 - an answer
    """The last layer that is asked for has been computed."""


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrices (N, C, C) of maps (N, C, h, w), divided by the number of places."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


@dataclass(frozen=True)
class Weights:
    """The weights of the terms from some step on, in the convention of the loss; `layers` are those of style layers."""

    content: float
    style: float
    variation: float
    layers: tuple[float, ...]

    def changed(self, name: str, value: float) -> Weights:
        """Return these with one weight changed; "w1" is that of the first style layer. Raises KeyError."""
        if name in ("content", "style", "variation"):
            return replace(self, **{name: value})
        number = int(name[1:]) - 1 if name[:1] == "w" and name[1:].isdigit() else -1
        if not 0 <= number < len(self.layers):
            raise KeyError(name)
        return replace(self, layers=(*self.layers[:number], value, *self.layers[number + 1 :]))


@dataclass(frozen=True)
class Wanted:
    """What is aimed at in each layer: maps of the content (1, C, h, w), Gram matrices (1, C, C) of the style.

    `factors` are those of the convention by layer, for content and for style.
    """

    content: Mapping[str, Tensor]
    style: Mapping[str, Tensor]
    content_factors: Mapping[str, float]
    style_factors: Mapping[str, float]

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers."""
        return tuple(dict.fromkeys([*self.content, *self.style]))


def content_factor(convention: str, maps: Tensor) -> float:
    """Return what the sum of squared differences from these maps is multiplied with."""
    if convention == GATYS:
        return 0.5
    return 1 / maps.numel() if convention == FAST else 1 / max(float(maps.square().sum()), LEAST)


def style_factor(convention: str, matrix: Tensor) -> float:
    """Return what the sum of squared differences from this Gram matrix is multiplied with."""
    channels = matrix.shape[-1]
    if convention == GATYS:
        return 1 / (4 * channels**2)
    return channels**-4 if convention == FAST else 1 / max(float(matrix.square().sum()), LEAST)


def wanted(content: Mapping[str, Tensor], style: Mapping[str, Tensor], convention: str) -> Wanted:
    """Return what maps of the content picture and of the style picture ask for."""
    matrices = {name: gram(maps) for name, maps in style.items()}
    return Wanted(
        content,
        matrices,
        {name: content_factor(convention, maps) for name, maps in content.items()},
        {name: style_factor(convention, matrix) for name, matrix in matrices.items()},
    )


def terms(maps: Mapping[str, Tensor], aims: Wanted) -> tuple[Tensor, Tensor]:
    """Return the losses of the content layers and of the style layers, before their weights, for maps by layer."""
    content = [aims.content_factors[k] * (maps[k] - v).square().sum() for k, v in aims.content.items()]
    style = [aims.style_factors[k] * (gram(maps[k]) - v).square().sum() for k, v in aims.style.items()]
    return torch.stack(content), torch.stack(style)


def variation(x: Tensor) -> Tensor:
    """Return the total variation of pictures: the mean of squared differences between neighbours, down and across."""
    return x.diff(dim=-2).square().mean() + x.diff(dim=-1).square().mean()


def weighted(content: Tensor, style: Tensor, x: Tensor, weights: Weights) -> Tensor:
    """Return each weighted term: content layers, style layers, total variation."""
    shares = style.new_tensor(weights.layers) / len(weights.layers)
    smooth = weights.variation * variation(x) if weights.variation else x.new_zeros(())
    return torch.cat([weights.content * content / len(content), weights.style * style * shares, smooth[None]])


@contextmanager
def _until(net: nn.Module, kept: Mapping[str, Tensor], count: int) -> Iterator[None]:
    """End a pass with _Reached inside the block as soon as `count` layers are recorded."""

    def after(module: nn.Module, inputs: Any, output: Any) -> None:
        if len(kept) == count:
            raise _Reached

    hook = nn.modules.module.register_module_forward_hook(after)
    try:
        yield
    except _Reached:
        pass
    finally:
        hook.remove()


def maps_of(subject: Subject, calls: Sequence[Call], x: Tensor) -> dict[str, Tensor]:
    """Return the maps (1, C, h, w) of some calls for inputs, part of the graph of `x`; later layers are not run.

    Raises Refusal if the network does not take inputs of this size.
    """
    with recorded(subject.net, [call.id for call in calls]) as kept, _until(subject.net, kept, len(calls)):
        subject.scores(x)
    lacking = [call.id for call in calls if call.id not in kept]
    if lacking:
        raise Refusal(f"{lacking[0]} is not reached for a picture of this size.", advice="Choose other layers.")
    return {call.id: call.layout.planes(kept[call.id]) for call in calls}


@dataclass
class State:
    """Where a descent stands: the picture, the optimiser's memory, and what each step cost (steps, terms)."""

    step: int
    picture: Tensor
    memory: dict[str, Any]
    losses: list[Tensor] = field(default_factory=list)
    film: dict[int, Tensor] = field(default_factory=dict)


def frame(picture: Tensor) -> Tensor:
    """Return a picture (1, 3, h, w) as uint8 of at most FILM_PX a side, for the film."""
    share = min(1.0, FILM_PX / max(picture.shape[-2:]))
    size = [max(1, round(side * share)) for side in picture.shape[-2:]]
    shown = picture.clamp(0, 1)
    if share < 1:
        shown = functional.interpolate(shown, size, mode="bilinear", antialias=True, align_corners=False)
    return (shown * 255).round().to(torch.uint8).cpu()


class Descent:
    """Lowers the weighted losses by changing the pixels of a picture (1, 3, h, w), on a scale from 0 to 1.

    `features` maps pictures to maps by layer. The weights of each step come from `weights`, so that they can change on
    the way: `follow` goes back to the last kept state up to which the steps had the same weights.
    """

    def __init__(
        self,
        features: Callable[[Tensor], Mapping[str, Tensor]],
        aims: Wanted,
        start: Tensor,
        weights: Callable[[int], Weights],
        *,
        steps: int,
        rate: float,
        optimiser: str = ADAM,
    ) -> None:
        self.features, self.aims, self.weights = features, aims, weights
        self.steps, self.rate, self.optimiser = steps, rate, optimiser
        self.failure: Exception | None = None
        self.x = start.detach().clone().requires_grad_()
        self._optimiser = self._made()
        self.state = State(0, self.x.detach().clone(), deepcopy(self._optimiser.state_dict()))
        self.state.film[0] = frame(self.x.detach())
        self._used: list[Weights] = []
        self._states: dict[int, State] = {}
        self.keep()

    @property
    def complete(self) -> bool:
        """Whether all steps are made."""
        return self.state.step >= self.steps

    @property
    def nbytes(self) -> int:
        """Size of the pictures that are kept, in bytes."""
        films = sum(frame.nbytes for frame in self.state.film.values())
        return self.x.nbytes * (3 * len(self._states) + 3) + films

    @torch.inference_mode(False)
    def keep(self) -> None:
        """Keep the present state, to which `follow` can go back; of many, the first and the newest stay."""
        now = self.state
        self._states[now.step] = State(
            now.step, self.x.detach().clone(), deepcopy(self._optimiser.state_dict()), list(now.losses), dict(now.film)
        )
        while len(self._states) > KEPT_STATES:
            del self._states[sorted(self._states)[1]]

    @torch.inference_mode(False)
    def follow(self, weights: Callable[[int], Weights], steps: int) -> None:
        """Go on with other weights: from the last kept state up to which all steps had these weights already."""
        self.weights, self.steps = weights, steps
        same = next((k for k, used in enumerate(self._used) if used != weights(k)), len(self._used))
        same = min(same, steps)
        if same == self.state.step:
            return
        back = max(step for step in self._states if step <= same)
        kept = self._states[back]
        with torch.no_grad():
            self.x.copy_(kept.picture)
        self._optimiser = self._made()
        self._optimiser.load_state_dict(deepcopy(kept.memory))
        self.state = State(back, kept.picture, kept.memory, list(kept.losses), dict(kept.film))
        self._used = self._used[:back]
        self._states = {step: state for step, state in self._states.items() if step <= back}

    def step(self) -> None:
        """Make the next step. Raises Refusal if the loss is not a finite number."""
        weights = self.weights(self.state.step)
        seen: list[Tensor] = []

        def closure() -> Any:
            self.x.grad = None
            content, style = terms(self.features(self.x), self.aims)
            parts = weighted(content, style, self.x, weights)
            seen.append(parts.detach())
            total = parts.sum()
            total.backward()
            return total

        with torch.inference_mode(False), torch.enable_grad():
            self._optimiser.step(closure)
            if not torch.isfinite(seen[0]).all() or not torch.isfinite(self.x).all():
                raise Refusal(
                    f"The loss is not a finite number after {self.state.step} steps.",
                    advice="Lower the weights or the step size.",
                )
            self.state.losses.append(seen[0])
            self._used.append(weights)
            self.state.step += 1
            self.state.picture = self.x.detach().clone()
            if self.state.step % FILM_EVERY == 0:
                self.state.film[self.state.step] = frame(self.x.detach())

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of the content's and of the style's weighted loss at the picture, (1, 3, h, w) each."""
        found = []
        for part in (0, 1):
            with torch.inference_mode(False), torch.enable_grad():
                x = self.x.detach().clone().requires_grad_()
                pair = terms(self.features(x), self.aims)
                weights = self.weights(min(self.state.step, max(0, self.steps - 1)))
                parts = weighted(*pair, x, replace(weights, variation=0.0))
                own = parts[: len(pair[0])] if part == 0 else parts[len(pair[0]) :]
                found.append(torch.autograd.grad(own.sum(), x)[0] if own.sum().requires_grad else torch.zeros_like(x))
        return found[0], found[1]

    def _made(self) -> torch.optim.Optimizer:
        if self.optimiser == LBFGS:
            return torch.optim.LBFGS([self.x], lr=1.0, max_iter=4, history_size=10)
        return torch.optim.Adam([self.x], lr=self.rate)


def started(kind: str, content: Tensor, style: Tensor, seed: int) -> Tensor:
    """Return the picture (1, 3, h, w) that a descent starts from; a style picture is repeated or cut to the size."""
    if kind == CONTENT:
        return content.clone()
    high, wide = content.shape[-2:]
    if kind == STYLE:
        times = (-(-high // style.shape[-2]), -(-wide // style.shape[-1]))
        return style.repeat(1, 1, *times)[..., :high, :wide].clone()
    noise = torch.randn((1, 3, high, wide), generator=torch.Generator().manual_seed(seed))
    return (0.5 + SPREAD * noise).to(content)


def by_likeness(matrix: Tensor) -> Tensor:
    """Return the order of channels that puts those side by side which respond together (the Fiedler vector's)."""
    spread = matrix.diagonal().clamp(min=LEAST).sqrt()
    alike = (matrix / spread[:, None] / spread[None]).abs().double()
    laplacian = torch.diag(alike.sum(1)) - alike
    return torch.linalg.eigh(laplacian)[1][:, min(1, len(matrix) - 1)].argsort()
