"""Outputs as detectors of many families would give them for planted objects, encoded here from the families' formulas.

Nothing of `models.interpretation` is used, so that what it recognises and decodes can be checked. No test is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SIZE = (416, 416)  # height and width of the input in px
V5 = np.array([[(10, 13), (16, 30), (33, 23)], [(30, 61), (62, 45), (59, 119)], [(116, 90), (156, 198), (373, 326)]])
V2 = np.array([(0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828)])
V2_VOC = np.array([(1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071)])
V7 = np.array([[(12, 16), (19, 36), (40, 28)], [(36, 75), (76, 55), (72, 146)], [(142, 110), (192, 243), (459, 401)]])


@dataclass(frozen=True)
class Scene:
    """What a detector sees of planted objects: for each row of a grid a box in px, objectness, class probabilities."""

    objects: np.ndarray  # (K, 4) xyxy px
    labels: np.ndarray
    boxes: np.ndarray  # (R, 4) xyxy px
    classes: np.ndarray  # (R, C) probabilities where there is an object
    objectness: np.ndarray  # (R,)
    cells: np.ndarray  # (R, 2) column and row of the cell
    stride: np.ndarray  # (R,)
    anchor: np.ndarray  # (R,) number of the anchor in its cell
    level: np.ndarray  # (R,)
    rng: np.random.Generator = field(repr=False)

    @property
    def scores(self) -> np.ndarray:
        """Class probabilities of a network without objectness (R, C): low wherever nothing is."""
        return self.classes * self.objectness[:, None]


def scene(
    seed: int,
    *,
    classes: int = 80,
    size: tuple[int, int] = SIZE,
    strides: tuple[int, ...] = (8, 16, 32),
    per_cell: int = 1,
    anchor_first: bool = False,
) -> Scene:
    """Plant two or three objects and tell what a trained network would say of every cell."""
    rng = np.random.default_rng(seed)
    height, width = size
    objects, labels = [], []
    for _ in range(rng.integers(2, 4)):
        w, h = rng.uniform(60, 220), rng.uniform(60, 220)
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        objects.append((x, y, x + w, y + h))
        labels.append(rng.integers(classes))
    objects, labels = np.array(objects), np.array(labels)
    cells, stride, anchor, level = [], [], [], []
    for place, s in enumerate(strides):
        rows, columns = -(-height // s), -(-width // s)
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        flat = np.stack([x, y], -1).reshape(-1, 2)
        own = np.arange(per_cell)
        cells.append(np.tile(flat, (per_cell, 1)) if anchor_first else np.repeat(flat, per_cell, 0))
        anchor.append(np.repeat(own, len(flat)) if anchor_first else np.tile(own, len(flat)))
        stride.append(np.full(len(flat) * per_cell, s))
        level.append(np.full(len(flat) * per_cell, place))
    cells, stride, anchor, level = (np.concatenate(v) for v in (cells, stride, anchor, level))
    centres = (cells + 0.5) * stride[:, None]
    middle = (objects[:, :2] + objects[:, 2:]) / 2
    side = np.sqrt(np.prod(objects[:, 2:] - objects[:, :2], 1))
    near = np.abs(centres[:, None] - middle[None]).max(2) / stride[:, None]  # in cells
    fits = np.exp(-(np.log(side[None] / (stride[:, None] * 5)) ** 2))
    owns = np.exp(-(near**2) / 2) * fits
    best = owns.argmax(1)
    objectness = np.clip(owns.max(1) * 0.95, 1e-6, 1) * rng.uniform(0.9, 1, len(cells))
    objectness = np.where(near.min(1) < 3, objectness, rng.uniform(1e-7, 1e-4, len(cells)))
    noise = rng.normal(0, 0.04, (len(cells), 4)) * np.repeat(side[best][:, None], 4, 1)
    seen = objects[best] + noise
    idle = rng.uniform(1.5, 6, (len(cells), 2)) * stride[:, None]
    jitter = rng.normal(0, 0.6, (len(cells), 2)) * stride[:, None]
    blank = np.concatenate([centres + jitter - idle / 2, centres + jitter + idle / 2], 1)
    boxes = np.where((near.min(1) < 3)[:, None], seen, blank)
    # Centres stay near their cell, as every family's code makes them.
    told = rng.beta(0.5, 6, (len(cells), classes)) * 0.5
    told[np.arange(len(cells)), labels[best]] = np.where(near.min(1) < 3, rng.uniform(0.85, 0.98, len(cells)), 0.15)
    return Scene(objects, labels, boxes, told, objectness, cells, stride, anchor, level, rng)


def logit(p: np.ndarray) -> np.ndarray:
    """The logarithm of the odds."""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return np.log(p / (1 - p))


def centred(boxes: np.ndarray) -> np.ndarray:
    """Corners to centre, width and height."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)


