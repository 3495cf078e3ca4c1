"""Heat-map audit: what each rule of decoding and each frame costs, measured against annotated key points.

A network gives a heat map for each point; its place depends on a rule (argmax, quarter offset, DARK, ...) and on the
frame, where in the input a cell lies. Neither can be read off the file. With ground truth that has key points both are
measured; without any, the rules are compared with each other.

Arrays of the Result, with R rules, F figures, P points, S stacks, in pixels of the picture: `truth` (F, P, 3) x, y and
v (all 0 without ground truth), `figure_boxes` (F, 4), `points` (R, F, P, 2) in the frame used, `errors` (R, F, P),
`peaks` (F, P) the heights, `second` (F, P) the share of the second peak and
`second_places` (F, P, 2). Tables: `cost` (R,) mean error of each rule, `drawn_between` and `drawn_on` (R,) that for
maps which are drawn at the annotated points, exactly or rounded to a cell; `frame_cost` (3,) and `frame_shift` (3, 2),
mean and median signed error by frame; `oks` (F,), `pck` (1,), `stack_cost` and `stack_peak` (S,). With a flip test:
`flip_shift` (2,) in cells, `flip_cost` (3,) alone, averaged, averaged after a shift by one cell. Of the figure
`meta["figure"]`: `heat` (P, h, w) over `meta["extent"]`. An error, a cost, an OKS or a PCK that cannot be known, as
nothing is annotated there, is -1; the shift of a frame is 0 then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.attributions.target import region_of
from models.detection import heat_map_decoding as decoding
from models.detection import point_errors
from models.detection.heat_map_decoding import DARK, FRAME_TITLES, FRAMES, RULE_TITLES, RULES, Decoding
from models.detection.skeleton import limbs, mirrored
from models.features import point_maps
from models.features.point_maps import PointMaps
from models.inspection import Inspection
from models.params import param
from models.truth import key_points
from models.types import Pixels, Real, Refusal, Result

FOUND = "found"
AUTO, HEIGHTS, LOGITS = "auto", "heights", "logits"
MOST_FIGURES = 20
UNKNOWN = -1.0


@dataclass(frozen=True)
class Params:
    """The ground truth, the rule and frame that are used, and how the rules decode."""

    truth: str = param("", "Ground truth", "Path of a COCO file with key points, or of a YOLO folder of poses.")
    region: str = param("", "Region", "x0,y0,x1,y1 in pixels: the figure's box, where no ground truth gives one.")
    rule: str = param(DARK, "Decoded by", "How a point is found in its heat map.", choices=RULES, titles=RULE_TITLES)
    frame: str = param(
        FOUND,
        "Frame",
        "Where cell x lies in the input, s being the stride. Only in the right frame the mean signed error is 0.",
        choices=(FOUND, *FRAMES),
        titles=("As found", *FRAME_TITLES),
    )
    values: str = param(
        AUTO,
        "Values",
        "Whether a map holds heights, or logarithms of them as networks with a softmax over the map have.",
        choices=(AUTO, HEIGHTS, LOGITS),
        titles=("As they look", "Heights", "Logits"),
    )
    beta: float = param(
        10.0,
        "Soft-argmax sharpness",
        "How much heights are multiplied by before the softmax; for logits 1 is used.",
        low=0.1,
        high=1000.0,
    )
    smooth: float = param(
        0.0, "Smoothing before DARK", "Width in cells of the Gaussian, 0 for none.", low=0.0, high=5.0, step=0.25
    )
    least: float = param(
        0.1, "Least peak", "A point whose peak is lower counts as not found; of logits every one counts.", low=0.0
    )
    sigma: float = param(
        -0.01,
        "Sigma of OKS",
        "The tolerance of each point in shares of the figure's size; usual is COCO's for 17 points, else 0.05.",
        low=-0.01,
        high=1.0,
        titles=("usual",),
    )
    flip: bool = param(False, "Flip test", "Also look at the mirrored picture: the network runs once more a figure.")
    stack: int = param(-1, "Stack", "Whose maps are decoded, from 0; -1 is the last.", low=-1, high=63, step=1)
    figure: int = param(0, "Figure", "The figure whose heat maps are shown, from 0.", low=0, high=9999, step=1)


@dataclass(frozen=True)
class Asked:
    """The figures: boxes, annotated `points` (F, P, 3), areas (F,), and in words where they come from."""

    boxes: tuple[tuple[float, float, float, float] | None, ...]
    points: Real
    areas: Real
    about: str


def lacks(model: Any) -> Mapping[str, str]:
    """Return why a model cannot be audited under "", and which settings have no effect on it."""
    if why := point_maps.reason_without(model):
        return {"": why}
    greyed = {}
    if point_maps.stacks_of(model) < 2:
        greyed["stack"] = f"{model.card.name} has one set of heat maps."
    if not point_maps.looks_in_boxes(model):
        greyed["region"] = f"{model.card.name} looks for points in the whole picture."
    return greyed


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the audit of `pixels` (H, W, 3) uint8 RGB."""
    names = point_maps.names_of(model)
    asked = _asked(model, pixels, params, stages, names)
    if params.figure >= len(asked.boxes):
        raise Refusal(f"There is no figure {params.figure}.", advice=f"There are {len(asked.boxes)}, counted from 0.")
    if params.stack >= point_maps.stacks_of(model):
        count = point_maps.stacks_of(model)
        raise Refusal(f"There is no stack {params.stack}.", advice=f"There are {count}, counted from 0.")
    seen = [point_maps.of(model, pixels, stages, box, stack=params.stack) for box in asked.boxes]
    if len(seen[0].maps) != len(names):
        raise Refusal(
            f"{model.card.name} gives {len(seen[0].maps)} heat maps, and {len(names)} points are named.",
            advice="Name as many points on its card, in the Model panel.",
        )
    logits = _are_logits(params, seen)
    how = Decoding(1.0 if logits else params.beta, params.smooth, logits)
    stages.progress(None, "decoding")
    places = np.array([[decoding.decode(each.maps, rule, how) for each in seen] for rule in RULES])
    heights = np.array([each.maps.max((1, 2)) for each in seen])
    counted = (asked.points[..., 2] > 0) & ((heights >= params.least) | logits)
    truth_cells = np.array([each.in_cells(p[:, :2]) for each, p in zip(seen, asked.points, strict=True)])
    cell_px, scale = seen[0].cell_px, np.array([each.scale for each in seen])
    found = decoding.find_frame(places[RULES.index(DARK)][counted], truth_cells[counted], cell_px)
    frame = params.frame if params.frame != FOUND else found.frame if found is not None else FRAMES[0]
    shift = {each: decoding.shift_of(each, cell_px) for each in FRAMES}
    apart = (places - truth_cells) * scale[:, None]  # without the frame's shift
    errors = np.where(counted, np.hypot(*np.moveaxis(apart + shift[frame] * scale[:, None], -1, 0)), np.nan)
    rule = RULES.index(params.rule)
    corner = np.array([each.extent[:2] for each in seen])[:, None]
    points = corner + (places + shift[frame]) * scale[:, None]
    second = [_second(each.maps, logits=logits) for each in seen]
    sigma = decoding.width_of(np.concatenate([each.maps for each in seen]), how)
    arrays: dict[str, np.ndarray] = {
        "truth": asked.points,
        "figure_boxes": np.array([box or each.extent for box, each in zip(asked.boxes, seen, strict=True)], np.float32),
        "points": points.astype(np.float32),
        "errors": errors,
        "peaks": heights,
        "second": np.array([share for _, share in second]),
        "second_places": corner + (np.array([at for at, _ in second]) + shift[frame]) * scale[:, None],
        "cost": np.array([point_errors.mean(each) for each in errors]),
        "heat": seen[params.figure].maps,
    }
    arrays |= _drawn(truth_cells - shift[frame], counted, scale, seen[0].size, (sigma, how))
    arrays |= _frames(apart[rule], counted, shift, scale)
    sigmas, whose = point_errors.sigmas_of(len(names), params.sigma)
    lost = np.where(counted[..., None] | (asked.points[..., 2:] <= 0), points[rule], np.nan)
    each_oks = [point_errors.oks(p, t, a, sigmas) for p, t, a in zip(lost, asked.points, asked.areas, strict=True)]
    lengths = np.array([point_errors.torso(p, names) for p in asked.points])
    missing = (asked.points[..., 2] > 0) & ~counted
    arrays["oks"] = np.array(each_oks)
    arrays["pck"] = np.array([point_errors.pck(np.where(missing, np.inf, errors[rule]), lengths)])
    stacked = _stacks(model, pixels, params, stages, (asked, how, counted, shift[frame]))
    arrays |= stacked
    meta: dict[str, Any] = {
        "point_names": names,
        "limbs": limbs(names),
        "classes": model.card.classes,
        "extent": seen[params.figure].extent,
        "figure": params.figure,
        "rules": RULE_TITLES,
        "rule": rule,
        "frames": FRAME_TITLES,
        "frame": FRAMES.index(frame),
        "found_frame": FRAMES.index(found.frame) if found is not None else -1,
        "sure": found is not None and found.sure,
        "cell_px": tuple(float(v) for v in cell_px),
        "sigma": sigma,
        "logits": logits,
        "annotated": int((asked.points[..., 2] > 0).sum()),
        "counted": int(counted.sum()),
        "sigmas": whose,
        "has_truth": bool((asked.points[..., 2] > 0).any()),
    }
    text = _words(meta, asked, arrays, found)
    if params.flip:
        flipped, said = _flip(model, pixels, params, stages, (asked, seen, how, counted, shift[frame], names))
        arrays |= flipped
        text = f"{text} {said}"
    return Result({name: _known(name, values) for name, values in arrays.items()}, {**meta, "text": text})


