"""Playback in a window: its panel, its frames on the canvas, its recording."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QFileDialog, QInputDialog

from models.live import encoders
from models.live.status import Shown
from models.pictures.images import Picture
from models.pictures.media import RECORDING_SUFFIX, VIDEO_SUFFIXES, is_endless, title
from models.runtime import user_folders
from models.types import Pixels, Source
from viewer import theme
from viewer.canvas.painter import pixels_of, render
from viewer.panels.base import Panel
from viewer.translation import tr
from viewer.window.canvas_controller import CanvasController
from viewer.window.context import WindowContext

if TYPE_CHECKING:
    from viewer.panels.film_strip import FilmPanel
    from viewer.panels.live import LivePanel

TEXT_MS = 200  # numbers that change with every frame are unreadable


class LiveView(QObject):
    """Passes frames and reports from a session to its window, and gestures back."""

    def __init__(self, context: WindowContext, controller: CanvasController) -> None:
        super().__init__(context.frame)
        self._context, self._controller, self._live = context, controller, context.session.live
        self._lost = ""
        self._recording = ""
        self._texts = QTimer(self)
        self._texts.setSingleShot(True)
        self._texts.setInterval(TEXT_MS)
        self._texts.timeout.connect(self._update_text)
        self._live.after_paint = self._after_paint
        self._live.paint = self._paint
        on = context.session.on
        on.picture.append(self._begun)
        on.frame.append(self._frame)
        on.live.append(self._state_changed)
        context.panels.on_built.append(self._fill_panel)

    @property
    def open(self) -> bool:
        """Whether a source is open that can play."""
        return self._live.source is not None

    @property
    def recording(self) -> bool:
        """Whether a recording is being written."""
        return bool(self._live.facts.recording)

    def toggle(self) -> None:
        """Play or pause."""
        self._live.toggle()

    def step(self, by: int) -> None:
        """Go to the next or previous frame."""
        self._live.step(by)

    def record(self) -> None:
        """Finish the recording, or ask for a path and start one."""
        source, settings = self._live.source, self._context.settings
        if self.recording:
            self._live.finish()
        elif source is not None:
            begin = Path(settings.last_folder or user_folders.user_folder()) / f"{source.stem}.detect{RECORDING_SUFFIX}"
            name, _ = QFileDialog.getSaveFileName(self._context.frame, tr("Record"), str(begin), f"*{RECORDING_SUFFIX}")
            if name:
                self.record_to(Path(name))

    def record_to(self, path: Path) -> None:
        """Start recording what is shown to an MP4 file."""
        path = path if path.suffix.lower() == RECORDING_SUFFIX else path.with_name(path.name + RECORDING_SUFFIX)
        source = self._live.source
        if source is not None and path.absolute() == Path(source.path):
            self._context.messages.tell(
                tr("{path} is playing now. Choose another name.", path=path.name), severity="error"
            )
            return
        self._context.settings.last_folder = str(path.parent)
        self._live.record(str(path.absolute()))

    def ask_video(self) -> None:
        """Ask for a video to open."""
        kinds = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
        settings = self._context.settings
        name, _ = QFileDialog.getOpenFileName(
            self._context.frame, tr("Open video"), settings.last_folder, tr("Videos ({kinds})", kinds=kinds)
        )
        if name:
            settings.last_folder = str(Path(name).parent)
            self._context.session.open_paths([name])

    def ask_live(self) -> None:
        """Ask for the number of a camera or the address of a stream."""
        recent = [path for path in self._context.settings.recent_pictures if is_endless(path)]
        label = tr("Number of a camera, or address of a stream such as rtsp://host/path")
        text, given = QInputDialog.getItem(
            self._context.frame,
            tr("Open camera or stream"),
            label,
            [*recent, "0"] if "camera:0" not in recent else recent,
        )
        if given and text.strip():
            self.open_live(text.strip())

    def open_live(self, text: str) -> None:
        """Open a camera by its number, or a stream by its address."""
        path = f"camera:{text}" if text.isdecimal() else text
        if is_endless(path):
            self._context.session.open_paths([path])
        else:
            known = tr("Give a number, or an address that begins with rtsp://, http:// or https://.")
            self._context.messages.tell(
                tr("{text} is neither a camera nor a stream. {known}", text=text, known=known), severity="error"
            )

    def _fill_panel(self, panel: Panel) -> None:
        """Connect the playback panel when it has just been built."""
        if panel.id == "live":
            panel = cast("LivePanel", panel)
            panel.toggled.connect(self._live.toggle)
            panel.stepped.connect(self._live.step)
            panel.sought.connect(self._live.seek)
            panel.paced.connect(lambda every: self._live.pace(every=every))
            panel.record_asked.connect(self.record)
            panel.show_live(self._live.source, self._live.facts)

    def _begun(self, source: Source, picture: Picture) -> None:
        if source.moving:
            step = max(1, math.ceil(max(picture.pixels.shape[:2]) / (2 * theme.THUMBNAIL_PX)))
            cast("FilmPanel", self._context.panels["film"]).set_thumbnail(source, picture.pixels[::step, ::step])
            self._context.docks.show("live")

    def _frame(self, shown: Shown) -> None:
        self._context.canvas.show_picture(shown.pixels, keep_view=True)

    def _state_changed(self) -> None:
        facts, source = self._live.facts, self._live.source
        lost = title(source.path) if facts.lost and source is not None else ""
        if lost and not self._lost:
            text = tr("Lost {lost}. It is tried again until it is back; the last picture stays.", lost=lost)
            self._context.messages.tell(text, severity="warning", key="lost")
        elif self._lost and not lost and source is not None:
            self._context.messages.tell(tr("{lost} is back.", lost=self._lost), severity="success", key="lost")
        if self._recording and not facts.recording:
            said = [
                tr("The recording {recording} is finished.", recording=title(self._recording)),
                _browsers(Path(self._recording)),
            ]
            self._context.messages.tell(" ".join(said), severity="success", key="record")
        changed = (lost, facts.recording) != (self._lost, self._recording)
        self._lost, self._recording = lost, facts.recording
        if changed or facts.state != "playing" or not self._texts.isActive():
            self._update_text()
            self._texts.start()

    def _update_text(self) -> None:
        panel = self._context.panels.there("live")
        if panel is not None:
            cast("LivePanel", panel).show_live(self._live.source, self._live.facts)

    def _after_paint(self, call: Callable[[], None]) -> None:
        QTimer.singleShot(0, self, call)

    def _paint(self, pixels: Pixels) -> Pixels:
        return pixels_of(render(pixels, self._controller.layers()))


def _browsers(path: Path) -> str:
    """Return what must be said of a video that browsers may refuse."""
    try:
        return encoders.note(path)
    except OSError:  # moved away already
        return ""
