"""The `transformers` package: imported on first use, kept off the network, and what it can open of pictures.

What opens is an allow list: the classes that `transformers` itself lists for tasks on a single picture, less the
families whose answers Vitrine cannot show.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from models.types import Refusal

INSTALL = "pip install transformers"
DETECTION, INSTANCES, SEGMENTATION, DEPTH = "detection", "instances", "segmentation", "depth"
CLASSIFICATION, FEATURES, ZERO_SHOT = "classification", "features", "zero shot"
POSE, INTEREST_POINTS = "pose", "interest points"
# The library's own tables of classes, each with the task that it is for; an earlier one wins.
_TABLES = (
    ("MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES", DETECTION),
    ("MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES", INSTANCES),
    ("MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES", SEGMENTATION),
    ("MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES", DEPTH),
    ("MODEL_FOR_POSE_ESTIMATION_MAPPING_NAMES", POSE),
    ("MODEL_FOR_KEYPOINT_DETECTION_MAPPING_NAMES", INTEREST_POINTS),
    ("MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES", CLASSIFICATION),
    ("MODEL_FOR_IMAGE_MAPPING_NAMES", FEATURES),
    ("MODEL_FOR_BACKBONE_MAPPING_NAMES", FEATURES),
)
_VISION_SIDES = {
    "CLIPVisionModel": "clip_vision_model",
    "CLIPVisionModelWithProjection": "clip_vision_model",
    "SiglipVisionModel": "siglip_vision_model",
}
_WITH_TEXTS = {"CLIPModel": "clip", "SiglipModel": "siglip"}
# Families whose scores or inputs are of another kind: videos, colours as words, several pictures, a prompt's depth.
_NOT_THESE = {
    DETECTION: ("pp_doclayout", "pp_ocr"),
    INSTANCES: ("oneformer", "videomt", "eomt"),
    SEGMENTATION: ("tipsv2", "sapiens2"),
    DEPTH: ("depth_pro", "prompt_depth_anything", "tipsv2", "zoedepth", "chmv2"),
    POSE: ("sapiens2",),
    CLASSIFICATION: ("donut", "imagegpt", "perceiver", "shieldgemma", "siglip2"),
    FEATURES: (
        *("cohere2", "depth_pro", "imagegpt", "llama4", "mllama", "swin2sr", "timesformer", "videomae", "videoprism"),
        *("vivit", "vit_mae", "detr", "table-transformer", "uvdoc", "pp_", "tipsv2", "sapiens2"),
    ),
}


def library() -> Any:
    """Return the module `transformers`, which never uses the network from here. Raises Refusal without it."""
    try:
        import huggingface_hub.constants as hub

        hub.HF_HUB_OFFLINE = True
        import transformers
    except ImportError as error:
        message = "Hugging Face folders need transformers, which is not installed."
        raise Refusal(message, advice=f"Install it where Vitrine is: {INSTALL}.") from error
    return transformers


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's own log and progress bars from standard error inside the block."""
    transformers = library()
    levels = transformers.logging
    level, bars = levels.get_verbosity(), levels.is_progress_bar_enabled()
    levels.set_verbosity(logging.CRITICAL)
    levels.disable_progress_bar()
    try:
        yield
    finally:
        levels.set_verbosity(level)
        if bars:
            levels.enable_progress_bar()


@cache
def architectures() -> Mapping[str, tuple[str, str]]:
    """Return the classes that open, each with its task and its kind of configuration (`model_type`)."""
    library()
    from transformers.models.auto import modeling_auto as auto

    found: dict[str, tuple[str, str]] = {}
    for table, task in _TABLES:
        for kind, names in dict(getattr(auto, table, {})).items():
            if kind.startswith(_NOT_THESE.get(task, ())) or (task == FEATURES and "detr" in kind):
                continue
            for name in (names,) if isinstance(names, str) else names:
                found.setdefault(name, (task, kind))
    found |= {name: (FEATURES, kind) for name, kind in _VISION_SIDES.items()}
    found |= {name: (ZERO_SHOT, kind) for name, kind in _WITH_TEXTS.items()}
    return found


def class_of(named: str, kind: str) -> tuple[Any, str]:
    """Return the class of a network and its task, for the names in a configuration.

    Without a named class it is the plain network of that kind. Raises Refusal for what does not open.
    """
    transformers, known = library(), architectures()
    name = named or next((one for one, (task, own) in known.items() if own == kind and task == FEATURES), "")
    found = getattr(transformers, name, None) if name in known else None
    if found is None or getattr(found, "is_dummy", False):
        raise _unknown(named or kind, kind)
    return found, known[name][0]


def _unknown(name: str, kind: str) -> Refusal:
    known = {own for _, own in architectures().values()}
    shown = "".join(c for c in name if c.isprintable())[:80]
    if kind in known:
        message = f"{shown} is a network of a kind that opens ({kind[:40]}), but for a task that Vitrine does not show."
        return Refusal(message, advice="Detection, segmentation, classification, depth, key points and features open.")
    message = f"{shown} is not a network that Vitrine can show: it sees no single picture, or this version of "
    message += f"transformers ({library().__version__}) does not know it."
    return Refusal(message, advice="Networks for pictures open; for a newer one update transformers.")
