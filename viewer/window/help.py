"""Help in the window: cards of panels, the glossary, the documentation, the tour, and what the program is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRect
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QDockWidget, QTabBar, QToolButton, QWidget

from viewer.commands.command import Command
from viewer.panels.base import Panel
from viewer.translation import tr
from viewer.window.context import WindowContext

if TYPE_CHECKING:
    from viewer.help.about import About
    from viewer.help.glossary_sheet import GlossarySheet
    from viewer.help.page_reader import PageReader
    from viewer.help.panel_card import PanelCard
    from viewer.help.tour import Step, Tour

TOUR_DONE = "tour_done"  # in the settings
PANEL_ACTION = "panel-"  # how the names of the actions that show panels begin


class Help(QObject):
    """Opens each kind of help; all of it is imported and built when first asked for.

    `parts` are the widgets that the tour points at, by name: "centre", "workspaces", "model" and "menus".
    """

    def __init__(self, context: WindowContext, parts: Callable[[str], QWidget | None]) -> None:
        super().__init__(context.frame)
        self._context, self._parts = context, parts
        self._cursor = QPoint()
        context.panels.on_built.append(self._put_button)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._focused)

    @cached_property
    def card(self) -> PanelCard:
        """The card of a panel."""
        from viewer.help.panel_card import PanelCard

        card = PanelCard(self._context.frame)
        card.term_wanted.connect(self.show_term)
        card.page_wanted.connect(self.show_page)
        return card

    @cached_property
    def glossary(self) -> GlossarySheet:
        """The glossary."""
        from viewer.help.glossary_sheet import GlossarySheet

        return GlossarySheet(self._context.frame)

    @cached_property
    def reader(self) -> PageReader:
        """The documentation."""
        from viewer.help.page_reader import PageReader

        return PageReader(self._context.frame)

    @cached_property
    def about(self) -> About:
        """Version, licences and links."""
        from viewer.help.about import About

        about = About(self._context.frame)
        about.page_wanted.connect(self.show_page)
        return about

    @cached_property
    def tour(self) -> Tour:
        """The tour."""
        from viewer.help.tour import Tour

        tour = Tour(self._context.frame)
        tour.ended.connect(self._toured)
        return tour

    def show_panel(self, name: str) -> None:
        """Show the card of a panel beside its title, or in the middle if it is not in view."""
        dock = self._context.docks.by_id[name]
        button = dock.findChild(QToolButton, f"help-{name}")
        frame = self._context.frame
        if button is not None and button.isVisible() and button.window() is frame:
            at = QRect(button.mapTo(frame, QPoint(0, 0)), button.size())
        else:
            at = QRect(frame.rect().center() + QPoint(frame.width() // 8, -frame.height() // 4), frame.size() * 0)
        self.card.show_help(name, self._context.panels.entries[name].title, at)

    def show_term(self, name: str) -> None:
        """Open the glossary at a term."""
        self.glossary.show_term(name)

    def show_page(self, page: str, part: str = "") -> None:
        """Open a page of the documentation at a part."""
        self.reader.show_page(page, part)

    def here(self) -> None:
        """Explain the word under the pointer or the focused control; else the panel; else open the glossary.

        Where the pointer has moved since the focus last changed, it counts, otherwise the focus.
        """
        from viewer.help.pointed_text import term_at, term_of

        place, frame = QCursor.pos(), self._context.frame
        # A floating panel is a window of its own.
        pointed = QApplication.widgetAt(place) or frame.childAt(frame.mapFromGlobal(place))
        focused = QApplication.focusWidget()
        widgets = [focused, pointed] if place == self._cursor else [pointed, focused]
        inside = [each for each in widgets if each is not None and self._owns(each)]
        for widget in inside:
            at = place if widget is pointed else None
            if (name := self._panel_named(widget, at)) is not None:
                self.show_panel(name)
                return
            term = term_at(widget, at) if at is not None else term_of(widget)
            if term is not None:
                self.show_term(term.id)
                return
        panels = [name for widget in inside if (name := self._panel_of(widget)) is not None]
        if panels:
            self.show_panel(panels[0])
        else:
            self.glossary.open()

    def begin_tour(self) -> None:
        """Take the tour of the current workspace."""
        self.tour.begin(self._steps())

    def begin_tour_once(self) -> None:
        """Take the tour unless it was taken or skipped before."""
        if not self._context.settings.extra.get(TOUR_DONE):
            self.begin_tour()

    def entries(self) -> list[Command]:
        """Return the help on every panel and every term, to be searched like commands."""
        from viewer.help import panel_help
        from viewer.help.glossary import sorted_terms

        panels = [
            Command(
                f"help-{name}",
                tr("Help on {panel}", panel=entry.title),
                partial(self.show_panel, name),
                menu="Help",
                help=told.text if (told := panel_help.of(name)) is not None else "",
            )
            for name, entry in self._context.panels.entries.items()
        ]
        terms = [
            Command(
                f"term-{term.id}",
                term.title,
                partial(self.show_term, term.id),
                menu="Glossary",
                help=f"{', '.join(term.names)}. {term.text}",
            )
            for term in sorted_terms()
        ]
        return [*panels, *terms]

    def _steps(self) -> list[Step]:
        from viewer.help.tour import Step

        docks = self._context.docks

        def panel() -> QWidget | None:
            own = (docks.by_id[name] for name in docks.members())
            return next((dock for dock in own if not dock.isFloating() and not dock.visibleRegion().isEmpty()), None)

        return [
            Step(
                tr("A picture"),
                tr(
                    "Drop a picture, a video, a folder or model weights here, or begin with a sample. The right "
                    "button says what can be done with what is under the pointer."
                ),
                partial(self._parts, "centre"),
            ),
            Step(
                tr("What you want to do"),
                tr(
                    "Each workspace has its own panels: find, explain, compare, evaluate, generate. Those that the "
                    "model cannot serve are grey."
                ),
                partial(self._parts, "workspaces"),
            ),
            Step(
                tr("The model"),
                tr("Every model says what it knows. “More models…” has hundreds, and your own file can be dropped."),
                partial(self._parts, "model"),
            ),
            Step(
                tr("A panel"),
                tr("Change a setting and the answer follows. The “?” says in two sentences what the panel is for."),
                panel,
            ),
            Step(
                tr("Help"),
                tr(
                    "F1 explains the word under the pointer. Ctrl+K finds every command, setting and word by a few "
                    "letters, and the tour is in the Help menu."
                ),
                partial(self._parts, "menus"),
            ),
        ]

    def _toured(self) -> None:
        self._context.settings.extra[TOUR_DONE] = True
        self._context.settings.save()

    def _put_button(self, panel: Panel) -> None:
        from viewer.help.title_button import TitleButton

        button = TitleButton(self._context.docks.by_id[panel.id])
        button.setObjectName(f"help-{panel.id}")
        button.clicked.connect(partial(self.show_panel, panel.id))

    def _focused(self, _: QWidget | None, now: QWidget | None) -> None:
        self._cursor = QCursor.pos()

    def _owns(self, widget: QWidget) -> bool:
        frame = self._context.frame
        return widget is frame or frame.isAncestorOf(widget)

    def _panel_named(self, widget: QWidget, place: QPoint | None) -> str | None:
        """Return the panel that a tab or a button of the bar stands for."""
        entries = self._context.panels.entries.values()
        if isinstance(widget, QToolButton) and (action := widget.defaultAction()) is not None:
            name = action.objectName()
            return name.removeprefix(PANEL_ACTION) if name.startswith(PANEL_ACTION) else None
        if isinstance(widget, QTabBar) and widget.parentWidget() is self._context.frame:
            tab = widget.tabAt(widget.mapFromGlobal(place)) if place is not None else widget.currentIndex()
            return next((entry.id for entry in entries if entry.title == widget.tabText(tab)), None)
        return None

    def _panel_of(self, widget: QWidget) -> str | None:
        each: QWidget | None = widget
        while each is not None:
            if isinstance(each, QDockWidget):
                return next((name for name, dock in self._context.docks.by_id.items() if dock is each), None)
            each = each.parentWidget()
        return None
