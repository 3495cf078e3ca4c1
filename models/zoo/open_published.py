"""Opens a model of the zoo with its cached weights, or with random ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.cards import card as cards
from models.cards import zoo_catalogue
from models.cards.card import Card
from models.cards.zoo_catalogue import Entry
from models.files import sha256
from models.loading import architectures, weights
from models.types import Refusal
from models.zoo import cached

IMAGENET = 1000
FITS = {"center": "crop", "squash": "squash", "border": "pad"}  # timm's names for the ways to fit a picture
NO_TIMM = "Install it where Vitrine is: pip install timm."


def open_zoo(base: str) -> tuple[nn.Module, Card]:
    """Return the network of a zoo name, and its card. Its parameters are as its library created them.

    Raises Refusal for an unknown name, for weights that are not cached, and if timm is needed but not installed.
    """
    entry = zoo_catalogue.find(base)
    file = _file(entry) if entry.url else None
    state = {} if file is None else _read(file)
    net, about = (_torchvision if entry.library == zoo_catalogue.TORCHVISION else _timm)(entry, state)
    classes = about.pop("classes")
    about |= {"architecture": entry.architecture, "family": entry.family}
    if file is None:
        about |= {"weights": "none", "note": cards.NO_WEIGHTS_CLASSIFIER}
    else:
        about |= {"weights": entry.tag, "licence of the weights": entry.licence or zoo_catalogue.NOT_STATED}
        about |= {"source": entry.url, "file": str(file)}
    card = Card(
        name=entry.name,
        title=f"{entry.architecture} ({entry.tag or 'no weights'})",
        task=entry.task,
        architecture=entry.architecture,
        classes=classes,
        weights=file,
        licence=entry.licence,
        sha256=sha256(file) if file else "",
        bytes=file.stat().st_size if file else 0,
        about=about,
    )
    return net, card


def found_folder(base: str) -> Path:
    """Return the folder of a model of the hub. Raises Refusal that offers the download if it is not there."""
    return _file(zoo_catalogue.find(base))


def _file(entry: Entry) -> Path:
    found = cached.find(entry)
    if found is None:
        size = f" ({entry.bytes / 1e6:,.0f} MB)" if entry.bytes else ""
        message = f"The weights of {entry.name} are not on this computer yet{size}."
        raise Refusal(message, advice="Download them: Model > Open from the zoo…", offer=("download", entry.name))
    return found


def _read(file: Path) -> dict[str, Tensor]:
    try:
        state = weights.read(file)
    except Refusal as refusal:
        # The file is a download, not the user's own, so it can be replaced.
        raise Refusal(str(refusal), advice=f"Delete {file} to have it downloaded again.") from refusal
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def _torchvision(entry: Entry, state: Mapping[str, Tensor]) -> tuple[nn.Module, dict[str, Any]]:
    from torchvision.models import get_model, get_model_weights

    kinds: Any = get_model_weights(entry.architecture)
    published = kinds[entry.tag]
    with _given(published, state), architectures.unfilled(), _refusing_misfit(entry):
        net = get_model(entry.architecture, weights=published)
    meta = published.meta
    count = entry.classes or IMAGENET
    about: dict[str, Any] = {"classes": tuple(meta.get("categories") or (f"class {i}" for i in range(count)))}
    if entry.task != "detection":
        about["preprocessing"] = architectures.preset(published)
    figures = {f"{on}: {what}": value for on, all_ in meta["_metrics"].items() for what, value in all_.items()}
    return net, {**about, **figures, **({"recipe": meta["recipe"]} if meta.get("recipe") else {})}


@contextmanager
def _given(published: Any, state: Mapping[str, Tensor]) -> Iterator[None]:
    """Make a builder that asks for published weights receive `state`; torchvision itself would unpickle the file."""
    published.get_state_dict = lambda *given, **named: state
    try:
        yield
    finally:
        del published.get_state_dict


@contextmanager
def _refusing_misfit(entry: Entry) -> Iterator[None]:
    """Turn the library's error for a state dict that does not fit into a Refusal."""
    try:
        yield
    except (RuntimeError, KeyError, AttributeError) as error:
        first = str(error).strip().splitlines()[0]
        message = f"The weights of {entry.name} do not fit the network that {entry.library} makes ({first})."
        raise Refusal(message, advice=f"Try another version of {entry.library}.") from error


def _timm(entry: Entry, state: Mapping[str, Tensor]) -> tuple[Any, dict[str, Any]]:
    try:
        import timm
    except ImportError as error:
        raise Refusal(f"{entry.name} needs timm, which is not installed.", advice=NO_TIMM) from error
    if not timm.is_model(entry.architecture):
        message = f"timm {timm.__version__} has no {entry.architecture}."
        raise Refusal(message, advice=f"Install a newer one: the zoo lists those of {_listed()}.")
    full = f"{entry.architecture}.{entry.tag}" if entry.tag else entry.architecture
    net: Any
    if state:
        with architectures.unfilled(), _refusing_misfit(entry):
            net = timm.create_model(full, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(state)})
        net.pretrained_cfg.pop("state_dict", None)
    else:
        # Fixed weights without disturbing the caller's random numbers.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = timm.create_model(full, pretrained=False)
    return net, timm_about(net)


def timm_about(net: Any) -> dict[str, Any]:
    """Return the class names of a timm network, its preprocessing, and its origin."""
    from timm.data.config import resolve_data_config

    config = resolve_data_config(model=net)
    _, height, width = config["input_size"]
    preprocessing = {
        "resize": math.floor(min(height, width) / config["crop_pct"]),  # as timm rounds it
        "crop": width if height == width else [height, width],
        "mean": list(config["mean"]),
        "std": list(config["std"]),
        "interpolation": config["interpolation"],
        "fit": FITS[config["crop_mode"]],
    }
    about: dict[str, Any] = {"classes": _timm_classes(net), "preprocessing": preprocessing}
    for key, key_of_card in (("origin_url", "origin"), ("description", "description"), ("paper_ids", "paper")):
        if net.pretrained_cfg.get(key):
            about[key_of_card] = net.pretrained_cfg[key]
    return about


def _timm_classes(net: Any) -> tuple[str, ...]:
    """Return the class names if timm knows a set of that size, else numbers; also numbers for features."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    count = net.num_classes or 0
    if not count:
        return tuple(f"feature {i}" for i in range(getattr(net, "head_hidden_size", net.num_features)))
    if count == IMAGENET:
        return architectures.classifier_about("resnet18")["classes"]
    subset = infer_imagenet_subset({"num_classes": count})
    if not subset:
        return tuple(f"class {i}" for i in range(count))
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(count))


def _listed() -> str:
    return f"timm {zoo_catalogue.raw(zoo_catalogue.TIMM)['version']}"
