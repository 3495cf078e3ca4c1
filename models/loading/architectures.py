"""Architectures that can be built by name or recognised by their tensors: Vitrine's own and torchvision's detectors."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision.models import detection, get_model, get_model_weights
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

from models.bundled import (
    aae,
    autoregressive,
    cells,
    centernet,
    digits,
    gan,
    hourglass,
    lenet,
    photos,
    progressive,
    puppet_parts,
    translation,
    vae,
    yolo,
)
from models.cards import card, zoo_catalogue
from models.cards.card import CLASSIFIERS
from models.detection.skeleton import COCO_POINTS
from models.families.proposal import STATISTICS
from models.loading import checkpoint
from models.types import Refusal

# For each family, a tensor that all its networks and no others have, and the prefix of its architectures' names.
FAMILIES = {
    "layer1.0.conv1.weight": ("resnet", "resnext", "wide_resnet"),
    "features.denseblock1.denselayer1.conv1.weight": ("densenet",),
    "stem.0.weight": ("regnet",),
    "stem.0.0.weight": ("maxvit",),
    "class_token": ("vit",),
    "layers.0.weight": ("mnasnet",),
    "stage2.0.branch1.0.weight": ("shufflenet",),
    "features.0.weight": ("alexnet", "vgg", "squeezenet"),
    "features.0.0.weight": ("convnext", "efficientnet", "mobilenet", "swin"),
}
HEADS = (
    "fc.weight",
    "head.weight",
    "heads.head.weight",
    "classifier.weight",
    *(f"classifier.{number}.weight" for number in (1, 2, 3, 5, 6)),
)
Shapes = Mapping[str, tuple[int, ...]]

ANY_CLASSES = 3
FIXED = ("vgg", "alexnet")  # whose own average leaves several values of each channel, so that heads are large
LIKE = 2.0  # times as many parameters that a relative may have
IMAGENET = 1000
EPS = {"title": "Epsilon", "help": "What batch normalisation adds to the variance; it is not stored in the tensors."}
LIKELIHOODS = ("digits_nade", "digits_pixelcnn")
GENERATORS = (
    "digits_vae",
    "digits_vae_2d",
    "digits_gan",
    "digits_infogan",
    "digits_cgan",
    "digits_aae",
    "digits_progan",
)
OWN_CLASSES = {
    "digits_ssd": digits.CLASSES,
    "digits_faster_rcnn": digits.CLASSES,
    "digits_centernet": centernet.CLASSES,
    "digits_yolo": yolo.CLASSES,
    "puppets_hourglass": hourglass.CLASSES,
    "puppets_parts": puppet_parts.CLASSES,
    "cells_faster_rcnn": cells.CLASSES,
    "photos_resnet": photos.CLASSES,
    "photos_vit": photos.CLASSES,
    "digits_lenet": lenet.CLASSES,
    **dict.fromkeys((*GENERATORS, *LIKELIHOODS, *translation.BUILDERS), ()),
}
OWN_TASKS = {
    **dict.fromkeys(("photos_resnet", "photos_vit", "digits_lenet"), "classification"),
    **dict.fromkeys(GENERATORS, "generation"),
    "puppets_hourglass": "landmarks",
    **dict.fromkeys(LIKELIHOODS, "likelihood"),
    **dict.fromkeys(translation.BUILDERS, "picture to picture"),
}
COUNTER = ".num_batches_tracked"
COCO = tuple(FasterRCNN_ResNet50_FPN_Weights.DEFAULT.meta["categories"])
PERSON = ("__background__", "person")
KEYPOINTS = "keypointrcnn_resnet50_fpn"
# The published weights were trained with frozen batch normalisation with eps 0 (`overwrite_eps` in torchvision).
EPS_0 = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", KEYPOINTS, "retinanet_resnet50_fpn")
# Larger than any layer of a detector; only layers of VGG's classifier exceed it, and SSD does not use those.
LARGEST_LAYER = 16_000_000
RANDOM = {"normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_"}


def _plain(build: Callable[[], nn.Module], classes: int, points: int) -> nn.Module:
    return build()


def _torchvision(name: str, classes: int, points: int) -> nn.Module:
    more = {"num_keypoints": points} if name == KEYPOINTS else {}
    return getattr(detection, name)(weights=None, weights_backbone=None, num_classes=classes, **more)


def _segmenter(name: str, classes: int, points: int) -> nn.Module:
    # The published weights include the auxiliary head used in training.
    more = {} if name.startswith("lraspp") else {"aux_loss": True}
    return get_model(name, weights=None, weights_backbone=None, num_classes=classes, **more)


def _classifier(name: str, classes: int, points: int) -> nn.Module:
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return get_model(name, weights=None, num_classes=classes, **more)


BUILDERS: dict[str, Callable[[int, int], nn.Module]] = {
    "digits_ssd": lambda classes, points: digits.digits_ssd(),
    "digits_faster_rcnn": lambda classes, points: digits.digits_faster_rcnn(),
    "digits_centernet": lambda classes, points: centernet.digits_centernet(),
    "digits_yolo": lambda classes, points: yolo.digits_yolo(),
    "puppets_hourglass": lambda classes, points: hourglass.puppets_hourglass(),
    "puppets_parts": lambda classes, points: puppet_parts.puppets_parts(),
    "cells_faster_rcnn": lambda classes, points: cells.cells_faster_rcnn(),
    "photos_resnet": lambda classes, points: photos.photos_resnet(),
    "photos_vit": lambda classes, points: photos.photos_vit(),
    "digits_lenet": lambda classes, points: lenet.digits_lenet(),
    "digits_vae": lambda classes, points: vae.digits_vae(),
    "digits_vae_2d": lambda classes, points: vae.digits_vae_2d(),
    "digits_gan": lambda classes, points: gan.digits_gan(),
    "digits_infogan": lambda classes, points: gan.digits_infogan(),
    **{name: partial(_plain, build) for name, build in translation.BUILDERS.items()},
    "digits_cgan": lambda classes, points: gan.digits_cgan(),
    "digits_progan": lambda classes, points: progressive.digits_progan(),
    "digits_aae": lambda classes, points: aae.digits_aae(),
    "digits_nade": lambda classes, points: autoregressive.digits_nade(),
    "digits_pixelcnn": lambda classes, points: autoregressive.digits_pixelcnn(),
    **{name: partial(_torchvision, name) for name in card.ARCHITECTURES},
    **{name: partial(_classifier, name) for name in card.CLASSIFIERS},
    **{name: partial(_segmenter, name) for name in card.SEGMENTERS},
}


class UnknownWeights(Refusal):
    """Refusal of tensors that belong to no network that Vitrine knows."""


def build(architecture: str, *, classes: int, points: int = len(COCO_POINTS)) -> nn.Module:
    """Build a network by name with `classes` classes, including background, and `points` key points if it has any.

    Raises Refusal for an unknown name.
    """
    if architecture not in BUILDERS:
        raise Refusal(f"There is no architecture {architecture!r}.", advice=f"Known: {', '.join(BUILDERS)}.")
    return BUILDERS[architecture](classes, points)


def untrained(architecture: str, *, classes: int) -> nn.Module:
    """Build a network with random weights from a fixed seed."""
    most = LARGEST_LAYER if architecture in card.ARCHITECTURES else sys.maxsize
    with torch.random.fork_rng(devices=[]), unfilled(above=most):
        torch.manual_seed(0)
        return build(architecture, classes=classes)


@contextmanager
def unfilled(*, above: int = 0) -> Iterator[None]:
    """Skip the slow random initialisation of tensors with more than `above` elements while networks are built."""

    class Unfilled(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(func, "__name__", "") in RANDOM:
                tensor = args[0] if args else kwargs["tensor"]
                if tensor.numel() > above:
                    return tensor
            return func(*args, **(kwargs or {}))

    with Unfilled():
        yield


def recognise(state: Mapping[str, Tensor], *, file: str = "This file") -> tuple[str, int]:
    """Return the architecture that these tensors belong to, and its number of classes including background.

    The 320 px MobileNet detector has the same tensors as the larger one, which is proposed. Raises Refusal if none
    fits, naming the closest one and the differences.
    """
    given = {k: tuple(t.shape) for k, t in state.items() if not k.endswith(COUNTER)}
    points = points_in(state)
    nearest, best = "", 0
    for name in (n for n in BUILDERS if n not in card.CLASSIFIERS):
        wanted = shapes_of(name, ANY_CLASSES, points).keys()
        shared = len(wanted & given.keys())
        if shared > best:
            nearest, best = name, shared
        if shared == len(given) == len(wanted):
            own = [len(OWN_CLASSES[name])] if name in OWN_CLASSES else []
            for classes in own or _class_counts(state):
                if shapes_of(name, classes, points) == given:
                    return name, classes
    if found := classifier(given, lambda name, classes: shapes_of(name, classes, points)):
        return found
    for name, classes in relatives(given):
        shared = len(shapes_of(name, classes, points).items() & given.items())
        if shared > best:
            nearest, best = name, shared
    near = best > len(given) // 4
    hint = f" The nearest is {nearest}: {best} of {len(given)} tensors fit." if near else ""
    counts = classes_in(given) if nearest in card.CLASSIFIERS else _class_counts(state)
    wanted = shapes_of(nearest, next(iter(counts), ANY_CLASSES), points) if near else {}
    raise UnknownWeights(
        f"{file} holds the weights of no network that Vitrine knows.{hint}",
        advice="It opens the bundled networks, torchvision's classifiers and its detectors: SSD, SSDLite, RetinaNet, "
        "FCOS, Faster, Mask and Keypoint R-CNN. Other weights need a card (JSON) beside them that names one of these, "
        "or the code of their network: FILE.py:build --weights.",
        details=checkpoint.differences(wanted, state) if near else "",
    )


def points_in(state: Mapping[str, Tensor]) -> int:
    """Return the number of key points of the heads in `state`; COCO's number if there are none."""
    weight = state.get("roi_heads.keypoint_predictor.kps_score_lowres.weight")
    return len(COCO_POINTS) if weight is None or weight.ndim < 2 else weight.shape[1]


