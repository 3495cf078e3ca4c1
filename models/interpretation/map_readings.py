"""Readings of maps: pictures, classes of pixels, depth, heat maps of landmarks, told apart by their numbers on photos.

A picture has colours that go together and goes with the input; maps of classes exclude each other; a heat map has one
compact peak; depth is smooth and takes all values. What leaves two readings is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.interpretation import map_codes, picture_codes, point_codes
from models.interpretation.map_codes import DepthCode, SegmentCode, as_maps
from models.interpretation.network_reading import DEPTH, PICTURE, POINTS, SEGMENTS, Reading, ranked
from models.interpretation.picture_codes import ADDED, DIRECT, SUBTRACTED, PictureCode, plain, resized
from models.interpretation.point_codes import PointCode
from models.loading.preprocess import Preprocess

Run = Callable[[Tensor], list[Tensor]]
LEAST_SIDE, LEAST_TRUE = 8, 1e-3
LEAST_SIDED = 0.03
TIMES = (1, 2, 3, 4, 6, 8)
COARSEST = 8  # input px per cell of maps of classes
MOST_CLASSES, MOST_POINTS = 256, 150
BEYOND = 0.8  # from which a picture's values lie mostly beyond black and white
LEAST_GAIN, PRIOR = 0.03, 0.02
NOISE, BLUR = 0.1, 3  # spread of values from 0 to 1, shrinking factor
LIMITS = {"sigmoid", "hardsigmoid", "clamp", "special_expit"}


@dataclass(frozen=True)
class Shown:
    """What a network made of a photo: its input `x`, the photo `plain` (1, 3, h, w) RGB 0 to 1, its `floats`."""

    x: Tensor
    plain: Tensor
    floats: list[Tensor]


def readings(shown: Sequence[Shown], run: Run, origins: Sequence[str], preprocess: Preprocess) -> tuple[Reading, ...]:
    """Return what maps among a network's outputs may be, the likeliest first; empty where there are none.

    `origins` names the operation that made each output, "" where it is not known. `run` takes another input.
    """
    found: list[Reading] = []
    size = shown[0].x.shape[-2:]
    for part, tensor in enumerate(shown[0].floats):
        for last in orders(tensor, (int(size[0]), int(size[1]))):
            made = [as_maps(each.floats[part], channels_last=last).float() for each in shown]
            if not all(each.isfinite().all() for each in made):
                continue
            seen = _Maps(part, last, made, shown, origins[part], run, preprocess)
            found += [*_picture(seen), *_segments(seen), *_depth(seen), *_heat_maps(seen)]
    return ranked(found)


def orders(tensor: Tensor, size: tuple[int, int]) -> Iterator[bool]:
    """Yield whether channels come last, for each way in which a tensor may be maps of an input of `size` (h, w)."""
    if tensor.ndim == 2 and tuple(tensor.shape) == tuple(size):
        yield False  # of one picture, without a dimension for it
    if tensor.ndim not in (3, 4) or len(tensor) != 1:
        return
    for last in (False, True) if tensor.ndim == 4 else (False,):
        maps = as_maps(tensor, channels_last=last)
        high, wide = maps.shape[-2:]
        alike = abs(high / size[0] - wide / size[1]) <= 0.05 * high / size[0]
        if (
            min(high, wide) >= LEAST_SIDE
            and alike
            and maps.shape[1] <= MOST_CLASSES
            and not (last and maps.shape[1] > 4)
        ):
            yield last


@dataclass(frozen=True)
class _Maps:
    """Maps of one output for several photos (1, C, h, w), with what is known of how they were made."""

    part: int
    last: bool
    maps: list[Tensor]
    shown: Sequence[Shown]
    origin: str
    run: Run
    preprocess: Preprocess

    @property
    def count(self) -> int:
        """How many channels there are."""
        return int(self.maps[0].shape[1])

    @property
    def times(self) -> float:
        """How much longer a side is than the input's."""
        return self.maps[0].shape[-2] / self.shown[0].x.shape[-2]

    @property
    def whole(self) -> bool:
        """Whether a cell is 1, 2, 4 or 8 px of the input, or the maps are a little smaller than the input."""
        high = int(self.shown[0].x.shape[-2])
        return self.times > 0.8 or any(self.size[0] in (high // step, -(-high // step)) for step in (1, 2, 4, 8))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in cells."""
        return int(self.maps[0].shape[-2]), int(self.maps[0].shape[-1])

    @property
    def values(self) -> Tensor:
        """All numbers, by channel (C, K)."""
        return torch.cat([each[0].flatten(1) for each in self.maps], 1)

    @property
    def within(self) -> bool:
        """Whether all numbers are from 0 to 1."""
        return bool((self.values >= -1e-6).all() and (self.values <= 1 + 1e-4).all())

    @property
    def crosses(self) -> bool:
        """Whether numbers lie on both sides of 0, as logits of a mask do and distances do not."""
        below = float((self.values < 0).float().mean())
        return LEAST_SIDED < below < 1 - LEAST_SIDED

    @property
    def unit(self) -> bool:
        """Whether the three channels of nearly each cell are a vector of length 1 that points anywhere."""
        if self.count != 3 or not self.crosses:
            return False
        return float(((self.values**2).sum(0) - 1).abs().lt(0.02).float().mean()) > 0.95

    @property
    def shares(self) -> bool:
        """Whether the channels of each cell sum to 1."""
        return self.count > 1 and self.within and bool(((self.values.sum(0) - 1).abs() < LEAST_TRUE).all())

    def likeness(self) -> float:
        """Return how far the mean channel goes with, or against, the photo's grey: the size of their correlation."""
        pairs = [(m.mean(1), resized(s.plain, self.size).mean(1)) for m, s in zip(self.maps, self.shown, strict=True)]
        return sum(abs(_correlation(a, b)) for a, b in pairs) / len(pairs)

    def together(self) -> float:
        """Return the least correlation between channels: high for colours, low where channels exclude each other."""
        values = self.values
        return min((_correlation(values[0], row) for row in values[1:]), default=1.0)


def _picture(seen: _Maps) -> Iterator[Reading]:
    """Yield readings as a picture, if the output has a picture's channels and size."""
    times = next((t for t in TIMES if abs(seen.times - t) <= 0.02 * t), 1 if 0.85 <= seen.times < 1 else 0)
    if seen.count not in (1, 3) or not times or seen.shares:
        return
    like, together = seen.likeness(), seen.together()
    spread = [float(m.std() / s.x.std().clamp_min(1e-6)) for m, s in zip(seen.maps, seen.shown, strict=True)]
    small = sum(spread) / len(spread) < 0.5
    scale, off = _scale(seen)
    colours = "its colours go together" if seen.count == 3 else "one channel"
    description = (
        f"{'as large as' if times == 1 else f'{times} times'} the input, {colours}, correlation with it {like:.2f}"
    )
    fit = 0.05
    if together > 0.4 and not (small and like < 0.5):
        fit = max(0.3 if seen.count == 1 else 0.6, min(0.98, like + 0.1)) if like > 0.25 else 0.4
        fit = fit if seen.count == 3 or like > 0.8 else 0.25
    fit = min(fit, 0.25) if off > BEYOND else fit  # on no scale of values is it a picture
    larger = f", {times} times larger" if times > 1 else ""
    evidence = (
        f"{description}.",
        f"Its values are taken {picture_codes.WORDS[scale]} (off by {off:.2f} from the photo).",
    )
    yield Reading(
        "picture",
        f"a picture{larger}",
        PICTURE,
        fit,
        evidence,
        seen.part,
        PictureCode(seen.part, DIRECT, scale, seen.times, seen.last),
    )
    if times * seen.times >= 1 and together > -0.5:
        yield from _residuals(seen, likely=small and like < 0.6, larger=larger)


def _residuals(seen: _Maps, *, likely: bool, larger: str) -> Iterator[Reading]:
    """Yield readings as what is added to, or taken off, the input; tried on a noisy and on a blurred photo."""
    gains = _gains(seen) if likely and seen.times == 1 else {}
    added, taken = max(gains.get("blur added", 0), gains.get("noise added", 0)), gains.get("noise taken", 0)
    best, both = max(added, taken, 0.0), min(added, taken) > LEAST_GAIN
    for way, gain in ((SUBTRACTED, taken), (ADDED, added)):
        if seen.times > 1 and way == SUBTRACTED:
            continue
        evidence = ["Small numbers around 0 that do not look like the picture."] if likely else []
        evidence += (
            [f"On noisy and blurred photos it brings the picture {gain:.0%} nearer to the original."] if gains else []
        )
        fit = 0.1
        if likely:
            fit = 0.9 if gain == best > LEAST_GAIN else 0.55 if seen.times > 1 else 0.5 if gain == best else 0.3
            fit = 0.85 if both and gain != best else fit
        words = (
            "noise that is taken off the input" if way == SUBTRACTED else f"detail that is added to the input{larger}"
        )
        code = PictureCode(seen.part, way, picture_codes.INPUT, seen.times, seen.last)
        yield Reading(f"picture-{way}", f"picture to picture: {words}", PICTURE, fit, tuple(evidence), seen.part, code)


def _gains(seen: _Maps) -> dict[str, float]:
    """Return by how much of its error a spoilt photo gets nearer to the original when the output is added or taken."""
    clean, generator = seen.shown[0].plain, torch.Generator().manual_seed(0)
    small = functional.interpolate(clean, scale_factor=1 / BLUR, mode="area")
    spoilt = {
        "noise": (clean + NOISE * torch.randn(clean.shape, generator=generator)).clamp(0, 1),
        "blur": resized(small, (int(clean.shape[-2]), int(clean.shape[-1]))).clamp(0, 1),
    }
    found = {}
    original = as_input(clean, seen.preprocess)
    for name, picture in spoilt.items():
        x = as_input(picture, seen.preprocess)
        made = as_maps(seen.run(x)[seen.part].detach().cpu(), channels_last=seen.last).float()
        base, wanted = (x, original) if made.shape[1] == 3 else (picture_codes.grey(x), picture_codes.grey(original))
        if made.shape[-2:] != base.shape[-2:]:
            return {}
        before = float(((base - wanted) ** 2).mean())
        for words, value in (("added", base + made), ("taken", base - made)):
            found[f"{name} {words}"] = 1 - float(((value - wanted) ** 2).mean()) / max(before, 1e-12)
    return found


def as_input(picture: Tensor, preprocess: Preprocess) -> Tensor:
    """Return pictures (N, 3, h, w) RGB 0 to 1 of the input's size as a network's input."""
    picture = picture.flip(1) if preprocess.order == "bgr" else picture
    mean, std = (picture.new_tensor(v).view(1, 3, 1, 1) for v in (preprocess.mean, preprocess.std))
    return (picture * preprocess.range - mean) / std


def _scale(seen: _Maps) -> tuple[str, float]:
    """Return the scale of values on which the output is nearest to the photo, and how far off it is on average."""
    found: dict[str, float] = {}
    for scale in (picture_codes.ZERO_ONE, picture_codes.MINUS_ONE_ONE, picture_codes.ZERO_255, picture_codes.INPUT):
        off = []
        for maps, shown in zip(seen.maps, seen.shown, strict=True):
            made = plain(maps, scale, seen.preprocess)
            beyond = float(((made < -0.1) | (made > 1.1)).float().mean())
            off.append(float((made - resized(shown.plain, seen.size)).abs().clamp_max(1).mean()) + beyond)
        found[scale] = sum(off) / len(off)
    likely = picture_codes.MINUS_ONE_ONE if seen.origin == "tanh" else picture_codes.ZERO_ONE
    best = min(found, key=lambda scale: found[scale] - (PRIOR if scale == likely else 0))
    return best, found[best]


def _segments(seen: _Maps) -> Iterator[Reading]:
    """Yield readings as classes of pixels."""
    if seen.times > 1.05 or 1 / seen.times > COARSEST * 1.05:
        return
    code = {"channels_last": seen.last}
    if seen.count == 1:
        logits = torch.logit(seen.values, eps=1e-6) if seen.within else seen.values
        sided = float((logits.abs() > 2).float().mean())
        form = map_codes.INDEPENDENT if seen.within else map_codes.SIGMOID
        made = seen.origin in LIMITS
        fit = (0.75 if made else 0.35) if seen.within else 0.65 if seen.crosses else 0.35
        fit *= 0.5 + 0.5 * sided if seen.likeness() < 0.8 else 0.3
        why = f"{'One map from 0 to 1' if seen.within else 'One map'}, {sided:.0%} of it clearly yes or no."
        title = f"one mask: yes or no for each pixel{'' if seen.within else ' (a sigmoid is taken)'}"
        yield Reading("mask", title, SEGMENTS, fit, (why,), seen.part, SegmentCode(seen.part, form, **code))
        return
    if seen.unit:
        evidence = ("The three numbers of each pixel make a vector of length 1, as directions of surfaces do.",)
        drawn = PictureCode(seen.part, DIRECT, picture_codes.MINUS_ONE_ONE, seen.times, seen.last)
        title = "directions of surfaces, drawn as colours: x, y, z from -1 to 1"
        yield Reading("directions", title, PICTURE, 0.8, evidence, seen.part, drawn)
        return
    same = _coherence(seen)
    why = f"{seen.count} maps; {same:.0%} of neighbouring cells have the same best class"
    if seen.shares:
        title, form, fit = "probabilities that sum to 1", map_codes.PROBABILITIES, 0.95
        why += ", and their numbers sum to 1"
    elif seen.within:
        title, form, fit = "probabilities of labels, each by itself", map_codes.INDEPENDENT, 0.45
    else:
        title, form = "logits of classes (softmax)", map_codes.SOFTMAX
        fit = 0.7 if same > 0.8 and seen.origin not in ("relu", "tanh") else 0.25
        fit -= 0.35 if seen.count == 3 and seen.together() > 0.4 else 0.0
        fit = fit if float(seen.values.min()) < 0 else 0.15
        fit = fit if seen.count <= 64 or 1 / seen.times <= 4 else min(fit, 0.4)
        fit = fit if seen.whole else min(fit, 0.4)
    own = Reading(f"segments-{form}", f"segmentation: {title}", SEGMENTS, fit, (f"{why}.",), seen.part)
    yield Reading(own.id, own.title, own.kind, fit, own.evidence, own.part, SegmentCode(seen.part, form, **code))
    if form == map_codes.SOFTMAX:
        other = SegmentCode(seen.part, map_codes.SIGMOID, **code)
        title = "segmentation: logits of labels, each by itself (sigmoid)"
        yield Reading("segments-sigmoid", title, SEGMENTS, fit * 0.4, own.evidence, seen.part, other)


def _coherence(seen: _Maps) -> float:
    """Return the share of neighbouring cells whose best channel is the same."""
    found = []
    for maps in seen.maps:
        best = maps[0].argmax(0)
        found += [float((best[:, 1:] == best[:, :-1]).float().mean()), float((best[1:] == best[:-1]).float().mean())]
    return sum(found) / len(found)


def _depth(seen: _Maps) -> Iterator[Reading]:
    """Yield the reading as one number for each pixel."""
    if seen.count != 1 or seen.times > 1.05:
        return
    rough = []
    for maps in seen.maps:
        spread = maps.std().clamp_min(1e-9)
        rough += [float((maps[..., 1:] - maps[..., :-1]).abs().mean() / spread)]
    smooth, like = sum(rough) / len(rough), seen.likeness()
    fit = 0.6 if smooth < 0.1 and like < 0.7 else 0.3 if like < 0.8 else 0.1
    if seen.within and seen.origin in LIMITS:  # a mask is nearly everywhere a clear yes or no
        fit -= 0.25 * float((torch.logit(seen.values, eps=1e-6).abs() > 2).float().mean())
    fit -= 0.2 if seen.crosses else 0.0
    fit += 0.1 if float(seen.values.min()) >= 0 and not seen.within else 0.0
    fit = max(fit, 0.5) if _scale(seen)[1] > BEYOND and like > 0.8 else fit  # like the photo, yet no picture
    evidence = f"One number for each cell, changing by {smooth:.2f} of its spread from cell to cell."
    title = "depth, or another number for each pixel"
    yield Reading("depth", title, DEPTH, max(fit, 0.05), (evidence,), seen.part, DepthCode(seen.part, seen.last))


def _heat_maps(seen: _Maps) -> Iterator[Reading]:
    """Yield the reading as heat maps of landmarks: each has one compact peak."""
    most = 0.55 if seen.count < 5 else 1.05
    if seen.count < 3 or seen.count > MOST_POINTS or seen.times > most or 1 / seen.times > 16.5:
        return
    shares, flats = [], []
    for maps in seen.maps:
        flat = maps[0].flatten(1)
        low, high = flat.median(1, keepdim=True).values, flat.amax(1, keepdim=True)
        shares.append((flat > (low + high) / 2).float().mean(1))
        flats.append(((low.abs() < 0.2 * high) & (flat.amin(1, keepdim=True) > -0.5 * high))[:, 0].float())
    wide, flat = float(torch.cat(shares).median()), float(torch.cat(flats).mean()) > 0.5
    fit = (0.8 if wide < 0.02 else 0.5 if wide < 0.05 else 0.1) if flat else 0.1
    fit = min(fit, 0.3) if seen.shares and seen.count < 5 else fit
    code = PointCode(seen.part, point_codes.HEAT_MAPS, channels_last=seen.last)
    evidence = f"{seen.count} maps; {wide:.1%} of the cells of each are above half of its peak."
    yield Reading("heat-maps", f"landmarks: {seen.count} heat maps", POINTS, fit, (evidence,), seen.part, code)


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a.double().flatten(), b.double().flatten()
    a, b = a - a.mean(), b - b.mean()
    norm = float(a.norm() * b.norm())
    return float(a @ b) / norm if norm > 0 else 0.0
