"""Variational autoencoders in exported files and own code: an encoder to means and spreads, and a decoder of codes.

Own code has `encode` and `decode`. An exported one is a single graph from the picture to the picture, the means and the
spreads: it is cut where all of the picture depends on one row of as many numbers as there are means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from models import model_name
from models.cards.card import Card, recognised
from models.exported.graph_calls import quiet
from models.interpretation.picture_codes import MINUS_ONE_ONE, ZERO_255, ZERO_ONE
from models.loading.code_inputs import CODE, CodeInput, FromCodes, likely_sizes
from models.loading.code_networks import RANGES, VALUES, picture_of, scale_of, tried
from models.loading.first_pass import SIDES, device_of
from models.loading.returned_tensors import leaves

KEY, APART, WHOLE = "network", "autoencoder", "outputs"
TAKEN: dict[str, Any] = {
    "title": "Network",
    "help": "Whether the network is seen as an encoder and a decoder, or read by its outputs.",
    "titles": {APART: "an encoder and a decoder", WHOLE: "read by its outputs"},
}
LOG_VARIANCE, DEVIATION, VARIANCE, LOG_DEVIATION = "log_variance", "deviation", "variance", "log_deviation"
SPREADS = {
    LOG_VARIANCE: "logarithms of variances",
    DEVIATION: "deviations",
    VARIANCE: "variances",
    LOG_DEVIATION: "logarithms of deviations",
}
SPREAD = {"title": "Spread", "help": "What the encoder gives beside the means.", "titles": SPREADS}
MEANS, SPREAD_WORDS = re.compile(r"mu\b|mean|loc\b|^m$"), re.compile(r"var|sigma|std|scale|log|spread|^s$")
LEAST = 1e-12


class Autoencoder(nn.Module):
    """Codes of pictures and pictures of codes, of a network that has an encoder and a decoder.

    `takes` are the sizes behind the batch of what the encoder is given. `spread` says what it gives beside the means.
    """

    def __init__(self, encoder: Any, decoder: FromCodes, *, takes: Sequence[int], places: tuple[int, int]) -> None:
        super().__init__()
        self.encoder = encoder if isinstance(encoder, nn.Module) else _Method(decoder.net, encoder)
        self.decoder, self.takes, self.places = decoder, tuple(takes), places
        self.spread, self.range, self.likelihood, self.alone = LOG_VARIANCE, (0.0, 1.0), "bernoulli", False
        self.latent = [{"kind": "gaussian", "size": decoder.inputs[0].size, "name": "z"}]

    def numbers(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means (N, D) and what the network gives beside them, for pictures (N, C, h, w)."""
        if self.alone and len(pictures) > 1:
            rows = [self.numbers(one) for one in pictures.split(1)]
            return torch.cat([m for m, _ in rows]), torch.cat([s for _, s in rows])
        made = _tensors(self.encoder(pictures.reshape(len(pictures), *self.takes)))
        mean, spread = (made[place].float().flatten(1) for place in self.places)
        return mean, spread

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (N, D) of pictures (N, C, h, w)."""
        mean, given = self.numbers(pictures)
        if self.spread == LOG_VARIANCE:
            return mean, given
        if self.spread == LOG_DEVIATION:
            return mean, 2 * given
        log = given.clamp_min(LEAST).log()
        return mean, 2 * log if self.spread == DEVIATION else log

    def decode(self, codes: Tensor) -> Tensor:
        """Return pictures (N, C, h, w) of codes (N, D)."""
        return self.decoder(codes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.decode(self.encode(pictures)[0])


class _Method(nn.Module):
    """A method of a network as a module; the network is the decoder's, and not held twice."""

    def __init__(self, net: nn.Module, name: str) -> None:
        super().__init__()
        self.__dict__["owner"], self.name = net, name  # not as a module of its own

    def forward(self, x: Tensor) -> Any:
        return getattr(self.__dict__["owner"].net, self.name)(x)


