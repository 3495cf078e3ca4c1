"""Recognise torchvision's classifiers by the names and shapes of the tensors in a state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.cards.card import CLASSIFIERS

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


def classifier(given: Shapes, shapes: Callable[[str, int], Shapes]) -> tuple[str, int] | None:
    """Return name and number of classes of the classifier that these tensors belong to, None if there is none.

    `shapes(name, classes)` returns the tensors of an architecture. GoogLeNet and Inception are left out: their
    `transform_input`, which changes every result, leaves no trace in the tensors.
    """
    return next((each for each in relatives(given) if shapes(*each) == given), None)


def relatives(given: Shapes) -> list[tuple[str, int]]:
    """Return the classifiers of the family these tensors seem to belong to, with each possible number of classes."""
    begins = next((names for tensor, names in FAMILIES.items() if tensor in given), ())
    family = [name for name in CLASSIFIERS if name.startswith(begins)] if begins else []
    return [(name, classes) for name in family for classes in classes_in(given)]


def classes_in(given: Shapes) -> list[int]:
    """Return the possible numbers of classes of a classifier's head, largest first."""
    return sorted({given[head][0] for head in HEADS if given.get(head)}, reverse=True)
