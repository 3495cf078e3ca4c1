"""The command table, from which menus, shortcuts and palette are built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.elided_label import plain

MENUS = ("File", "Edit", "View", "Model", "Inspect", "Help")
# What the menus and submenus in the paths of commands are called.
MENU_TITLES = {
    "File": tr("File"),
    "Edit": tr("Edit"),
    "View": tr("View"),
    "Model": tr("Model"),
    "Inspect": tr("Inspect"),
    "Help": tr("Help"),
    "Workspace": tr("Workspace"),
    "Panels": tr("Panels"),
    "Theme": tr("Theme"),
    "Language": tr("Language"),
    "Text size": tr("Text size"),
    "Playback": tr("Playback"),
    "Export path": tr("Export path"),
    "Glossary": tr("Glossary"),
    "Settings": tr("Settings"),
}
NOTHING_HERE = tr("Nothing here yet")
LAST = "quit"  # the group that ends a menu, whoever adds others after it


def nothing() -> None:
    """Do nothing: the `run` of a command that opens a submenu."""


@dataclass(frozen=True)
class Command:
    """One action. `checked` makes it a toggle, `children` a submenu that is filled each time it opens.

    `menu` is a path such as "View/Panels", "" for the palette alone; entries of the same `group` are listed together
    between separators. Titles are in sentence case, and end in "…" only if further input follows.
    """

    id: str
    title: str
    run: Callable[[], None] = nothing
    _: KW_ONLY
    shortcut: str | tuple[str, ...] = ""
    menu: str = ""
    group: int | str = 0
    enabled: Callable[[], bool] | None = None
    checked: Callable[[], bool] | None = None
    icon: str = ""
    help: str = ""
    children: Callable[[], Sequence[Command]] | None = None

    @property
    def shortcuts(self) -> tuple[str, ...]:
        """The shortcuts in portable text, the one to display first."""
        return ((self.shortcut,) if self.shortcut else ()) if isinstance(self.shortcut, str) else self.shortcut

    @property
    def keys(self) -> tuple[str, ...]:
        """The shortcuts in this platform's notation."""
        return tuple(_sequence(s).toString(QKeySequence.SequenceFormat.NativeText) for s in self.shortcuts)

    @property
    def available(self) -> bool:
        """Whether it can run now."""
        return self.enabled is None or bool(self.enabled())


class Commands:
    """Every command in order, with the actions and menus built from them."""

    def __init__(self, commands: Iterable[Command] = ()) -> None:
        self._commands: dict[str, Command] = {}
        self._sequences: dict[str, list[tuple[QKeySequence, str]]] = {}  # by the first keys of the sequence
        self._actions: dict[str, _Action] = {}
        self._submenus: list[_Submenu] = []
        for command in commands:
            self.add(command)

    def add(self, command: Command) -> Command:
        """Add a command. Raises ValueError for an id or shortcut that is taken, or for an unknown menu."""
        if command.id in self._commands:
            raise ValueError(f"There are two commands with the id {command.id!r}.")
        if command.menu and command.menu.split("/")[0] not in MENUS:
            raise ValueError(f"{command.id}: there is no menu {command.menu!r}; there are {', '.join(MENUS)}.")
        if self._actions:
            raise ValueError(f"{command.id}: the actions are built already.")
        for text in command.shortcuts:
            new = _sequence(text)
            # Sequences that begin differently cannot collide.
            alike = self._sequences.setdefault(new.toString().split(", ")[0], [])
            for taken, owner in alike:
                if {new.matches(taken), taken.matches(new)} != {QKeySequence.SequenceMatch.NoMatch}:
                    raise ValueError(f"{command.id}: the shortcut {text!r} collides with that of {owner!r}.")
            alike.append((new, command.id))
        self._commands[command.id] = command
        return command

    def __getitem__(self, name: str) -> Command:
        return self._commands[name]

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def __len__(self) -> int:
        return len(self._commands)

    def __contains__(self, name: object) -> bool:
        return name in self._commands

    def flat(self) -> list[Command]:
        """Return the commands that can be run, with a submenu replaced by its entries ("Open recent: cat.png")."""
        found: list[Command] = []
        for command in self:
            if command.children is None:
                found.append(command)
            elif command.available:
                found += [
                    replace(child, title=f"{command.title}: {child.title}", menu=child.menu or command.menu)
                    for child in command.children()
                ]
        return found

    def run(self, command: Command | str) -> bool:
        """Run a command if it is available, update every action, and return whether it ran."""
        chosen = self[command] if isinstance(command, str) else command
        try:
            if available := chosen.available:
                chosen.run()
        finally:
            self.refresh()
        return available

    def actions(self, window: QWidget) -> dict[str, QAction]:
        """Return the actions by id, built once and owned by `window`; submenus have none."""
        if not self._actions:
            for command in self:
                if command.children is None:
                    self._actions[command.id] = action = _Action(command, self, parent=window)
                    window.addAction(action)
        return dict(self._actions)

    def fill(self, menubar: QMenuBar) -> None:
        """Build the menus; entries of a group are together, groups in order of first appearance."""
        self.actions(menubar.window())
        root = _Menu()
        for command in self:
            if command.menu:
                root.at(command.menu.split("/"), group=command.group).put(command, group=command.group)
        for title in MENUS:
            if title in root.menus:
                menu = menubar.addMenu(f"&{MENU_TITLES[title]}")
                menu.aboutToShow.connect(self.refresh)
                menu.aboutToShow.connect(self.set_icons)
                self._fill(menu, root.menus[title])

    def refresh(self) -> None:
        """Update the enabled and checked state of every action."""
        for action in self._actions.values():
            action.refresh()

    def set_icons(self) -> None:
        """Give every action its icon; deferred until a menu is first opened."""
        for entry in (*self._actions.values(), *self._submenus):
            entry.set_icons()

    def restyle(self) -> None:
        """Recolour the icons after the theme has changed."""
        for entry in (*self._actions.values(), *self._submenus):
            entry.restyle()

    def _fill(self, menu: QMenu, plan: _Menu) -> None:
        menu.setToolTipsVisible(True)
        for _, entries in sorted(plan.groups.items(), key=lambda item: item[0] == LAST):
            if not menu.isEmpty():
                menu.addSeparator()
            for entry in entries:
                if isinstance(entry, _Menu):
                    self._fill(menu.addMenu(_plain(MENU_TITLES.get(entry.title, entry.title))), entry)
                elif entry.children is None:
                    menu.addAction(self._actions[entry.id])
                else:
                    self._submenus.append(_Submenu(entry, self, parent=menu))
                    menu.addMenu(self._submenus[-1])


