"""Grad-CAM and integrated gradients beside captum, and pytorch-grad-cam where it is installed, on the same input.

`python -m benchmarks.attribution [--rounds N] [--weights photos-resnet.safetensors]`; needs captum and scikit-image.
Every time is that of an answer from nothing: from the network's input to the map, nothing cached before. It is the
processor time of one thread, so that what else the machine does hardly counts.
"""

from __future__ import annotations

import argparse
import copy
import gc
import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import captum.attr
import numpy as np
import skimage.data
import torch
import torchvision.models
from torch import nn

from benchmarks.paired import Line, at_most, surroundings, table
from models.adapters.classifier import ClassifierAdapter
from models.attributions.attribution import Attribution, Heatmap, probe_of, subject_of
from models.attributions.methods import grad_cam, integrated_gradients
from models.bundled import photos
from models.cards.card import Card
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.tracing.traced_calls import gradients
from models.types import Pixels

LAYER, CLASSES = "layer4", 5
STEPS, INTERNAL_BATCH, BEST = 50, 8, 2


@dataclass
class Fresh:
    """A classifier on one picture, of which nothing but its input is known."""

    model: ClassifierAdapter
    pixels: Pixels

    def stages(self) -> CachedStages:
        """Return stages that hold the input alone."""
        stages = CachedStages(Cache(), "benchmark", Context())
        self.model.subject(self.pixels, stages)
        return stages

    def answer(self, method: Attribution, params: Any, stages: CachedStages) -> Heatmap:
        """Return a map as the engine makes it: verdict, scores, map."""
        subject = subject_of(self.model, self.pixels, params, stages)
        with torch.inference_mode(), gradients():
            method.verdict(subject, params, stages)
            return method.attribute(probe_of(subject, params, stages, self.pixels), params)


def pictures() -> list[Pixels]:
    """Return scikit-image's own photographs."""
    return [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()]


def opened(net: nn.Module, about: dict[str, Any] | None = None) -> ClassifierAdapter:
    """Return a network as opened, with frozen parameters; one without a card has as many classes as ImageNet."""
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    names = tuple(str(i) for i in range(1000 if about is None else len(photos.CLASSES)))
    return ClassifierAdapter(net, Card("benchmark", classes=names, about=about or {}))


