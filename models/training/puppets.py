"""Compose seeded scenes of puppets, jointed figures before sky, ground and water, with exact truth of every kind.

Places are in pixels from the upper left corner of the picture, so that pixel i spans i to i + 1. All puppets face the
viewer: their right hand is on the picture's left unless an arm is crossed over.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.capsules import Capsule, Rng, paint

PARTS = (
    *("head", "torso", "right upper arm", "left upper arm", "right forearm", "left forearm"),
    *("right thigh", "left thigh", "right shank", "left shank"),
)
STUFF = ("sky", "ground", "water")
# The parts that end in each point: it is seen where one of them is in front.
_PARTS_AT = ((0,), (1, 2), (1, 3), (2, 4), (3, 5), (4,), (5,), (1, 6), (1, 7), (6, 8), (7, 9), (8,), (9,))


@dataclass(frozen=True)
class Puppet:
    """A figure: its `points` (13, 2) and `capsules`, one a part, in px; `order` is that in which parts are painted."""

    points: NDArray[np.float64]
    capsules: tuple[Capsule, ...]
    order: tuple[int, ...]

    @property
    def box(self) -> NDArray[np.float64]:
        """The figure's extent x0 y0 x1 y1."""
        extents = np.array([c.extent for c in self.capsules])
        return np.concatenate([extents[:, :2].min(0), extents[:, 2:].max(0)])


