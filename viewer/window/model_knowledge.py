"""Says under the picture what the model knows, and offers models that suit the picture better."""

from __future__ import annotations

from PySide6.QtCore import QObject

from models.cards import knowledge, zoo_catalogue
from models.zoo import cached
from viewer.presenters import model_knowledge
from viewer.widgets.dialogs.banner import Notices
from viewer.widgets.dialogs.knowledge_line import KnowledgeLine
from viewer.window.context import WindowContext
from viewer.window.model_zoo import ModelZoo

HIDDEN = "knowledge_hidden"


class ModelKnowledge(QObject):
    """The line in one window. The user can hide it for good, and show it again from the View menu."""

    def __init__(self, context: WindowContext, zoo: ModelZoo, notices: Notices) -> None:
        super().__init__(context.frame)
        self._context = context
        self.line = KnowledgeLine()
        self._about: tuple[object, ...] = ()
        notices.column.addWidget(self.line)
        self.line.hide()
        self.line.model_wanted.connect(zoo.open_model)
        self.line.more_wanted.connect(zoo.open)
        self.line.closed.connect(self.toggle)

    @property
    def wanted(self) -> bool:
        """Whether the user wants the line."""
        return not self._context.settings.extra.get(HIDDEN)

    def toggle(self) -> None:
        """Hide the line for good, or show it again."""
        self._context.settings.extra[HIDDEN] = self.wanted
        self.refresh()

    def refresh(self) -> None:
        """Show the line for what is on the canvas, if anything is."""
        session, pixels = self._context.session, self._context.canvas.pixels
        document, description, results = session.store.document, session.description, session.results
        source = document.source
        opened = session.pictures[source] if source is not None and source in session.pictures else None
        seen = opened.pixels if opened is not None else None
        # Not at every step of a slider: what is on disk is looked up too.
        about = (document.model, document.source, id(description), id(seen), id(results.get("anatomy")), self.wanted)
        shows = self.wanted and pixels is not None and description is not None
        if shows and about != self._about:
            self._about = about
            there = cached.found([zoo_catalogue.find(name) for name in knowledge.PUBLISHED])
            found = model_knowledge.line(document, description, seen, results, there)
            if found is not None:
                self.line.say(found.knows, found.remarks, found.lead, found.offers)
        if self.line.isHidden() == shows:
            self.line.setVisible(shows)