def _batch(*arrays: np.ndarray) -> list[np.ndarray]:
    return [a[None].astype(np.float32) for a in arrays]


def _levels(values: np.ndarray, told: Scene) -> list[np.ndarray]:
    return [values[told.level == level] for level in np.unique(told.level)]


def _maps(values: np.ndarray, told: Scene) -> list[np.ndarray]:
    made = []
    for part, own in zip(_levels(values, told), _levels(told.cells, told), strict=True):
        made.append(part.reshape(own[:, 1].max() + 1, own[:, 0].max() + 1, -1).transpose(2, 0, 1))
    return made


def _bins(told: Scene, bins: int, *, cell: float = 0.5) -> np.ndarray:
    """Logits (R, 4 * bins) whose expectation is the distance to each side in strides."""
    centres = (told.cells + cell) * told.stride[:, None]
    sides = np.concatenate([centres - told.boxes[:, :2], told.boxes[:, 2:] - centres], 1) / told.stride[:, None]
    sides = np.clip(sides, 0.01, bins - 1.01)
    low = np.floor(sides).astype(int)
    share = sides - low
    made = np.full((*sides.shape, bins), -9.0)
    rows, columns = np.indices(sides.shape)
    made[rows, columns, low] = np.log(np.clip(1 - share, 1e-4, 1)) + 4
    made[rows, columns, low + 1] = np.log(np.clip(share, 1e-4, 1)) + 4
    return made.reshape(len(sides), 4 * bins)


Outputs = list[tuple[str, np.ndarray]]
Layout = Callable[[int], tuple[Outputs, Scene]]


def v8(
    seed: int, *, classes: int = 80, transposed: bool = True, share: bool = False, corners: bool = False
) -> tuple[Outputs, Scene]:
    """YOLOv8's decoded rows: (1, 4 + C, N) or (1, N, 4 + C)."""
    told = scene(seed, classes=classes)
    boxes = told.boxes if corners else centred(told.boxes)
    rows = np.concatenate([boxes / (SIZE[0] if share else 1), told.scores], 1)
    return [("output0", (rows.T if transposed else rows)[None].astype(np.float32))], told


def v5(seed: int, *, classes: int = 80) -> tuple[Outputs, Scene]:
    """YOLOv5's decoded rows (1, 3N, 5 + C)."""
    told = scene(seed, classes=classes, per_cell=3, anchor_first=True)
    rows = np.concatenate([centred(told.boxes), told.objectness[:, None], told.classes], 1)
    return [("output", rows[None].astype(np.float32))], told


def yolox(seed: int, *, classes: int = 80, decoded: bool = False, ones: bool = False) -> tuple[Outputs, Scene]:
    """YOLOX's rows (1, N, 5 + C), raw or decoded; with `ones` those of YOLOv6."""
    told = scene(seed, classes=classes)
    boxes = centred(told.boxes)
    if not decoded:
        boxes[:, :2] = boxes[:, :2] / told.stride[:, None] - told.cells
        boxes[:, 2:] = np.log(np.clip(boxes[:, 2:], 1, None) / told.stride[:, None])
    objectness, scores = (np.ones(len(boxes)), told.scores) if ones else (told.objectness, told.classes)
    return [("output", np.concatenate([boxes, objectness[:, None], scores], 1)[None].astype(np.float32))], told


def v5_raw(
    seed: int, *, classes: int = 80, packed: bool = False, v3: bool = False, sets: np.ndarray = V5
) -> tuple[Outputs, Scene]:
    """YOLOv5's three raw maps (1, 3, h, w, 5 + C), or packed as (1, 3 * (5 + C), h, w)."""
    told = scene(seed, classes=classes, per_cell=3, anchor_first=True)
    boxes, anchors = centred(told.boxes), sets[told.level, told.anchor]
    place = boxes[:, :2] / told.stride[:, None] - told.cells
    if v3:
        xy = logit(np.clip(place, 0.01, 0.99))
        wh = np.log(np.clip(boxes[:, 2:], 1, None) / anchors)
    else:
        xy = logit((np.clip(place, -0.48, 1.48) + 0.5) / 2)
        wh = logit(np.sqrt(np.clip(boxes[:, 2:] / anchors, 1e-3, 3.99)) / 2)
    rows = np.concatenate([xy, wh, logit(told.objectness)[:, None], logit(told.classes)], 1)
    made: Outputs = []
    for number, (part, own) in enumerate(zip(_levels(rows, told), _levels(told.cells, told), strict=True)):
        h, w = own[:, 1].max() + 1, own[:, 0].max() + 1
        maps = part.reshape(3, h, w, -1)
        maps = maps.transpose(0, 3, 1, 2).reshape(-1, h, w) if packed else maps
        made.append((f"{300 + 20 * number}", maps[None].astype(np.float32)))
    return made, told


