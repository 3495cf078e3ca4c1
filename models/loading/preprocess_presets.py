"""Common preprocessing variants, offered as assumptions if no card says how a network was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from models import model_name
from models.cards.card import PHOTOS, Card
from models.cards.form import FIT_TITLES
from models.loading.preprocess import FITS, ORDERS, SIZED, Preprocess
from models.pictures import images

PRESETS: dict[str, dict[str, Any]] = {
    "imagenet": {},
    "imagenet_bgr": {"mean": (0.406, 0.456, 0.485), "std": (0.225, 0.224, 0.229)},
    "zero_one": {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
    "minus_one_one": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
    "minus_127": {"mean": (127.0, 127.0, 127.0), "std": (128.0, 128.0, 128.0), "range": 255.0},
    "zero_255": {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "range": 255.0},
    "caffe": {"mean": (103.939, 116.779, 123.68), "std": (1.0, 1.0, 1.0), "range": 255.0},
    "caffe_104": {"mean": (104.0, 117.0, 123.0), "std": (1.0, 1.0, 1.0), "range": 255.0},
}
OWN = "own"  # the preprocessing the architecture was trained with
PLAIN = {name: Preprocess.__dataclass_fields__[name].default for name in ("mean", "std", "range")}
BGR = ("imagenet_bgr", "caffe", "caffe_104")  # channels in OpenCV's order
COLOURS_OF = (3, 4)  # numbers of channels of which three are colours
COLOURED = ("imagenet", *BGR)
SMALL_PX = 96
STATISTICS_PX = 128  # photos of this size suffice to distinguish presets
INPUT = {
    "title": "Values",
    "help": "How values are scaled: with ImageNet's mean and spread, 0 to 1, -1 to 1, (x - 127) / 128, 0 to 255, or "
    "0 to 255 less Caffe's mean colour in BGR.",
    "titles": {
        OWN: "the network's own",
        "imagenet": "ImageNet's",
        "imagenet_bgr": "ImageNet's, BGR",
        "zero_one": "0 to 1",
        "minus_one_one": "-1 to 1",
        "minus_127": "(x - 127) / 128",
        "zero_255": "0 to 255",
        "caffe": "Caffe's mean, BGR",
        "caffe_104": "Caffe's mean in whole numbers, BGR",
    },
}
COLOURS = {"title": "Colours", "help": "The order of the colours.", "titles": {"rgb": "RGB", "bgr": "BGR"}}
FIT = {
    "title": "Fit",
    "help": "Cut the middle out, stretch to the size, or pad to keep the proportions.",
    "titles": FIT_TITLES,
}


def propose(
    net: nn.Module,
    card: Card,
    given: Mapping[str, str],
    *,
    size: tuple[int, int],
    channels: int,
    boxes: bool,
    usual: str = "",
) -> tuple[Preprocess, dict[str, dict[str, Any]]]:
    """Return the preprocessing of a network whose input is `size` (h, w), and the assumptions in it.

    What the card states is no assumption. `usual` is the preset of values where nothing in the network tells one.
    Raises Refusal for a choice that is not offered.
    """
    if "preprocessing" in card.about:
        return Preprocess.of(card.about["preprocessing"]), {}
    names = [name for name in PRESETS if channels in COLOURS_OF or name not in COLOURED]
    usual = usual if usual in names else "imagenet" if channels in COLOURS_OF and not boxes else "zero_one"
    first = _by_statistics(net, [name for name in names if name not in BGR], size=size, channels=channels) or usual
    fits = SIZED if size[0] == size[1] and not boxes else ("stretch", "pad", "crop")
    offered: dict[str, dict[str, Any]] = {
        "input": {**INPUT, "choices": (first, *(name for name in names if name != first))},
        "fit": {**FIT, "choices": fits},
    }
    if channels in COLOURS_OF:
        order = ORDERS[::-1] if given.get("input") in BGR else ORDERS
        offered["colours"] = {**COLOURS, "choices": order}
    assumed = model_name.check({k: v for k, v in given.items() if k in offered}, offered, name=card.name)
    made = Preprocess(
        resize=min(size) if min(size) < SMALL_PX else int(min(size) * 256 / 224),
        crop=size[0] if size[0] == size[1] else size,
        fit=assumed["fit"],
        order=assumed.get("colours", ORDERS[0]),
        **PRESETS[assumed["input"]],
    )
    return made, offered


def assumed(own: Preprocess, given: Mapping[str, str]) -> tuple[Preprocess, dict[str, dict[str, Any]]]:
    """Return an architecture's usual preprocessing, changed by the user's choices, and the assumptions in it.

    The assumptions are values, fit and colours, the usual ones first. Raises Refusal for a choice that is not offered.
    """
    known = {name: replace(own, **{**PLAIN, **fields}) for name, fields in PRESETS.items()}
    first = next((name for name, made in known.items() if made == own), OWN)
    offered: dict[str, dict[str, Any]] = {
        "input": {**INPUT, "choices": (first, *(name for name in PRESETS if name != first))},
        "fit": {**FIT, "choices": (own.fit, *(fit for fit in FITS if fit != own.fit))},
        "colours": {**COLOURS, "choices": _orders(own.order, given.get("input", ""))},
    }
    chosen = model_name.check({k: v for k, v in given.items() if k in offered}, offered, name="This model")
    made = known.get(chosen["input"], own)
    return replace(made, fit=chosen["fit"], order=chosen["colours"]), offered


def _orders(own: str, chosen: str) -> tuple[str, ...]:
    """Return the orders of colours, the usual one first: that of a chosen preset, else the network's own."""
    first = "bgr" if chosen in BGR or (not chosen and own == "bgr") else "rgb"
    return (first, *(order for order in ORDERS if order != first))


