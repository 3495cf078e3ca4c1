"""Builds assets/zoo/*.json from the installed torchvision and timm: `python -m models.zoo.build_catalogue`.

Takes minutes. Networks are built on the meta device, without memory, for two numbers of classes, to find the tensors
whose shapes depend on it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from models.files import ASSETS
from models.loading import architectures
from models.output_files import write_whole
from models.zoo.recognise import fingerprint

FOLDER = ASSETS / "zoo"
CLASSES, OTHER_CLASSES = 7, 11
MIB = 2**20
IMAGENET = 1000


def measured(build: Callable[[int], nn.Module]) -> dict[str, Any]:
    """Return the properties of `build(classes)`: parameters without the head, and per class, heads, fingerprint."""
    one, other = (_tensors(build(classes)) for classes in (CLASSES, OTHER_CLASSES))
    heads = sorted({name.rpartition(".")[0] for name in one[0] if one[0][name] != other[0].get(name)})
    per_class = (other[1] - one[1]) // (OTHER_CLASSES - CLASSES)
    return {
        "body": one[1] - CLASSES * per_class,
        "per_class": per_class,
        "heads": heads,
        "fingerprint": fingerprint(one[0], heads),
    }


def torchvision_zoo() -> dict[str, Any]:
    """Return torchvision's classifiers, detectors and segmenters with their published weights."""
    import torchvision
    from torchvision.models import detection, get_model, get_model_builder, get_model_weights, list_models, segmentation

    modules = {"classification": torchvision.models, "detection": detection, "segmentation": segmentation}
    found: dict[str, Any] = {}
    for task, module in modules.items():
        for name in list_models(module):
            family = get_model_builder(name).__module__.rpartition(".")[2]
            row: dict[str, Any] = {"task": task, "family": family}
            if task != "detection":
                more = {"weights_backbone": None} if task == "segmentation" else {}
                more |= {"aux_loss": True} if name.startswith(("fcn", "deeplabv3")) else {}
                row |= measured(lambda classes, name=name, more=more: _built(get_model, name, classes, more))
            weights: Any = get_model_weights(name)
            row["default"] = weights.DEFAULT.name
            row["weights"] = {w.name: _torchvision_weights(w) for w in weights}
            found[name] = row
    return {"version": torchvision.__version__.partition("+")[0], "models": found}


def timm_zoo(names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return timm's models with their published weights; with `names` only those."""
    import timm  # pyright: ignore[reportMissingImports]
    from timm.models import (  # pyright: ignore[reportMissingImports]
        get_pretrained_cfg,
        list_models,
        list_pretrained,
        model_entrypoint,
    )

    tags: dict[str, list[str]] = {}
    for full in list_pretrained():
        name, _, tag = full.partition(".")
        tags.setdefault(name, []).append(tag)
    found: dict[str, Any] = {}
    for name in names or list_models():
        published: dict[str, Any] = {tag: get_pretrained_cfg(f"{name}.{tag}") for tag in tags.get(name, ())}
        row = measured(lambda classes, name=name: _built(timm.create_model, name, classes, {}))
        row |= _first_classes(get_pretrained_cfg(name))
        row["family"] = model_entrypoint(name).__module__.rpartition(".")[2]
        row["weights"] = {tag: _timm_weights(name, tag, config.to_dict()) for tag, config in published.items()}
        found[name] = row
    return {"version": timm.__version__, "models": found}


def compact(zoo: Mapping[str, Any]) -> str:
    """Format a zoo as JSON with one model per line."""
    lines = (f"{json.dumps(n)}:{json.dumps(row, separators=(',', ':'))}" for n, row in sorted(zoo["models"].items()))
    return f'{{"version":{json.dumps(zoo["version"])},"models":{{\n' + ",\n".join(lines) + "\n}}\n"


def _built(make: Callable[..., nn.Module], name: str, classes: int, more: Mapping[str, Any]) -> nn.Module:
    # RegNet computes its widths with tensors, which must hold numbers, so the meta device fails.
    device = "cpu" if name.startswith("regnet") and make.__module__.startswith("torchvision") else "meta"
    with warnings.catch_warnings(), torch.device(device), architectures.unfilled():
        warnings.simplefilter("ignore")
        return make(name, num_classes=classes, **more)


def _tensors(net: nn.Module) -> tuple[dict[str, tuple[int, ...]], int]:
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    return shapes, sum(parameter.numel() for parameter in net.parameters())


def _first_classes(config: Any) -> dict[str, int]:
    """Return timm's number of classes for a network without weights, if it is not ImageNet's."""
    return {} if config is None or config.num_classes == IMAGENET else {"classes": config.num_classes}


def _torchvision_weights(weights: Any) -> dict[str, Any]:
    preset, meta = weights.transforms(), weights.meta
    size = getattr(preset, "crop_size", None) or getattr(preset, "resize_size", None)
    row = {
        "url": weights.url,
        "bytes": round(meta["_file_size"] * MIB),
        "parameters": meta["num_params"],
        "size": size[0] if size else 0,
        "classes": len(meta.get("categories") or ()),
        "licence": meta.get("license", ""),
    }
    return {key: value for key, value in row.items() if value}


def _timm_weights(name: str, tag: str, config: Mapping[str, Any]) -> dict[str, Any]:
    hub = config.get("hf_hub_id") or ""
    row = {
        "size": config["input_size"][-1],
        "classes": config["num_classes"],
        "licence": config.get("license") or "",
        "hub": "" if hub == f"timm/{name}.{tag}" else hub,
        "url": "" if hub else config.get("url") or "",
    }
    return {key: value for key, value in row.items() if value}


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    write_whole(FOLDER / "torchvision.json", compact(torchvision_zoo()))
    write_whole(FOLDER / "timm.json", compact(timm_zoo()))


if __name__ == "__main__":
    main()