def v2_raw(seed: int, *, classes: int = 80) -> tuple[Outputs, Scene]:
    """YOLOv2's one map (1, 5 * (5 + C), h, w): five anchors a cell, classes before a softmax."""
    told = scene(seed, classes=classes, strides=(32,), per_cell=5, anchor_first=True)
    boxes, anchors = centred(told.boxes), (V2_VOC if classes == 20 else V2)[told.anchor] * 32
    place = boxes[:, :2] / told.stride[:, None] - told.cells
    wh = np.log(np.clip(boxes[:, 2:], 1, None) / anchors)
    sharp = np.log(told.classes**3 + 1e-4)
    rows = np.concatenate([logit(np.clip(place, 0.01, 0.99)), wh, logit(told.objectness)[:, None], sharp], 1)
    h, w = told.cells[:, 1].max() + 1, told.cells[:, 0].max() + 1
    maps = rows.reshape(5, h, w, -1).transpose(0, 3, 1, 2).reshape(-1, h, w)
    return [("grid", maps[None].astype(np.float32))], told


def v8_raw(seed: int, *, classes: int = 80) -> tuple[Outputs, Scene]:
    """YOLOv8's raw maps (1, 64 + C, h, w) of three levels."""
    told = scene(seed, classes=classes)
    maps = _maps(np.concatenate([_bins(told, 16), logit(told.scores)], 1), told)
    return [(f"out{n}", m[None].astype(np.float32)) for n, m in enumerate(maps)], told


def nanodet(
    seed: int, *, classes: int = 80, lying: bool = False, strides: tuple[int, ...] = (8, 16, 32)
) -> tuple[Outputs, Scene]:
    """NanoDet's and PicoDet's scores and distances by level; with `lying` under each other's names."""
    told = scene(seed, classes=classes, strides=strides)
    scores, boxes = _levels(told.scores, told), _levels(_bins(told, 8), told)
    one, two = ("dis", "cls") if lying else ("cls", "dis")
    made = [(f"{one}_{8 * 2**n}", s[None].astype(np.float32)) for n, s in enumerate(scores)]
    return made + [(f"{two}_{8 * 2**n}", b[None].astype(np.float32)) for n, b in enumerate(boxes)], told


def nanodet_plus(seed: int, *, classes: int = 80) -> tuple[Outputs, Scene]:
    """NanoDet-Plus' (1, N, C + 32): classes first, four levels, distances from the corners of the cells."""
    told = scene(seed, classes=classes, strides=(8, 16, 32, 64))
    return [("output", np.concatenate([told.scores, _bins(told, 8, cell=0)], 1)[None].astype(np.float32))], told


def yunet(seed: int) -> tuple[Outputs, Scene]:
    """YuNet's twelve outputs: class, objectness, box and five points of three levels."""
    told = scene(seed, classes=1)
    boxes = centred(told.boxes)
    raw = np.concatenate(
        [
            boxes[:, :2] / told.stride[:, None] - told.cells,
            np.log(np.clip(boxes[:, 2:], 1, None) / told.stride[:, None]),
        ],
        1,
    )
    points = told.rng.normal(0, 1, (len(raw), 10))
    made: Outputs = []
    for name, values in (("cls", told.classes), ("obj", told.objectness[:, None]), ("bbox", raw), ("kps", points)):
        made += [(f"{name}_{8 * 2**n}", v[None].astype(np.float32)) for n, v in enumerate(_levels(values, told))]
    return made, told