def _known(name: str, values: np.ndarray) -> np.ndarray:
    """Return the values of an array with what cannot be known as its docstring says."""
    return np.nan_to_num(values, nan=0.0 if name == "frame_shift" else UNKNOWN)


def _asked(model: Any, pixels: Pixels, params: Params, stages: Any, names: tuple[str, ...]) -> Asked:
    height, width = pixels.shape[:2]
    if not params.truth:
        region = region_of(params.region) if point_maps.looks_in_boxes(model) else None
        none = np.zeros((1, len(names), 3))
        where = "the box" if region is not None else "the whole picture"
        about = f"No ground truth is open: {len(names)} points of {where}, without their errors."
        return Asked((region,), none, np.ones(1), about)
    path = stages.source.path if stages.source is not None else ""
    read = key_points.of(params.truth, path, (width, height), progress=stages.progress)
    rows = _rows(names, read.names, len(read.figures[0].points))
    figures = sorted(read.figures, key=lambda figure: -figure.area)
    left = ""
    if not point_maps.looks_in_boxes(model) and len(figures) > 1:
        left = f" The network looks for one figure: the largest of {len(figures)} is taken."
        figures = figures[:1]
    elif len(figures) > MOST_FIGURES:
        left = f" The {MOST_FIGURES} largest of {len(figures)} figures are taken."
        figures = figures[:MOST_FIGURES]
    points = np.zeros((len(figures), len(names), 3))
    for figure, own in zip(figures, points, strict=True):
        for row, at in enumerate(rows):
            if at >= 0:
                own[row] = figure.points[at]
    boxes = tuple(figure.box if point_maps.looks_in_boxes(model) else None for figure in figures)
    known = int((points[..., 2] > 0).sum())
    about = f"{known} annotated points, {len(figures)} figures.{left}"
    return Asked(boxes, points, np.array([figure.area for figure in figures]), about)