def set_frozen_eps(net: nn.Module, architecture: str, state: Mapping[str, Tensor]) -> None:
    """Set the epsilon of batch normalisation that torchvision's published weights were trained with.

    Weights of frozen normalisation are recognised by their missing batch counters; some were trained with eps 0.
    """
    if architecture in EPS_0 and not any(k.endswith(COUNTER) for k in state):
        set_eps(net, 0.0)


def set_eps(net: nn.Module, eps: float) -> None:
    """Set the epsilon of all batch normalisation layers."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps


def normalisation(net: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the assumption about batch normalisation's epsilon, current value first; {} if the network has none."""
    own = next((m.eps for m in net.modules() if isinstance(m, nn.BatchNorm2d)), None)
    if own is None:
        return {}
    return {"eps": {**EPS, "choices": tuple(dict.fromkeys(str(eps) for eps in (own, 1e-05, 0.001, 0.0)))}}


def classifier_about(architecture: str) -> dict[str, Any]:
    """Return preprocessing and class names of torchvision's published weights of a classifier or segmenter."""
    weights = get_model_weights(architecture).DEFAULT  # pyright: ignore[reportAttributeAccessIssue]
    return {"preprocessing": preset(weights), "classes": tuple(weights.meta["categories"])}


def preset(weights: Any) -> dict[str, Any]:
    """Return the preprocessing of torchvision's published weights of a classifier or segmenter, in a card's format."""
    given = weights.transforms()
    crop = getattr(given, "crop_size", None)
    return {
        "resize": given.resize_size[0],
        **({"crop": crop[0]} if crop else {"fit": "whole"}),
        "mean": list(given.mean),
        "std": list(given.std),
        "interpolation": given.interpolation.value,
    }


