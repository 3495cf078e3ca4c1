"""The menus of the right mouse button: what can be done with the picture, a box, a row or a thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMenu

from viewer.canvas.view import Pointer
from viewer.commands.command import Commands
from viewer.presenters import box_pair
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import class_name, row_of
from viewer.window.context import WindowContext

BOX, PICTURE = "box", "picture"
AROUND = 0.25  # of the picture: the side of the rectangle that is asked about around a place
Entry = tuple[str, Callable[[], object]]


class ContextMenus(QObject):
    """Builds menus from commands that are possible now; `menu` is the one that is open."""

    def __init__(self, context: WindowContext, commands: Commands) -> None:
        super().__init__(context.frame)
        self._context, self._commands = context, commands
        self.menu: QMenu | None = None
        context.canvas.menu_wanted.connect(self._on_canvas)

    def open(self, kind: str, what: int, place: QPoint) -> None:
        """Open the menu of a row: a detection by its id, or a picture of the strip by its number."""
        if kind == BOX:
            self._store.update(self._document.with_selected(what))
            self._show([self._box(), self._whole()], place)
        elif kind == PICTURE:
            self._show([self._picture(what)], place)

    def _on_canvas(self, pointer: Pointer, place: QPoint) -> None:
        if pointer.hit is not None:
            self._store.update(self._document.with_selected(box_pair.pick(self._context.canvas.layers, pointer)))
        inside = pointer.rgb is not None
        here = self._box() if pointer.hit is not None and self._document.selected >= 0 else self._place(pointer, inside)
        self._show([here, self._possible("fit", "actual-size", "deselect"), self._whole()], place)

    @property
    def _store(self) -> Store:
        return self._context.session.store

    @property
    def _document(self) -> Document:
        return self._store.document

    def _show(self, groups: Sequence[Sequence[Entry]], place: QPoint) -> None:
        menu = QMenu(self._context.frame)
        for group in groups:
            if group and not menu.isEmpty():
                menu.addSeparator()
            for title, run in group:
                menu.addAction(title.replace("&", "&&"), run)
        self.menu = menu
        menu.aboutToHide.connect(menu.deleteLater)
        if not menu.isEmpty():
            menu.popup(place)

    def _possible(self, *names: str) -> list[Entry]:
        """Return those of the commands that can run now."""
        found = [self._commands[name] for name in names if name in self._commands]
        return [(command.title, self._runner(command.id)) for command in found if command.available]

    def _runner(self, name: str) -> Callable[[], object]:
        return lambda: self._commands.run(name)

    def _box(self) -> list[Entry]:
        """Return what can be done with the selected detection."""
        results, document = self._context.session.results, self._document
        row = row_of(results["detect"][1], document.selected) if "detect" in results else -1
        if row < 0:
            return self._possible("explain")
        result = results["detect"][1]
        name = class_name(result, int(result.arrays["labels"][row]))
        corners = tuple(float(v) for v in result.arrays["boxes"][row])
        found = [("Explain this box", self._runner("explain-box"))] if self._commands["explain-box"].available else []
        if self._context.docks.can("lineage"):
            found.append(("Where it comes from", lambda: self._context.docks.show("lineage")))
        if self._context.docks.can("missed"):
            found.append(("Why missed here?", lambda: self._ask(document.with_region(corners))))  # pyright: ignore[reportArgumentType]
        found += self._possible("zoom-selection")
        found.append((f"Hide class {name}", lambda: self._hide(name)))
        text = f"{name}\t{float(result.arrays['scores'][row]):.4f}\t" + "\t".join(f"{v:.1f}" for v in corners)
        return [*found, ("Copy this box as text", lambda: QGuiApplication.clipboard().setText(text))]

    def _place(self, pointer: Pointer, inside: bool) -> list[Entry]:
        """Return what can be asked about a place of the picture."""
        pixels = self._context.canvas.pixels
        found = self._possible("explain")
        if inside and pixels is not None and self._context.docks.can("missed"):
            height, width = pixels.shape[:2]
            reach = AROUND * min(width, height) / 2
            x0, y0 = max(0.0, pointer.x - reach), max(0.0, pointer.y - reach)
            x1, y1 = min(float(width), pointer.x + reach), min(float(height), pointer.y + reach)
            found.append(("Why missed here?", lambda: self._ask(self._document.with_region((x0, y0, x1, y1)))))
        found += self._possible("latent-next", "key-add")
        if "latent-next" in self._commands and self._commands["latent-next"].available:
            found.append(("Show its neighbours", lambda: self._context.docks.show("neighbours")))
        return found

    def _whole(self) -> list[Entry]:
        return self._possible("copy-image", "copy-table", "export-png", "export-json", "export-npy")

    def _picture(self, index: int) -> list[Entry]:
        """Return what can be done with a picture of the strip."""
        source = self._document.sources[index]
        path = Path(source.path)
        found: list[Entry] = [("Show this picture", lambda: self._context.session.go(index))]
        found.append(("Copy its path", lambda: QGuiApplication.clipboard().setText(source.path)))
        if path.exists():
            folder = QUrl.fromLocalFile(str(path.parent))
            found.append(("Open its folder", lambda: QDesktopServices.openUrl(folder)))
        return [*found, ("Remove from the strip", lambda: self._context.session.remove(index))]

    def _ask(self, document: Document) -> None:
        self._store.update(document, title="Draw a rectangle")
        self._context.docks.show("missed")

    def _hide(self, name: str) -> None:
        own = str(self._document.values("detect").get("hidden", ""))
        hidden = ",".join([*filter(None, own.split(",")), name])
        self._store.update(self._document.with_value("detect", hidden=hidden), title=f"Hide class {name}")
