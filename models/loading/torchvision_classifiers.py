"""Which of torchvision's classifiers a state dict belongs to, by names and shapes of its tensors. Reads no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.cards.card import CLASSIFIERS

# A tensor that every network of a family has and no other, and how the names of the family begin.
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
    """Return the name and the number of classes of the classifier whose tensors these are, None for none.

    `shapes(name, classes)` are the tensors of an architecture. GoogLeNet and Inception are left out: whether their
    input is transformed first, which changes every answer, cannot be seen.
    """
    return next((each for each in relatives(given) if shapes(*each) == given), None)


def relatives(given: Shapes) -> list[tuple[str, int]]:
    """Return the classifiers of the family that these tensors seem to be of, with each number of classes possible."""
    begins = next((names for tensor, names in FAMILIES.items() if tensor in given), ())
    family = [name for name in CLASSIFIERS if name.startswith(begins)] if begins else []
    return [(name, classes) for name in family for classes in classes_in(given)]


def classes_in(given: Shapes) -> list[int]:
    """Return how many classes the heads of a classifier may have, the most first."""
    return sorted({given[head][0] for head in HEADS if given.get(head)}, reverse=True)
