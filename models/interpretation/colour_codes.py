"""How maps stand for the colours of a grey picture: ab, or shares of the 313 bins of ab, joined with its lightness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.interpretation import lab_colours
from models.interpretation.finds import Finds
from models.interpretation.map_codes import as_maps
from models.interpretation.map_readings import as_input
from models.interpretation.picture_codes import COLOURED, grey
from models.loading.preprocess import Preprocess

# How lightness goes in: what is taken off L, and what the rest is divided by.
L_100, L_50, L_ONE, L_SIGNED, L_HALF, GREY = "l_100", "l_50", "l_one", "l_signed", "l_half", "grey"
LIGHTNESS = {L_100: (0, 1), L_ONE: (0, 100), L_50: (50, 1), L_SIGNED: (50, 50), L_HALF: (50, 100)}
# How colours come out: what maps are multiplied by, and what is added, to have ab.
AB, AB_110, AB_128, AB_255, AB_220 = "ab", "ab_110", "ab_128", "ab_255", "ab_220"
VALUES = {AB: (1, 0), AB_110: (110, 0), AB_128: (128, 0), AB_255: (255, -128), AB_220: (220, -110)}
MEAN, ANNEALED, MODE = "mean", "annealed", "mode"
TEMPERATURE = 0.38  # of the annealed mean in Zhang et al., equation 5
LEAST = 1e-12
LIGHTNESS_OFFER = {
    "title": "Lightness",
    "help": "How the grey picture goes in: as the L of Lab on a scale, or as plain grey values.",
    "titles": {
        L_100: "L from 0 to 100",
        L_ONE: "L from 0 to 1",
        L_50: "L - 50, from -50 to 50",
        L_SIGNED: "L from -1 to 1",
        L_HALF: "L from -0.5 to 0.5",
        GREY: "plain grey",
    },
}
VALUES_OFFER = {
    "title": "Colour values",
    "help": "On which scale the two colours of Lab, a and b, come out.",
    "titles": {
        AB: "a and b as they are",
        AB_110: "-1 to 1 for -110 to 110",
        AB_128: "-1 to 1 for -128 to 128",
        AB_255: "0 to 1 for -128 to 127",
        AB_220: "0 to 1 for -110 to 110",
    },
}
BINS_OFFER = {
    "title": "Colour of the bins",
    "help": "How one colour is made of the shares of the 313 bins of a and b.",
    "titles": {ANNEALED: "annealed mean (0.38)", MEAN: "mean", MODE: "the likeliest bin"},
}


@dataclass(frozen=True)
class ColourCode:
    """The maps of output `part` as the colours of the grey picture that went in.

    Two maps are a and b on the scale `values`; 313 are shares of bins, `logits` before a softmax, whose colour is their
    `mean`, in one of three ways. `lightness` says how the grey picture goes in.
    """

    part: int
    bins: bool = False
    values: str = AB
    mean: str = ANNEALED
    logits: bool = True
    lightness: str = L_100
    channels_last: bool = False
    way: str = COLOURED

    def input(self, x: Tensor, preprocess: Preprocess, channels: int) -> Tensor:
        """Return what the network of `channels` gets for a prepared picture `x` (N, 3, h, w)."""
        plain = preprocess.plain(x)
        if self.lightness == GREY:
            return grey(x) if channels == 1 else as_input(lab_colours.grey(plain), preprocess)
        less, by = LIGHTNESS[self.lightness]
        return ((lab_colours.lightness(plain) - less) / by).expand(-1, channels, -1, -1)

    def ab(self, floats: Sequence[Tensor]) -> Tensor:
        """Return a and b (N, 2, h, w) in the output's own cells."""
        maps = as_maps(floats[self.part], channels_last=self.channels_last).float()
        if not self.bins:
            times, more = VALUES[self.values]
            return maps * times + more
        logits = maps if self.logits else maps.clamp_min(LEAST).log()
        points = maps.new_tensor(lab_colours.BINS)
        if self.mean == MODE:
            return points[logits.argmax(1)].permute(0, 3, 1, 2)
        shares = (logits / (TEMPERATURE if self.mean == ANNEALED else 1)).softmax(1)
        return torch.einsum("nkhw,kc->nchw", shares, points)

    def picture(self, floats: Sequence[Tensor], x: Tensor, preprocess: Preprocess) -> Tensor:
        """Return the picture (N, 3, h, w) RGB, 0 to 1 where it is sound, of the size of the prepared picture `x`."""
        light, ab = lab_colours.lightness(preprocess.plain(x)), self.ab(floats)
        if ab.shape[-2:] != light.shape[-2:]:
            ab = functional.interpolate(ab, size=light.shape[-2:], mode="bilinear", align_corners=False)
        return lab_colours.joined(light, ab)

    def finds(self, floats: Sequence[Tensor], x: Tensor, **more: Any) -> Finds:
        """Return the coloured picture, and how strong its colours are."""
        made, chroma = self.picture(floats, x, more["preprocess"])[0], float(self.ab(floats).norm(dim=1).mean())
        pixels = (made.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        text = f"a picture of {made.shape[2]} x {made.shape[1]}, its colours {chroma:.0f} from grey on average"
        return Finds(text, "picture", {"picture": pixels.contiguous().numpy()})


def offered(code: ColourCode) -> dict[str, dict[str, Any]]:
    """Return the assumptions in a code, those in force first."""
    found = {"lightness": {**LIGHTNESS_OFFER, "choices": _first(code.lightness, (*LIGHTNESS, GREY))}}
    if code.bins:
        return {**found, "bins": {**BINS_OFFER, "choices": _first(code.mean, (ANNEALED, MEAN, MODE))}}
    return {**found, "ab": {**VALUES_OFFER, "choices": _first(code.values, VALUES)}}


def assumed(code: ColourCode, given: Mapping[str, str]) -> ColourCode:
    """Return a code under the assumptions that a user chose."""
    names = {"lightness": "lightness", "ab": "values", "bins": "mean"}
    return replace(code, **{field: given[key] for key, field in names.items() if key in given})


def _first(one: str, names: Iterable[str]) -> tuple[str, ...]:
    return (one, *(name for name in names if name != one))
