"""The status bar: the engine's state, times of the last result, running work, the pointer's position, the zoom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtWidgets import QLabel, QStatusBar

from viewer.canvas.layers import Heat, Layer
from viewer.canvas.view import Pointer
from viewer.engine_texts import shown
from viewer.presenters.heatmap import reading
from viewer.session.job_queue import EngineState
from viewer.translation import tr
from viewer.widgets.dialogs.progress import Activity

GAP = 8
GB = 1e9
FORWARD = (
    "preprocess",
    "network",
    "backbone",
    "head",
    "rpn",
    "proposals",
    "box head",
    "box head on the pool",
    "decode",
)
NMS = ("nms", "own nms")
GENERATE = "generate"
STATES: dict[EngineState, str] = {
    "starting": tr("starting"),
    "ready": tr("ready"),
    "restarting": tr("restarting"),
    "stopped": tr("stopped"),
}


class Status:
    """The content of a status bar. `forget` drops the forward time of another picture or model."""

    def __init__(self, bar: QStatusBar) -> None:
        bar.setContentsMargins(GAP, 0, GAP, 0)
        self.engine, self.times, self.pixel, self.zoom = (
            _label(name) for name in (tr("Engine"), tr("Times"), tr("Pixel under the pointer"), tr("Zoom"))
        )
        self.zoom.setContentsMargins(2 * GAP, 0, 0, 0)
        self.activity = Activity()
        self._forward = ""
        bar.addWidget(self.engine)
        bar.addWidget(self.times)
        bar.addPermanentWidget(self.activity)
        bar.addPermanentWidget(self.pixel)
        bar.addPermanentWidget(self.zoom)

    def show_engine(self, state: EngineState, *, busy: bool, used_bytes: int = 0) -> None:
        """Show the engine's state and memory; long work gets a progress bar with Cancel."""
        ready = state == "ready"
        memory = f" · {used_bytes / GB:.1f} GB" if used_bytes and ready else ""
        self.engine.setText(
            tr(
                "engine {state}{memory}",
                state=STATES[state],
                memory=memory if ready else "" if state == "stopped" else "…",
            )
        )
        self.engine.setToolTip(tr("The memory that the engine's process has") if memory else "")
        if busy and not self.activity.busy:
            self.activity.start(tr("Working…") if ready else tr("Starting the engine…"))
        elif not busy and self.activity.busy:
            self.activity.finish()

    def show_times(self, times: Mapping[str, float], device: str, used_bytes: int = 0) -> None:
        """Show the times of the last result, in ms by stage; stages from the cache keep their last time.

        `used_bytes` is the used memory of the device.
        """
        device = f"{device} {used_bytes / GB:.1f} GB" if used_bytes else device
        forward = sum(times.get(name, 0.0) for name in FORWARD)
        if forward:
            self._forward = tr("forward {forward:.0f} ms", forward=forward)
        last = tr("nms {name:.1f} ms", name=sum(times.get(name, 0.0) for name in NMS))
        if (generate := times.get(GENERATE)) is not None:
            last = tr("generate {generate:.1f} ms", generate=generate)
        self.times.setText("".join(f"· {text} " for text in (device, self._forward, last) if text))
        self.times.setToolTip(
            "\n".join(f"{shown(name)}: {ms:.1f} ms" for name, ms in times.items()) or tr("All from the cache")
        )

    def show_pointer(self, pointer: Pointer | None, layers: Iterable[Layer]) -> None:
        """Show the pointer's position in the picture, with the colour and map value there."""
        if pointer is None or pointer.rgb is None:
            self.pixel.setText("")
            return
        r, g, b = pointer.rgb
        heats = [
            f"   {layer.id} {said}"
            for layer in layers
            if isinstance(layer, Heat) and (said := reading(layer, pointer.x, pointer.y))
        ]
        self.pixel.setText(f"x {int(pointer.x)}  y {int(pointer.y)}   rgb {r} {g} {b}{''.join(heats)}")

    def show_zoom(self, percent: float | None) -> None:
        """Show the zoom in percent; None without a picture."""
        self.zoom.setText("" if percent is None else f"{percent:.0f} %")

    def forget(self) -> None:
        """Drop the times of results that are no longer shown."""
        self._forward = ""
        self.times.setText("")
        self.times.setToolTip("")


def _label(name: str) -> QLabel:
    label = QLabel()
    label.setAccessibleName(name)
    return label
