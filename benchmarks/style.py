"""A step of the Style panel's descent beside a bare loop with the same losses, on an untrained ResNet-18, 224 px.

`python -m benchmarks.style [--rounds N] [--steps K]`; needs scikit-image. The bare loop is what one writes by hand:
hooks on the layers, the same Gram matrices and weights, Adam, and the network run no further than its last layer that
counts. Times are the processor's, of one thread; both make the same picture, which is checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.attribution import opened, pictures, timed, untrained
from benchmarks.paired import Line, at_most, surroundings, table
from models.attributions.attribution import subject_of
from models.attributions.target import TargetParams
from models.features import style_losses
from models.features.style_losses import Descent, Wanted, Weights
from models.interpretation.map_readings import as_input
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.tracing.layers import call_of

PX, RATE, LIMIT, SAME = 224, 0.02, 1.1, 1e-3
STYLE = ("relu", "layer1", "layer2", "layer3")
CONTENT = ("layer3",)
WEIGHTS = Weights(1.0, 10.0, 0.0, (1.0,) * len(STYLE))


def features_of(net: nn.Module) -> tuple[Callable[[Tensor], Mapping[str, Tensor]], Tensor, Tensor]:
    """Return Vitrine's features of an opened network, and the pictures of content and style (1, 3, PX, PX)."""
    model, stages = opened(net), CachedStages(Cache(), "benchmark", Context())
    content, style = pictures()[0], pictures()[2]
    subject = subject_of(model, content, TargetParams(), stages)
    calls = tuple(call_of(subject, name, stages) for name in STYLE)

    def features(x: Tensor) -> Mapping[str, Tensor]:
        return style_losses.maps_of(subject, calls, as_input(x, model.preprocess))

    return features, *(_plain(pixels) for pixels in (content, style))


def bare(net: nn.Module, aims: Wanted, start: Tensor, steps: int, prepared: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the picture that a loop by hand makes in some steps."""
    kept: dict[str, Tensor] = {}
    hooks = [
        net.get_submodule(name).register_forward_hook(lambda m, i, out, name=name: kept.update({name: out}))
        for name in STYLE[1:]
    ]
    x = start.detach().clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=RATE)
    part = nn.Sequential(*list(net.children())[: [name for name, _ in net.named_children()].index("layer3") + 1])
    first = part[2].register_forward_hook(lambda m, i, out: kept.update({"relu": out}))
    names = list(aims.style)
    for _ in range(steps):
        adam.zero_grad()
        part(prepared(x))
        loss = x.new_zeros(())
        for name, at in zip(names, STYLE, strict=True):
            difference = (style_losses.gram(kept[at]) - aims.style[name]).square().sum()
            loss = loss + WEIGHTS.style / len(STYLE) * aims.style_factors[name] * difference
        for name, target in aims.content.items():
            at = STYLE[names.index(name)]
            loss = loss + WEIGHTS.content * aims.content_factors[name] * (kept[at] - target).square().sum()
        loss.backward()
        adam.step()
    for hook in (*hooks, first):
        hook.remove()
    return x.detach()


def lines(rounds: int, steps: int) -> list[Line]:
    """Compare both, in turn, from the same start."""
    torch.set_num_threads(1)
    net = untrained("resnet18")
    features, content, style = features_of(net)
    with torch.no_grad():
        of_content, of_style = features(content), features(style)
    last = list(of_content)[-1]
    aims = style_losses.wanted({last: of_content[last]}, of_style, style_losses.RELATIVE)
    model = opened(net)
    ours, theirs = [], []

    def descend() -> Tensor:
        descent = Descent(features, aims, content, lambda step: WEIGHTS, steps=steps, rate=RATE)
        for _ in range(steps):
            descent.step()
        descent.keep()
        return descent.state.picture

    def by_hand() -> Tensor:
        return bare(net, aims, content, steps, lambda x: as_input(x, model.preprocess))

    apart = float((descend() - by_hand()).abs().mean())
    assert apart < SAME, apart  # single pixels drift: Adam divides by the size of their gradients
    for number in range(rounds):
        pair = [(ours, descend), (theirs, by_hand)]
        for times, call in pair if number % 2 else reversed(pair):
            times.append(timed(call)[0] / steps)
    what = f"a step of a style, ResNet-18, {PX} px, {len(STYLE)} style layers; a bare loop with the same losses"
    return [at_most(what, ours, theirs, limit=LIMIT)]


def _plain(pixels: object) -> Tensor:
    picture = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    return functional.interpolate(picture, (PX, PX), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--steps", type=int, default=10)
    given = options.parse_args()
    before = surroundings()
    print(table(lines(given.rounds, given.steps)), before, sep="\n\n")


if __name__ == "__main__":
    main()
