"""How a model takes the pictures of a data set: its own preparation, and one pass over a batch of them.

Classifiers, backbones and every model with scores are passed batches; a detector its pictures one by one, because each
has a size of its own; a VAE is passed through its encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.capabilities import (
    Classifies,
    Detects,
    Encodes,
    EstimatesDepth,
    Explains,
    FindsLandmarks,
    Scores,
    SegmentsPicture,
    Translates,
)
from models.dataset_pass.batch import Batch
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.subject import Rect, Subject
from models.tracing.layers import automatic, trace_of
from models.tracing.traced_calls import Call, traced
from models.types import Candidates, Pixels, Refusal

SCORES, BOXES, CODE, JUDGED = "scores", "boxes", "code", "judged"
ONE_PICTURE_BYTES = 1 << 28
CPU_BATCH, GPU_BATCH = 8, 64
See = Callable[[Call, Tensor], Tensor | None]
SeeInput = Callable[[str, Tensor], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture as the network's input (1, C, h, w), None for a detector; (width, height) of it, the input's extent."""

    pixels: Pixels
    input: Tensor | None
    extent: Rect

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.pixels.shape[1], self.pixels.shape[0]


def takes_pictures(model: Any) -> str:
    """Return why a model cannot go over a data set, "" if it can."""
    if isinstance(model, Detects | Encodes | Scores | Explains):
        return ""
    return f"{model.card.name} takes no pictures, only codes."


def lacks(model: Any) -> dict[str, str]:
    """Return what a model lacks for going over a data set, as inspections say it: {} for nothing."""
    reason = takes_pictures(model)
    return {"": reason} if reason else {}


