"""The Sampling panel: a picture drawn pixel by pixel, as a film that is stepped, played and changed."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.engine_texts import shown
from viewer.panels.base import GAP, FormPanel
from viewer.presenters import likelihood
from viewer.presenters.heatmap import number
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.controls.slider import Timeline
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.frame_clock import Player
from viewer.widgets.pictures.pixel_picture import PixelPicture

INSPECTION = "pixel_film"
PER_SECOND = 60.0
WAITING = tr("Waiting for the answer…")
HELP = tr("Click a drawn pixel to overrule it: what comes after is drawn again with the same random numbers.")


class SamplingPanel(FormPanel):
    """The film, its place, the distribution of the pixel whose turn it is, and the settings."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the sample")
    elsewhere: ClassVar[tuple[str, ...]] = ("overruled",)
    words_title: ClassVar[str] = tr("About the sample")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.picture = PixelPicture(tr("Sampled picture"))
        self.scrubber = Timeline(1, parent=self)
        self.scrubber.setAccessibleName(tr("Pixels drawn"))
        self.play, self.back, self.forward = (_tool(name) for name in (tr("Play"), tr("One back"), tr("One on")))
        self.turn = WrappedLabel(tr("Pixel whose turn it is"))
        self.bars = BarChart(tr("Probabilities of its values"))
        self.bars.setFixedHeight(92)
        self.hint = WrappedLabel(tr("What to do"))
        self.hint.setText(HELP)
        self.hint.setProperty("small", True)
        self.again = QPushButton(tr("Undo overruling"))
        self.player = Player(self)
        self.known = 0
        self._result: Result | None = None
        self._arrange()
        self.play.clicked.connect(self.toggle)
        self.back.clicked.connect(lambda: self.step(-1))
        self.forward.clicked.connect(lambda: self.step(1))
        self.scrubber.valueChanged.connect(self._scrubbed)
        self.player.frame.connect(self._seek)
        self.player.ended.connect(self._set_icons)
        self.picture.picked.connect(self._overrule)
        self.picture.hovered.connect(self._hovered)
        self.again.clicked.connect(lambda: self._overrule_as(tr("Undo overruling"), None))
        theme.changes().connect(self._set_icons)
        self._set_icons()
        self._show()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the film while the panel is in view."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        if request_plan.given(document, INSPECTION, description).get("begin") == "picture" and document.source:
            return request_plan.ask(INSPECTION, document, description)
        return request_plan.about(INSPECTION, document, description)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view; stop playing outside it."""
        if not in_view:
            self.player.stop()
            self._set_icons()
        super().view_changed(in_view)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings."""
        super().refresh(document, description)
        self.again.setEnabled(bool(document.values(INSPECTION).get("overruled")))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the film; a changed one goes on from where the last one was."""
        if slot != self.id:
            return
        fresh = self._result is None
        self._result = result
        most = int(result.arrays["ranks"].size)
        self.known = most if fresh else min(self.known, most)
        self.scrubber.blockSignals(True)
        self.scrubber.setMaximum(most)
        self.scrubber.blockSignals(False)
        self._show()

    # commands

    def toggle(self) -> None:
        """Play from the current place, or from the start if at the end; while playing, stop."""
        if self._result is None:
            return
        count = int(self._result.arrays["ranks"].size) + 1
        if self.player.playing:
            self.player.stop()
        else:
            self.player.play(0 if self.known >= count - 1 else self.known, count=count, fps=PER_SECOND, loop=False)
        self._set_icons()

    def step(self, by: int) -> None:
        """Go on or back by values."""
        self.player.stop()
        self._set_icons()
        if self._result is not None:
            self._seek(max(0, min(self.known + by, int(self._result.arrays["ranks"].size))))

    def _arrange(self) -> None:
        inside = QWidget()
        column, line = QVBoxLayout(inside), QHBoxLayout()
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for button in (self.back, self.play, self.forward):
            line.addWidget(button)
        line.addWidget(self.scrubber, 1)
        column.addWidget(self.words)
        column.addWidget(self.picture)
        column.addLayout(line)
        column.addWidget(self.turn)
        column.addWidget(self.bars)
        column.addWidget(self.hint)
        column.addWidget(self.again, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.settings)
        column.addStretch(1)
        self.fill(inside, tr("Sampling"))

    def _set_icons(self) -> None:
        self.play.setIcon(theme.icon("pause" if self.player.playing else "play"))
        self.back.setIcon(theme.icon("step-back"))
        self.forward.setIcon(theme.icon("step-forward"))

    def _scrubbed(self, known: int) -> None:
        if known != self.known:
            self.player.stop()
            self._set_icons()
            self._seek(known)

    def _seek(self, known: int) -> None:
        self.known = known
        self._show()

    def _show(self) -> None:
        result = self._result
        for part in (self.scrubber, self.play, self.back, self.forward):
            part.setEnabled(result is not None)
        if result is None:
            self.words.setText(WAITING)
            self.picture.show_pixels(None)
            return
        meta = result.meta
        most = int(result.arrays["ranks"].size)
        note = f" {shown(str(meta['note']))}" if meta["note"] else ""
        self.words.setText(
            tr(
                "{known:,} of {most:,} values, {drawn:,} of them drawn. The whole picture: {nats} nats, {bits} bits "
                "per value.",
                known=self.known,
                most=most,
                drawn=meta["drawn"],
                nats=number(meta["nats"]),
                bits=number(meta["bits_per_value"]),
            )
            + note
        )
        self.scrubber.blockSignals(True)
        self.scrubber.setValue(self.known)
        self.scrubber.blockSignals(False)
        self.picture.show_pixels(likelihood.film_frame(result, self.known))
        channel, row, column = likelihood.turn(result, self.known)
        self.picture.set_mark((row, column))
        self._tell(channel, row, column)

    def _tell(self, channel: int, row: int, column: int) -> None:
        """Show the distribution that a value was drawn from."""
        assert self._result is not None
        arrays = self._result.arrays
        at = (channel, row, column)
        p, value = arrays["probabilities"][(slice(None), *at)], int(arrays["values"][at])
        words = {"row": row, "column": column, "value": value}
        if arrays["given"][at]:
            text = tr("Row {row}, column {column}: {value}, which was not drawn but set.", **words)
        else:
            text = tr(
                "Row {row}, column {column}: {value}, for the random number is {uniform:.3f}.",
                uniform=float(arrays["uniform"][at]),
                **words,
            )
        self.turn.setText(text)
        kept = range(len(p)) if len(p) <= 8 else sorted((-p).argsort()[:8].tolist())
        self.bars.set_bars([Bar(str(level), float(p[level]), f"{p[level]:.3f}") for level in kept])

    def _hovered(self, at: tuple[int, int] | None) -> None:
        if self._result is None:
            return
        channel, row, column = likelihood.turn(self._result, self.known) if at is None else (0, *at)
        self._tell(channel, row, column)

    def _overrule(self, row: int, column: int) -> None:
        """Set a pixel that is drawn already to its next value, and let the rest follow."""
        if self._result is None or self._result.arrays["ranks"][0, row, column] >= self.known:
            return
        values, levels = self._result.arrays["values"][:, row, column], int(self._result.meta["levels"])
        kept = [
            part.strip()
            for part in str(self.store.document.values(INSPECTION).get("overruled") or "").split(";")
            if part.strip() and not part.strip().startswith(f"{row},{column},")
        ]
        for channel, value in enumerate(values.tolist()):
            other = 1 - value if levels == 2 else (levels - 1 if value * 2 < levels - 1 else 0)
            kept.append(f"{row},{column},{channel}={other}")
        self._overrule_as(tr("Overrule row {row}, column {column}", row=row, column=column), "; ".join(kept))

    def _overrule_as(self, title: str, overruled: str | None) -> None:
        self.store.update(self.store.document.with_value(INSPECTION, overruled=overruled), title=title)


def _tool(name: str) -> QToolButton:
    button = QToolButton()
    button.setAutoRaise(True)
    button.setAccessibleName(name)
    button.setToolTip(name)
    return button


PANEL = SamplingPanel
