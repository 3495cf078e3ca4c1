"""The cluster that goes over data sets, named in the Model menu: a fresh engine knows it, and says when it is gone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QCheckBox, QDialogButtonBox, QLineEdit

from models.engine.engine import Engine
from tests.viewer.conftest import SAMPLES
from viewer.session.job_queue import InlineLane, Post, ProcessLane
from viewer.widgets.dialogs.cluster import ClusterDialog

Make = Callable[..., Any]


def name(d: Any, address: str, *, own_code: bool = False, accept: bool = True) -> list[str]:
    """Answer the dialog of the menu entry; return the address that it showed."""
    shown: list[str] = []

    def answer() -> None:
        dialog = next(
            (w for w in QApplication.topLevelWidgets() if isinstance(w, ClusterDialog) and w.isVisible()), None
        )
        if dialog is None:
            QTimer.singleShot(20, answer)
            return
        entry, box = dialog.findChild(QLineEdit), dialog.findChild(QCheckBox)
        buttons = dialog.findChild(QDialogButtonBox)
        shown.append(entry.text())
        entry.setText(address)
        box.setChecked(own_code)
        kind = QDialogButtonBox.StandardButton.Ok if accept else QDialogButtonBox.StandardButton.Cancel
        buttons.button(kind).click()

    QTimer.singleShot(0, answer)
    d.run("cluster")
    return shown


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Recorded(ProcessLane):
    """A process's lane whose engine is in this process; it notes which cluster each start was told."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.inner, self.told = InlineLane(engine), list[tuple[str, bool]]()
        for each in ("submit", "cancel", "live", "tick", "finish", "reaches", "stop", "read"):
            setattr(self, each, getattr(self.inner, each))

    def start(self, post: Post) -> None:
        self.told.append((self.cluster, self.own_code_there))
        self.inner.start(post)

    def restart(self) -> None:
        self.told.append((self.cluster, self.own_code_there))
        self.inner.restart()


def test_the_menu_names_a_cluster_and_a_fresh_engine_knows_it(desk: Make, engine: Engine) -> None:
    lane, address = Recorded(engine), f"ray://127.0.0.1:{free_port()}"
    d = desk(SAMPLES[0], lane=lane)
    entry = d.window.commands.actions(d.window)["cluster"]
    assert entry.isEnabled() and not entry.isChecked() and lane.told == [("", False)]

    assert name(d, address, accept=False) == [""]
    assert lane.told == [("", False)] and d.window.settings.cluster == "", "Cancel changes nothing"

    name(d, f"  {address} ", own_code=True)
    d.settle()
    assert lane.told[1:] == [(address, True)] and d.window.settings.cluster == address
    assert any(address in message and "from now on" in message for message in d.messages)
    assert d.window.commands.actions(d.window)["cluster"].isChecked()

    name(d, address, own_code=True)
    assert len(lane.told) == 2, "the same answer starts no further engine"

    assert name(d, "", own_code=True) == [address]
    d.settle()
    assert lane.told[2:] == [("", False)] and d.window.settings.cluster == ""
    assert any("This machine goes over data sets" in message for message in d.messages)


def test_there_is_nothing_to_name_where_the_engine_is_no_process(desk: Make) -> None:
    d = desk(SAMPLES[0])
    assert not d.window.commands.actions(d.window)["cluster"].isEnabled()