@dataclass(frozen=True)
class Scene:
    """A picture (H, W, 3) RGB uint8 of K puppets, the last in front, with its truth.

    `points` (K, 13, 2) in px and `visible` (K, 13); `boxes` (K, 4) of each whole figure, hidden parts included.
    `figure` (H, W) is 0 for none and k + 1 for the puppet seen there, `part` 0 or its part + 1, `chart` (H, W, 2) the
    place on that part from 0 to 1: u along it and v across. `stuff` (H, W) is what lies behind all puppets.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    visible: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    figure: NDArray[np.int64]
    part: NDArray[np.int64]
    chart: NDArray[np.float32]
    stuff: NDArray[np.int64]


def compose(rng: Rng, *, width: int = 192, height: int = 160, count: tuple[int, int] = (1, 4)) -> Scene:
    """Draw a scene of puppets in random poses, colours, sizes and depth, then camera blur and noise."""
    puppets = []
    for _ in range(int(rng.integers(*count, endpoint=True))):
        tall = height * rng.uniform(0.45, 0.85)
        puppets.append(
            _placed(_puppet(rng), tall, rng.uniform((0.12 * width, 0.4 * height), (0.88 * width, 0.6 * height)))
        )
    return _scene(rng, puppets, width, height)


def compose_crop(rng: Rng, *, side: int = 96) -> tuple[Scene, int]:
    """Draw a crop of `side` px around one puppet, with others that may reach into it; also return which it is."""
    largest = side / rng.uniform(1.1, 1.6)
    middle = side / 2 + rng.uniform(-0.06, 0.06, 2) * side
    puppets = [_placed(_puppet(rng), largest, middle)]
    for _ in range(int(rng.choice(4, p=(0.35, 0.35, 0.2, 0.1)))):
        away = rng.uniform(0.45, 1.1) * side * (1 if rng.random() < 0.5 else -1)
        near = middle + np.array([away, rng.uniform(-0.2, 0.2) * side])
        puppets.append(_placed(_puppet(rng), largest * rng.uniform(0.7, 1.3), near))
    order = rng.permutation(len(puppets))
    return _scene(rng, [puppets[i] for i in order], side, side), int(np.flatnonzero(order == 0)[0])


def _puppet(rng: Rng) -> Puppet:
    """Return a puppet whose torso is 1 long, from the origin downwards, in a random pose."""
    degrees = np.pi / 180
    lean = rng.normal(0, 12) * degrees
    down, across = np.array([np.sin(lean), np.cos(lean)]), np.array([np.cos(lean), -np.sin(lean)])
    shoulder, hip = rng.uniform(0.3, 0.42), rng.uniform(0.18, 0.26)
    joints = np.zeros((13, 2))
    nod = lean + rng.normal(0, 12) * degrees
    joints[0] = -rng.uniform(0.4, 0.5) * np.array([np.sin(nod), np.cos(nod)])
    upper, fore, thigh, shank = rng.uniform((0.55, 0.5, 0.75, 0.7), (0.7, 0.65, 0.95, 0.9))
    for side, sign in enumerate((-1, 1)):  # the right of the puppet is on the viewer's left
        joints[1 + side] = sign * shoulder * across + 0.08 * down
        joints[7 + side] = sign * hip * across + down
        arm = rng.uniform(-25, 170) if rng.random() < 0.7 else rng.uniform(-5, 45)
        bend = rng.uniform(-130, 60)
        leg, knee = rng.uniform(-18, 65), rng.uniform(-75, 25)
        for start, middle, end, angle, more, lengths in (
            (1, 3, 5, arm, -bend, (upper, fore)),
            (7, 9, 11, leg, knee, (thigh, shank)),
        ):
            short = rng.uniform(0.7, 1, 2)
            for a, b, turn, length in ((start, middle, angle, lengths[0]), (middle, end, angle + more, lengths[1])):
                way = lean + sign * turn * degrees
                step = np.array([np.sin(way), np.cos(way)]) * length * short[0 if a == start else 1]
                joints[b + side] = joints[a + side] + step
    return Puppet(joints, _capsules(rng, joints, shoulder, hip, down), _order(rng))


def _capsules(
    rng: Rng, joints: NDArray[np.float64], shoulder: float, hip: float, down: NDArray[np.float64]
) -> tuple[Capsule, ...]:
    arm, leg = rng.uniform(0.09, 0.13), rng.uniform(0.12, 0.18)
    skin = np.array([rng.uniform(120, 245), 0, 0])
    skin[1] = skin[0] * rng.uniform(0.72, 0.85)
    skin[2] = skin[1] * rng.uniform(0.7, 0.9)
    shirt, trousers = rng.uniform(20, 240, 3), rng.uniform(20, 220, 3)
    sleeve = shirt if rng.random() < 0.5 else rng.uniform(20, 240, 3)
    forearm = skin if rng.random() < 0.6 else sleeve
    shank = skin if rng.random() < 0.3 else trousers
    head = joints[0]
    half = shoulder * 0.8
    made = [
        Capsule(head * 0.7, head * 1.05, 0.22, 0.2, skin, eyes=tuple(rng.uniform(5, 60, 3))),
        Capsule(down * half * 0.9, down * (1 - hip * 0.5), half, hip + 0.06, shirt),
    ]
    for pairs, radii, colour in (
        (((1, 3), (2, 4)), (arm * 1.1, arm), sleeve),
        (((3, 5), (4, 6)), (arm, arm * 0.75), forearm),
        (((7, 9), (8, 10)), (leg, leg * 0.85), trousers),
        (((9, 11), (10, 12)), (leg * 0.85, leg * 0.6), shank),
    ):
        made += [Capsule(joints[a], joints[b], *radii, colour + rng.normal(0, 6, 3)) for a, b in pairs]
    return tuple(made)


def _order(rng: Rng) -> tuple[int, ...]:
    """Return the parts from the back to the front: legs behind the torso, each arm behind it or in front."""
    legs = [(8, 6), (9, 7)]
    arms = [((2, 4), (3, 5))[i] if rng.random() < 0.5 else ((4, 2), (5, 3))[i] for i in rng.permutation(2)]
    behind = rng.random(2) < 0.25
    back = [p for arm, hidden in zip(arms, behind, strict=True) if hidden for p in arm]
    front = [p for arm, hidden in zip(arms, behind, strict=True) if not hidden for p in arm]
    first, second = rng.permutation(2)
    return (*back, *legs[first], *legs[second], 1, 0, *front)


def _placed(puppet: Puppet, largest: float, middle: NDArray[np.float64]) -> Puppet:
    """Return the puppet with the longer side of its box `largest` px and the box's middle at a place."""
    box = puppet.box
    scale = largest / (box[2:] - box[:2]).max()
    shift = middle - (box[:2] + box[2:]) / 2 * scale
    return Puppet(puppet.points * scale + shift, tuple(c.moved(scale, shift) for c in puppet.capsules), puppet.order)