def task(architecture: str) -> str:
    """Return the task of an architecture, in a card's terms."""
    if architecture in card.SEGMENTERS:
        return "segmentation"
    return "classification" if architecture in card.CLASSIFIERS else OWN_TASKS.get(architecture, "detection")


def class_names(architecture: str, classes: int) -> tuple[str, ...]:
    """Return label names for weights without a card: Vitrine's own, COCO's if the count matches, or numbers.

    Without a background column, label 0 is a class.
    """
    if architecture in OWN_CLASSES:
        return OWN_CLASSES[architecture]
    if architecture in card.CLASSIFIERS:
        known = classifier_about(architecture)["classes"]
        return known if len(known) == classes else tuple(f"class {i}" for i in range(classes))
    if architecture in card.SEGMENTERS and len(known := classifier_about(architecture)["classes"]) == classes:
        return known
    if architecture == KEYPOINTS and classes == len(PERSON):
        return PERSON
    if classes == len(COCO):
        return COCO
    first = "class 0" if architecture.startswith(("retinanet", "fcos")) else "__background__"
    return (first, *(f"class {i}" for i in range(1, classes)))


def names_for(net: nn.Module) -> tuple[str, ...]:
    """Return label names for a detector or segmenter built by user code, () for other networks."""
    kind = type(net).__name__
    head = getattr(getattr(net, "head", None), "classification_head", None)
    counts = [n for name in ("num_columns", "num_classes") if isinstance(n := getattr(head, name, None), int)]
    if not counts and type(net).__module__.startswith("torchvision.models."):
        counts = _class_counts(net.state_dict())
    if not counts:
        return ()
    architecture = KEYPOINTS if kind == "KeypointRCNN" else kind.lower()
    if ".segmentation." in type(net).__module__:
        known = classifier_about("fcn_resnet50")["classes"]
        return known if len(known) == counts[0] else tuple(f"class {i}" for i in range(counts[0]))
    return class_names(architecture, counts[0])


