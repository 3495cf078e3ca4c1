"""The Live panel: playback of a video, camera or stream, with position, frame rate and the time of each stage."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QToolButton

from models.live.status import Facts
from models.pictures.media import is_endless, title
from models.types import Source
from viewer import theme
from viewer.panels.base import GAP, Panel
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.slider import Timeline

NOTHING = tr("Open a video, a camera or a stream to play it.")
PACES = (
    (tr("Real time"), tr("Frames are skipped where the model is slower than the video.")),
    (tr("Every frame"), tr("However long it takes; no frame is skipped.")),
)
ICON_PX = 16
Texts = tuple[str, str, str]


class LivePanel(Panel):
    """The playback controls and the numbers."""

    id: ClassVar[str] = "live"

    toggled = Signal()
    stepped = Signal(int)
    sought = Signal(int)
    paced = Signal(bool)
    record_asked = Signal()

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.back = _button("step-back", tr("Previous frame"), tr("Previous frame (,)"))
        self.play = _button("play", tr("Play"), tr("Play (Space)"))
        self.forward = _button("step-forward", tr("Next frame"), tr("Next frame (.)"))
        self.timeline = Timeline(0, parent=self)
        self.timeline.setAccessibleName(tr("Position"))
        self.place = _label(tr("Time and frame"))
        self.pace = QComboBox()
        self.pace.setAccessibleName(tr("Pace"))
        for number, (name, help_text) in enumerate(PACES):
            self.pace.addItem(name)
            self.pace.setItemData(number, help_text, Qt.ItemDataRole.ToolTipRole)
        self.record = _button("record", tr("Record"), "")
        self.record.setText(tr("Record…"))
        self.record.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.state = _label(tr("State"))
        self.rate = _label(tr("Frame rate and dropped frames"))
        self.stages = _label(tr("Time of each stage"))
        for label in (self.state, self.rate, self.stages):
            label.setWordWrap(True)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._arrange()
        self.back.clicked.connect(lambda: self.stepped.emit(-1))
        self.forward.clicked.connect(lambda: self.stepped.emit(1))
        self.play.clicked.connect(self.toggled)
        self.record.clicked.connect(self.record_asked)
        self.pace.activated.connect(lambda index: self.paced.emit(index == 1))
        self.timeline.sliderMoved.connect(self.sought)
        self.timeline.actionTriggered.connect(self._slider_moved)
        theme.changes().connect(self._restyle)
        self._source: Source | None = None
        self._facts = Facts()
        self.show_live(None, Facts())

    def show_live(self, source: Source | None, facts: Facts) -> None:
        """Show the playback state of a source."""
        self._source, self._facts = source, facts
        endless = source is not None and is_endless(source.path)
        playing = facts.state == "playing"
        reason = ""
        if endless:
            reason = tr("{path} is live: you cannot go back in it.", path=title(source.path) if source else "")
        elif source is not None and not facts.count:
            reason = tr("The file does not say how long it is.")
        for widget in (self.back, self.play, self.forward, self.timeline, self.pace, self.record):
            widget.setEnabled(source is not None)
        self.back.setEnabled(source is not None and not endless)
        self.timeline.setEnabled(source is not None and not reason)
        self.timeline.setToolTip(reason)
        self._show_place(facts, endless=endless)
        recording = bool(facts.recording)
        self.pace.setEnabled(source is not None and not endless and not recording)
        self.pace.setToolTip(_pace_reason(endless=endless, recording=recording))
        self.pace.setCurrentIndex(1 if facts.every and not endless else 0)
        self._set_icon(
            self.play, "pause" if playing else "play", tr("{what} (Space)", what=tr("Pause") if playing else tr("Play"))
        )
        self.play.setAccessibleName(tr("Pause") if playing else tr("Play"))
        self.record.setText(tr("Stop recording") if recording else tr("Record…"))
        self.record.setAccessibleName(tr("Stop recording") if recording else tr("Record"))
        hint = (
            tr("Finish the file (Ctrl+Shift+R)")
            if recording
            else tr("Write what is shown to an MP4 file (Ctrl+Shift+R)")
        )
        self._set_icon(self.record, "stop" if recording else "record", hint)
        for label, text in zip((self.state, self.rate, self.stages), _texts(source, facts), strict=True):
            if label.text() != text:
                label.setText(text)

    def _show_place(self, facts: Facts, *, endless: bool) -> None:
        with QSignalBlocker(self.timeline):
            if self.timeline.maximum() != max(facts.count - 1, 0):
                self.timeline.setRange(0, max(facts.count - 1, 0))
            if not self.timeline.isSliderDown():
                self.timeline.setValue(0 if endless else max(facts.number, 0))
        self.place.setText(place_text(facts, endless=endless))

    def _slider_moved(self) -> None:
        # Drags arrive through sliderMoved; this handles keys, the wheel and clicks.
        if not self.timeline.isSliderDown():
            self.sought.emit(self.timeline.sliderPosition())

    def _arrange(self) -> None:
        first, second = QHBoxLayout(), QHBoxLayout()
        for row in (first, second):
            row.setSpacing(GAP)
        for button in (self.back, self.play, self.forward):
            first.addWidget(button)
        first.addWidget(self.timeline, 1)
        first.addWidget(self.place)
        pace = QLabel(tr("Pace"))
        pace.setBuddy(self.pace)
        second.addWidget(self.record)
        second.addWidget(pace)
        second.addWidget(self.pace)
        second.addWidget(self.state, 1)
        grid = QGridLayout(self)
        grid.setContentsMargins(GAP, GAP, GAP, GAP)
        grid.setSpacing(GAP)
        grid.addLayout(first, 0, 0, 1, 2)
        grid.addLayout(second, 1, 0, 1, 2)
        grid.addWidget(self.rate, 2, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.stages, 2, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 5)
        grid.setRowStretch(3, 1)

    def _set_icon(self, button: QToolButton, icon: str, hint: str) -> None:
        if button.property("icon-name") != icon:
            button.setProperty("icon-name", icon)
            button.setIcon(theme.icon(icon))
        button.setToolTip(hint)

    def _restyle(self) -> None:
        for button in (self.back, self.play, self.forward, self.record):
            button.setIcon(theme.icon(str(button.property("icon-name"))))


def clock(seconds: float) -> str:
    """Return a time as 1:02:03.4, without hours if there are none."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    begin = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{begin}:{rest // 10:02d}.{rest % 10}"