class _Decoder(nn.Module):
    """The `decode` of a network as its forward."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, codes: Tensor) -> Any:
        net: Any = self.net
        return net.decode(codes)


def _tensors(made: Any) -> list[Tensor]:
    return [value for _, value in leaves(made) if isinstance(value, Tensor)]


def asked_whole(given: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """Return the choices but for this one, and whether the user wants the network read by its outputs."""
    rest = dict(given)
    return rest, rest.pop(KEY, APART) == WHOLE


def of_module(net: nn.Module, card: Card, given: Mapping[str, str]) -> tuple[nn.Module, Card] | None:
    """Return the autoencoder that a network with `encode` and `decode` is, with its card; None for any other."""
    methods = all(callable(getattr(net, name, None)) for name in ("encode", "decode"))
    if not methods or getattr(net, "latent", None) or given.get(KEY) == WHOLE:
        return None
    net = net.eval()
    rows = [(int(w.shape[1]),) for _, w in net.named_parameters() if w.ndim == 2]
    for sides in dict.fromkeys((*rows[::-1], *likely_sizes(net))):
        size = int(torch.tensor(sides).prod())
        decoder = FromCodes(_Decoder(net), (CodeInput(CODE, sides, size=size),))
        if not _decodes(decoder):
            continue
        channels, height, width = _sides_of(decoder)
        for takes in ((channels, height, width), (channels * height * width,)):
            made = Autoencoder("encode", decoder, takes=takes, places=(0, 1))
            found = _distribution(made, (channels, height, width), size)
            if found is not None:
                made.places = found
                return _settled(made, (channels, height, width), card, given)
    return None


def _decodes(decoder: FromCodes) -> bool:
    """Return whether a decoder makes a picture of codes, and remember which of its outputs it is."""
    codes = torch.randn(2, decoder.inputs[0].size, generator=torch.Generator().manual_seed(0))
    codes = codes.to(device_of(decoder.net))
    tensors = tried(lambda: decoder.outputs(codes[:1]))
    place = picture_of(tensors, codes.shape[1]) if tensors else None
    if place is None:
        return False
    decoder.part, decoder.shape, decoder.channels_last = place
    both = tried(lambda: decoder(codes))
    decoder.alone = both is None or len(both) != 2
    return True


def _sides_of(decoder: FromCodes) -> tuple[int, int, int]:
    a, b, c = decoder.shape
    return (c, a, b) if decoder.channels_last else (a, b, c)


def _distribution(made: Autoencoder, sides: tuple[int, int, int], size: int) -> tuple[int, int] | None:
    """Return which of the encoder's outputs are the means and the spreads, None if it has none."""
    x = torch.rand(1, *sides, generator=torch.Generator().manual_seed(0)).to(device_of(made.decoder.net))
    named = tried(lambda: leaves(made.encoder(x.reshape(1, *made.takes))))
    return _pair(named, size) if named else None


def _pair(named: Sequence[tuple[str, Any]], size: int) -> tuple[int, int] | None:
    """Return the places of means and spreads among tensors by name, None where there are no two of `size` numbers."""
    tensors = [(name, value) for name, value in named if isinstance(value, Tensor)]
    rows = [at for at, (_, t) in enumerate(tensors) if t.is_floating_point() and t[:1].numel() == size and t.ndim >= 2]
    if len(rows) < 2:
        return None
    short = {at: tensors[at][0].rpartition(".")[2].lower() for at in rows}
    spread = next((at for at in rows if SPREAD_WORDS.search(short[at])), rows[-1])
    mean = next((at for at in rows if at != spread and MEANS.search(short[at])), None)
    if mean is None:  # what is drawn comes before what it is drawn from
        mean = [at for at in rows if at != spread][-1]
    return mean, spread


