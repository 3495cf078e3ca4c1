"""Readings of maps as the colours of a grey picture: two maps for a and b of Lab, or 313 for its bins.

Which scale lightness goes in on, and colours come out on, is judged by a photograph whose colours are known: a network
that was trained to colour comes nearer to them than grey is. Where none does, it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from models.cards.card import PHOTOS
from models.interpretation import lab_colours
from models.interpretation.colour_codes import (
    AB,
    AB_110,
    AB_128,
    AB_220,
    AB_255,
    ANNEALED,
    GREY,
    L_100,
    L_ONE,
    LIGHTNESS,
    MEAN,
    ColourCode,
)
from models.interpretation.map_codes import as_maps
from models.interpretation.network_reading import PICTURE, Reading
from models.loading.preprocess import Preprocess
from models.pictures import images

ID = "colours"
FIRST, SECOND = "astronaut", "coffee"
AB_MAPS, BIN_MAPS = 2, len(lab_colours.BINS)
LEAST_SIDE, COARSEST = 8, 8.4  # cells; px of the input per cell
GAIN, SECOND_GAIN, MARGIN = 0.1, 0.02, 0.03
APART, ALIKE = -0.9, 0.8  # correlation and ratio of spreads of two maps from which they are rather two classes
NAMED = re.compile(r"(^|[^a-z])ab([^a-z]|$)|colou?r|chrom|eccv16|siggraph17|pts_in_hull", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """A network to ask: `run` takes its own input (1, channels, h, w), `way` is how pictures are prepared."""

    run: Callable[[Tensor], list[Tensor]]
    channels: int
    way: Preprocess

    def shown(self, code: ColourCode, name: str) -> tuple[list[Tensor], Tensor]:
        """Return the outputs for a photograph in grey, and its own a and b (1, 2, h, w) in the output's cells."""
        x = self.way.input(images.read(PHOTOS / f"{name}.jpg").pixels, torch.device("cpu"))
        with torch.no_grad():
            floats = [tensor.detach().float().cpu() for tensor in self.run(code.input(x, self.way, self.channels))]
        size = as_maps(floats[code.part], channels_last=code.channels_last).shape[-2:]
        return floats, functional.interpolate(lab_colours.lab(self.way.plain(x))[:, 1:], size=size, mode="area")


@dataclass(frozen=True)
class Colours:
    """The reading as colours, and a `question` where no photograph told its scales, "" else."""

    reading: Reading
    question: str = ""


@dataclass(frozen=True)
class _Tried:
    """A way to read the maps, and the share of the distance from grey to a photograph's colours that it makes good."""

    code: ColourCode
    gain: float


def maps_of(tensor: Tensor, size: tuple[int, int]) -> tuple[int, bool] | None:
    """Return how many maps of colours a tensor for one picture may be and whether they come last, None for none."""
    if tensor.ndim != 4 or len(tensor) != 1:
        return None
    for last in (False, True):
        count, high, wide = (int(n) for n in as_maps(tensor, channels_last=last).shape[1:])
        step = size[0] / max(high, 1)
        sized = min(high, wide) >= LEAST_SIDE and 0.9 < step < COARSEST
        if count in (AB_MAPS, BIN_MAPS) and sized and abs(step - size[1] / wide) <= 0.05 * step:
            return count, last
    return None


def read(asked: Asked, floats: Sequence[Tensor], names: Sequence[str], origins: Sequence[str]) -> Colours | None:
    """Return the reading of a network's outputs as colours, None where none has the shape of that.

    `floats` are the outputs for one picture, made by the operations `origins`; `names` are those of the outputs and the
    network.
    """
    channels = asked.channels
    if channels not in (1, 3):
        return None
    places = ((part, found) for part, t in enumerate(floats) if (found := maps_of(t, asked.way.size)) is not None)
    part, (count, last) = next(places, (-1, (0, False)))
    if part < 0 or not floats[part].isfinite().all():
        return None
    maps = as_maps(floats[part], channels_last=last)[0].float().flatten(1)
    shares = bool((maps >= -1e-6).all()) and bool(((maps.sum(0) - 1).abs() < 1e-3).all())
    if count == AB_MAPS and shares:
        return None
    base = ColourCode(part, bins=count == BIN_MAPS, logits=not shares, mean=MEAN if shares else ANNEALED)
    base = replace(base, channels_last=last, values=_likely_values(maps, origins[part])[0])
    usual = GREY if channels == 3 else L_100 if base.bins or base.values == AB else L_ONE
    tried = _tried(asked, replace(base, lightness=usual), origins[part])
    best = max(tried, key=lambda one: one.gain)
    default = max((one for one in tried if one.code.lightness == usual), key=lambda one: one.gain)
    told = best.gain > GAIN and _near(best.code, *asked.shown(best.code, SECOND)) > SECOND_GAIN
    kept = best if told and best.gain > default.gain + MARGIN else replace(default, code=_usual(default, base, told))
    others = [one.gain for one in tried if one.code.lightness != kept.code.lightness]
    sure = told and all(gain < kept.gain - MARGIN for gain in others)
    fit, why = _fit(maps, origins[part], bins=base.bins, channels=channels, told=told)
    if any(NAMED.search(name) for name in names) and fit < 0.85:
        fit, why = 0.78 if _apart(maps) else 0.85, f"{why} Names tell of colours."
    seen = f"It brings a grey photograph {kept.gain:.0%} of the way to its own colours." if told else ""
    words = "shares of 313 bins of its a and b" if base.bins else "its a and b"
    title = f"picture to picture: colours of a grey picture ({words})"
    evidence = tuple(filter(None, (why, seen)))
    asks = "" if sure else _question(base)
    return Colours(Reading(ID, title, PICTURE, fit, evidence, part, kept.code), asks)


