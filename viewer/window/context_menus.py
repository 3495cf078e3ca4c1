"""The menus of the right mouse button: what can be done with the picture, a box, a row, a class, a map, a thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu

from models import output_files
from models.runtime import user_folders
from viewer.canvas.painter import png
from viewer.canvas.view import Pointer
from viewer.commands.command import Commands
from viewer.context_menu.subject import Subject
from viewer.presenters import box_pair
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import class_name, row_of
from viewer.translation import tr
from viewer.window.context import WindowContext

AROUND = 0.25  # of the picture: the side of the rectangle that is asked about around a place
TABLE, PICTURE = ".tsv", ".png"
Entry = tuple[str, Callable[[], object]]


class ContextMenus(QObject):
    """Builds menus from commands that are possible now; `menu` is the one that is open."""

    def __init__(self, context: WindowContext, commands: Commands) -> None:
        super().__init__(context.frame)
        self._context, self._commands = context, commands
        self.menu: QMenu | None = None
        # What a thing can be asked, group by group: each returns nothing for a thing of which it knows nothing.
        self._table: tuple[Callable[[Subject], Sequence[Entry]], ...] = (
            lambda subject: subject.offers,
            self._detection,
            self._strip,
            self._file,
            self._region,
            self._class,
            self._copies,
            lambda subject: subject.view,
            self._exports,
        )
        context.canvas.menu_wanted.connect(self._on_canvas)

    def open(self, subject: Subject, place: QPoint) -> None:
        """Open the menu of a thing at a place on the screen."""
        if subject.detection >= 0:
            self._store.update(self._document.with_selected(subject.detection))
        self._show([group(subject) for group in self._table], place)

    def open_beside(self, _: Pointer, place: QPoint) -> None:
        """Open the menu of a place on the second model's picture."""
        self._show([self._possible("explain"), self._possible("fit", "actual-size"), self._whole()], place)

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

    def _detection(self, subject: Subject) -> list[Entry]:
        return [*self._box(), *self._whole()] if subject.detection >= 0 else []

    def _box(self) -> list[Entry]:
        """Return what can be done with the selected detection."""
        results, document = self._context.session.results, self._document
        row = row_of(results["detect"][1], document.selected) if "detect" in results else -1
        if row < 0:
            return self._possible("explain")
        result = results["detect"][1]
        name = class_name(result, int(result.arrays["labels"][row]))
        corners = tuple(float(v) for v in result.arrays["boxes"][row])
        found = (
            [(tr("Explain this box"), self._runner("explain-box"))] if self._commands["explain-box"].available else []
        )
        if self._context.docks.can("lineage"):
            found.append((tr("Where it comes from"), lambda: self._context.docks.show("lineage")))
        if self._context.docks.can("missed"):
            found.append((tr("Why missed here?"), lambda: self._ask(document.with_region(corners))))  # pyright: ignore[reportArgumentType]
        found += self._possible("zoom-selection")
        found += self._class(Subject(label=name))
        text = f"{name}\t{float(result.arrays['scores'][row]):.4f}\t" + "\t".join(f"{v:.1f}" for v in corners)
        return [*found, (tr("Copy this box as text"), lambda: QGuiApplication.clipboard().setText(text))]

    def _place(self, pointer: Pointer, inside: bool) -> list[Entry]:
        """Return what can be asked about a place of the picture."""
        pixels = self._context.canvas.pixels
        found = self._possible("explain")
        if inside and pixels is not None and self._context.docks.can("missed"):
            height, width = pixels.shape[:2]
            reach = AROUND * min(width, height) / 2
            x0, y0 = max(0.0, pointer.x - reach), max(0.0, pointer.y - reach)
            x1, y1 = min(float(width), pointer.x + reach), min(float(height), pointer.y + reach)
            found.append((tr("Why missed here?"), lambda: self._ask(self._document.with_region((x0, y0, x1, y1)))))
        found += self._possible("latent-next", "key-add")
        if "latent-next" in self._commands and self._commands["latent-next"].available:
            found.append((tr("Show its neighbours"), lambda: self._context.docks.show("real_neighbours")))
        return found

    def _whole(self) -> list[Entry]:
        return self._possible("copy-image", "copy-table", "export", "export-json", "export-npy")

    def _strip(self, subject: Subject) -> list[Entry]:
        """Return what can be done with a picture of the strip."""
        index = subject.strip
        if index < 0:
            return []
        source = self._document.sources[index]
        found: list[Entry] = [(tr("Show this picture"), lambda: self._context.session.go(index))]
        found += self._asked_of(lambda: self._context.session.go(index))
        if index == self._document.current:
            found += self._possible("copy-image", "export")
        found += self._of_file(source.path)
        return [*found, (tr("Remove from the strip"), lambda: self._context.session.remove(index))]

    def _file(self, subject: Subject) -> list[Entry]:
        """Return what can be done with a file of a picture, such as one of a data set."""
        if not subject.path:
            return []

        def show() -> None:
            self._context.session.open_picture(subject.path)

        return [(tr("Open this picture"), show), *self._asked_of(show), *self._of_file(subject.path)]

    def _asked_of(self, show: Callable[[], object]) -> list[Entry]:
        """Return what can be asked about a picture that is still to be shown."""
        found: list[Entry] = []
        if self._commands["explain"].available:
            found.append((tr("Explain this"), lambda: (show(), self._commands.run("explain"))))
        if self._context.docks.can("neighbours"):
            found.append((tr("Show its neighbours"), lambda: (show(), self._context.docks.show("neighbours"))))
        return found

    def _of_file(self, name: str) -> list[Entry]:
        found: list[Entry] = [(tr("Copy its path"), lambda: QGuiApplication.clipboard().setText(name))]
        if (path := Path(name)).exists():
            folder = QUrl.fromLocalFile(str(path.parent))
            found.append((tr("Open its folder"), lambda: QDesktopServices.openUrl(folder)))
        return found

    def _region(self, subject: Subject) -> list[Entry]:
        box = subject.box
        if box is None or not self._context.docks.can("missed"):
            return []
        return [(tr("Why missed here?"), lambda: self._ask(self._document.with_region(box, subject.label)))]

    def _class(self, subject: Subject) -> list[Entry]:
        """Return what can be done with a class of a detector."""
        name, description = subject.label, self._context.session.description
        offer = description.offers.get("detect") if description is not None else None
        if description is None or offer is None or offer.reason or name not in description.classes:
            return []
        if name in _names(self._hidden):
            return [(tr("Show class {name}", name=name), lambda: self._unhide(name))]
        return [(tr("Hide class {name}", name=name), lambda: self._hide(name))]

    def _copies(self, subject: Subject) -> list[Entry]:
        clipboard, found = QGuiApplication.clipboard(), list[Entry]()
        if subject.text:
            found.append((tr("Copy its text"), lambda: clipboard.setText(subject.text)))
        if (table := subject.table) is not None:
            found.append((tr("Copy the whole list"), lambda: clipboard.setText(table())))
        if (picture := subject.picture) is not None:
            found.append((tr("Copy this as a picture"), lambda: clipboard.setImage(picture)))
        return found

    def _exports(self, subject: Subject) -> list[Entry]:
        found = list[Entry]()
        if (picture := subject.picture) is not None:
            found.append((tr("Save this as PNG…"), lambda: self._save(subject.name, PICTURE, lambda: png(picture))))
        if (table := subject.table) is not None:
            found.append((tr("Save the whole list…"), lambda: self._save(subject.name, TABLE, table)))
        if subject.export and self._commands[subject.export].available:
            found.append((tr("Export these…"), self._runner(subject.export)))
        return found

    def _save(self, name: str, suffix: str, content: Callable[[], bytes | str]) -> None:
        """Ask for a file and write it whole."""
        stem = "".join(letter if letter.isalnum() or letter in " -" else " " for letter in name).strip() or "vitrine"
        place = Path(user_folders.user_folder()) / f"{stem}{suffix}"
        chosen, _ = QFileDialog.getSaveFileName(self._context.frame, tr("Save"), str(place), f"*{suffix}")
        if not chosen:
            return
        path = Path(chosen) if Path(chosen).suffix else Path(chosen + suffix)
        try:
            output_files.write_whole(path, content())
        except (OSError, UnicodeError) as error:
            refusal = output_files.refusal(path, error)
            self._context.messages.tell(f"{refusal} {refusal.advice}", severity="error", key="save")
        else:
            self._context.messages.tell(tr("Saved {path}.", path=path.name), severity="success", key="save")

    def _ask(self, document: Document) -> None:
        self._store.update(document, title=tr("Draw a rectangle"))
        self._context.docks.show("missed")

    @property
    def _hidden(self) -> str:
        return str(self._document.values("detect").get("hidden", ""))

    def _hide(self, name: str) -> None:
        hidden = ",".join([*_names(self._hidden), name])
        self._store.update(self._document.with_value("detect", hidden=hidden), title=tr("Hide class {name}", name=name))

    def _unhide(self, name: str) -> None:
        hidden = ",".join(each for each in _names(self._hidden) if each != name)
        document = self._document.with_value("detect", hidden=hidden or None)
        self._store.update(document, title=tr("Show class {name}", name=name))


def _names(hidden: str) -> list[str]:
    return [name for name in hidden.split(",") if name]
