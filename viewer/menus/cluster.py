"""The command that names the cluster which goes over data sets."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog

from viewer.commands.command import Command
from viewer.session.engine_process import ProcessLane
from viewer.translation import tr
from viewer.widgets.dialogs.cluster import ClusterDialog
from viewer.window.main_window import Window


def commands(window: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "cluster",
            tr("Cluster for data sets…"),
            lambda: _ask(window),
            menu="Model",
            group="code",
            enabled=lambda: isinstance(window.session.jobs.lane, ProcessLane),
            checked=lambda: bool(window.settings.cluster),
            help=tr("Several machines with Ray go over a data set instead of this one"),
        )
    ]


def _ask(window: Window) -> None:
    lane = window.session.jobs.lane
    if not isinstance(lane, ProcessLane):
        return
    asking = ClusterDialog(window.settings.cluster, own_code=lane.own_code_there, parent=window)
    if asking.exec() == QDialog.DialogCode.Accepted:
        use(window, lane, asking.address, own_code=asking.own_code)


def use(window: Window, lane: ProcessLane, address: str, *, own_code: bool) -> None:
    """Have a cluster go over data sets, "" for this machine; a new engine starts, which knows it."""
    own_code = own_code and bool(address)
    if (address, own_code) == (lane.cluster, lane.own_code_there):
        return
    lane.cluster, lane.own_code_there = address, own_code
    window.settings.cluster = address
    window.settings.save()
    if address:
        told = tr("The cluster {address} goes over data sets from now on. A fresh process takes over.", address=address)
    else:
        told = tr("This machine goes over data sets from now on. A fresh process takes over.")
    window.session.jobs.renew(told)
    window.session.again()
    window.refresh()
