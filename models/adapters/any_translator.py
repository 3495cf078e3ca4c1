"""Adapter for networks of no known family whose output is read as a picture: denoisers, super resolution, styles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.interpreted import Interpreted
from models.adapters.base.translator import STAGES, Run, Translator
from models.cards.card import Card
from models.interpretation.colour_codes import ColourCode
from models.interpretation.lab_colours import grey
from models.interpretation.map_readings import as_input
from models.interpretation.picture_codes import PictureCode
from models.loading.probe_network import Found
from models.runtime.forward_passes import through
from models.types import Pixels, Translation


class AnyTranslatorAdapter(Interpreted, Translator):
    """An opened network that turns a picture into a picture, as its outputs were interpreted."""

    serves: ClassVar[str] = "picture"
    stages: Mapping[str, str] = STAGES

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        super().__init__(net, card, found)
        told = card.about.get("input", (0, 0, 0))
        self._sized = bool(told[1] and told[2])

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a miniature for contract tests: it makes a picture smoother."""
        net = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect", groups=3, bias=False)
        nn.init.constant_(net.weight, 1 / 9)
        return nn.Sequential(net)

    def _made(self, pixels: Pixels, stages: Any, *, tile: int, overlap: int, run: Run) -> Translation:
        """Return the picture made; colours of a network of one size are joined with all of the picture's lightness."""
        joins = isinstance(self.code, ColourCode) and self.preprocess.fit == "stretch"
        if not (joins and self._sized):
            made = super()._made(pixels, stages, tile=tile, overlap=overlap, run=run)
            if not (joins and self._sized):
                return made
        with torch.inference_mode(False), torch.no_grad():
            whole = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255
            floats = through(self.behaviour, run)(self.preprocess.input(pixels, self.device))
            x = as_input(whole.to(self.device), self.preprocess)
            picture = self.code.picture([each.float() for each in floats], x, self.preprocess)
            return self._note(picture, pixels, (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])))

    def _note(
        self, made: Tensor, given: Pixels, extent: tuple[float, ...], tiles: int = 1, seam: float = 0
    ) -> Translation:
        if isinstance(self.code, ColourCode):  # it saw no colours
            plain = torch.from_numpy(np.ascontiguousarray(given)).permute(2, 0, 1)[None].float() / 255
            given = (grey(plain)[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        return super()._note(made, given, extent, tiles, seam)

    @property
    def code(self) -> PictureCode | ColourCode:  # type: ignore[override]
        """How the outputs stand for a picture."""
        return self._found.reading.how

    @property
    def run(self) -> Callable[[Tensor], list[Tensor]]:  # type: ignore[override]
        """A function from inputs (N, 3, h, w) to the network's outputs."""
        return self._found.runner(self.net)

    def runner(self, net: nn.Module, labels: tuple[float, ...] = ()) -> Callable[[Tensor], list[Tensor]]:
        """Return a function from inputs to the outputs of a network like this one."""
        return self._found.runner(net)


ADAPTER = AnyTranslatorAdapter