def _question(code: ColourCode) -> str:
    if code.bins:
        return "It gives colours, and no photograph tells how lightness goes in: choose it by a picture of yours."
    return (
        "It gives colours, and no photograph tells how lightness goes in and on which scale they come out: choose both "
        "by a picture of yours."
    )


def _usual(default: _Tried, base: ColourCode, told: bool) -> ColourCode:
    """Return the usual way to read the maps, with the values that a photograph told."""
    return default.code if told else replace(default.code, values=base.values)


def _likely_values(maps: Tensor, origin: str) -> tuple[str, ...]:
    """Return the scales that ab maps (2, K) may be on, the likeliest first."""
    low, high = float(maps.min()), float(maps.max())
    if low >= -1e-6 and high <= 1 + 1e-4 and (origin in ("sigmoid", "clamp", "hardsigmoid") or low > 0.05):
        return AB_255, AB_220, AB_110, AB_128
    return (AB_110, AB_128) if max(-low, high) <= 1.5 else (AB,)


def _tried(asked: Asked, base: ColourCode, origin: str) -> list[_Tried]:
    """Return the ways to read the maps with what each makes good on the first photograph."""
    found = []
    for light in (GREY,) if asked.channels == 3 else (*LIGHTNESS, GREY):
        code = replace(base, lightness=light)
        floats, wanted = asked.shown(code, FIRST)
        values = (base.values,) if base.bins else _likely_values(_flat(floats, code), origin)
        found += [_Tried(own, _near(own, floats, wanted)) for name in values for own in (replace(code, values=name),)]
    return found


def _flat(floats: Sequence[Tensor], code: ColourCode) -> Tensor:
    return as_maps(floats[code.part], channels_last=code.channels_last)[0].float().flatten(1)


def _near(code: ColourCode, floats: Sequence[Tensor], wanted: Tensor) -> float:
    """Return the share of the distance from grey to the wanted colours that the maps make good; below 0 for none."""
    away = (code.ab(floats) - wanted).norm(dim=1).mean()
    return 1 - float(away / wanted.norm(dim=1).mean())


def _apart(maps: Tensor) -> bool:
    """Return whether two maps (2, K) exclude each other, as those of two classes do."""
    if len(maps) != AB_MAPS or float(torch.corrcoef(maps)[0, 1].nan_to_num()) > APART:
        return False
    first, second = (float(row.std()) for row in maps)
    return min(first, second) > ALIKE * max(first, second)


def _fit(maps: Tensor, origin: str, *, bins: bool, channels: int, told: bool) -> tuple[float, str]:
    """Return how well maps (C, K) agree with colours, and why."""
    goes_in = "A grey picture goes in" if channels == 1 else "A picture goes in"
    if bins:
        return 0.92, f"{goes_in}, {BIN_MAPS} maps come out: as many as there are bins of a and b."
    most = float(maps.abs().quantile(0.99)) if maps.numel() < 1 << 24 else float(maps.abs().max())
    why = f"{goes_in}, two maps come out, most of their values up to {most:.3g}."
    if told:
        return 0.9, why
    fit = 0.8 if origin == "tanh" else 0.8 if 12 <= most <= 150 else 0.72 if most <= 1.5 else 0.5
    fit = min(fit, 0.56) if _apart(maps) else fit
    if channels == 3:  # few of these colour grey pictures, and many tell two classes
        fit = 0.6 if 12 <= most <= 150 and not _apart(maps) else 0.2
    return fit, why