def place_text(facts: Facts, *, endless: bool) -> str:
    """Return the position as time and frame number, with the total length if it is known."""
    if facts.number < 0:
        return ""
    if endless or not facts.fps:
        return tr("frame {facts:,}", facts=facts.number)
    now = clock(facts.number / facts.fps)
    if not facts.count:
        return tr("{now} · frame {facts:,}", now=now, facts=facts.number)
    whole, last = clock((facts.count - 1) / facts.fps), f"{facts.count - 1:,}"
    number = f"{facts.number:>{len(last)},}"
    return tr("{now} / {whole} · frame {number} of {last}", now=now, whole=whole, number=number, last=last)


def _texts(source: Source | None, facts: Facts) -> Texts:
    """Return the texts for the state, the rates, and the times of the stages."""
    if source is None:
        return NOTHING, "", ""
    name = title(source.path)
    if facts.lost:
        state = (
            tr("Lost {name}; trying again in {retry_s:.0f} s", name=name, retry_s=facts.retry_s)
            if facts.retry_s >= 1
            else tr("Connecting to {name}…", name=name)
        )
    else:
        state = {
            "playing": tr("{name} plays", name=name),
            "paused": tr("{name}, paused", name=name),
            "ended": tr("{name} has ended", name=name),
        }[facts.state]
    if facts.recording:
        state += tr(" · {recorded:,} frames in {recording}", recorded=facts.recorded, recording=title(facts.recording))
    own = tr(" of {fps:.4g}", fps=facts.fps) if facts.fps else ""
    # Nothing is shown at a rate while nothing plays.
    rate = (
        tr("{rate:.1f}{own} frames/s", rate=facts.rate, own=own)
        if facts.rate
        else tr("{fps:.4g} frames/s", fps=facts.fps)
        if facts.fps
        else ""
    )
    rate = rate if facts.state == "playing" else ""
    dropped = tr("{dropped:,} dropped", dropped=facts.dropped)
    stages = "\u00a0· ".join(
        _without_breaks(f"{stage} {ms:.1f} ms") for stage, ms in facts.stages.items() if ms >= 0.05
    )
    return state, f"{rate} · {dropped}".removeprefix(" · "), stages


def _without_breaks(text: str) -> str:
    """Replace blanks by no-break spaces, so that the text stays on one line."""
    return text.replace(" ", "\u00a0")


def _pace_reason(*, endless: bool, recording: bool) -> str:
    if endless:
        return tr("Of a live source the newest frame is shown; older ones are dropped.")
    return tr("A recording contains every frame.") if recording else tr("How a file is played")


def _button(icon: str, name: str, hint: str) -> QToolButton:
    button = QToolButton()
    button.setAccessibleName(name)
    button.setToolTip(hint)
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setIconSize(QSize(ICON_PX, ICON_PX))
    button.setProperty("icon-name", icon)
    button.setIcon(theme.icon(icon))
    return button


def _label(name: str) -> QLabel:
    label = QLabel()
    label.setAccessibleName(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


PANEL = LivePanel
