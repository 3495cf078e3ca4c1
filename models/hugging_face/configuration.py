"""From a folder's `config.json` to the library's configuration: only fields that its class declares, within bounds."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from models.detection.skeleton import COCO_POINTS
from models.hugging_face.library import library
from models.types import Refusal

MOST_NUMBER = 1 << 31
MOST_LAYERS = 1000
MOST_CLASSES = 100_000
MOST_TEXT = 1000
# Fields of older configurations that the library still reads, besides those that the class declares.
OLDER = frozenset(
    {
        *("num_labels", "backbone", "use_timm_backbone", "backbone_kwargs", "dilation", "out_indices", "out_features"),
        *("segmentation_indices", "initializer_range", "layer_norm_eps"),
    }
)
# Declared, but not about what the network computes: how it is run, stored, or replaced.
NEVER = frozenset(
    {
        *("dtype", "torch_dtype", "output_hidden_states", "output_attentions", "return_dict", "transformers_version"),
        *("fusion_config", "quantization_config", "per_layer_config", "tie_last_hidden_states", "architectures"),
        *("chunk_size_feed_forward", "model_args"),
    }
)
_SUB = ("backbone_config", "vision_config", "text_config")
_MANY = re.compile(r"(num_.*(layers|blocks|stages)|depths?|layers|.*_layers)")
_TIMM = re.compile(r"[a-z0-9_]{1,60}(\.[a-z0-9_]{1,60})?")


def configuration(kind: Any, content: Mapping[str, Any], name: str) -> Any:
    """Return the configuration of a network's class `kind`. Raises Refusal for what is not one of its values."""
    if kind.config_class.__name__ == "TimmWrapperConfig":
        content = _labelled(content)
    try:
        made = kind.config_class(**_fields(kind.config_class, content))
    except Refusal:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        message = f"The configuration of {name} is none of {kind.__name__} ({said})."
        raise Refusal(message, advice="Download config.json again, or update transformers.") from error
    return made


def _fields(kind: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a class of configurations may be given of a file's content."""
    declared = {field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")}
    known = (declared | set(getattr(kind, "attribute_map", {})) | OLDER) - NEVER
    found: dict[str, Any] = {}
    for key, value in content.items():
        if key in known and value is not None:
            found[key] = _sub(kind, key, value) if key in _SUB and isinstance(value, dict) else _checked(key, value)
    if not _TIMM.fullmatch(str(found.get("architecture", "none"))):
        raise Refusal(f"The configuration names a network that is elsewhere ({str(found['architecture'])[:60]!r}).")
    if "backbone" in found:
        if not _TIMM.fullmatch(str(found["backbone"])):
            raise Refusal(f"The configuration names a backbone that is elsewhere ({str(found['backbone'])[:60]!r}).")
        if found.get("use_timm_backbone") is False and "backbone_config" in found:
            del found["backbone"]
    return found


def _labelled(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return timm's form of a configuration with the names of its classes, or their number, as the library has them."""
    names, count = content.get("label_names"), content.get("num_classes")
    if isinstance(names, list) and len(names) <= MOST_CLASSES:
        return {**content, "id2label": {str(at): str(name)[:MOST_TEXT] for at, name in enumerate(names)}}
    if type(count) is int and 0 < count <= MOST_CLASSES:
        return {**content, "num_labels": count}
    return dict(content)


def _sub(kind: Any, key: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a configuration inside another, with its own kind."""
    mapping = library().CONFIG_MAPPING
    named = str(content.get("model_type") or "")
    declared = getattr(kind, "sub_configs", {}).get(key)
    plain = dataclasses.is_dataclass(declared) and key != "backbone_config"
    own: Any = declared if plain else mapping[named] if named in tuple(mapping) else None
    if own is None:
        raise Refusal(f"The configuration has a part of a kind that is not known ({named[:60]!r}).")
    return {**_fields(own, content), **({"model_type": named} if named in mapping else {})}


def _checked(key: str, value: Any) -> Any:
    """Return a plain value. Raises Refusal for numbers without bounds and for texts of no sense."""
    match value:
        case bool():
            return value
        case int() | float():
            most = MOST_LAYERS if _MANY.fullmatch(key) else MOST_NUMBER
            if not math.isfinite(value) or abs(value) > most:
                raise Refusal(f"The configuration's {key} is {value!r}, which no network has.")
            return value
        case str():
            if len(value) > MOST_TEXT:
                raise Refusal(f"The configuration's {key} is a text of {len(value):,} characters.")
            return value
        case list():
            if len(value) > MOST_CLASSES:
                raise Refusal(f"The configuration's {key} has {len(value):,} entries.")
            return [_checked(key, one) for one in value]
        case dict():
            if len(value) > MOST_CLASSES:
                raise Refusal(f"The configuration's {key} has {len(value):,} entries.")
            return {str(inner): _checked(str(inner), one) for inner, one in value.items()}
        case None:
            return None
    raise Refusal(f"The configuration's {key} is a {type(value).__name__}.")


def points(config: Any) -> tuple[str, ...]:
    """Return the names of a pose network's points: the configuration's own, COCO's for 17, else numbers from 1."""
    count = int(getattr(config, "num_labels", 0) or 0)
    named = classes(config, count)
    if any(name != f"class {i}" for i, name in enumerate(named)):
        return named
    return COCO_POINTS if count == len(COCO_POINTS) else tuple(f"point {i}" for i in range(1, count + 1))


def classes(config: Any, count: int) -> tuple[str, ...]:
    """Return the names of `count` classes; those without a name, or with the library's stand-in, are numbered."""
    named = getattr(config, "id2label", None) or {}
    names = (str(named.get(i, named.get(str(i), ""))) for i in range(count))
    return tuple(f"class {i}" if not name or name == f"LABEL_{i}" else name for i, name in enumerate(names))