def others(own: Preprocess, names: Sequence[str]) -> dict[tuple[str, str], Preprocess]:
    """Return how pictures of the same size could be prepared, by the preset's name and the order of the colours.

    Each preset of `names` with the colours that it usually goes with, and `own` with either.
    """
    found: dict[tuple[str, str], Preprocess] = {}
    for name in names:
        if name not in PRESETS:
            continue
        made = replace(own, **{**PLAIN, **PRESETS[name]})
        orders = ORDERS if made == own else ORDERS[1:] if name in BGR else ORDERS[:1]
        ways = {(name, order): replace(made, order=order) for order in orders}
        found |= {key: way for key, way in ways.items() if way not in found.values()}
    return found


def variants(own: Preprocess, offered: Mapping[str, Mapping[str, Any]]) -> list[tuple[dict[str, str], Preprocess]]:
    """Return ways to prepare a picture under other assumptions, each with the assumptions that make it so.

    `offered` are a model's assumptions by name. Every choice of values with the colours that it usually goes with, both
    orders of `own`, and every fit of `own`; `own` itself is the first.
    """
    names = offered["input"]["choices"]
    found: dict[Preprocess, dict[str, str]] = {own: {"input": str(offered["input"]["value"])}}
    if "colours" in offered:
        found[own]["colours"] = own.order
        for (name, order), way in others(own, names).items():
            found.setdefault(way, {"input": name, "colours": order})
    else:
        for name in names:
            if name in PRESETS:
                found.setdefault(replace(own, **{**PLAIN, **PRESETS[name]}), {"input": name})
    for fit in offered.get("fit", {}).get("choices", ()):
        found.setdefault(replace(own, fit=fit), {**found[own], "fit": fit})
    return [(assume, way) for way, assume in found.items()]


def words(assume: Mapping[str, str]) -> str:
    """Return in words what assumptions on preparing pictures say."""
    titles = {"input": INPUT["titles"], "colours": COLOURS["titles"]}
    return ", ".join(str(titles.get(key, {}).get(value, value)) for key, value in assume.items())


class _Enough(Exception):  # noqa: N818 - ends a pass early
    """The first normalisation layer was reached."""


def _by_statistics(net: nn.Module, names: list[str], *, size: tuple[int, int], channels: int) -> str:
    """Return the preset under which the first batch normalisation sees photos most like its training data.

    The layer stores mean and variance of each channel; the preset with the smallest Kullback-Leibler divergence from
    these wins. "" if there is no such layer, or pictures do not reach it.
    """
    norm = next((m for m in net.modules() if isinstance(m, nn.BatchNorm2d) and m.running_mean is not None), None)
    photos = [images.bundled(path) for path in sorted(PHOTOS.glob("*.jpg"))]
    if norm is None or norm.running_mean is None or not photos or channels != 3:
        return ""
    device = norm.running_mean.device
    found = {}
    enough = min(size[0], STATISTICS_PX), min(size[1], STATISTICS_PX)
    for name in names:
        made = Preprocess(crop=enough, fit="stretch", **PRESETS[name])
        inputs = torch.cat([made.input(pixels, device) for pixels in photos])
        seen = [value for one in inputs.split(1) if (value := _arriving(net, norm, one)) is not None]
        if seen:
            found[name] = _divergence(torch.cat(seen), norm)
    return min(found, key=found.__getitem__) if found else ""


def _arriving(net: nn.Module, norm: nn.Module, x: Tensor) -> Tensor | None:
    """Return the input of a layer, without running the rest of the network."""
    kept: list[Tensor] = []

    def see(module: nn.Module, inputs: Any) -> None:
        if module is norm:
            kept.append(inputs[0])
            raise _Enough

    hook = nn.modules.module.register_module_forward_pre_hook(see)
    try:
        with torch.no_grad():
            net(x)
    except _Enough:
        return kept[0]
    finally:
        hook.remove()
    return None


def _divergence(seen: Tensor, norm: nn.BatchNorm2d) -> float:
    """Return the mean KL divergence in nats of channels (N, C, h, w), as normal distributions, from the training's."""
    assert norm.running_mean is not None and norm.running_var is not None
    seen = seen.transpose(0, 1).flatten(1).double()
    variance, known = seen.var(1) + norm.eps, norm.running_var.double() + norm.eps
    distance = (seen.mean(1) - norm.running_mean.double()) ** 2
    return float(((variance + distance) / known - 1 + (known / variance).log()).mean() / 2)