def _rows(names: tuple[str, ...], given: tuple[str, ...], count: int) -> list[int]:
    """Return for each of the network's points the row of the annotated one, by its name, else by its place; -1 none."""
    plain = [name.strip().lower().replace("_", " ") for name in given]
    own = [name.strip().lower().replace("_", " ") for name in names]
    shared = set(plain) & set(own)
    if len(shared) > 1 or (shared and len(own) != count):
        return [plain.index(name) if name in plain else -1 for name in own]
    if len(names) != count:
        raise Refusal(
            f"The ground truth has {count} points a figure, the network {len(names)}, and their names differ.",
            advice="Name the points alike in the file's categories (keypoints) and on the model's card.",
        )
    return list(range(count))


def _are_logits(params: Params, seen: list[PointMaps]) -> bool:
    """Return whether maps hold logits: as they are set, else where the values leave what heights can be."""
    if params.values != AUTO:
        return params.values == LOGITS
    low, high = min(float(s.maps.min()) for s in seen), max(float(s.maps.max()) for s in seen)
    return low < -1.0 and low < -0.5 * abs(high)


def _second(maps: Real, *, logits: bool) -> tuple[Real, Real]:
    places, heights = decoding.second_peaks(maps)
    first = maps.max((1, 2))
    if logits:
        return places, np.nan_to_num(np.exp(heights - first))
    return places, np.nan_to_num(np.maximum(heights, 0) / np.maximum(first, 1e-9)) * (first > 0)


