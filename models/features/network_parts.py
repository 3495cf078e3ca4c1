"""Parts of networks, recognised by how tensors are joined: CSP, SPP, FPN, PAN, shortcuts, dense connections, gates.

Nothing goes by names: a part is a concatenation, sum or product of maps with a certain common past. Sources: He et al.
2015 (SPP, shortcuts), Huang et al. 2017 (dense), Lin et al. 2017 (FPN), Liu et al. 2018 (PAN), Wang et al. 2020 (CSP).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.features.function_graph import CONVOLUTIONS, JOINS, LARGER, POOLS, PRODUCTS, SPLITS, SUMS, Graph

SHORTCUT, PROJECTED, DENSE, CSP, CHANNEL_SPLIT = "shortcut", "projected shortcut", "dense", "csp", "channel split"
SPP, SPPF, FPN, TOP_DOWN, PAN, GATE, PARALLEL = "spp", "sppf", "fpn", "top-down", "pan", "gate", "parallel"
TITLES = {
    SHORTCUT: "Shortcut",
    PROJECTED: "Shortcut with a projection",
    DENSE: "Dense connection",
    CSP: "CSP: split and join",
    CHANNEL_SPLIT: "Channels split and joined",
    SPP: "SPP: pools side by side",
    SPPF: "SPPF: pools in a chain",
    FPN: "Top-down sum (FPN)",
    TOP_DOWN: "Top-down join (U-Net, YOLO)",
    PAN: "Bottom-up join (PAN)",
    GATE: "Gate",
    PARALLEL: "Parallel branches",
}
UP, DOWN = 1, -1
MAP_DIMENSIONS = (3, 4)


@dataclass(frozen=True)
class Part:
    """One part: its `kind`, the module that joins it and the one whose output it `begins` with, "" for the network.

    `channels` leave it, of which `past` came by without a convolution or through a single 1x1 one. `before` and `after`
    are receptive fields in pixels of the input, infinite for all of it; `size` is that of the map, `branches` how many
    are joined.
    """

    kind: str
    joined: str
    begins: str
    channels: int
    past: int
    branches: int
    size: tuple[int, ...]
    before: float
    after: float


def find(graph: Graph) -> list[Part]:
    """Return the parts of a network in the order of the pass."""
    found: list[Part] = []
    merges = 0  # top-down joins so far, as bits
    for row, node in enumerate(graph.nodes):
        if node.name not in JOINS | SUMS | PRODUCTS or len(node.shape) not in MAP_DIMENSIONS:
            continue
        part = _part(graph, row, merges)
        if part is None:
            continue
        merges |= (1 << row) if part.kind in (FPN, TOP_DOWN) else 0
        found.append(part)
    return found


def _part(graph: Graph, row: int, merges: int) -> Part | None:
    node = graph.nodes[row]
    inputs = [each for each in node.inputs if len(graph.nodes[each].shape) == len(node.shape)]
    if len(inputs) < 2:
        return None
    if node.name in PRODUCTS:
        return _gate(graph, row, inputs)
    if any(graph.nodes[each].size != node.size for each in inputs):
        return None
    top = graph.common(inputs)
    if top < 0:
        return None
    if node.name in JOINS and (pooled := _pooled(graph, inputs)) is not None:
        kind, source = pooled
        own = graph.nodes[source].channels if any(_bare(graph, each) == _bare(graph, source) for each in inputs) else 0
        return _made(graph, row, inputs, kind=kind, top=source, past=own)
    ways = [_resampled(graph, each) for each in inputs]
    if UP in ways and any(way != UP for way in ways):
        past = sum(graph.nodes[each].channels for each, way in zip(inputs, ways, strict=True) if way != UP)
        kind = TOP_DOWN if node.name in JOINS else FPN
        return _made(graph, row, inputs, kind=kind, top=top, past=past)
    if DOWN in ways and any(way != DOWN for way in ways):
        down = next(each for each, way in zip(inputs, ways, strict=True) if way == DOWN)
        others = [each for each, way in zip(inputs, ways, strict=True) if way != DOWN]
        if merges & graph.above[down] & ~graph.above[others[0]]:
            past = sum(graph.nodes[each].channels for each in others)
            return _made(graph, row, inputs, kind=PAN, top=top, past=past)
    depths = [graph.convolutions(top, each) for each in inputs]
    if node.name in SUMS:
        return _shortcut(graph, row, inputs, depths, top)
    return _stacked(graph, row, inputs, depths, top)


def _shortcut(graph: Graph, row: int, inputs: Sequence[int], depths: Sequence[int], top: int) -> Part | None:
    """Return the part of a sum: a map and what came of it, or of which one way is a single projection."""
    if len(inputs) != 2 or (max(depths) < 1 and len(graph.nodes[row].shape) == 4):
        return None
    channels = graph.nodes[row].channels
    if top in inputs or any(_bare(graph, each) == _bare(graph, top) for each in inputs):
        return _made(graph, row, inputs, kind=SHORTCUT, top=top, past=channels)
    if min(depths) == 1 < max(depths):
        return _made(graph, row, inputs, kind=PROJECTED, top=top, past=0)
    return None


def _stacked(graph: Graph, row: int, inputs: Sequence[int], depths: Sequence[int], top: int) -> Part | None:
    """Return the part of a concatenation at one size."""
    if max(depths) < 1 or graph.nodes[top].size != graph.nodes[row].size:
        return None
    idle = [each for each, depth in zip(inputs, depths, strict=True) if depth == 0]
    past = sum(graph.nodes[each].channels for each in idle)
    if any(graph.nodes[_bare(graph, each)].name in SPLITS for each in inputs):
        return _made(graph, row, inputs, kind=CHANNEL_SPLIT, top=top, past=past)
    if any(graph.above[other] >> each & 1 for each in inputs for other in inputs if other != each):
        kept = [each for each in inputs if any(graph.above[o] >> each & 1 for o in inputs if o != each)]
        return _made(graph, row, inputs, kind=DENSE, top=top, past=sum(graph.nodes[each].channels for each in kept))
    if len(inputs) == 2 and min(depths) == 1 < max(depths):
        thin = inputs[depths.index(1)]
        if _side(graph, thin) == 1:
            return _made(graph, row, inputs, kind=CSP, top=top, past=graph.nodes[thin].channels)
    return _made(graph, row, inputs, kind=PARALLEL, top=top, past=past)


def _gate(graph: Graph, row: int, inputs: Sequence[int]) -> Part | None:
    """Return the part of a product of a map with one factor for each channel, or for each place."""
    node = graph.nodes[row]
    if len(node.shape) != 4 or len(inputs) != 2 or node.size == (1, 1):
        return None
    sizes = [graph.nodes[each].shape for each in inputs]
    factors = [shape[2:] == (1, 1) or (shape[1] == 1 < node.channels and shape[2:] == node.size) for shape in sizes]
    if factors.count(True) != 1:
        return None
    whole = inputs[factors.index(False)]
    if not graph.above[inputs[factors.index(True)]] >> graph.common(inputs) & 1:
        return None
    return _made(graph, row, inputs, kind=GATE, top=whole, past=node.channels)


def _pooled(graph: Graph, inputs: Sequence[int]) -> tuple[str, int] | None:
    """Return the kind and the source of pools at stride 1 that are joined, None if these are none."""
    chains = [_pools(graph, each) for each in inputs]
    source, longest = chains[0][0], max(length for _, length in chains)
    pooled = sum(length > 0 for _, length in chains)
    if pooled < 2 or any(_bare(graph, each) != _bare(graph, source) for each, _ in chains):
        return None
    return (SPPF if longest > 1 else SPP), source


def _pools(graph: Graph, row: int) -> tuple[int, int]:
    """Return what pools at stride 1 were applied to, and how many after one another."""
    count = 0
    while (node := graph.nodes[row]).name in POOLS and node.stride == 1:
        row, count = node.inputs[0], count + 1
    return row, count


def _bare(graph: Graph, row: int) -> int:
    """Return the node of which this one is only a function element by element, such as its activation."""
    while True:
        node = graph.nodes[row]
        plain = len(node.inputs) == 1 and node.name not in CONVOLUTIONS | POOLS | LARGER | SPLITS
        if not plain or graph.nodes[node.inputs[0]].shape != node.shape:
            return row
        row = node.inputs[0]


def _resampled(graph: Graph, row: int) -> int:
    """Return whether the last change of size on the way to a node made it larger or smaller, 0 if a join is nearer."""
    while len(graph.nodes[row].inputs) == 1:
        node = graph.nodes[row]
        if node.stride != 1:
            return UP if node.stride < 1 else DOWN
        row = node.inputs[0]
    return 0


def _side(graph: Graph, row: int) -> int:
    """Return the kernel of the last convolution on the way to a node."""
    while graph.nodes[row].name not in CONVOLUTIONS and graph.nodes[row].inputs:
        row = graph.nodes[row].inputs[0]
    return graph.nodes[row].kernel


def _made(graph: Graph, row: int, inputs: Sequence[int], *, kind: str, top: int, past: int) -> Part:
    node, first = graph.nodes[row], graph.nodes[top]
    return Part(kind, node.path, first.path, node.channels, past, len(inputs), node.size, first.field, node.field)
