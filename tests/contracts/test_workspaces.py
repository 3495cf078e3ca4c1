"""Workspaces and panels, over everything registered: each has its place, none widens its dock."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from models.cards.card import SAMPLES, bundled
from models.engine.engine import Engine
from models.types import Source
from viewer import theme
from viewer.app import Mailbox, build
from viewer.panels.base import GAP
from viewer.panels.registry import ALL, PANELS
from viewer.session.document import Document
from viewer.session.job_queue import InlineLane
from viewer.session.session import Session
from viewer.window.docks import SIDE_PX
from viewer.window.invitations import NEVER_EMPTY
from viewer.window.invitations import of as invitations_of
from viewer.window.main_window import Window
from viewer.window.workspaces import BY_ID, WORKSPACES, fitting

LEAST_WINDOW_PX = 1280  # the narrowest window in which nothing at the bottom is squeezed
SCROLL_PX = 14  # a vertical scroll bar
LONG = "a-name-that-nobody-would-type-but-some-program-made-and-that-goes-on-" * 3


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture with a long name."""
    place = tmp_path_factory.mktemp("long") / f"{LONG}.png"
    shutil.copy(SAMPLES / "slate.png", place)
    return place


@pytest.fixture(params=("digits-ssd", "digits-lenet", "digits-vae-2d"))
def window(request: pytest.FixtureRequest, qtbot: QtBot, engine: Engine, picture: Path) -> Iterator[Window]:
    session, mail, hook = (
        Session(InlineLane(engine), Document((Source.file(picture),), model=request.param)),
        Mailbox(),
        sys.excepthook,
    )
    session.begin(mail.post, [])
    window: Any = build(QApplication.instance(), session, mail)
    sys.excepthook = hook
    window.show()
    qtbot.waitUntil(lambda: session.description is not None and not session.stale, timeout=60_000)
    yield window
    window.close()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # type: ignore[arg-type]


def test_every_panel_belongs_to_a_workspace() -> None:
    for entry in PANELS:
        assert entry.workspace in (*BY_ID, ALL), f"{entry.id}: give its entry a workspace of {', '.join(BY_ID)}"
        assert {*entry.opened} <= {*BY_ID}, entry.id
    for workspace in WORKSPACES:
        assert any(entry.workspace == workspace.id and workspace.id in entry.opened for entry in PANELS), workspace
        assert (theme.ICONS / f"{workspace.icon}.svg").is_file() and workspace.help


@pytest.mark.parametrize("name", [*bundled()])
def test_every_bundled_model_has_a_workspace_before_it_is_read(name: str) -> None:
    assert fitting(name, None) in BY_ID


def test_no_panel_widens_its_dock(window: Window) -> None:
    """With long names of the picture, the model and its classes."""
    document, description = window.session.store.document, window.session.description
    assert description is not None
    classes = tuple(f"{name} {LONG}" for name in description.classes)
    about = {**description.about, "note": LONG, "licence": LONG, "architecture": LONG}
    longer = dataclasses.replace(description, name=LONG, title=f"{LONG} {LONG}", classes=classes, about=about)
    wide = {}
    for entry in PANELS:
        if entry.lacking(description):
            continue
        panel = window.panels[entry.id]
        panel.refresh(document, longer)
        most = SIDE_PX if entry.area != "bottom" else LEAST_WINDOW_PX - SIDE_PX
        if (width := panel.needed_width()) > most:
            wide[entry.id] = width
    assert not wide, f"in docks of {SIDE_PX} px at the right: {wide}"


def test_no_text_of_a_panel_is_wider_than_the_dock(window: Window) -> None:
    """Hidden parts too, and those of panels that cannot answer for the model."""
    wide = []
    for entry in PANELS:
        if entry.area == "bottom":
            continue
        for label in window.panels[entry.id].findChildren(QLabel):
            if not label.wordWrap() and label.minimumSizeHint().width() > SIDE_PX - 2 * GAP - SCROLL_PX:
                wide.append(f"{entry.id}: {label.text()}")
    assert not wide, "use a WrappedLabel for " + "; ".join(wide)


def test_every_empty_panel_invites_with_a_button(qtbot: QtBot, engine: Engine) -> None:
    """The command exists, and its button is shown in the panel as long as what it brings is not there."""
    for model in ("digits-ssd", "digits-lenet", "digits-vae-2d"):
        session, mail, hook = Session(InlineLane(engine), Document(model=model)), Mailbox(), sys.excepthook
        session.begin(mail.post, [])
        window: Any = build(QApplication.instance(), session, mail)
        sys.excepthook = hook
        window.show()
        qtbot.waitUntil(lambda s=session: s.description is not None and not s.stale, timeout=60_000)
        for entry in PANELS:
            if entry.lacking(session.description) or entry.id in NEVER_EMPTY:
                continue
            window.docks.show(entry.id)
            holder = window.docks.by_id[entry.id].widget()
            invitation = next(each for each in invitations_of(entry.id) if each.when(session.store.document))
            assert invitation.command in window.commands, entry.id
            assert holder.button.isVisibleTo(holder) and holder.button.text() == invitation.title, entry.id
            assert invitation.help
            assert holder.other.isVisibleTo(holder) == (invitation.other is not None), entry.id
            assert invitation.other is None or invitation.other[0] in window.commands, entry.id
        window.close()
        window.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # type: ignore[arg-type]