def _drawn(
    places: Real, counted: np.ndarray, scale: Real, size: tuple[int, int], more: tuple[float, Decoding]
) -> dict[str, np.ndarray]:
    """Return what the rules cost on maps drawn at places (F, P, 2) with the width that the network's peaks have."""
    sigma, how = more
    nothing = np.full(len(RULES), np.nan)
    inside = counted & ((places > 0.5) & (places < np.array([size[1], size[0]]) - 1.5)).all(-1)
    if not inside.any() or not np.isfinite(sigma):
        return {"drawn_between": nothing, "drawn_on": nothing}
    at, px = places[inside], np.broadcast_to(scale[:, None], places.shape)[inside]
    made = {}
    plain = replace(how, logits=False, beta=how.beta if not how.logits else 10.0)
    for name, rounded in (("drawn_between", False), ("drawn_on", True)):
        maps = decoding.drawn(at, size, sigma, rounded=rounded)
        costs = [np.hypot(*((decoding.decode(maps, rule, plain) - at) * px).T).mean() for rule in RULES]
        made[name] = np.array(costs)
    return made


def _frames(apart: Real, counted: np.ndarray, shift: Mapping[str, Real], scale: Real) -> dict[str, np.ndarray]:
    """Return mean error and median signed error of each frame, by one rule's places less the annotated ones."""
    cost, signed = np.full(len(FRAMES), np.nan), np.full((len(FRAMES), 2), np.nan)
    for row, frame in enumerate(FRAMES):
        away = (apart + shift[frame] * scale[:, None])[counted]
        if len(away):
            cost[row], signed[row] = np.hypot(*away.T).mean(), np.median(away, 0)
    return {"frame_cost": cost, "frame_shift": signed}


def _stacks(model: Any, pixels: Pixels, params: Params, stages: Any, given: Any) -> dict[str, np.ndarray]:
    """Return mean error and mean peak of each stack's maps."""
    asked, how, counted, shift = given
    cost, peak = [], []
    for stack in range(point_maps.stacks_of(model)):
        seen = [point_maps.of(model, pixels, stages, box, stack=stack) for box in asked.boxes]
        away = [_away(each, truth, params.rule, how, shift) for each, truth in zip(seen, asked.points, strict=True)]
        cost.append(point_errors.mean(np.where(counted, np.array(away), np.nan)))
        peak.append(float(np.mean([each.maps.max((1, 2)) for each in seen])))
    return {"stack_cost": np.array(cost), "stack_peak": np.array(peak)}


