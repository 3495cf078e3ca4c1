"""What adapters share whose networks turn a picture into a picture: any size, tiles, borders that are reflected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.base.scored import Seen
from models.interpretation.map_readings import as_input
from models.interpretation.picture_codes import PictureCode, resized
from models.interpretation.spatial_reading import COLOURS
from models.loading.heads import VALUES, Head
from models.runtime.failures import out_of_memory
from models.runtime.forward_passes import through
from models.subject import Rect, Subject
from models.types import Cancelled, Pixels, Refusal, Translation

MULTIPLES = (1, 8, 16, 32, 64, 128, 256)  # of which sides are tried to be, by reflecting the borders
ALIGN = 32  # tiles begin at multiples of this, where strides and poolings of networks agree
BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
DROPOUT = (nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)
Run = Callable[[Tensor], list[Tensor]]
STAGES = {
    "Classifies": "{name} makes a picture of a picture: it tells no classes.",
}


class Translator(Seen):
    """An opened network that turns a picture into a picture; attributions explain the mean of a colour.

    A subclass has the `code`, how its outputs stand for a picture, and `run`, from inputs (N, 3, h, w) to the outputs.
    """

    classes: ClassVar[tuple[str, ...]] = COLOURS
    head: Head = Head(VALUES)
    code: PictureCode
    run: Callable[[Tensor], list[Tensor]]
    directions: tuple[str, ...] = ()  # what its generators are called, where it has several
    direction: int = 0
    back: int = -1  # the direction that leads back, where there is one
    groups: tuple[tuple[str, ...], ...] = ()  # labels that it can be told, of each group one
    _sized = False  # the network takes inputs of one size alone
    _multiple = 1

    def translated(
        self,
        pixels: Pixels,
        stages: Any,
        *,
        tile: int = 0,
        overlap: int = ALIGN,
        condition: str = "",
        training: bool = False,
        seed: int = 0,
    ) -> Translation:
        """Return the picture that the network makes of a picture (H, W, 3) uint8 RGB.

        A network that takes any size gets the pixels as they are, above `tile` px a side (0 for never) in tiles that
        see `overlap` px around what is kept of them. `condition` names the labels it is told; in `training` mode its
        normalisation takes the statistics of this picture and its dropout draws from `seed`. Raises Refusal for a
        label that it does not have.
        """
        labels = self.labels(condition, self.seen_labels(self.fitted(pixels)) if self.groups else ())

        def make() -> Translation:
            net = self.as_in_training() if training else self.net
            with seeded(seed) if training else nullcontext():
                return self._made(pixels, stages, tile=tile, overlap=overlap, run=self.runner(net, labels))

        return stages.run("translated", make, tile, overlap, labels, training, seed if training else 0)

    def runner(self, net: Any, labels: tuple[float, ...] = ()) -> Callable[[Tensor], list[Tensor]]:
        """Return a function from inputs (N, 3, h, w) to the outputs of a network like the adapter's own."""
        return self.run

    def labels(self, condition: str, seen: tuple[str, ...] = ()) -> tuple[float, ...]:
        """Return 1 for each label that a condition such as "red, thick" names, else 0, in the order of the groups.

        A group of several of which none is named keeps the one `seen` in the picture, or has its first; () for a
        network that is told nothing. Raises Refusal.
        """
        names = [name.strip() for name in condition.split(",") if name.strip()]
        known = [name for group in self.groups for name in group]
        wrong = next((name for name in names if name not in known), None)
        if wrong is not None:
            told = f"It is told {', '.join(known)}." if known else "It is told nothing but the picture."
            raise Refusal(f"{self.card.name} knows no {wrong!r}.", advice=told)
        chosen: list[float] = []
        for group in self.groups:
            named = [name for name in names if name in group]
            if len(named) > 1 and len(group) > 1:
                raise Refusal(f"{' and '.join(named)} exclude each other.", advice="Name one of them.")
            usual = next((name for name in group if name in seen), group[0]) if len(group) > 1 else ""
            own = named[0] if named else usual
            chosen += [float(name == own) for name in group]
        return tuple(chosen)

    def told(self, labels: tuple[float, ...]) -> tuple[str, ...]:
        """Return the names of the labels that are 1."""
        names = [name for group in self.groups for name in group]
        return tuple(name for name, on in zip(names, labels, strict=True) if on)

    def seen_labels(self, plain: Tensor) -> tuple[str, ...]:
        """Return the labels of several that the network's critic sees in a fitted picture (1, 3, h, w) from 0 to 1.

        () for a network without such a critic: it is not known what the picture is.
        """
        return ()

    def turned(self, direction: int) -> Translator:
        """Return this adapter for another of the network's directions."""
        made = copy(self)
        made.direction = direction
        return made

    def fitted(self, pixels: Pixels, most: int = 512) -> Tensor:
        """Return a picture (H, W, 3) uint8 as (1, 3, h, w) from 0 to 1, at most `most` px a side or the network's."""
        plain = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
        return resized(plain, self.fitted_size(pixels.shape[0], pixels.shape[1], most)).clamp(0, 1)

    def fitted_size(self, height: int, width: int, most: int) -> tuple[int, int]:
        """Return the height and width at which a picture is given: at most `most` px a side, or the network's own."""
        if self._sized:
            return self.preprocess.size
        share = min(1.0, most / max(height, width))
        return max(1, round(height * share)), max(1, round(width * share))

    def made_of(self, plain: Tensor, labels: tuple[float, ...] = ()) -> Tensor:
        """Return the picture (1, 3, H, W) made of a picture (1, 3, h, w) RGB from 0 to 1, fitted to the network."""
        with torch.inference_mode(False), torch.no_grad():
            run = self.runner(self.net, labels or self.labels(""))
            if not self._sized:
                try:
                    return self._run(as_input(plain, self.preprocess), run)
                except _Sized:
                    self._sized = True
            return self._picture(as_input(resized(plain, self.preprocess.size).clamp(0, 1), self.preprocess), run)

    def critic_map(self, plain: Tensor) -> Tensor | None:
        """Return the scores (1, 1, h, w) of patches of a picture from 0 to 1, None for a network without a critic."""
        return None

    @property
    def changing_parts(self) -> tuple[int, int]:
        """How many layers of batch normalisation and of dropout it has, which act otherwise in training mode."""
        found = [*self.net.modules()]
        return sum(isinstance(m, BATCH) for m in found), sum(isinstance(m, DROPOUT) for m in found)

    def as_in_training(self) -> Any:
        """Return a copy of the network whose batch normalisation and dropout are in training mode."""
        with torch.inference_mode(False):
            net = deepcopy(self.net)
        for module in net.modules():
            if isinstance(module, (*BATCH, *DROPOUT)):
                module.train()
        return net

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: the mean of each colour of the picture made, or of a region of it."""
        whole = super().subject(pixels, stages, box=box)
        if region is None:
            return whole
        x0, y0, x1, y1 = whole.extent
        across, down = x1 - x0, y1 - y0

        def within(x: Tensor) -> Tensor:
            made = self._pictures(x)
            high, wide = made.shape[-2:]
            left, right = sorted(round((v - x0) / across * wide) for v in (region[0], region[2]))
            top, bottom = sorted(round((v - y0) / down * high) for v in (region[1], region[3]))
            left, top = min(max(0, left), wide - 1), min(max(0, top), high - 1)
            return made[..., top : max(top + 1, bottom), left : max(left + 1, right)].mean((2, 3))

        about = "the mean over the drawn region of the picture made"
        return replace(whole, scores=within, key=(whole.key, "region", region), about=about)

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to the mean of each colour (N, 3) of the picture made."""
        return lambda x: self._pictures(x).mean((2, 3))

    def _pictures(self, x: Tensor) -> Tensor:
        """Return the pictures (N, 3, H, W) made of inputs, differentiable."""
        made = through(self.behaviour, self.run)(x)
        return self.code.picture([each.float() for each in made], x, self.preprocess)

    def _made(self, pixels: Pixels, stages: Any, *, tile: int, overlap: int, run: Run) -> Translation:
        with torch.inference_mode(False), torch.no_grad():
            height, width = pixels.shape[:2]
            if not self._sized:
                plain = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255
                x = as_input(plain, self.preprocess)
                try:
                    if not tile or max(height, width) <= tile:
                        made = self._run(x, run)
                        return self._note(made, pixels, (0.0, 0.0, float(width), float(height)))
                    return self._tiled(x, pixels, stages, tile=tile, overlap=overlap, run=run)
                except _Sized:
                    self._sized = True
            x = self.preprocess.input(pixels, self.device)
            made = self._picture(x, run)
            extent = self.preprocess.extent(width, height)
            given = self.preprocess.plain(x)[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy()
            return self._note(made, (given * 255).round().astype(np.uint8), extent)

    def _note(
        self, made: Tensor, given: Pixels, extent: tuple[float, ...], tiles: int = 1, seam: float = 0
    ) -> Translation:
        picture = made[0].permute(1, 2, 0).float().cpu().numpy()
        return Translation(picture, given, extent, times=made.shape[-2] / given.shape[0], tiles=tiles, seam=seam)

    def _tiled(self, x: Tensor, pixels: Pixels, stages: Any, *, tile: int, overlap: int, run: Run) -> Translation:
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
            made = self._run(x[..., y0:y1, x0:x1], run)
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
        return self._note(whole, pixels, extent, tiles=len(tops) * len(lefts), seam=seam)

    def _run(self, x: Tensor, run: Run) -> Tensor:
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
                made = self._picture(padded, run)
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

    def _picture(self, x: Tensor, run: Run) -> Tensor:
        x = x.to(self.device)
        made = through(self.behaviour, run)(x)
        return self.code.picture([each.float() for each in made], x, self.preprocess)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw random numbers from a seed inside the block, and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


class _Sized(Exception):  # noqa: N818 - an answer
    """The network takes inputs of one size only."""
