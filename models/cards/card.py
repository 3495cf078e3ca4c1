"""Model cards: what is known of a model before its weights are read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from models import model_name
from models.cards import model_folder
from models.files import ASSETS, code_of, text_of
from models.output_files import write_whole
from models.runtime import user_folders
from models.types import Refusal

BUNDLED = ASSETS / "models"
SAMPLES = ASSETS / "samples"
PHOTOS = ASSETS / "photos"
DIGITS = ASSETS / "digits"
CELLS = ASSETS / "cells"
PUPPETS = ASSETS / "puppets"
INKS = ASSETS / "inks"
PACKAGED = ASSETS / "packaged"
MOST_BYTES = 1 << 24  # of a card
MOST_SIDE = 1 << 15
MOST_NAME = 1000
KINDS: dict[str, type | tuple[type, ...]] = {
    **{"name": str, "title": str, "task": str, "architecture": str, "licence": str, "sha256": str, "weights": str},
    **{"knows": str, "domain": str, "colours": str},
    **{"note": str, "classes": list, "input": list, "preprocessing": dict, "assumptions": dict, "runtime": dict},
    "assume": dict,
}
WHOLE_PICTURES = ("classification", "segmentation", "features", "picture to picture")
DRAWN_DIGITS = ("digits-lenet", "digits-cyclegan")
TASKS = (
    "detection",
    "classification",
    "segmentation",
    "features",
    "generation",
    "likelihood",
    "picture to picture",
    "landmarks",
)
ZOO = ("torchvision:", "timm:", "hf:")  # how the names of published models begin
DEFAULT_MODEL = "digits-faster-rcnn"
BACKGROUND = ("__background__", "background")
GAP = "N/A"
NO_WEIGHTS = "No weights: random numbers. Its anchors are real, its detections are not."

# torchvision's detectors, which also open by name without weights.
ARCHITECTURES = {
    "ssd300_vgg16": "SSD300, VGG-16",
    "ssdlite320_mobilenet_v3_large": "SSDLite320, MobileNet V3",
    "retinanet_resnet50_fpn": "RetinaNet, ResNet-50 FPN",
    "retinanet_resnet50_fpn_v2": "RetinaNet v2, ResNet-50 FPN",
    "fcos_resnet50_fpn": "FCOS, ResNet-50 FPN",
    "fasterrcnn_resnet50_fpn": "Faster R-CNN, ResNet-50 FPN",
    "fasterrcnn_resnet50_fpn_v2": "Faster R-CNN v2, ResNet-50 FPN",
    "fasterrcnn_mobilenet_v3_large_fpn": "Faster R-CNN, MobileNet V3 FPN",
    "fasterrcnn_mobilenet_v3_large_320_fpn": "Faster R-CNN, MobileNet V3 FPN, 320 pixels",
    "maskrcnn_resnet50_fpn": "Mask R-CNN, ResNet-50 FPN",
    "maskrcnn_resnet50_fpn_v2": "Mask R-CNN v2, ResNet-50 FPN",
    "keypointrcnn_resnet50_fpn": "Keypoint R-CNN, ResNet-50 FPN",
}

# torchvision's classifiers, which also open by name, with random weights.
_CLASSIFIERS = """
alexnet convnext_base convnext_large convnext_small convnext_tiny densenet121 densenet161 densenet169 densenet201
efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6
efficientnet_b7 efficientnet_v2_l efficientnet_v2_m efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5
mnasnet0_75 mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_16gf regnet_x_1_6gf
regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_800mf regnet_x_8gf regnet_y_128gf regnet_y_16gf regnet_y_1_6gf
regnet_y_32gf regnet_y_3_2gf regnet_y_400mf regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34
resnet50 resnext101_32x8d resnext101_64x4d resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5
shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 swin_b swin_s swin_t swin_v2_b swin_v2_s swin_v2_t vgg11 vgg11_bn
vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vit_b_16 vit_b_32 vit_h_14 vit_l_16 vit_l_32 wide_resnet101_2
wide_resnet50_2
"""
CLASSIFIERS = tuple(_CLASSIFIERS.split())
SEGMENTERS = {
    "fcn_resnet50": "FCN, ResNet-50",
    "fcn_resnet101": "FCN, ResNet-101",
    "deeplabv3_resnet50": "DeepLabV3, ResNet-50",
    "deeplabv3_resnet101": "DeepLabV3, ResNet-101",
    "deeplabv3_mobilenet_v3_large": "DeepLabV3, MobileNet V3",
    "lraspp_mobilenet_v3_large": "LR-ASPP, MobileNet V3",
}
UNTRAINED = (*ARCHITECTURES, *CLASSIFIERS, *SEGMENTERS)
NO_WEIGHTS_CLASSIFIER = "No weights: random numbers. Its layers are real, its answers are not."


@dataclass(frozen=True)
class Card:
    """A model's name, task, architecture, class names (index = label id), weights and their origin."""

    name: str
    title: str = ""
    task: str = "detection"
    architecture: str = ""
    classes: tuple[str, ...] = ()
    weights: Path | None = None
    licence: str = ""
    sha256: str = ""
    bytes: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)


