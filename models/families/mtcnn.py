"""MTCNN (Zhang et al. 2016): three small networks that find faces, recognised by how their layers follow each other.

P-Net sees 12 px and has no linear layer, R-Net 24 px, O-Net 48 px. Each has one head for scores, one for boxes and may
have one for five landmarks. Names are free. One part alone opens too; `joined` puts parts that lie apart together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.proposal import Proposal, RebuiltClassifier, Shapes, choice, place, under, unit_paths

PARTS = ("pnet", "rnet", "onet")
TITLES = ("P-Net", "R-Net", "O-Net")
SIDES = (12, 24, 48)
KERNELS = ((3, 3, 3), (3, 3, 2), (3, 3, 3, 2))
POOLS = ((2, 0, 0), (3, 3, 0), (3, 3, 2, 0))
HEADS = {"score": (1, 2), "box": (4,), "points": (10,)}
CLASSES = ("no face", "face")
FLAT = choice(
    "Flattened",
    "In which order a map becomes the numbers that the linear layer takes.",
    ("width_height_channels", "channels_width_height", "channels_height_width"),
    {
        "width_height_channels": "width, height, channels (facenet-pytorch)",
        "channels_width_height": "channels, width, height (weights from Caffe)",
        "channels_height_width": "channels, height, width (trained in PyTorch)",
    },
)
VALUES = choice(
    "Values", "How the values of pictures are scaled.", ("minus_one_one", "zero_one"), {"zero_one": "0 to 1"}
)
VALUES["titles"]["minus_one_one"] = "-1 to 1"
COLOURS = choice("Colours", "The order of the colours.", ("rgb", "bgr"), {"rgb": "RGB", "bgr": "BGR"})
POINTS = choice(
    "Landmarks",
    "How the ten numbers of the landmarks are ordered.",
    ("apart", "pairs"),
    {"apart": "all x, then all y", "pairs": "x and y in turn"},
)


@dataclass(frozen=True)
class Layout:
    """The layers of one part by their paths: its number (0 to 2), convolutions, PReLUs, linear layer and heads."""

    number: int
    convolutions: tuple[str, ...]
    prelus: tuple[str, ...]
    dense: str
    score: str
    box: str
    points: str
    ceil: bool = True


class Part(nn.Module):
    """One of the three networks, with its layers at the paths that they have in the file."""

    def __init__(self, shapes: Shapes, layout: Layout, flat: str) -> None:
        super().__init__()
        self.layout, self.flat = layout, flat
        for path in layout.convolutions:
            out, inside, side, _ = shapes[f"{path}.weight"]
            place(self, path, nn.Conv2d(inside, out, side))
        for path in layout.prelus:
            place(self, path, nn.PReLU(shapes[f"{path}.weight"][0]))
        for path in filter(None, (layout.dense, layout.score, layout.box, layout.points)):
            weight = shapes[f"{path}.weight"]
            place(
                self, path, nn.Conv2d(weight[1], weight[0], 1) if len(weight) == 4 else nn.Linear(weight[1], weight[0])
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return logits of a face, corrections of boxes (.., 4) and landmarks (.., 10), by column or by channel.

        P-Net returns maps (N, C, h, w) of any picture, the others rows (N, C) of crops.
        """
        own = self.layout
        pools = POOLS[own.number]
        for path, prelu, pool in zip(own.convolutions, own.prelus, pools, strict=False):
            x = self.get_submodule(prelu)(self.get_submodule(path)(x))
            x = functional.max_pool2d(x, pool, 2, ceil_mode=own.ceil) if pool else x
        if own.dense:
            order = {"width_height_channels": (0, 3, 2, 1), "channels_width_height": (0, 1, 3, 2)}
            x = x.permute(order[self.flat]) if self.flat in order else x
            x = self.get_submodule(own.prelus[-1])(self.get_submodule(own.dense)(x.flatten(1)))
        score = self.get_submodule(own.score)(x)
        logit = score[:, 1:] - score[:, :1] if score.shape[1] == 2 else score
        return logit, self.get_submodule(own.box)(x), self.get_submodule(own.points)(x) if own.points else None


