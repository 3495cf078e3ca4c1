"""Heads of classifiers: one linear layer, or a chain of them that someone put in its place."""

from __future__ import annotations

from torch import Tensor, nn

from models.families.proposal import ACTIVATIONS, Shapes, place, unit_paths

NAMES = ("linear", "fc", "classifier", "head", "heads", "out", "output")


def name_of(shapes: Shapes) -> str:
    """Return the attribute of the head, whose tensors are the last linear ones, "" if there is none."""
    last = next((name for name in reversed(list(shapes)) if name.endswith(".weight")), "")
    first = last.partition(".")[0]
    own = [name for name in shapes if name.startswith(f"{first}.") and name.endswith(".weight")]
    return first if last and first in NAMES and all(len(shapes[name]) <= 2 for name in own) else ""


def outputs(shapes: Shapes, head: str) -> int:
    """Return the number of scores that a head gives."""
    own = [shape for name, shape in shapes.items() if name.startswith(f"{head}.") and len(shape) == 2]
    return own[-1][0]


def build(shapes: Shapes, head: str, activation: str = "relu") -> nn.Module:
    """Return the head: a linear layer, or linear layers and norms in the file's order with activations between.

    A norm before the first linear layer comes first; others follow their layer, before the activation.
    """
    if f"{head}.weight" in shapes:
        return _linear(shapes, head)
    made = Chained()
    units = [unit for unit in unit_paths(shapes) if unit.startswith(f"{head}.")]
    linear = [unit for unit in units if len(shapes.get(f"{unit}.weight", ())) == 2]
    for unit in units:
        inner = unit.removeprefix(f"{head}.")
        if unit in linear:
            if made.steps and unit != linear[0]:
                made.put(f"activation_{len(made.steps)}", ACTIVATIONS[activation]())
            made.put(inner, _linear(shapes, unit))
        elif f"{unit}.running_mean" in shapes:
            made.put(inner, nn.BatchNorm1d(shapes[f"{unit}.running_mean"][0], affine=f"{unit}.weight" in shapes))
        else:
            raise ValueError(f"{unit} is not a layer of a head")
    return made


class Chained(nn.Module):
    """Layers one after another, at any paths."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    def put(self, path: str, module: nn.Module) -> None:
        """Add a layer at the end."""
        place(self, path, module)
        self.steps.append(path)

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = self.get_submodule(step)(x)
        return x


def _linear(shapes: Shapes, unit: str) -> nn.Module:
    out, inside = shapes[f"{unit}.weight"]
    return nn.Linear(inside, out, bias=f"{unit}.bias" in shapes)