def label_ids(classes: Sequence[str]) -> tuple[int, ...]:
    """Return the label ids that are classes, without the background and without gaps in the numbering.

    Detectors with a softmax have a background at 0. Those with sigmoids have none, so label 0 is a class unless it is
    named as background. That is the case for weights trained on COCO, whose numbering begins at 1 and has gaps.
    """
    return tuple(i for i, name in enumerate(classes) if name != GAP and (i or name not in BACKGROUND))


def read(path: Path) -> Card:
    """Read a card; its `weights` path is relative to it. Raises Refusal when the file is not a card."""
    try:
        raw = json.loads(text_of(path, most=MOST_BYTES))
        _check(raw)
        return Card(
            name=str(raw["name"]),
            title=str(raw.get("title", raw["name"])),
            task=str(raw.get("task", "detection" if raw.get("architecture") else "")),
            architecture=str(raw.get("architecture", "")),
            classes=tuple(str(c) for c in raw.get("classes", ())),
            weights=path.parent / raw["weights"],
            licence=str(raw.get("licence", "")),
            sha256=str(raw.get("sha256", "")),
            bytes=int(raw.get("bytes", 0)),
            about=raw,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = ascii(str(error))[1:-1][:200]
        raise Refusal(f"{path.name} is not a model card ({said}).", advice="It needs name and weights.") from error


def _check(raw: Any) -> None:
    """Raise TypeError or ValueError if a known field has the wrong type or size."""
    json.dumps(raw, ensure_ascii=False).encode()  # lone surrogates can be neither shown nor written
    for key, kind in KINDS.items():
        if raw.get(key) is not None and not isinstance(raw[key], kind):
            raise TypeError(f"{key} is a {type(raw[key]).__name__}")
    sides = raw.get("input", (0, 0, 0))
    if len(sides) != 3 or not all(type(side) is int and 0 <= side <= MOST_SIDE for side in sides):
        raise ValueError("input is channels, height and width")
    if any(len(str(name)) > MOST_NAME for name in (raw["name"], raw["weights"], *raw.get("classes", ()))):
        raise ValueError("a name is too long")


@cache
def bundled() -> dict[str, Card]:
    """Return the cards of the bundled models by name, grouped by task. They do not change while the program runs."""
    cards = [read(path) for path in sorted(BUNDLED.glob("*.json"))]
    cards.sort(key=lambda card: TASKS.index(card.task))
    return {card.name: card for card in cards}


def untrained(architecture: str) -> Card:
    """Return the card of a torchvision architecture without weights."""
    detector = architecture in ARCHITECTURES
    note = NO_WEIGHTS if detector else NO_WEIGHTS_CLASSIFIER
    about = {"architecture": architecture, "note": note, "weights": "none"}
    title = f"{(ARCHITECTURES | SEGMENTERS).get(architecture, architecture)} (no weights)"
    task = "detection" if detector else "segmentation" if architecture in SEGMENTERS else "classification"
    return Card(architecture, title=title, task=task, architecture=architecture, about=about)


def samples(model: str) -> Path:
    """Return the folder of bundled sample pictures that suit a model."""
    base = model_name.split(model)[0]
    if task(model) in ("generation", "likelihood") or base in DRAWN_DIGITS:
        return DIGITS
    puppets = dict.fromkeys(("puppets-hourglass", "puppets-parts"), PUPPETS)
    own = {"cells-faster-rcnn": CELLS, **puppets, "digits-stargan": INKS}
    if base in own:
        return own[base]
    return PHOTOS if task(model) in WHOLE_PICTURES else SAMPLES


@cache
def task(name: str) -> str:
    """Return the task of a model known by name or by the card beside its weights, "" if unknown."""
    name = model_name.split(name)[0]
    if is_zoo(name):
        from models.cards import zoo_catalogue

        return zoo_catalogue.task(name)
    if name in UNTRAINED:
        return untrained(name).task
    own = next((path for folder in (BUNDLED, PACKAGED) if (path := folder / f"{name}.json").is_file()), None)
    card = read(own) if own is not None else beside(Path(name))
    return card.task if card else ""


def is_zoo(base: str) -> bool:
    """Return whether a name has the form of a published model's; it need not exist."""
    return base.startswith(ZOO)


def is_file(base: str) -> bool:
    """Return whether a model's name is the path of a file or of a model's folder, or of a function in a file."""
    return not is_zoo(base) and (bool(Path(base).suffix) or model_folder.is_folder(Path(base)))


def canonical(name: str) -> str:
    """Return a model's full name with absolute paths for its file and its weights. Never raises.

    A folder's configuration or weights stand for the folder.
    """
    base, assumed = model_name.split(name)
    if not is_zoo(base) and (folder := model_folder.folder_of(Path(base))) is not None:
        base = str(folder)
    if "weights" in assumed:
        assumed["weights"] = _absolute(assumed["weights"])
    return model_name.join(_absolute(base) if is_file(base) else base, assumed)


def place(file: Path) -> Path:
    """Return the path of a file's card, beside it.

    It has the suffix .json in place of the file's own or, if the card of another file has that path, added to it.
    """
    plain = file.with_suffix(".json")
    return plain if not plain.exists() or _names(plain) == file.name else file.with_name(f"{file.name}.json")


def own_place(file: Path) -> Path:
    """Return the path of the card of a file in a folder that cannot be written to."""
    return user_folders.home() / "cards" / f"{file.stem}-{hashlib.sha256(str(file).encode()).hexdigest()[:12]}.json"


def beside(file: Path) -> Card | None:
    """Return the card beside a model's file, or the one kept in the user's folder, if it names exactly that file."""
    found = (path for path in (own_place(file), place(file)) if _names(path) == file.name)
    return next((replace(read(path), weights=file) for path in found), None)


def write(file: Path, about: Mapping[str, Any]) -> Path:
    """Write the card of a model's file beside it, or in the user's folder if that fails. Return the path written.

    Raises OSError.
    """
    content = (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode()
    task.cache_clear()
    own = own_place(file)
    try:
        write_whole(place(file), content)
    except OSError:
        own.parent.mkdir(parents=True, exist_ok=True)
        write_whole(own, content)
        return own
    own.unlink(missing_ok=True)
    return place(file)


def file_of(name: str) -> Path | None:
    """Return the file that a model's card belongs to: its weights, else its own file; None for another kind of name."""
    base, assumed = model_name.split(name)
    if "weights" in assumed:
        return Path(assumed["weights"])
    code = code_of(base)
    if code is None and not is_zoo(base) and (folder := model_folder.folder_of(Path(base))) is not None:
        return model_folder.first_weights(folder)
    return code[0] if code is not None else Path(base) if is_file(base) else None


def of_file(file: Path) -> Card:
    """Return the card beside a model's file, or an empty one."""
    return beside(file) or Card(file.name, task="", weights=file)


def recognised(
    card: Card, *, architecture: str, task: str, classes: Sequence[str] = (), about: Mapping[str, Any]
) -> Card:
    """Return a card with the properties found from its network added. Values the card already has take precedence.

    If the card names another number of classes than the network has, the classes are numbered instead and the note says
    so.
    """
    given = card.classes
    about = {"architecture": architecture, **about, **card.about}
    if given and classes and len(given) != len(classes):
        about["note"] = f"Its card names {len(given):,} classes, the network has {len(classes):,}: these are numbered."
        given = tuple(f"class {number}" for number in range(len(classes)))
    names = given or tuple(classes)
    title = card.title or card.name
    return replace(card, title=title, task=card.task or task, architecture=architecture, classes=names, about=about)


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111


def _names(path: Path) -> str:
    """Return the weights named in a card's file, "" if the file is not a card."""
    try:
        return str(read(path).about["weights"]) if path.is_file() else ""
    except Refusal:
        return ""
