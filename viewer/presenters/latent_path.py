"""A path through latent codes: its request, its frames, its keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.inspection import Description
from models.latent import path_keys as texts
from models.latent import space as spaces
from models.latent.path_keys import Stop
from models.latent.space import Space
from models.requests import Request
from models.types import Float, Pixels, Result
from viewer.presenters import latent_code
from viewer.session import request_plan
from viewer.session.document import Document, Key
from viewer.translation import tr

INSPECTION, SLOT = "interpolate", "timeline"
FRAMES = 120
HINTS = (
    tr("Press K to keep this code as a key; two make a path."),
    tr("Go to another code and press K again: two make a path."),
)
Double = NDArray[np.float64]


def wanted(document: Document, description: Description | None) -> Request | None:
    """Return the request for the path through the document's keys; for the picture of a single key, None without keys.

    The visual speed is constant unless the user has chosen otherwise.
    """
    keys = document.latent.keys
    if len(keys) < 2:
        extra = {"code": keys[0].code, "truncation": 0.0} if keys else {}
        return request_plan.about("decode", document, description, extra=extra) if keys else None
    stops = [Stop(k.code, "" if k.path == "auto" else k.path, "" if k.easing == "linear" else k.easing) for k in keys]
    own = {"frames": FRAMES, "retime": True, **request_plan.given(document, INSPECTION, description)}
    return request_plan.about(INSPECTION, document, description, extra={**own, "keys": texts.write(stops)})


def code_text(document: Document, space: Space) -> str:
    """Return the document's code as text that does not depend on truncation, "" if it is not valid."""
    code = latent_code.code_of(document, space)
    if code is None:
        return ""
    return spaces.write(code) if document.values("decode").get("truncation") else document.latent.code


def with_keys(document: Document, keys: Sequence[Key], *, chosen: int) -> Document:
    """Return the document with other keys, at the chosen one; at -1 the code does not change."""
    code = keys[chosen].code if chosen >= 0 else document.latent.code
    return document.with_latent(keys=tuple(keys), at=chosen, code=code)


def with_key(document: Document, number: int, **changed: str) -> Document:
    """Return the document with another path or easing after a key."""
    keys = list(document.latent.keys)
    keys[number] = dataclasses.replace(keys[number], **changed)  # type: ignore[arg-type]
    return document.with_latent(keys=tuple(keys))


class PathFrames:
    """The frames of a result, in memory.

    Time is 0 at the first frame and 1 at the last, in a loop at the first again.
    """

    def __init__(self, request: Request, result: Result) -> None:
        self.request, self.result = request, result
        self.loop, self.fps = bool(result.meta["loop"]), int(result.meta["fps"])
        self.pictures: Pixels = result.arrays["pictures"]
        self.codes: Float = result.arrays["codes"]
        self.segment = result.arrays["segment"]
        self.stops = texts.read(str(request.settings["keys"]))

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def last(self) -> int:
        """The number of the frame at time 1; in a loop one past the last frame."""
        return len(self) - (not self.loop)

    def time(self, frame: int) -> float:
        """Return the time of a frame."""
        return frame / self.last

    def at(self, time: float) -> int:
        """Return the frame nearest to a time."""
        return round(time * self.last) % len(self)

    def key(self, number: int) -> int:
        """Return the frame at which a key is reached; keys beyond the last frame give the last one."""
        reached = np.flatnonzero(self.segment >= number)
        return int(reached[0]) if len(reached) else len(self) - 1

    def text(self, frame: int) -> str:
        """Return the code of a frame as text."""
        return spaces.write(self.codes[frame])

    def curves(self) -> dict[str, tuple[Double, Double]]:
        """Return times and values of each frame's measures: norm, speed, and score if there is one."""
        times = np.arange(len(self)) / self.last
        found = {"norm": (times, self.result.arrays["norms"])}
        speed = self.result.arrays["speed"]
        found["speed"] = ((np.arange(len(speed)) + 0.5) / self.last, speed)
        if "score" in self.result.arrays:
            found["score"] = (times, self.result.arrays["score"])
        return {name: (x, y.astype(np.float64)) for name, (x, y) in found.items()}

    def frame_text(self, frame: int) -> str:
        """Return in words what is known about a frame."""
        seconds = frame / self.fps
        arrays, band = self.result.arrays, self.result.meta["band"]
        parts = [f"{seconds:.2f} s", tr("frame {frame:,} of {what:,}", frame=frame, what=len(self) - 1)]
        parts += [tr("length {norms:.2f}", norms=arrays["norms"][frame])] if band else []
        parts.append(tr("step {speed:.3g}", speed=arrays["speed"][min(frame, len(arrays["speed"]) - 1)]))
        parts += [tr("score {score:.0f} %", score=arrays["score"][frame])] if "score" in arrays else []
        return " · ".join(parts)

    def remarks(self) -> str:
        """Return in words how uniform the visual speed is, with warnings if there are any."""
        before, after = (self.result.meta["variation"][name] for name in ("before", "after"))
        where = str(self.result.meta["features"]).lower()
        even = tr("The step in {where} varies by {before:.1f} %", where=where, before=100 * before)
        if self.result.meta["parameters"]["retime"]:
            even += tr(" as timed, by {after:.1f} % at constant speed", after=100 * after)
        return " ".join([f"{even}.", *self.result.meta["remarks"]])
