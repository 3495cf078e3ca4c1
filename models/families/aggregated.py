"""Networks for small pictures that gather maps of several depths: DLA in two forms, and dual path networks.

Deep layer aggregation (Yu et al. 2018) joins the maps of a tree's nodes in roots; a dual path network (Chen et al.
2017) adds one part of its maps to what it was given and puts the other beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.families import heads
from models.families.named_layers import NamedClassifier, classifier, pooled
from models.families.proposal import Proposal, Shapes


class DeepAggregation(NamedClassifier):
    """DLA: `base`, two plain layers, and four trees, of which all but the first halve the size."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        for name in ("base", "layer1", "layer2"):
            x = self.through(name, x, ends=True)
        for at in (3, 4, 5, 6):
            x = self._tree(f"layer{at}", x, 1 if at == 3 else 2)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _tree(self, path: str, x: Tensor, stride: int) -> Tensor:
        """Return a tree's map: a block where it has no root."""
        if not self.has(f"{path}.root"):
            return self.residual(path, x, stride, beside="shortcut")
        if self.has(f"{path}.left_tree"):
            first = self._tree(f"{path}.left_tree", x, stride)
            return self._root(path, [first, self._tree(f"{path}.right_tree", first, 1)])
        found: list[Tensor] = []
        levels = {
            name.removeprefix(f"{path}.level_").partition(".")[0]
            for name in self.shapes
            if name.startswith(f"{path}.level_")
        }
        for level in sorted(map(int, levels), reverse=True):
            x = self._tree(f"{path}.level_{level}", x, stride)
            found.append(x)
        first = self.residual(f"{path}.left_node", x, 1 if found else stride, beside="shortcut")
        return self._root(path, [*found, first, self.residual(f"{path}.right_node", first, 1, beside="shortcut")])

    def _root(self, path: str, maps: list[Tensor]) -> Tensor:
        return self.unit(f"{path}.root.conv", f"{path}.root.bn", torch.cat(maps, 1))


class DualPath(NamedClassifier):
    """A dual path network: bottlenecks with grouped convolutions in four stages."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.unit("conv1", "bn1", x)
        for stage in (1, 2, 3, 4):
            made = self.shapes[f"layer{stage}.0.conv3.weight"][0]
            # The second block takes what the first gives: all its maps, and once more those that are put beside.
            after = self.shapes.get(f"layer{stage}.1.conv1.weight", self.shapes.get(f"layer{stage + 1}.0.conv1.weight"))
            taken = after[1] if after else self.shapes[f"{heads.name_of(self.shapes)}.weight"][1]
            added = 2 * made - taken
            if not 0 < added < made:
                raise ValueError("nothing is put beside")
            for at in self.numbers(f"layer{stage}"):
                x = self._block(f"layer{stage}.{at}", x, 2 if at == 0 and stage > 1 else 1, added)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _block(self, path: str, x: Tensor, stride: int, added: int) -> Tensor:
        out = self.unit(f"{path}.conv1", f"{path}.bn1", x)
        out = self.unit(f"{path}.conv2", f"{path}.bn2", out, stride)
        out = self.unit(f"{path}.conv3", f"{path}.bn3", out, active=False)
        x = self.through(f"{path}.shortcut", x, stride) if self.has(f"{path}.shortcut") else x
        return self.activate(torch.cat([x[:, :added] + out[:, :added], x[:, added:], out[:, added:]], 1))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    if not heads.name_of(shapes):
        return None
    if "layer3.root.conv.weight" in shapes and "base.0.weight" in shapes:
        simple = any(".left_tree." in name for name in shapes)
        title = "DLA for small pictures, its simple form" if simple else "DLA for small pictures"
        return classifier(shapes, DeepAggregation, title)
    if "layer1.0.conv3.weight" in shapes and "layer1.0.shortcut.0.weight" in shapes:
        return classifier(shapes, DualPath, "Dual path network for small pictures")
    return None