def _scene(rng: Rng, puppets: list[Puppet], width: int, height: int) -> Scene:
    stuff, canvas = _surroundings(rng, width, height)
    figure, part = np.zeros((height, width), np.int64), np.zeros((height, width), np.int64)
    chart = np.zeros((height, width, 2), np.float32)
    for number, puppet in enumerate(puppets, 1):
        for which in puppet.order:
            seen = paint(canvas, puppet.capsules[which], chart)
            if seen is not None:
                place, inside = seen
                figure[place][inside], part[place][inside] = number, which + 1
    points = np.array([p.points for p in puppets], np.float32)
    visible = np.zeros(points.shape[:2], np.bool_)
    cells = np.floor(points).astype(int)
    within = ((cells >= 0) & (cells < (width, height))).all(-1)
    for k, p in zip(*np.nonzero(within), strict=True):
        x, y = cells[k, p]
        visible[k, p] = figure[y, x] == k + 1 and part[y, x] - 1 in _PARTS_AT[p]
    boxes = np.array([p.box for p in puppets], np.float32)
    return Scene(_photograph(rng, canvas), points, visible, boxes, figure, part, chart, stuff)


def _surroundings(rng: Rng, width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return which stuff lies at each pixel and its textured colours: sky above ground, in which water may lie."""
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    wave = rng.uniform(0, 0.04) * np.sin(2 * np.pi * (rng.uniform(0.5, 2) * x + rng.random()))
    horizon = rng.uniform(0.15, 0.7)
    stuff = (y > horizon + wave).astype(np.int64)
    if rng.random() < 0.6:
        top = horizon + (0 if rng.random() < 0.4 else rng.uniform(0.05, 0.5) * (1 - horizon))
        edge = top + rng.uniform(-0.4, 0.4) * (x - rng.random()) + wave
        low = edge + rng.uniform(0.15, 0.8) * (1 - top)
        stuff[(stuff == 1) & (y > edge) & (y < low)] = 2
    colours = (
        rng.uniform((110, 160, 200), (210, 225, 255)),
        rng.uniform((70, 90, 30), (190, 170, 120)),
        rng.uniform((10, 50, 90), (90, 140, 180)),
    )
    rough = (rng.uniform(2, 10), rng.uniform(10, 30), rng.uniform(6, 18))
    canvas = np.zeros((height, width, 3), np.float32)
    level = y[..., None] - 0.5
    for kind, (colour, strength) in enumerate(zip(colours, rough, strict=True)):
        cells = (
            max(2, height // int(rng.integers(3, 9))),
            max(2, width // (24 if kind == 2 else int(rng.integers(3, 9)))),
        )
        noise = cv2.resize(rng.normal(0, strength, (*cells, 1)).astype(np.float32), (width, height))
        tone = noise[..., None] + level * np.float32(rng.uniform(-40, 40)) + colour.astype(np.float32)
        np.copyto(canvas, tone, where=(stuff == kind)[..., None])
    return stuff, canvas


def _photograph(rng: Rng, canvas: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the canvas with a camera's tone, blur and noise."""
    if (sigma := rng.uniform(0, 0.8)) > 0.2:
        canvas = cv2.GaussianBlur(canvas, (0, 0), sigma)
    canvas = (canvas - 128) * np.float32(rng.uniform(0.75, 1.15)) + np.float32(128 + rng.uniform(-25, 25))
    canvas = canvas + rng.standard_normal(canvas.shape, np.float32) * np.float32(rng.uniform(0, 7))
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