def untrained(name: str) -> nn.Module:
    """Build a network whose random weights keep the size of values from layer to layer."""
    torch.manual_seed(0)
    net = getattr(torchvision.models, name)(weights=None)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    with torch.no_grad():
        net.train()(torch.randn(4, 3, 224, 224))
    return net.eval()


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return how much processor time a call takes in seconds, and what it returns."""
    gc.collect()
    begin = time.process_time()
    found = call()
    return time.process_time() - begin, found


def cam_lines(rounds: int) -> list[Line]:
    """Compare Grad-CAM of a named layer on ResNet-50, and five classes with one."""
    net = untrained("resnet50")
    fresh = Fresh(opened(net), pictures()[1])
    x = fresh.model.subject(fresh.pixels, fresh.stages()).input
    theirs = captum.attr.LayerGradCam(net, net.get_submodule(LAYER))

    def one(label: int, stages: CachedStages) -> Heatmap:
        return fresh.answer(grad_cam.attribute, grad_cam.Params(target=str(label), layer=LAYER), stages)

    def five() -> list[Heatmap]:
        stages = fresh.stages()
        return [one(label, stages) for label in range(CLASSES)]

    def captum_map() -> Any:
        return theirs.attribute(x.clone(), target=0)

    other = None
    if importlib.util.find_spec("pytorch_grad_cam"):
        library = importlib.import_module("pytorch_grad_cam")
        targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
        own = copy.deepcopy(net).requires_grad_(True)  # with frozen parameters it raises
        cam = library.GradCAM(model=own, target_layers=[own.get_submodule(LAYER)])
        other = lambda: cam(input_tensor=x.clone(), targets=[targets.ClassifierOutputTarget(0)])  # noqa: E731
    ours_s, fives_s, captum_s, other_s = [], [], [], []
    for turn in range(rounds + 1):
        stages = fresh.stages()
        calls: dict[str, Callable[[], Any]] = {"ours": lambda s=stages: one(0, s), "captum": captum_map}
        # Who comes second finds the weights warm: they take turns.
        order = list(calls) if turn % 2 else list(reversed(calls))
        done = {name: timed(calls[name]) for name in order}
        (ours, mine), (captums, expected) = done["ours"], done["captum"]
        np.testing.assert_allclose(mine.values, expected[0, 0].detach(), atol=1e-5 * float(expected.abs().max()))
        fives, _ = timed(five)
        others = timed(other)[0] if other else None
        if turn:  # the first warms up
            ours_s.append(ours)
            captum_s.append(captums)
            fives_s.append(fives)
            other_s += [others] if others is not None else []
    lines = [at_most("Grad-CAM, ResNet-50, 224 px, layer4; captum's `LayerGradCam`", ours_s, captum_s, limit=1.05)]
    if other_s:
        lines.append(at_most("The same; pytorch-grad-cam", ours_s, other_s, limit=0.5))
    return [*lines, at_most("Grad-CAM of five classes; of one", fives_s, ours_s, limit=2.5)]


def path_line(title: str, model: ClassifierAdapter) -> Line:
    """Compare integrated gradients of each picture's best classes, going on to the delta that captum reaches."""
    theirs = captum.attr.IntegratedGradients(model.net)
    ours_s, captum_s, steps = [], [], []
    for pixels in pictures():
        fresh = Fresh(model, pixels)
        subject = model.subject(pixels, fresh.stages())
        with torch.no_grad():
            best = model.net(subject.input)[0].argsort(descending=True)[:BEST].tolist()
        start = subject.black.expand_as(subject.input)
        for label in best:
            captums, (_, delta) = timed(
                lambda s=subject, b=start, c=label: theirs.attribute(
                    s.input,
                    b,
                    target=c,
                    n_steps=STEPS,
                    internal_batch_size=INTERNAL_BATCH,
                    return_convergence_delta=True,
                )
            )
            with torch.no_grad():
                promised = float(model.net(subject.input)[0, label] - model.net(start)[0, label])
            reached = max(abs(float(delta) / promised), 1e-4)
            params = integrated_gradients.Params(target=str(label), baseline="black", tolerance=reached, most=256)
            stages = fresh.stages()
            ours, mine = timed(lambda f=fresh, p=params, s=stages: f.answer(integrated_gradients.attribute, p, s))
            ours_s.append(ours)
            captum_s.append(captums)
            steps.append(mine.more["steps"])
    ratios = [b / a for a, b in zip(ours_s, captum_s, strict=True)]
    ratio = median(captum_s) / median(ours_s)
    text = f"{ratio:.2f}x faster (pairs {median(ratios):.2f}x, least {min(ratios):.2f}x; {median(steps):.0f} steps)"
    what = f"Integrated gradients, {title}, to the delta of captum's {STEPS} steps with internal batch {INTERNAL_BATCH}"
    return Line(what, median(ours_s), median(captum_s), text, "≥ 1.5x", ratio >= 1.5)


def trained(weights: Path) -> ClassifierAdapter:
    """Return our residual network with its weights."""
    from safetensors.torch import load_file

    net = photos.photos_resnet()
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(weights).items()})
    size = {"resize": photos.SIZE_PX, "crop": photos.SIZE_PX}
    return opened(net.eval(), {"preprocessing": {**size, "mean": photos.MEAN, "std": photos.STD}})


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--weights", type=Path, help="weights of photos-resnet, for integrated gradients on it")
    given = options.parse_args()
    torch.set_num_threads(1)
    before = surroundings()
    lines = cam_lines(given.rounds)
    lines.append(path_line("ResNet-18 with random weights, 224 px", opened(untrained("resnet18"))))
    if given.weights:
        lines.append(path_line("photos-resnet", trained(given.weights)))
    print(f"{before}, processor time of one thread; medians of {given.rounds} interleaved rounds\n\n{table(lines)}")


if __name__ == "__main__":
    main()