class Forward:
    """An opened model that goes over pictures. `kind` is what its passes give.

    `classifies`: its scores are those of classes. `embeds`: its scores are features of the picture.
    """

    def __init__(self, model: Any) -> None:
        """Raises Refusal for a model that takes no pictures."""
        if reason := takes_pictures(model):
            raise Refusal(reason, advice="Choose a model with an encoder, a classifier or a detector.")
        self.model = model
        self.net: nn.Module = model.net
        self._scores: Callable[[Tensor], Tensor] | None = None
        self._alone = False
        self._first: Subject | None = None
        self._settled = False
        if isinstance(model, Detects):
            self.kind = BOXES
        elif isinstance(model, Encodes):
            self.kind = CODE
        elif isinstance(model, Scores) and not isinstance(model, Explains):
            self.kind = JUDGED
        else:
            self.kind = SCORES
        others = (SegmentsPicture, Translates, FindsLandmarks, EstimatesDepth)
        self.classifies = self.kind == SCORES and isinstance(model, Classifies)
        self.embeds = self.kind == SCORES and not self.classifies and not isinstance(model, others)

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        found = next(self.net.parameters(), None)
        return torch.device("cpu") if found is None else found.device

    @property
    def batch(self) -> int:
        """How many pictures go through the network at once."""
        if self.kind == BOXES or self._alone or getattr(getattr(self.model, "behaviour", None), "alone", False):
            return 1
        return CPU_BATCH if self.device.type == "cpu" else GPU_BATCH

    @property
    def hidden(self) -> bool:
        """Whether the network shows no layers: a TorchScript program."""
        return isinstance(self.net, torch.jit.ScriptModule)

    @property
    def settled(self) -> bool:
        """Whether a picture was looked at."""
        return self._settled

    def automatic(self) -> str:
        """Return the layer that class activation maps are computed from, "" if the model has no such."""
        return automatic(self._first, own_stages()) if self._first is not None else ""

    def settle(self, pixels: Pixels) -> None:
        """Look at one picture first: how scores are computed, and where a transformer's class token stands."""
        if self._settled:
            return
        if self.kind == SCORES:
            stages = own_stages()
            subject = self.model.subject(pixels, stages)
            self._scores, self._alone = subject.scores, subject.alone
            if not self.hidden:
                trace_of(subject, stages)
                self._first = subject
        self._settled = True

    def prepare(self, pixels: Pixels) -> Prepared:
        """Return a picture (H, W, 3) uint8 RGB as the network's input. Raises Refusal."""
        height, width = pixels.shape[:2]
        whole = (0.0, 0.0, float(width), float(height))
        if self.kind == BOXES:
            return Prepared(pixels, None, whole)
        with torch.inference_mode(False), torch.no_grad():
            if self.kind in (CODE, JUDGED):
                x, _ = self.model.input(pixels)
                return Prepared(pixels, x, whole)
            preprocess = getattr(self.model, "preprocess", None)
            if preprocess is not None and hasattr(preprocess, "extent"):
                return Prepared(pixels, preprocess.input(pixels, self.device), preprocess.extent(width, height))
            subject: Subject = self.model.subject(pixels, own_stages())
            return Prepared(pixels, subject.input, subject.extent)

    def extent(self, pixels: Pixels) -> Rect:
        """Return the place of what the network sees, in pixels of the picture. Raises Refusal."""
        if self.kind != BOXES:
            return self.prepare(pixels).extent
        return self.subject(pixels, own_stages()).extent

    def subject(self, pixels: Pixels, stages: Any) -> Subject:
        """Return a picture with the way to its scores; of a detector, those of some box.

        Raises Refusal for a model whose answers have no gradients.
        """
        if not isinstance(self.model, Explains):
            raise Refusal(f"{self.model.card.name} gives no gradients.", advice="Choose another model.")
        if self.kind != BOXES:
            return self.model.subject(pixels, stages)
        height, width = pixels.shape[:2]
        return self.model.subject(pixels, stages, region=(0.0, 0.0, float(width), float(height)))

    def run(
        self,
        pictures: Sequence[Prepared],
        see: See,
        *,
        inputs: Sequence[str] = (),
        see_input: SeeInput | None = None,
    ) -> Batch:
        """Pass pictures of one input size through the network; `see` gets every call of it, `see_input` the `inputs`.

        Only one picture may be passed to a detector. Raises what the network raises.
        """
        sizes, extents = [each.size for each in pictures], [each.extent for each in pictures]
        found: list[Tensor] = []
        boxes: list[Candidates] = []

        def pass_(x: Tensor | None) -> None:
            if self.kind == BOXES:
                boxes.append(self.model.candidates(pictures[0].pixels, {}, own_stages()))
            elif self.kind == CODE:
                found.append(self.model.encode(x)[0])
            elif self.kind == JUDGED:
                found.append(self.model.score(x))
            else:
                assert self._scores is not None, "settle comes first"
                found.append(self._scores(x))  # type: ignore[arg-type]

        given = [each.input for each in pictures if each.input is not None]
        x = torch.cat(given) if given else None
        size = (int(x.shape[-2]), int(x.shape[-1])) if x is not None else None
        with torch.inference_mode(False), torch.no_grad(), _reading(self.net, inputs, see_input):
            if self.hidden:
                pass_(x)
            else:
                with traced(self.net, size=size, see=see):
                    pass_(x)
        made = found[0].float() if found else None
        return Batch(
            sizes,
            extents,
            x,
            scores=made if self.kind == SCORES else None,
            code=made if self.kind == CODE else None,
            candidates=boxes,
        )


def own_stages() -> Any:
    """Return stages of one picture that leave nothing in the engine's cache."""
    return CachedStages(Cache(ONE_PICTURE_BYTES), "data set", Context())


@contextmanager
def _reading(net: nn.Module, names: Sequence[str], see: SeeInput | None) -> Any:
    """Call `see` with the first input of some modules, given by path."""
    if not names or see is None:
        yield
        return
    wanted = {id(module): name for name, module in net.named_modules() if name in names}

    def before(module: nn.Module, inputs: Any) -> None:
        name = wanted.get(id(module))
        if name and inputs and isinstance(inputs[0], Tensor):
            see(name, inputs[0])

    hook = nn.modules.module.register_module_forward_pre_hook(before)
    try:
        yield
    finally:
        hook.remove()