def numbered(count: int) -> tuple[str, ...]:
    """Return names for unnamed classes: ImageNet's if the count matches, else numbers."""
    return classifier_about("resnet18")["classes"] if count == IMAGENET else tuple(f"class {i}" for i in range(count))


def _class_counts(state: Mapping[str, Tensor]) -> list[int]:
    """Return the numbers of classes that the heads in `state` may have."""
    predictor = state.get("roi_heads.box_predictor.cls_score.weight")
    if predictor is not None:
        return [predictor.shape[0]]
    for name in ("classifier.4.bias", "classifier.low_classifier.bias"):
        if name in state:
            return [state[name].shape[0]]
    head = "head.classification_head"
    dense = state.get(f"{head}.cls_logits.bias")
    if dense is not None:
        per_cell = 1 if "head.regression_head.bbox_ctrness.bias" in state else 9
        return [dense.shape[0] // per_cell] if dense.shape[0] % per_cell == 0 else []
    first = f"{head}.module_list.0"
    bias = state.get(f"{first}.1.bias", state.get(f"{first}.bias"))
    if bias is None:
        return []
    return [bias.shape[0] // anchors for anchors in (4, 6) if bias.shape[0] % anchors == 0]


@cache
def shapes_of(name: str, classes: int, points: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of an architecture's tensors by name, without counters of batches seen."""
    # RegNet computes its widths with tensors, which need real values: it cannot be built on the meta device.
    with torch.device("cpu" if name.startswith("regnet") else "meta"), unfilled():
        net = build(name, classes=classes, points=points)
    return {k: tuple(t.shape) for k, t in net.state_dict().items() if not k.endswith(COUNTER)}


def classifier(given: Shapes, shapes: Callable[[str, int], Shapes]) -> tuple[str, int] | None:
    """Return name and number of classes of the classifier that these tensors belong to, None if there is none.

    `shapes(name, classes)` returns the tensors of an architecture. GoogLeNet and Inception are left out: their
    `transform_input`, which changes every result, leaves no trace in the tensors.
    """
    return next((each for each in relatives(given) if shapes(*each) == given), None)


def relatives(given: Shapes) -> list[tuple[str, int]]:
    """Return the classifiers of the family these tensors seem to belong to, with each possible number of classes."""
    begins = next((names for tensor, names in FAMILIES.items() if tensor in given), ())
    heads = {name for head in HEADS if head in given for name in (head, head.removesuffix("weight") + "bias")}
    size = parameters({name: shape for name, shape in given.items() if name not in heads})  # of the body
    family = [name for name in CLASSIFIERS if name.startswith(begins)] if begins else []
    family = [name for name in family if name.startswith(FIXED) or size / LIKE <= body_sizes()[name] <= size * LIKE]
    return [(name, classes) for name in family for classes in classes_in(given)]


def parameters(shapes: Shapes) -> int:
    """Return how many parameters tensors hold, without the statistics of norms."""
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(STATISTICS))


@cache
def body_sizes() -> dict[str, int]:
    """Return how many parameters torchvision's classifiers have without the last layer, known without building them."""
    rows = zoo_catalogue.raw(zoo_catalogue.TORCHVISION)["models"]
    return {name: int(rows[name]["body"]) if "body" in rows.get(name, ()) else 0 for name in CLASSIFIERS}


def classes_in(given: Shapes) -> list[int]:
    """Return the possible numbers of classes of a classifier's head, largest first."""
    return sorted({given[head][0] for head in HEADS if given.get(head)}, reverse=True)
