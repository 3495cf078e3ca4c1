"""Adapter for networks of no known family whose output is read as a picture: denoisers, super resolution, styles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.base.interpreted import Interpreted
from models.adapters.base.scored import Seen
from models.cards.card import Card
from models.interpretation.map_readings import as_input
from models.interpretation.picture_codes import PictureCode
from models.interpretation.spatial_reading import COLOURS
from models.loading.heads import VALUES, Head
from models.loading.probe_network import Found
from models.runtime.failures import out_of_memory
from models.runtime.forward_passes import through
from models.types import Cancelled, Pixels, Refusal, Translation

MULTIPLES = (1, 8, 16, 32, 64, 128, 256)  # of which sides are tried to be, by reflecting the borders
ALIGN = 32  # tiles begin at multiples of this, where strides and poolings of networks agree


class AnyTranslatorAdapter(Interpreted, Seen):
    """An opened network that turns a picture into a picture; attributions explain the mean of a colour."""

    serves: ClassVar[str] = "picture"
    classes: ClassVar[tuple[str, ...]] = COLOURS
    head: Head = Head(VALUES)
    stages: Mapping[str, str] = {
        "Detects": "{name} makes a picture of a picture: it finds no boxes.",
        "Classifies": "{name} makes a picture of a picture: it tells no classes.",
    }

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        super().__init__(net, card, found)
        told = card.about.get("input", (0, 0, 0))
        self._sized = bool(told[1] and told[2])  # the network takes inputs of this size alone
        self._multiple = 1

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a miniature for contract tests: it makes a picture smoother."""
        net = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect", groups=3, bias=False)
        nn.init.constant_(net.weight, 1 / 9)
        return nn.Sequential(net)

    def translated(self, pixels: Pixels, stages: Any, *, tile: int = 0, overlap: int = ALIGN) -> Translation:
        """Return the picture that the network makes of a picture (H, W, 3) uint8 RGB.

        A network that takes any size gets the pixels as they are, above `tile` px a side (0 for never) in tiles that
        see `overlap` px around what is kept of them.
        """
        return stages.run("translated", lambda: self._made(pixels, stages, tile, overlap), tile, overlap)

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to the mean of each colour (N, 3) of the picture made."""
        run, code, way = through(self.behaviour, self._found.runner(self.net)), self._code, self.preprocess
        return lambda x: code.picture([each.float() for each in run(x)], x, way).mean((2, 3))

    @property
    def _code(self) -> PictureCode:
        return self._found.reading.how

    def _made(self, pixels: Pixels, stages: Any, tile: int, overlap: int) -> Translation:
        with torch.inference_mode(False), torch.no_grad():
            height, width = pixels.shape[:2]
            if not self._sized:
                plain = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255
                x = as_input(plain, self.preprocess)
                try:
                    if not tile or max(height, width) <= tile:
                        made = self._run(x)
                        return self._told(made, pixels, (0.0, 0.0, float(width), float(height)))
                    return self._tiled(x, pixels, stages, tile, overlap)
                except _Sized:
                    self._sized = True
            x = self.preprocess.input(pixels, self.device)
            made = self._picture(x)
            extent = self.preprocess.extent(width, height)
            given = self.preprocess.plain(x)[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy()
            return self._told(made, (given * 255).round().astype(np.uint8), extent)

    def _told(
        self, made: Tensor, given: Pixels, extent: tuple[float, ...], tiles: int = 1, seam: float = 0
    ) -> Translation:
        picture = made[0].permute(1, 2, 0).float().cpu().numpy()
        return Translation(picture, given, extent, times=made.shape[-2] / given.shape[0], tiles=tiles, seam=seam)

    def _tiled(self, x: Tensor, pixels: Pixels, stages: Any, tile: int, overlap: int) -> Translation:
        """Return the picture put together from tiles, and the largest step where two of them meet."""
        margin = -(-overlap // ALIGN) * ALIGN
        core = max(ALIGN, (tile - 2 * margin) // ALIGN * ALIGN)
        height, width = x.shape[-2:]
        tops, lefts = range(0, height, core), range(0, width, core)
        whole: Tensor | None = None
        times, seam, edges = 1.0, 0.0, dict[tuple[str, int, int], Tensor]()
        for number, (top, left) in enumerate((t, c) for t in tops for c in lefts):
            stages.progress(number / (len(tops) * len(lefts)), "tiles")
            bottom, right = min(top + core, height), min(left + core, width)
            y0, x0 = max(0, top - margin), max(0, left - margin)
            y1, x1 = min(height, bottom + margin), min(width, right + margin)
            made = self._run(x[..., y0:y1, x0:x1])
            if whole is None:
                times = made.shape[-2] / (y1 - y0)
                whole = made.new_zeros(1, 3, round(height * times), round(width * times))
            at = [round(v * times) for v in (top, bottom, left, right, y0, x0)]
            rows, columns = slice(at[0] - at[4], at[1] - at[4]), slice(at[2] - at[5], at[3] - at[5])
            whole[..., at[0] : at[1], at[2] : at[3]] = made[..., rows, columns]
            for key, line in (("row", made[..., rows.start, columns]), ("column", made[..., rows, columns.start])):
                before = edges.pop((key, top, left), None)
                if before is not None:
                    seam = max(seam, float((before - line).abs().max()))
            if bottom < height and margin:
                edges["row", bottom, left] = made[..., rows.stop, columns].clone()
            if right < width and margin:
                edges["column", top, right] = made[..., rows, columns.stop].clone()
        assert whole is not None
        extent = (0.0, 0.0, float(width), float(height))
        return self._told(whole, pixels, extent, tiles=len(tops) * len(lefts), seam=seam)

    def _run(self, x: Tensor) -> Tensor:
        """Return the picture (1, 3, h, w) of an input of any size; borders are reflected where sides must be multiples.

        Raises _Sized for a network that takes no such input.
        """
        height, width = x.shape[-2:]
        for multiple in MULTIPLES[MULTIPLES.index(self._multiple) :]:
            more = (-width % multiple, -height % multiple)
            if more[0] >= width or more[1] >= height:
                break
            padded = functional.pad(x, (0, more[0], 0, more[1]), mode="reflect") if any(more) else x
            try:
                made = self._picture(padded)
            except (Refusal, Cancelled):
                raise
            except Exception as error:
                if out_of_memory(error):
                    raise
                continue
            self._multiple = multiple
            times = made.shape[-2] / padded.shape[-2]
            return made[..., : round(height * times), : round(width * times)]
        raise _Sized

    def _picture(self, x: Tensor) -> Tensor:
        x = x.to(self.device)
        made = through(self.behaviour, self._found.runner(self.net))(x)
        return self._code.picture([each.float() for each in made], x, self.preprocess)


class _Sized(Exception):  # noqa: N818 - an answer
    """The network takes inputs of one size only."""


ADAPTER = AnyTranslatorAdapter
