"""The engine, which answers requests: the only place where models run and where their exceptions are caught."""

from __future__ import annotations

import gc
import signal
import time
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models import model_name
from models.engine import registry
from models.live import capture
from models.params import build
from models.pictures import images
from models.requests import Request
from models.runtime import device, failures, forward_passes, isolation
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.runtime.weight_watch import Watch
from models.tracing.traced_calls import interruptible
from models.types import Answer, Cancelled, Failure, Pixels, Refusal, Result, Source

OPEN_MODELS = 4
MOST_IDLE = 4
DESCRIBE = "describe"
Stamp = tuple[tuple[int, int], ...]
PICTURE = "decode picture"


class Engine:
    """Runs requests on opened models, over one cache of stages. Not thread-safe: it belongs to one lane."""

    def __init__(self, *, threads: int | None = None) -> None:
        torch.set_num_threads(threads or device.threads())
        self.cache = Cache()
        self._models: OrderedDict[str, Any] = OrderedDict()
        self._files: dict[str, tuple[Path, ...]] = {}
        self._stamps: dict[str, Stamp] = {}
        self._idle: OrderedDict[Hashable, tuple[str, Iterator[None]]] = OrderedDict()
        self._frame = Cache()
        self._watches: dict[str, Watch] = {}
        self._openings: Counter[str] = Counter()
        self._announced: set[tuple[str, str]] = set()

    @property
    def idle_work(self) -> bool:
        """Whether there is deferred work for idle time."""
        return bool(self._idle)

    def run(self, request: Request, context: Context | None = None) -> Answer:
        """Answer a request. Never raises: errors become a Failure."""
        context = context or Context()
        context.later = lambda key, steps: self._later(request.model, key, steps)
        context.model = lambda name: self.model(name, context)
        context.made_of = lambda: (request.model, self.files_of(request.model))
        return self._caught(request, context, self.cache)

    def take_frame(self, source: Source, pixels: Pixels) -> None:
        """Set the current frame of a video or camera, and drop the previous one with all its stages."""
        self._frame = Cache(self.cache.budget_bytes)
        CachedStages(self._frame, source, Context()).run(PICTURE, lambda: pixels)

    def run_frame(self, request: Request, context: Context) -> Answer:
        """Answer a request on the current frame, as `run` does."""
        return self._caught(request, context, self._frame)

    def keep_frame(self) -> None:
        """Move the current frame and its stages to the cache of still images, for when playback pauses on it."""
        self.cache.update(self._frame)

    def _caught(self, request: Request, context: Context, cache: Cache) -> Answer:
        try:
            with self._surroundings(request.model):
                answer = self._answer(request, context, cache)
        except Cancelled:
            return Failure("Cancelled.", cancelled=True)
        except Refusal as refusal:
            answer = Failure(str(refusal), refusal.advice, refusal.details, offer=refusal.offer)
        except BaseException as error:  # a model's code may raise anything, which must not end the engine
            # In the engine's own process SIGINT is ignored, so a KeyboardInterrupt there comes from the model's code.
            if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                raise
            answer = failures.failure(request, error)
        # Free memory only here: inside the handler the traceback's frames still hold the large tensors.
        if isinstance(answer, Failure) and answer.memory:
            self._forget(request.model)
            self.cache = Cache(self.cache.budget_bytes)
            gc.collect()
        return self._watched(request.model, answer, context)

    def _watched(self, name: str, answer: Answer, context: Context) -> Answer:
        """Add a warning to an answer, once, if its model has changed itself or produced NaN or infinite values.

        A model that has changed is reopened for the next request.
        """
        watch = self._watches.get(name)
        part = watch.changed() if watch is not None else ""
        if part:
            self._forget(name)
        texts = {("changed", name): failures.changed(name, part)} if part else {}
        if context.odd:
            texts["odd", name] = failures.not_numbers(name, context.odd[0])
        text = " ".join(text for kind, text in texts.items() if kind not in self._announced)
        self._announced |= texts.keys()
        if not text:
            return answer
        if isinstance(answer, Failure):
            return replace(answer, message=f"{answer.message} {text}")
        return Result(answer.arrays, {**answer.meta, "warning": text})

    def _forget(self, name: str) -> None:
        """Drop an opened model, its cached results and the idle work."""
        self._openings[name] += 1
        self._models.pop(name, None)
        self._watches.pop(name, None)
        self._idle.clear()

    def model(self, name: str, context: Context | None = None) -> Any:
        """Return the opened model; open it first if needed, or again if one of its files changed. Raises Refusal."""
        if name not in self._models or self._stamp(name) != self._stamps.get(name, ()):
            model, found = registry.opened(name, context)
            self._models[name] = model
            # Cached subjects and callables of such a model would run the network that was open before.
            if self._behaviour(name) is not forward_passes.INNOCENT:
                self._openings[name] += 1
            self._watches[name] = Watch(model.net, type(model))
            own = model.card.weights
            self._files[name] = (*((own,) if own is not None else ()), *found.files)
            self._stamps[name] = self._stamp(name)
            while len(self._models) > OPEN_MODELS:
                self._watches.pop(self._models.popitem(last=False)[0], None)
        self._models.move_to_end(name)
        return self._models[name]

    def pixels(self, request: Request, context: Context, cache: Cache | None = None) -> Pixels:
        """Return the decoded image of a request, or its video frame. Raises Refusal."""
        if request.source is None:
            raise Refusal("No picture was given.", advice="Open or drop one.")
        source = request.source
        stages = CachedStages(self.cache if cache is None else cache, source, context)
        return stages.run(PICTURE, lambda: _still(source))

    def work_idle(self, budget_s: float = 0.01) -> None:
        """Continue the newest deferred work for about `budget_s` seconds, by one step at least; drop it if it fails."""
        key = next(reversed(self._idle))
        name, steps = self._idle[key]
        try:
            with self.passing(name):
                # The clock starts inside: on a slow machine entering the two contexts alone may take the whole budget.
                until = time.perf_counter() + budget_s
                next(steps)
                while time.perf_counter() < until:
                    next(steps)
        except StopIteration:
            del self._idle[key]
        except BaseException:  # a model's code may raise anything, as in _caught
            del self._idle[key]

    @contextmanager
    def passing(self, name: str) -> Iterator[None]:
        """Run passes of an opened model inside the block outside of any request, as idle work is run."""
        with self._surroundings(name), self._passes(name):
            yield

    def files_of(self, name: str) -> tuple[Path, ...]:
        """Return the files that an opened model was made from."""
        return self._files.get(name, ())

    def finish_idle(self) -> None:
        """Finish all deferred work now."""
        while self.idle_work:
            self.work_idle(1.0)

    def _surroundings(self, name: str) -> AbstractContextManager[None]:
        """Return a context that restores process-wide state, unless the model consists of known code only."""
        watch = self._watches.get(name)
        return isolation.kept() if watch is None or watch.own else nullcontext()

    @contextmanager
    def _passes(self, name: str) -> Iterator[None]:
        """Run passes inside the block in the model's precision, each prepared as the network needs."""
        place, _ = device.take(model_name.split(name)[1])
        model = self._models.get(name)
        guard = nullcontext() if model is None else forward_passes.guarded(model.net, self._behaviour(name))
        with device.calculating(place), guard:
            yield

    def _behaviour(self, name: str) -> forward_passes.Behaviour:
        return getattr(self._models.get(name), "behaviour", forward_passes.INNOCENT)

    def _later(self, name: str, key: Hashable, steps: Iterator[None]) -> None:
        self._idle.setdefault(key, (name, steps))
        self._idle.move_to_end(key)
        while len(self._idle) > MOST_IDLE:
            self._idle.popitem(last=False)

    def _stamp(self, name: str) -> Stamp:
        """Return size and time of the files that a model was made from; a missing file counts as unchanged."""
        found = [Source.file(path).stamp for path in self._files.get(name, ())]
        known = self._stamps.get(name) or found
        return tuple(new if any(new) else old for new, old in zip(found, known, strict=True))

    def _answer(self, request: Request, context: Context, cache: Cache) -> Result:
        start = time.perf_counter()
        model = self.model(request.model, context)
        if request.inspection == DESCRIBE:
            return Result(meta={"description": registry.describe(model)})
        inspections = registry.all_inspections()
        if request.inspection not in inspections:
            raise Refusal(f"There is no inspection {request.inspection!r}.", advice=f"Valid: {', '.join(inspections)}.")
        inspection = inspections[request.inspection]
        offer = inspection.offer(model)
        values = {p.name: p.default for p in offer.parameters} | offer.check(request.settings)

        folder = inspection.reads == "folder"
        spared = inspection.reads != "picture" or (inspection.spared and request.source is None)
        pixels = None if spared else self.pixels(request, context, cache)
        if folder and request.source is None:
            raise Refusal(f"{inspection.title} needs a folder or a file of ground truth.", advice="Open one.")
        scope = (request.model, self._openings[request.model], self._stamps.get(request.model), request.source)
        place, _ = device.take(model_name.split(request.model)[1])
        with interruptible(context.check), torch.inference_mode(), self._passes(request.model):
            stages = CachedStages(cache, scope, context, source=request.source)
            subject = request.source if folder else pixels
            result = inspection.answer(model, subject, build(inspection.params, values), stages)
        height, width = pixels.shape[:2] if pixels is not None else (0, 0)
        applied = {name: value for name, value in values.items() if name not in offer.greyed}
        extra = {"size": (width, height), "parameters": applied, "timings": dict(context.timings)}
        if behaviour := model.card.about.get("behaviour"):
            extra["behaviour"] = behaviour
        extra["device_bytes"] = device.used_bytes(place)
        extra["total_ms"] = (time.perf_counter() - start) * 1000
        return Result(result.arrays, {**result.meta, **extra, "sha256": model.card.sha256})


def _still(source: Source) -> Pixels:
    if source.moving:
        raise Refusal(f"{source.name} shows more than one picture.", advice="Open it in the window to play it.")
    return images.read(source).pixels if source.frame < 0 else capture.still(source)