class _Menu:
    """A planned menu: its groups of commands and submenus, in order of first appearance."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self.menus: dict[str, _Menu] = {}
        self.groups: dict[int | str, list[Command | _Menu]] = {}

    def at(self, path: Sequence[str], *, group: int | str) -> _Menu:
        """Return the submenu at `path`; create missing ones in the group of the first command that names them."""
        if not path:
            return self
        if path[0] not in self.menus:
            self.menus[path[0]] = _Menu(path[0])
            self.put(self.menus[path[0]], group=group)
        return self.menus[path[0]].at(path[1:], group=group)

    def put(self, entry: Command | _Menu, *, group: int | str) -> None:
        """Append an entry to a group."""
        self.groups.setdefault(group, []).append(entry)


class _Action(QAction):
    """A command as a Qt action."""

    def __init__(self, command: Command, table: Commands, *, parent: QWidget) -> None:
        super().__init__(_plain(command.title), parent)
        self._command, self._table = command, table
        self.setObjectName(command.id)
        self.setStatusTip(command.help)
        self.setWhatsThis(command.help)
        self.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        self.setShortcuts([_sequence(text) for text in command.shortcuts])
        keys = f" ({command.keys[0]})" if command.keys else ""
        self.setToolTip(
            plain(f"{command.title.removesuffix('…')}{keys}" + (f"\n{command.help}" if command.help else ""))
        )
        self.setCheckable(command.checked is not None)
        self.refresh()
        self.triggered.connect(self._run)

    def refresh(self) -> None:
        self.setEnabled(self._command.available)
        if self._command.checked is not None:
            self.setChecked(bool(self._command.checked()))

    def set_icons(self) -> None:
        if self._command.icon and self.icon().isNull():
            self.setIcon(theme.icon(self._command.icon))

    def restyle(self) -> None:
        if not self.icon().isNull():
            self.setIcon(theme.icon(self._command.icon))

    def _run(self) -> None:
        self._table.run(self._command)


class _Submenu(QMenu):
    """A submenu whose entries are created each time it opens."""

    def __init__(self, command: Command, table: Commands, *, parent: QWidget) -> None:
        super().__init__(_plain(command.title), parent)
        self._command, self._table = command, table
        self.setToolTipsVisible(True)
        self.menuAction().setObjectName(command.id)
        self.menuAction().setStatusTip(command.help)
        self.aboutToShow.connect(self._fill)
        self.addAction(NOTHING_HERE).setEnabled(False)  # some platforms do not open an empty menu

    def set_icons(self) -> None:
        if self._command.icon and self.icon().isNull():
            self.setIcon(theme.icon(self._command.icon))

    def restyle(self) -> None:
        if not self.icon().isNull():
            self.setIcon(theme.icon(self._command.icon))

    def _fill(self) -> None:
        self.clear()
        children = self._command.children() if self._command.children and self._command.available else ()
        for child in children:
            self.addAction(action := _Action(child, self._table, parent=self))
            action.set_icons()
        if not children:
            self.addAction(NOTHING_HERE).setEnabled(False)


def menu_titles(command: Command) -> list[str]:
    """Return what the menu of a command and its submenus are called, from the outside."""
    return [MENU_TITLES.get(part, part) for part in command.menu.split("/")] if command.menu else []


def within_sentence(title: str) -> str:
    """Return a title for use within a sentence: "Undo score", but "Undo NMS IoU"."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def _sequence(text: str) -> QKeySequence:
    """Parse a shortcut in portable text. Raises ValueError for one that does not exist."""
    found = QKeySequence(text, QKeySequence.SequenceFormat.PortableText)
    keys = [found[i].key() for i in range(found.count())]  # pyright: ignore[reportIndexIssue]
    if not keys or Qt.Key.Key_unknown in keys:
        raise ValueError(f"{text!r} is not a shortcut.")
    return found


def _plain(title: str) -> str:
    return title.replace("&", "&&")