def fcos(seed: int, *, classes: int = 80, maps: bool = True) -> tuple[Outputs, Scene]:
    """Distances in px and class logits as maps of five levels, FCOS' kind."""
    told = scene(seed, classes=classes, strides=(8, 16, 32, 64, 128))
    centres = (told.cells + 0.5) * told.stride[:, None]
    sides = np.concatenate([centres - told.boxes[:, :2], told.boxes[:, 2:] - centres], 1).clip(0)
    made = [(f"cls{n}", m[None].astype(np.float32)) for n, m in enumerate(_maps(logit(told.scores), told))]
    return made + [(f"reg{n}", m[None].astype(np.float32)) for n, m in enumerate(_maps(sides, told))], told


def rtmdet(seed: int, *, classes: int = 80) -> tuple[Outputs, Scene]:
    """RTMDet's maps of three levels: class logits, distances in px from the corners of the cells."""
    told = scene(seed, classes=classes)
    corners = told.cells * told.stride[:, None]
    sides = np.concatenate([corners - told.boxes[:, :2], told.boxes[:, 2:] - corners], 1)
    made = [(f"cls{n}", m[None].astype(np.float32)) for n, m in enumerate(_maps(logit(told.scores), told))]
    return made + [(f"reg{n}", m[None].astype(np.float32)) for n, m in enumerate(_maps(sides, told))], told


def scrfd(seed: int) -> tuple[Outputs, Scene]:
    """SCRFD's nine outputs without a dimension for the batch: two anchors a cell, distances and points in strides."""
    told = scene(seed, classes=1, per_cell=2)
    stride = told.stride[:, None]
    corners = told.cells * stride
    sides = np.concatenate([corners - told.boxes[:, :2], told.boxes[:, 2:] - corners], 1) / stride
    middle = (centred(told.boxes)[:, :2] - corners) / stride
    points = np.concatenate([middle + told.rng.normal(0, 0.5, middle.shape) for _ in range(5)], 1)
    made: Outputs = []
    for values in (told.scores, sides, points):
        made += [(str(440 + len(made) + n), v.astype(np.float32)) for n, v in enumerate(_levels(values, told))]
    return made, told


def mediapipe(seed: int) -> tuple[Outputs, Scene]:
    """BlazeFace's kind: two anchors a cell of 8 px, six of 16, centre and size in px, six points."""
    told, parts, scores = scene(seed, classes=1, strides=(8, 16)), [], []
    for level, repeats in enumerate((2, 6)):
        own = told.level == level
        anchors = (told.cells[own] + 0.5) * told.stride[own][:, None]
        box = centred(told.boxes[own])
        middle = box[:, :2] - anchors
        rows = np.concatenate([middle, box[:, 2:], *[middle] * 6], 1)
        parts.append(np.repeat(rows, repeats, 0))
        scores.append(np.repeat(logit(told.scores[own]), repeats, 0))
    made = (np.concatenate(parts), np.concatenate(scores))
    return list(zip(("regressors", "classificators"), _batch(*made), strict=True)), told


def centernet(seed: int, *, classes: int = 80, face: bool = False) -> tuple[Outputs, Scene]:
    """CenterNet's heat map, size and offset at a quarter of the input; with `face` CenterFace's."""
    told = scene(seed, classes=classes, strides=(4,))
    heat = np.zeros((len(told.cells), classes))
    middle = (told.objects[:, :2] + told.objects[:, 2:]) / 2
    for place, label in zip(middle, told.labels, strict=True):
        away = ((told.cells + 0.5) * 4 - place) / 10
        heat[:, label] = np.maximum(heat[:, label], 0.9 * np.exp(-(away**2).sum(1) / 2))
    boxes = centred(told.boxes)
    wh, reg = boxes[:, 2:] / 4, boxes[:, :2] / 4 - told.cells
    heat = np.maximum(heat, told.rng.uniform(0, 1e-3, heat.shape))
    if face:
        wh, reg = np.log(np.clip(wh, 0.1, None))[:, ::-1], reg[:, ::-1] - 0.5
        names = zip(("heat", "size", "shift"), (_maps(v, told)[0] for v in (heat, wh, reg)), strict=True)
    else:
        names = zip(("hm", "wh", "reg"), (_maps(v, told)[0] for v in (logit(heat), wh, reg)), strict=True)
    return [(name, m[None].astype(np.float32)) for name, m in names], told


def _few(told: Scene, count: int) -> np.ndarray:
    return np.argsort(-told.scores.max(1))[:count]


