"""For tests of attributions: any classifier as an opened model on a drawn picture, small members of every family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torchvision.models
from torch import Tensor, nn
from torchvision.models.maxvit import MaxVit
from torchvision.models.vision_transformer import VisionTransformer

from models.adapters.classifier import ClassifierAdapter
from models.attributions.attribution import Attribution, Heatmap, Probe, probe_of, subject_of
from models.cards.card import Card
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.tracing.traced_calls import gradients
from models.types import Pixels, Refusal

NAMES = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "maxvit",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "swin_v2_t",
    "vgg11",
    "vit",
)
SIDES = {"inception_v3": 128}
CLASSES = 10


def network(name: str) -> nn.Module:
    """Build a small network of a family with random weights, its head among them, and frozen parameters.

    Its batch normalisations know what they get, so that no layer's values vanish.
    """
    torch.manual_seed(0)
    made: dict[str, Callable[[], nn.Module]] = {
        "maxvit": lambda: MaxVit((64, 64), 16, 2, [16, 32, 32, 64], [1] * 4, 16, 0.0, num_classes=CLASSES),
        "vit": lambda: VisionTransformer(64, 16, 3, 2, 64, 128, num_classes=CLASSES),
    }
    plain = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    build = made.get(name, lambda: getattr(torchvision.models, name)(weights=None, num_classes=CLASSES, **plain))
    net = build().eval()
    last = [module for module in net.modules() if isinstance(module, nn.Linear)]
    if last and not last[-1].weight.any():
        nn.init.normal_(last[-1].weight, std=0.1)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.train()
    if norms:
        with torch.no_grad():
            net(torch.randn(4, 3, *[SIDES.get(name, 64)] * 2))
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    return net.eval()


def opened(net: nn.Module, *, side: int = 64) -> Any:
    """Return a classifier as opened, whose input is `side` px."""
    about = {"preprocessing": {"resize": side, "crop": side}}
    return ClassifierAdapter(net, Card("random", classes=tuple(f"class {i}" for i in range(CLASSES)), about=about))


def picture(side: int = 64) -> Pixels:
    """Draw colours that change slowly, and some noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    drawn = np.stack([x, y, np.abs(np.sin(6 * x * y))], -1) + rng.normal(0, 0.1, (side, side, 3))
    return (drawn.clip(0, 1) * 255).astype(np.uint8)


def stages(context: Context | None = None) -> CachedStages:
    """Return stages with nothing cached."""
    return CachedStages(Cache(), "test", context or Context())


def probe(model: Any, params: Any, *, using: CachedStages | None = None) -> Probe:
    """Return the probe of a method with these parameters on the drawn picture."""
    using = using or stages()
    pixels = picture(model.preprocess.crop)
    return probe_of(subject_of(model, pixels, params, using), params, using, pixels)


def explained(method: Attribution, model: Any, params: Any = None, *, using: CachedStages | None = None) -> Heatmap:
    """Return the map of a method on the drawn picture, verdict first, as an answer is made. Raises Refusal."""
    params, using = params or method.params(), using or stages()
    pixels = picture(model.preprocess.crop)
    subject = subject_of(model, pixels, params, using)
    with gradients():
        verdict = method.verdict(subject, params, using)
        if verdict.level == "never":
            raise Refusal(verdict.reason)
        return method.attribute(probe_of(subject, params, using, pixels), params)


def input_of(model: Any) -> Tensor:
    """Return the network's input for the drawn picture."""
    return model.subject(picture(model.preprocess.crop), stages()).input
