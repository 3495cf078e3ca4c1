"""Rank known architectures by how many of a state dict's tensors they have, and load what fits into a chosen one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.cards import card as cards
from models.cards.card import Card
from models.loading import architectures
from models.types import Refusal

MOST, LEAST = 8, 0.1
TIMM = "timm:"
# Compared where no name of a tensor tells the family.
COMMON = ("alexnet", "densenet121", "efficientnet_b0", "mobilenet_v2", "resnet18", "resnet34", "resnet50", "vgg16")
State = Mapping[str, Tensor]


def ranked(state: State, more: Collection[str] = ()) -> list[tuple[str, float]]:
    """Return architectures with the share of these tensors' shapes that they have, 0 to 1, the likest first.

    Names of tensors do not count, because code of one's own often names the same layers otherwise, but those of a
    known family are compared with that family. `more` are classifiers that are compared as well.
    """
    given = Counter(_shape(tensor) for name, tensor in state.items() if not name.endswith(architectures.COUNTER))
    whole = sum(given.values())
    classes = _classes(state)
    begins = next((names for tensor, names in architectures.FAMILIES.items() if tensor in state), ())
    family = {name for name in cards.CLASSIFIERS if name.startswith(begins)} if begins else set(COMMON)
    family |= {*more}
    names = [name for name in architectures.BUILDERS if name not in cards.CLASSIFIERS or name in family]
    found = {}
    for name in names:
        wanted = Counter(_shapes(name, classes).values())
        found[name] = sum((given & wanted).values()) / max(whole, sum(wanted.values()))
    best = sorted(found, key=lambda name: (-found[name], name))[:MOST]
    return [(name, found[name]) for name in best if found[name] >= LEAST]


def chosen(card: Card, state: State, name: str) -> tuple[nn.Module, Card]:
    """Return the architecture that the user chose with every tensor that fits, and its card, which says what does not.

    Tensors fit by name and shape; if all shapes are the same in the same order, by their order. Raises Refusal for an
    unknown architecture and if nothing fits.
    """
    timms = name.startswith(TIMM)
    if name not in architectures.BUILDERS and not timms:
        known = ", ".join(one for one, _ in ranked(state)) or "none is alike"
        raise Refusal(f"There is no architecture {name!r} to choose.", advice=f"Alike are: {known}.")
    classes = _classes(state)
    net = _of_timm(name, classes) if timms else architectures.untrained(name, classes=_count(name, classes))
    own = {key: _shape(t) for key, t in net.state_dict().items() if not key.endswith(architectures.COUNTER)}
    given = {key: t for key, t in state.items() if not key.endswith(architectures.COUNTER)}
    fitting = {key: given[key] for key, shape in own.items() if key in given and _shape(given[key]) == shape}
    ordered = len(fitting) < len(own) and [_shape(t) for t in given.values()] == list(own.values())
    if ordered:
        fitting = dict(zip(own, given.values(), strict=True))
    if not fitting:
        raise Refusal(f"No tensor of {card.name} fits {name}.", advice="Choose another architecture, or open its code.")
    with torch.no_grad():
        net.load_state_dict(fitting, strict=False)
    note = f"Chosen by you: {name}. All its tensors come from the file{', matched by their order' if ordered else ''}."
    if len(fitting) < len(own):
        note = (
            f"Chosen by you: {name}. Only {len(fitting):,} of its {len(own):,} tensors are in the file; the others are "
            "random, so its answers mean nothing. Its layers with tensors from the file can be looked at."
        )
    about: dict[str, Any] = {"note": note}
    if timms:
        cfg: Any = net.pretrained_cfg
        side = int(cfg["input_size"][-1])
        sizes = {"resize": int(side / (cfg.get("crop_pct") or 0.875)), "crop": side}
        about["preprocessing"] = {**sizes, "mean": list(cfg["mean"]), "std": list(cfg["std"])}
        names = tuple(f"class {number}" for number in range(classes))
        return net, cards.recognised(card, architecture=name, task="classification", classes=names, about=about)
    task = architectures.task(name)
    if task in ("classification", "segmentation") and name in (*cards.CLASSIFIERS, *cards.SEGMENTERS):
        about["preprocessing"] = architectures.classifier_about(name)["preprocessing"]
    names = architectures.class_names(name, _count(name, classes))
    return net, cards.recognised(card, architecture=name, task=task, classes=names, about=about)


def _of_timm(name: str, classes: int) -> Any:
    """Return a network of timm's with random weights. Raises Refusal for an unknown name, and without timm."""
    try:
        import timm
    except ImportError as error:
        raise Refusal(f"{name} is timm's, which is not installed.", advice="pip install timm") from error
    short = name.removeprefix(TIMM)
    if not timm.is_model(short):
        raise Refusal(f"There is no architecture {name!r} to choose.", advice="Choose one from the list.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(short, pretrained=False, num_classes=classes or 1000)


def _classes(state: State) -> int:
    """Return the number of classes of a head known by its name, else the size of the last tensor."""
    found = architectures.classes_in({name: _shape(tensor) for name, tensor in state.items()})
    sizes = [tensor.shape[0] for tensor in state.values() if tensor.ndim]
    return found[0] if found else sizes[-1] if sizes else 0


def _count(name: str, classes: int) -> int:
    return len(architectures.OWN_CLASSES.get(name, ())) or classes or architectures.ANY_CLASSES


def _shapes(name: str, classes: int) -> Mapping[str, tuple[int, ...]]:
    return architectures.shapes_of(name, _count(name, classes), len(architectures.COCO_POINTS))


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