class Cascade(nn.Module):
    """The parts that are there, in order, and what is assumed of them; `models.adapters.mtcnn` runs them."""

    def __init__(self, shapes: Shapes, layouts: Mapping[str, Layout], assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.assumed = dict(assumed)
        for name, layout in layouts.items():
            made = Part(under(shapes, f"{name}."), layout, assumed.get("flat", FLAT["choices"][0]))
            self.add_module(name, made)

    @property
    def parts(self) -> list[Part]:
        """The parts in the order in which they see a picture."""
        return [getattr(self, name) for name in PARTS if hasattr(self, name)]

    def forward(self, x: Tensor) -> Any:
        """Return what the last part makes of inputs of its own side."""
        return self.parts[-1](x)

    def prepared(self, pixels: Tensor) -> Tensor:
        """Return RGB pixels (N, 3, h, w) from 0 to 255 as inputs."""
        pixels = pixels.flip(1) if self.assumed.get("colours") == "bgr" else pixels
        return pixels / 255 if self.assumed.get("input") == "zero_one" else (pixels - 127.5) * 0.0078125


class CropClassifier(RebuiltClassifier):
    """R-Net or O-Net alone, on a crop of a face: the scores (N, 2) of no face and of a face."""

    def __init__(self, shapes: Shapes, layout: Layout, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.part = Part(shapes, layout, assumed.get("flat", FLAT["choices"][0]))

    def run(self, x: Tensor) -> Tensor:
        """Return the scores."""
        logit = self.part(x)[0]
        return torch.cat([torch.zeros_like(logit), logit], 1)


def layout_of(shapes: Shapes) -> Layout | None:
    """Return which part has these tensors, None if none has."""
    units = unit_paths(shapes)
    kinds = {unit: len(shapes.get(f"{unit}.weight", ())) for unit in units}
    if set(kinds.values()) - {1, 2, 4} or any(shapes[f"{u}.weight"] != shapes[f"{u}.bias"] for u in _plain(shapes)):
        return None
    convolutions = [u for u in units if kinds[u] == 4 and shapes[f"{u}.weight"][2] > 1]
    kernels = tuple(shapes[f"{unit}.weight"][2] for unit in convolutions)
    if kernels not in KERNELS or shapes[f"{convolutions[0]}.weight"][1] != 3:
        return None
    number = KERNELS.index(kernels)
    prelus = [u for u in units if kinds[u] == 1]
    rest = [u for u in units if u not in convolutions and u not in prelus]
    dense = [u for u in rest if number and kinds[u] == 2 and shapes[f"{u}.weight"][0] > 10]
    heads = [u for u in rest if u not in dense]
    width = shapes[f"{(dense or convolutions)[-1]}.weight"][0]
    if any(shapes[f"{u}.weight"][1] != width or kinds[u] != (2 if number else 4) for u in heads):
        return None
    found = {name: [u for u in heads if shapes[f"{u}.weight"][0] in counts] for name, counts in HEADS.items()}
    count = len(convolutions) + len(dense)
    sound = len(dense) == (number > 0) and len(prelus) == count and len(found["points"]) <= 1
    if not sound or len(found["score"]) != 1 or len(found["box"]) != 1 or sum(map(len, found.values())) != len(heads):
        return None
    made = Layout(
        number,
        tuple(convolutions),
        tuple(prelus),
        dense[0] if dense else "",
        found["score"][0],
        found["box"][0],
        next(iter(found["points"]), ""),
    )
    if not dense:
        return made
    area = shapes[f"{dense[0]}.weight"][1] / shapes[f"{convolutions[-1]}.weight"][0]
    return next((replace(made, ceil=c) for c in (True, False) if _end(number, ceil=c) ** 2 == area), None)


def _plain(shapes: Shapes) -> list[str]:
    """Return the units with a bias whose weight is a vector: norms, which these networks do not have."""
    units = unit_paths(shapes)
    return [u for u in units if len(shapes.get(f"{u}.weight", ())) == 1 and f"{u}.bias" in shapes]


def _end(number: int, *, ceil: bool) -> int:
    """Return the side of the map that the linear layer of a part sees."""
    side = SIDES[number]
    for kernel, pool in zip(KERNELS[number], POOLS[number], strict=True):
        side -= kernel - 1
        if pool:
            side = -(-(side - pool) // 2) + 1 if ceil else (side - pool) // 2 + 1
    return side


def grouped(shapes: Shapes) -> dict[str, str]:
    """Return the prefixes of the parts in a state dict that holds several of them, by the names of PARTS."""
    found = {}
    for prefix in dict.fromkeys(name.partition(".")[0] for name in shapes):
        layout = layout_of(under(shapes, f"{prefix}."))
        if layout is None or PARTS[layout.number] in found:
            return {}
        found[PARTS[layout.number]] = prefix
    return found


def joined(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return one state dict of parts that were saved apart, {} unless each is another part."""
    found: dict[str, Mapping[str, Tensor]] = {}
    for state in states:
        layout = layout_of({name: tuple(tensor.shape) for name, tensor in state.items()})
        if layout is None or PARTS[layout.number] in found:
            return {}
        found[PARTS[layout.number]] = state
    return {f"{part}.{name}": found[part][name] for part in PARTS if part in found for name in found[part]}


def propose(shapes: Shapes) -> Proposal | None:
    """Return the detector of these parts, or of one of them; None if they are none."""
    single = layout_of(shapes)
    if single is not None and single.number:
        return _alone(shapes, single)
    prefixes = {} if single is not None else grouped(shapes)
    if single is None and "pnet" not in prefixes:
        return None
    named = {
        part: prefixes.get(part, "") for part in PARTS if part in prefixes or (single is not None and part == "pnet")
    }
    renames = {f"{prefix}." if prefix else "": f"{part}." for part, prefix in named.items()}

    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        return {
            new + name.removeprefix(old): value
            for name, value in state.items()
            for old, new in renames.items()
            if name.startswith(old)
        }

    own = renamed(shapes)
    layouts = {part: layout for part in named if (layout := layout_of(under(own, f"{part}."))) is not None}
    ceil = all(layout.ceil for layout in layouts.values())
    layouts["pnet"] = replace(layouts["pnet"], ceil=ceil)
    offered = _offered(own, layouts)
    missing = [title for part, title in zip(PARTS, TITLES, strict=True) if part not in layouts]
    title = "MTCNN" if not missing else f"MTCNN without {' and '.join(missing)}"
    return Proposal(
        title=title,
        task="detection",
        build=partial(Cascade, own, layouts),
        classes=("face",),
        renamed=renamed,
        offered=offered,
    )


def _offered(shapes: Shapes, layouts: Mapping[str, Layout]) -> dict[str, dict[str, Any]]:
    """Return what is assumed. Names and the rounding of pools tell the usual code, which goes with its own choices."""
    last = list(layouts.values())[-1]
    dense = next((layout.dense for layout in layouts.values() if layout.dense), "")
    own = not all(layout.ceil for layout in layouts.values())
    caffe = last.convolutions[0].startswith("features.") or dense.startswith("features.")
    first = "channels_height_width" if own else "channels_width_height" if caffe else FLAT["choices"][0]
    offered = {"flat": _leading(FLAT, first)} if dense else {}
    offered["input"] = _leading(VALUES, "zero_one" if own else "minus_one_one")
    offered["colours"] = _leading(COLOURS, "bgr" if own else "rgb")
    if last.points:
        offered["points"] = _leading(POINTS, "pairs" if own else "apart")
    return offered


def _leading(item: Mapping[str, Any], first: str) -> dict[str, Any]:
    return {**item, "choices": (first, *(one for one in item["choices"] if one != first))}


def _alone(shapes: Shapes, layout: Layout) -> Proposal:
    title, side = TITLES[layout.number], SIDES[layout.number]
    first = _offered(shapes, {PARTS[layout.number]: layout})["flat"]
    return Proposal(
        title=f"{title} of MTCNN, which tells a face in a crop of {side} px; P-Net is needed to find faces",
        task="classification",
        build=partial(CropClassifier, shapes, layout),
        side=side,
        classes=CLASSES,
        inputs=("minus_one_one", "zero_one") if layout.ceil else ("zero_one", "minus_one_one"),
        offered={"flat": first},
        renamed=lambda state: {f"part.{name}": tensor for name, tensor in state.items()},
    )