def _settled(
    made: Autoencoder, sides: tuple[int, int, int], card: Card, given: Mapping[str, str]
) -> tuple[nn.Module, Card] | None:
    device = device_of(made.decoder.net)
    pictures = torch.rand(2, *sides, generator=torch.Generator().manual_seed(0)).to(device)
    both = tried(lambda: made.numbers(pictures))
    made.alone = both is None or len(both[0]) != 2
    with torch.no_grad():
        mean, spread = made.numbers(pictures)
        shown = made.decoder(torch.cat([mean, torch.randn(4, mean.shape[1]).to(device)]))
    usual, why = scale_of(shown)
    scales = (usual, *(key for key in RANGES if key != usual))
    positive = float(spread.min()) >= 0
    forms = (DEVIATION, VARIANCE, LOG_VARIANCE, LOG_DEVIATION) if positive else tuple(SPREADS)
    about = f"All of them are {'above 0' if positive else 'not above 0'}."
    offered: dict[str, dict[str, Any]] = {
        KEY: {**TAKEN, "choices": (APART, WHOLE)},
        "values": {**VALUES, "choices": scales, "evidence": why},
        "spread": {**SPREAD, "choices": forms, "evidence": about},
    }
    assumed = model_name.check(given, offered, name=card.name)
    made.spread, made.range = assumed["spread"], RANGES[assumed["values"]]
    made.likelihood = "bernoulli" if assumed["values"] == ZERO_ONE else "gaussian"
    assert usual in (ZERO_ONE, MINUS_ONE_ONE, ZERO_255)
    channels, height, width = sides
    note = (
        f"A variational autoencoder: an encoder to {mean.shape[1]:,} means and spreads, and a decoder to pictures of "
        f"{channels} × {height} × {width} (channels, height, width)."
    )
    items = {key: {**item, "value": assumed[key]} for key, item in offered.items()}
    note = " ".join(filter(None, (str(card.about.get("note", "")), note)))
    kind = str(card.about.get("architecture") or "autoencoder")
    card = replace(card, about={k: v for k, v in card.about.items() if k != "input"})
    return made, recognised(card, architecture=kind, task="generation", about={"note": note, "assumptions": items})


def of_graph(
    net: nn.Module, shape: Sequence[int], card: Card, given: Mapping[str, str]
) -> tuple[nn.Module, Card] | None:
    """Return the autoencoder that a graph of a picture (C, h, w; 0 is free) is, with its card; None for any other."""
    if not isinstance(net, fx.GraphModule) or given.get(KEY) == WHOLE or shape[0] not in (1, 3):
        return None
    inner, graph = _inside(net)
    output = next(node for node in graph.nodes if node.op == "output")
    results = _named(output.args[0])
    if len(results) < 3 or not _one_of_another([node for _, node in results]):
        return None
    for side in [int(s) for s in shape[1:2] if s] or [s for s in SIDES if s <= 128]:
        height, width = (int(shape[1]) or side), (int(shape[2]) or side)
        x = torch.rand(1, int(shape[0]), height, width, generator=torch.Generator().manual_seed(0))
        seen = _Shapes(inner, graph)
        made = tried(lambda seen=seen, x=x: leaves(seen.run(x.to(device_of(net)))))
        if made is not None:
            found = _cut(inner, graph, results, _Run(x, made, seen.rows))
            return _settled(*found, card, given) if found is not None else None
    return None


@dataclass(frozen=True)
class _Run:
    """A run of a graph: its input, its outputs by name, and the numbers in a row that each node gave."""

    x: Tensor
    made: list[tuple[str, Any]]
    rows: dict[fx.Node, int]


def _inside(net: fx.GraphModule) -> tuple[nn.Module, fx.Graph]:
    """Return the module, and its graph, in which a network is that only wraps another."""
    module: Any = net
    while True:
        calls = [n for n in module.graph.nodes if n.op not in ("placeholder", "output", "get_attr")]
        inner = module.get_submodule(str(calls[0].target)) if len(calls) == 1 and calls[0].op == "call_module" else None
        if not isinstance(getattr(inner, "graph", None), fx.Graph):
            return module, module.graph
        module = inner


def _named(made: Any) -> list[tuple[str, fx.Node]]:
    pairs = (
        made.items() if isinstance(made, Mapping) else enumerate(made if isinstance(made, list | tuple) else (made,))
    )
    return [(str(key), node) for key, node in pairs if isinstance(node, fx.Node)]