def detr(seed: int, *, classes: int = 91, sigmoid: bool = False) -> tuple[Outputs, Scene]:
    """DETR's logits with a last column of no object, and boxes as centres in shares; with `sigmoid` RT-DETR's raw."""
    told = scene(seed, classes=classes)
    keep = told.rng.permutation(_few(told, 100))
    boxes = centred(told.boxes[keep]).clip(1, None) / SIZE[0]
    scores = told.scores[keep]
    if sigmoid:
        return [("logits", logit(scores)[None].astype(np.float32)), ("boxes", boxes[None].astype(np.float32))], told
    sharp = scores**2 * (scores > 0.4)
    none = np.clip(1 - sharp.sum(1, keepdims=True), 1e-3, 1)
    made = np.log(np.concatenate([sharp + 1e-6, none], 1))
    return [("pred_logits", made[None].astype(np.float32)), ("pred_boxes", boxes[None].astype(np.float32))], told


def final(seed: int, *, classes: int = 80, form: str = "rows", count: int = 300) -> tuple[Outputs, Scene]:
    """Boxes that the network has suppressed itself, as exports write them; rows of padding are 0."""
    told = scene(seed, classes=classes)
    owner = np.abs(told.boxes[:, None] - told.objects[None]).sum(2).argmin(1)
    best = np.array([np.argmax(np.where(owner == k, told.scores[:, label], -1)) for k, label in enumerate(told.labels)])
    boxes, labels = told.boxes[best].clip(0, SIZE[0]), told.labels.astype(np.float64)
    scores = told.scores[best, told.labels]
    order = np.argsort(-scores)
    boxes, labels, scores = boxes[order], labels[order], scores[order]
    pad = lambda a: np.concatenate([a, np.zeros((count - len(a), *a.shape[1:]))])  # noqa: E731
    zero = np.zeros(len(labels))
    match form:
        case "rows":
            rows = pad(np.column_stack([boxes, scores, labels]))
            return [("output0", rows[None].astype(np.float32))], told
        case "v7":
            return [("output", np.column_stack([zero, boxes, labels, scores]).astype(np.float32))], told
        case "efficient":
            made = (np.array([[len(labels)]], np.int32), pad(boxes)[None].astype(np.float32))
            names = ("num_dets", "det_boxes", "det_scores", "det_classes")
            return list(
                zip(
                    names,
                    (*made, pad(scores)[None].astype(np.float32), pad(labels)[None].astype(np.int32)),
                    strict=True,
                )
            ), told
        case "mmdet":
            dets = pad(np.column_stack([boxes, scores]))
            return [("dets", dets[None].astype(np.float32)), ("labels", pad(labels)[None].astype(np.int64))], told
        case "tf":
            shares = pad(boxes[:, [1, 0, 3, 2]] / SIZE[0])
            return [
                ("detection_boxes", shares[None].astype(np.float32)),
                ("detection_classes", pad(labels)[None].astype(np.float32)),
                ("detection_scores", pad(scores)[None].astype(np.float32)),
                ("num_detections", np.array([len(labels)], np.float32)),
            ], told
        case "torchvision":
            masks = np.zeros((len(labels), 1, SIZE[0] // 4, SIZE[1] // 4))
            for at, (x0, y0, x1, y1) in enumerate((boxes / 4).round().astype(int)):
                masks[at, 0, y0 : (y0 + y1) // 2, x0:x1] = 0.9  # the upper half of each box
            return [
                ("boxes", boxes.astype(np.float32)),
                ("labels", labels.astype(np.int64)),
                ("scores", scores.astype(np.float32)),
                ("masks", masks.astype(np.float32)),
            ], told
        case "counted":
            outputs, told = final(seed, classes=classes, form="tf", count=count)
            names = ("Identity", "Identity_1", "Identity_2", "Identity_3")
            return [(name, array) for name, (_, array) in zip(names, outputs, strict=True)], told
        case "efficientdet":
            rows = np.column_stack([0 * labels, boxes[:, [1, 0, 3, 2]], scores, labels])
            return [("detections:0", pad(rows)[None].astype(np.float32))], told
        case "rtdetr":
            few = np.column_stack([boxes])
            return [
                ("labels", pad(labels)[None].astype(np.int64)),
                ("boxes", pad(few)[None].astype(np.float32)),
                ("scores", pad(scores)[None].astype(np.float32)),
            ], told
        case _:
            rows = np.column_stack([zero, labels, scores, boxes / SIZE[0]])
            return [("detection_out", rows[None, None].astype(np.float32))], told


def pose(seed: int) -> tuple[Outputs, Scene]:
    """YOLOv8's pose (1, 56, N): box, one score, seventeen points with visibility."""
    told = scene(seed, classes=1)
    box = centred(told.boxes)
    spread = told.rng.uniform(-0.5, 0.5, (len(box), 17, 2)) * box[:, None, 2:] + box[:, None, :2]
    points = np.concatenate([spread, told.rng.uniform(0, 1, (len(box), 17, 1))], 2).reshape(len(box), 51)
    return [("output0", np.concatenate([box, told.scores, points], 1).T[None].astype(np.float32))], told


def oriented(seed: int) -> tuple[Outputs, Scene]:
    """YOLOv8's oriented boxes (1, 4 + C + 1, N): the last row is the angle."""
    told = scene(seed, classes=15)
    angle = told.rng.uniform(-0.7, 2.3, (len(told.boxes), 1))
    return [("output0", np.concatenate([centred(told.boxes), told.scores, angle], 1).T[None].astype(np.float32))], told


def segments(seed: int) -> tuple[Outputs, Scene]:
    """YOLOv8's segmentation: (1, 4 + C + 32, N) and prototypes (1, 32, h / 4, w / 4)."""
    told = scene(seed, classes=80)
    rows = np.concatenate([centred(told.boxes), told.scores, told.rng.normal(0, 1, (len(told.boxes), 32))], 1)
    prototypes = told.rng.normal(0, 1, (32, SIZE[0] // 4, SIZE[1] // 4))
    return [("output0", rows.T[None].astype(np.float32)), ("output1", prototypes[None].astype(np.float32))], told


FORMS = ("rows", "v7", "efficient", "mmdet", "tf", "rtdetr", "ssd")


def _channels_last(make: Any, order: tuple[int, ...] = (0, 2, 3, 1)) -> Any:
    def made(seed: int) -> Any:
        outputs, told = make(seed)
        return [(name, values.transpose(order)) for name, values in outputs], told

    return made


def _with(layout: Callable[..., tuple[Outputs, Scene]], **settings: object) -> Layout:
    return lambda seed: layout(seed, **settings)


LAYOUTS: dict[str, Layout] = {
    **{f"v8 of {c} classes": _with(v8, classes=c) for c in (1, 2, 3, 79, 80)},
    "v8, rows": _with(v8, transposed=False),
    "v8, shares": _with(v8, transposed=False, share=True),
    "v8, corners": _with(v8, corners=True),
    "v8, corners in shares": _with(v8, corners=True, share=True, transposed=False),
    **{f"v5 of {c} classes": _with(v5, classes=c) for c in (1, 2, 3, 80)},
    **{f"yolox of {c} classes": _with(yolox, classes=c) for c in (1, 2, 80)},
    "yolox, decoded": _with(yolox, decoded=True),
    "v6": _with(yolox, decoded=True, ones=True),
    "v5, raw maps": v5_raw,
    "v5, packed maps": _with(v5_raw, packed=True),
    "v5 of 1 class, raw maps": _with(v5_raw, classes=1),
    "v3, packed maps": _with(v5_raw, packed=True, v3=True),
    "v3, maps as Keras gives them": _channels_last(_with(v5_raw, packed=True, v3=True)),
    "v3, maps with anchors and channels last": _channels_last(_with(v5_raw, v3=True), (0, 2, 3, 1, 4)),
    "v2 of 80 classes": v2_raw,
    "v2 of 20 classes": _with(v2_raw, classes=20),
    "v8, raw maps": v8_raw,
    "nanodet": nanodet,
    "nanodet under wrong names": _with(nanodet, lying=True),
    "picodet": _with(nanodet, strides=(8, 16, 32, 64)),
    "nanodet-plus": nanodet_plus,
    "nanodet-plus of 1 class": _with(nanodet_plus, classes=1),
    "yunet": yunet,
    "fcos": fcos,
    "rtmdet": rtmdet,
    "scrfd": scrfd,
    "mediapipe": mediapipe,
    "centernet": centernet,
    "centernet of 1 class": _with(centernet, classes=1),
    "centerface": _with(centernet, classes=1, face=True),
    "detr": detr,
    "detr with sigmoids": _with(detr, classes=80, sigmoid=True),
    **{f"final, {form}": _with(final, form=form) for form in (*FORMS, "efficientdet")},
    "pose": pose,
    "boxes, labels, scores and masks in lists": _with(final, form="torchvision"),
    "TensorFlow's without names": _with(final, form="counted"),
    "oriented boxes": oriented,
    "segments": segments,
}
