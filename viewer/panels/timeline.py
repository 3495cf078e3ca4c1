"""The Timeline panel: a path through latent codes from key to key, precomputed and played from memory."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from models.inspection import Description
from models.latent.space import Space
from models.requests import Request
from models.types import Failure, Pixels, Result
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code, latent_path
from viewer.presenters.latent_path import PathFrames
from viewer.session.document import Document, Key
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.path_plots import Lane, PathPlots
from viewer.widgets.controls.path_form import EXPORTS, TIMED, PathForm
from viewer.widgets.controls.slider import Timeline
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.frame_clock import Player
from viewer.widgets.pictures.key_frames import LEFT_PX, RIGHT_PX, KeyLine, Place

SIDE_PX = 264


class TimelinePanel(Panel):
    """Keys as thumbnails, a scrubber, plots of frame quality, and the settings of the path."""

    id: ClassVar[str] = latent_path.SLOT

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.frames: PathFrames | None = None
        self.frame = 0
        self.player = Player(self)
        self._space: Space | None = None
        self._thumbs: dict[str, Pixels] = {}
        self._latest: tuple[str, Pixels] | None = None
        self._model, self._code = "", ""
        self._moved = self._awaited = False
        self.form = PathForm()
        self.line = KeyLine(tr("Keys of the path"))
        self.line.offers = [
            (tr("Show its neighbours"), lambda: self.command_wanted.emit("near-real")),
            (tr("Remove this key"), lambda: self.command_wanted.emit("key-remove")),
            (tr("Export this…"), lambda: self.command_wanted.emit("export")),
        ]
        self.scrubber = Timeline(1, parent=self)
        self.scrubber.setAccessibleName(tr("Frame shown"))
        self.plots = PathPlots(tr("Numbers along the path"))
        self.numbers, self.remark = WrappedLabel(tr("Frame and its numbers")), WrappedLabel(tr("Remarks on the path"))
        self.remark.setProperty("small", True)
        self.hint = WrappedLabel(tr("What to do"))
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_out()
        self._connect()
        self.refresh(store.document, None)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the frames of the path."""
        return latent_path.wanted(document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the document's keys and settings; stop playback if the code was changed elsewhere."""
        keys, at = document.latent.keys, document.latent.at
        if document.model != self._model:
            self._model, self.frames, self._thumbs, self._latest = document.model, None, {}, None
        if len(keys) < 2:
            self.frames, self._awaited = None, False
        if self.frames is None or document.latent.code != self._code:
            self.player.stop()
            self._code, self._moved = document.latent.code, False
        offer = description.offers.get(latent_path.INSPECTION) if description else None
        self._space = latent_code.space_of(description) or self._space
        if description is not None and offer is not None and not offer.reason:
            self.form.fill({p.name: p for p in offer.parameters}, set(description.capabilities))
            defaults = {**offer.defaults, "frames": latent_path.FRAMES, "retime": True}
            self._show_values({**defaults, **document.values(latent_path.INSPECTION)})
        if self.frames is not None and not self.player.playing and 0 <= at < len(keys) == len(self.frames.stops):
            self.frame = self.frames.key(at)
        self._show(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the frames, and the pictures of keys, which may come from any slot."""
        if slot == "generated" and not request.settings.get("truncation"):
            self._latest = str(request.settings["code"]), result.arrays["picture"]
        if slot != self.id or request.model != self.store.document.model:
            return
        self.remark.setText("")
        if request.inspection == latent_path.INSPECTION:
            self.frames = PathFrames(request, result)
            self._thumbs = {s.code: p for s, p in zip(self.frames.stops, result.arrays["keys"], strict=True)}
            self.frame = min(self.frame, len(self.frames) - 1)
            self.remark.setText(self.frames.remarks())
            if self.player.playing:
                self._play()
        else:
            self._thumbs = {str(request.settings["code"]): result.arrays["picture"]}
        self.refresh(self.store.document, None)
        if self._awaited and self.frames is not None:
            self._awaited, self.frame = False, 0
            self.toggle()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there is no path; keep the last one."""
        self._awaited = self._awaited and slot != self.id
        if slot != self.id or failure.cancelled:
            return None
        self.remark.setText(failure.text)
        return True

    # commands

    def toggle(self) -> None:
        """Play from the current frame, or from the start if at the end; while playing, stop as `pause` does."""
        if self.player.playing:
            self.pause()
        elif self.frames is not None:
            if not self.frames.loop and self.frame == len(self.frames) - 1:
                self.frame = 0
            self._play()

    def play_when_made(self) -> None:
        """Play from the start as soon as the path between the keys is there."""
        self._awaited = True

    def pause(self) -> None:
        """Stop playback, and make the code of the frame shown the current one."""
        if self.player.playing:
            self.player.stop()
            self._settle(tr("Stop at a frame"))

    def step(self, by: int) -> None:
        """Step by a number of frames; a loop wraps around."""
        self.player.stop()
        if self.frames is not None:
            frame = self.frame + by
            self._seek(frame % len(self.frames) if self.frames.loop else max(0, min(frame, len(self.frames) - 1)))
            self._settle(tr("Go to a frame"))

    def add_key(self) -> None:
        """Add the current code as a key: within the path if it was taken from it, otherwise at the end."""
        self.pause()
        document, space = self.store.document, self._space
        text = latent_path.code_text(document, space) if space is not None else ""
        keys = list(document.latent.keys)
        if not text:
            return
        after = document.latent.at
        if after < 0 and self.frames is not None and text == self.frames.text(self.frame):
            after = int(self.frames.segment[self.frame])
        after = len(keys) - 1 if after < 0 else min(after, len(keys) - 1)
        if text in {key.code for key in keys[max(0, after) : after + 2]}:
            self.remark.setText(tr("This code is a key already. Go to another code first."))
            return
        if self._latest is not None and self._latest[0] == text:
            self._thumbs[text] = self._latest[1]
        keys.insert(after + 1, Key(text))
        self.store.update(latent_path.with_keys(document, keys, chosen=after + 1), title=tr("Add a key"))

    def remove_key(self) -> None:
        """Remove the selected key from the path."""
        document = self.store.document
        keys, at = list(document.latent.keys), document.latent.at
        if 0 <= at < len(keys):
            del keys[at]
            self.store.update(
                latent_path.with_keys(document, keys, chosen=min(at, len(keys) - 1)), title=tr("Remove a key")
            )

    def move_key(self, by: int) -> None:
        """Move the selected key by `by` places."""
        document = self.store.document
        at = document.latent.at
        if at >= 0 and 0 <= at + by < len(document.latent.keys):
            self._move(at, at + by)

    # internals

    def _play(self) -> None:
        assert self.frames is not None
        self.player.play(self.frame, count=len(self.frames), fps=self.frames.fps, loop=self.frames.loop)
        self._show_now()

    def _seek(self, frame: int) -> None:
        """Show a frame from memory; the current code changes only when the seek is final (`_settle`)."""
        if self.frames is not None:
            self.frame = max(0, min(frame, len(self.frames) - 1))
            self._moved = True
            self.picture_shown.emit(self.frames.pictures[self.frame])
            self._show_now()

    def _settle(self, title: str) -> None:
        """Make the code of the frame shown the current one."""
        if self.frames is not None and self._moved and not self.player.playing:
            self._moved = False
            document = self.store.document.with_latent(code=self.frames.text(self.frame), at=-1)
            self.store.update(document, title=title, merge="path frame")
        self._show_now()

    def _scrubbed(self) -> None:
        self.player.stop()
        self._seek(self.scrubber.sliderPosition() % len(self.frames) if self.frames is not None else 0)

    def _slider_moved(self) -> None:
        # Drags arrive through sliderMoved; this handles keys, the wheel and clicks.
        if not self.scrubber.isSliderDown():
            self._scrubbed()

    def _sought(self, time: float) -> None:
        if self.frames is not None:
            self.player.stop()
            self._seek(self.frames.at(time))

    def _go_to_key(self, number: int) -> None:
        self.player.stop()
        document = self.store.document
        self._moved = False
        self.store.update(
            latent_path.with_keys(document, document.latent.keys, chosen=number),
            title=tr("Go to key {number}", number=number + 1),
        )

    def _move(self, number: int, to: int) -> None:
        self.player.stop()
        document = self.store.document
        keys = list(document.latent.keys)
        keys.insert(to, keys.pop(number))
        self.store.update(latent_path.with_keys(document, keys, chosen=to), title=tr("Move a key"))

    def _pressed(self, name: str) -> None:
        commands = {"play": "play", "back": "last-frame", "forward": "next-frame", "add": "key-add"}
        self.command_wanted.emit(f"export-path-{name}" if name in EXPORTS else commands.get(name, f"key-{name}"))

    def _set(self, name: str, value: object) -> None:
        """Change a setting of the segment or of the whole path."""
        document = self.store.document
        if name in ("path", "easing"):
            after = self._segment
            changed = latent_path.with_key(document, after, **{name: str(value)})
            self.store.update(changed, title=tr("{name} after key {after}", name=name.capitalize(), after=after + 1))
        elif name == "speed":
            even = {"retime": value != TIMED, "features": None if value in (TIMED, "pixels") else str(value)}
            self.store.update(document.with_value(latent_path.INSPECTION, **even), title=tr("Speed along the path"))
        else:
            changed = document.with_value(latent_path.INSPECTION, **{name: value})  # type: ignore[arg-type]
            titles = {"frames": tr("Frames of the path"), "fps": tr("Frames per second"), "loop": tr("Loop")}
            self.store.update(changed, title=titles[name], merge=f"path {name}")

    @property
    def _segment(self) -> int:
        """Return the key whose segment's path and easing are shown, -1 if there is no path."""
        document = self.store.document
        keys, at = len(document.latent.keys), document.latent.at
        if self.frames is not None and (at < 0 or self._moved):
            at = int(self.frames.segment[self.frame])
        last = keys - 1 if document.values(latent_path.INSPECTION).get("loop") else keys - 2
        return max(0, min(at, last)) if keys > 1 else -1

    def _show_values(self, values: dict[str, object]) -> None:
        speed = values["features"] if values["retime"] else TIMED
        self.form.show_values({**{name: values[name] for name in ("frames", "fps", "loop")}, "speed": speed})

    def _show(self, document: Document) -> None:
        """Show keys, plots and the frame."""
        keys, at, loop = document.latent.keys, document.latent.at, bool(self.frames and self.frames.loop)
        same = self.frames is not None and len(self.frames.stops) == len(keys)
        even = np.linspace(0, 1, len(keys) + loop)[: len(keys)].tolist()
        times = [
            self.frames.time(self.frames.key(n)) if self.frames is not None and same else t for n, t in enumerate(even)
        ]
        places = [
            Place(self._thumbs.get(key.code), time, "" if key.path == "auto" else key.path.replace("_", " "))
            for key, time in zip(keys, times, strict=True)
        ]
        self.line.show_keys(places, chosen=at, loop=loop)
        there = self.frames is not None
        for part in (self.scrubber, self.plots, self.numbers):
            part.setVisible(there)
        self.hint.setText(latent_path.HINTS[min(len(keys), 1)])
        self.hint.setVisible(len(keys) < 2)
        self.line.setVisible(bool(keys))
        if self.frames is not None:
            self.plots.set_lanes(_lanes(self.frames), bounds=times[1:] if loop else times[1:-1])
        self._show_now()

    def _show_now(self) -> None:
        """Show the time of the frame, and its numbers."""
        if self.frames is not None:
            with QSignalBlocker(self.scrubber):
                self.scrubber.setRange(0, self.frames.last)
                if not self.scrubber.isSliderDown():
                    self.scrubber.setValue(self.frame)
            self.plots.set_now(self.frames.time(self.frame))
            self.numbers.setText(self.frames.frame_text(self.frame))
        document, segment = self.store.document, self._segment
        onward = (segment + 1, (segment + 1) % len(document.latent.keys) + 1) if segment >= 0 else None
        timed = not document.values(latent_path.INSPECTION).get("retime", True)
        ready, chosen = self.frames is not None, document.latent.at >= 0
        self.form.show_state(segment=onward, playing=self.player.playing, ready=ready, timed=timed, chosen=chosen)
        if segment >= 0:
            key = document.latent.keys[segment]
            self.form.show_values({"path": key.path, "easing": key.easing})

    def _connect(self) -> None:
        self.form.pressed.connect(self._pressed)
        self.form.changed.connect(self._set)
        self.line.picked.connect(self._go_to_key)
        self.line.moved.connect(self._move)
        self.player.frame.connect(self._seek)
        self.player.ended.connect(lambda: self._settle(tr("Play to the end")))
        self.scrubber.sliderMoved.connect(self._scrubbed)
        self.scrubber.actionTriggered.connect(self._slider_moved)
        self.scrubber.settled.connect(lambda: self._settle(tr("Go to a frame")))
        for part in (self.line, self.plots):
            part.sought.connect(self._sought)
            part.release.connect(lambda: self._settle(tr("Go to a frame")))

    def _lay_out(self) -> None:
        self.form.setFixedWidth(SIDE_PX)
        track = QHBoxLayout()
        half = self.scrubber.handle_px // 2
        track.setContentsMargins(LEFT_PX - half, 0, RIGHT_PX - half, 0)
        track.addWidget(self.scrubber)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(self.line)
        column.addLayout(track)
        column.addWidget(self.plots, 1)
        column.addWidget(self.hint, 1)
        column.addSpacing(GAP // 2)
        column.addWidget(self.numbers)
        column.addWidget(self.remark)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(GAP, GAP, GAP, GAP)
        outer.setSpacing(2 * GAP)
        outer.addWidget(self.form)
        outer.addLayout(column, 1)


def _lanes(shown: PathFrames) -> list[Lane]:
    """Return the plots of a path, for the values that it has."""
    curves, band = shown.curves(), shown.result.meta["band"]
    lanes = []
    if band:
        times, norm = curves["norm"]
        low, high = min(float(norm.min()), band[0]), max(float(norm.max()), band[1])
        text = tr("The length of the code; most of the prior's lie within the band.")
        lanes.append(Lane(tr("Length"), times, norm, low, high, (band[0], band[1]), text))
    times, speed = curves["speed"]
    text = tr(
        "How much the picture changes from frame to frame, in {features}.",
        features=shown.result.meta["features"].lower(),
    )
    lanes.append(Lane(tr("Step"), times, speed, 0.0, 1.1 * float(speed.max()) or 1.0, None, text))
    if "score" in curves:
        text = tr("The share of the model's own samples that its discriminator finds less real.")
        lanes.append(Lane(tr("Score %"), *curves["score"], 0.0, 100.0, None, text))
    return lanes


PANEL = TimelinePanel