class _Shapes(fx.Interpreter):
    """Runs a graph and remembers how many numbers of a row of one picture each node gives."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.rows: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run a node."""
        made = super().run_node(n)
        if isinstance(made, Tensor) and made.is_floating_point() and made.ndim >= 2 and made.shape[0] == 1:
            self.rows[n] = made.numel() if made.shape[1] == made.numel() else 0
        return made


def _cut(
    module: nn.Module, graph: fx.Graph, results: list[tuple[str, fx.Node]], run: _Run
) -> tuple[Autoencoder, tuple[int, int, int]] | None:
    """Return the autoencoder, and the sides of its pictures, that a graph is made of; None where it cannot be cut."""
    values = [(name, value) for name, value in run.made if isinstance(value, Tensor)]
    if len(values) != len(results):
        return None
    named = [(own, value) for (own, _), (_, value) in zip(results, values, strict=True)]
    size = max((v[:1].numel() for _, v in named if v.ndim == 2 and v.shape[1] < run.x.numel()), default=0)
    pair = _pair(named, size) if size else None
    place = picture_of([value for _, value in named], size)
    if pair is None or place is None:
        return None
    sides = (place[1][2], *place[1][:2]) if place[2] else place[1]
    if sides != tuple(run.x.shape[1:]):
        return None
    entry = next(node for node in graph.nodes if node.op == "placeholder")
    whole, means = results[place[0]][1], results[pair[0]][1]
    code = _code_node(graph, entry, whole, means, {node for node, row in run.rows.items() if row == size})
    if code is None:
        return None
    encoder = _graph_of(module, graph, entry, (results[pair[0]][1], results[pair[1]][1]))
    decoder = FromCodes(_graph_of(module, graph, code, (whole,)), (CodeInput(CODE, (size,), size=size),))
    if not _decodes(decoder):
        return None
    made = Autoencoder(encoder, decoder, takes=run.x.shape[1:], places=(0, 1))
    return made, (int(run.x.shape[1]), int(run.x.shape[2]), int(run.x.shape[3]))


def _one_of_another(results: list[fx.Node]) -> bool:
    """Return whether one result is made of another, as a picture is of its means."""
    return any(one in _above(other) for other in results for one in results if one is not other)


def _above(node: fx.Node) -> set[fx.Node]:
    """Return a node and all that it is made of."""
    found, waiting = {node}, [node]
    while waiting:
        for one in waiting.pop().all_input_nodes:
            if one not in found:
                found.add(one)
                waiting.append(one)
    return found


def _below(graph: fx.Graph, node: fx.Node) -> set[fx.Node]:
    """Return a node and all that is made of it."""
    found = {node}
    for one in graph.nodes:
        if any(each in found for each in one.all_input_nodes):
            found.add(one)
    return found


def _code_node(graph: fx.Graph, entry: fx.Node, whole: fx.Node, means: fx.Node, rows: set[fx.Node]) -> fx.Node | None:
    """Return the last row of numbers, made of the means, on which all that `whole` has of `entry` depends."""
    way = [node for node in graph.nodes if node in _above(whole) & _below(graph, entry)]
    after = _below(graph, means)
    found = None
    for at, node in enumerate(way):
        before, behind = set(way[:at]), way[at + 1 :]
        past = any(one in before for later in behind for one in later.all_input_nodes)
        if node in rows and node in after and not past and found is None:
            found = node
    return found


def _graph_of(module: nn.Module, graph: fx.Graph, entry: fx.Node, results: tuple[fx.Node, ...]) -> fx.GraphModule:
    """Return the part of a graph from `entry` to the results."""
    made = fx.Graph()
    kept = {entry: made.placeholder("input")}
    needed: set[fx.Node] = set()
    waiting = list(results)
    while waiting:
        node = waiting.pop()
        if node not in needed and node is not entry:
            needed.add(node)
            waiting += node.all_input_nodes
    for node in graph.nodes:
        if node in needed:
            kept[node] = made.node_copy(node, lambda one: kept[one])
    made.output(kept[results[0]] if len(results) == 1 else tuple(kept[one] for one in results))
    return quiet(fx.GraphModule(module, made))
