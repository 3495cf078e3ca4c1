"""Which of torchvision's classifiers a state dict belongs to, by names and shapes of its tensors. Reads no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.cards import CLASSIFIERS

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
    begins = next((names for tensor, names in FAMILIES.items() if tensor in given), ())
    heads = {given[head][0] for head in HEADS if head in given}
    for name in (n for n in CLASSIFIERS if n.startswith(begins)) if begins else ():
        for classes in sorted(heads, reverse=True):
            if shapes(name, classes) == given:
                return name, classes
    return None