def _away(seen: PointMaps, truth: Real, rule: str, how: Decoding, shift: Real) -> Real:
    places = decoding.decode(seen.maps, rule, how) + shift
    return np.hypot(*((places - seen.in_cells(truth[:, :2])) * seen.scale).T)


def _flip(model: Any, pixels: Pixels, params: Params, stages: Any, given: Any) -> tuple[dict[str, np.ndarray], str]:
    """Return how far the mirrored picture's peaks lie from the others, and what averaging costs without and with it."""
    asked, seen, how, counted, shift, names = given
    swap = mirrored(names)
    others = [point_maps.mirrored(model, pixels, stages, box, swap=swap, stack=params.stack) for box in asked.boxes]
    rows = np.ones(len(names), bool) if swap is not None else np.zeros(len(names), bool)
    moved, away = [], [[], [], []]
    for each, other, truth in zip(seen, others, asked.points, strict=True):
        own, turned = (decoding.decode(m.maps, DARK, how) for m in (each, other))
        begins = (np.array(other.extent[:2]) - np.array(each.extent[:2])) / each.scale
        moved.append(turned + begins - own)
        averaged = (each.maps + other.maps) / 2
        right = np.concatenate([other.maps[:, :, :1], other.maps[:, :, :-1]], 2)
        for row, maps in enumerate((each.maps, averaged, (each.maps + right) / 2)):
            away[row].append(_away(replace(each, maps=maps), truth, params.rule, how, shift))
    flat = np.concatenate([m[rows] for m in moved]) if rows.any() else np.concatenate(moved)
    offset = np.median(flat, 0)
    cost = np.array([point_errors.mean(np.where(counted, np.array(rows), np.nan)) for rows in away])
    said = f"In the mirrored picture peaks lie {offset[0]:+.2f} cells from where they were."
    if swap is None:
        said += " No name says left or right, so no points were exchanged."
    if np.isfinite(cost).all():
        said += (
            f" Error alone {cost[0]:.2f} px, averaged {cost[1]:.2f}, averaged after a shift by one cell {cost[2]:.2f}."
        )
    return {"flip_shift": offset, "flip_cost": cost}, said


def _words(meta: dict[str, Any], asked: Asked, arrays: dict[str, np.ndarray], found: Any) -> str:
    said = [asked.about]
    if meta["has_truth"]:
        rule, lost = meta["rules"][meta["rule"]], meta["annotated"] - meta["counted"]
        if lost:
            said.append(f"{lost} have a peak below the least and count as not found.")
        cost = float(arrays["cost"][meta["rule"]])
        if np.isfinite(cost):
            said.append(f"Mean error by {rule}: {cost:.2f} px.")
        mean_oks = point_errors.mean(arrays["oks"])
        said.append(f"OKS {mean_oks:.3f} ({meta['sigmas']}).")
        if np.isfinite(arrays["pck"][0]):
            said.append(f"PCK at 0.1 of the torso {float(arrays['pck'][0]):.3f}.")
        if found is None:
            said.append("Too few points to find the frame.")
        else:
            x, y = found.shift.round(2) + 0.0
            title = FRAME_TITLES[FRAMES.index(found.frame)]
            spread = float(found.error.max())
            said.append(f"Peaks lie {x:.2f} right of and {y:.2f} below their cell's corner (± {spread:.2f} cells).")
            if found.sure:
                said.append(f"That speaks for {title}.")
            else:
                said.append(f"{title} is the nearest frame, but {found.count} points do not settle it.")
    low = float(arrays["peaks"].mean())
    said.append(f"Mean peak {low:.2f}.")
    unsure = int((arrays["second"] > 0.5).sum())
    if unsure:
        said.append(f"{unsure} points have a second peak above half of the first.")
    return " ".join(said)


INSPECTION = Inspection(
    id="heat_map_audit",
    title="Heat-map audit",
    help="What each rule of decoding and each frame costs in pixels, second peaks, flip test, OKS by ground truth.",
    needs=(),
    params=Params,
    answer=answer,
    lacks=lacks,
)
