"""Commands for generative models: draw another sample, return to the middle."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QFileDialog

from models.latent.space import SEED, seed_of
from viewer.commands.command import Command
from viewer.translation import tr
from viewer.window.main_window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def step(by: int) -> None:
        text = store.document.latent.code
        found = seed_of(text)
        seed = found + by if found is not None else 0
        store.update(
            store.document.with_latent(code=f"{SEED}{max(0, seed)}", at=-1),
            title=tr("Seed {what}", what=max(0, seed)),
            merge="seed",
        )

    def generates() -> bool:
        return w.controller.generates

    def choose_reals() -> None:
        begin = store.document.latent.reals or w.settings.last_folder
        name = QFileDialog.getExistingDirectory(w, tr("Real pictures to compare with"), begin)
        if name:
            store.update(store.document.with_latent(reals=name), title=tr("Compare with real pictures"))

    def choose_set(row: int) -> None:
        words = (tr("with it"), tr("without it"))[row]
        name = QFileDialog.getExistingDirectory(w, tr("Pictures {words}", words=words), w.settings.last_folder)
        if name:
            folders = tuple(name if at == row else old for at, old in enumerate(store.document.latent.folders))
            store.update(store.document.with_latent(folders=folders), title=tr("Choose pictures {words}", words=words))

    sets = [
        Command(
            f"latent-{name}",
            tr("Choose pictures {words}…", words=words),
            partial(choose_set, row),
            menu="Inspect",
            group="latent",
            help=tr(
                "A folder of pictures {words}: an attribute vector leads from those without to those with", words=words
            ),
            enabled=generates,
        )
        for row, (name, words) in enumerate(
            (("with", tr("with an attribute")), ("without", tr("without an attribute")))
        )
    ]
    return [
        Command(
            "latent-next",
            tr("New sample"),
            lambda: step(1),
            shortcut="N",
            menu="Inspect",
            group="latent",
            icon="samples",
            help=tr("The code of the next seed"),
            enabled=generates,
        ),
        Command(
            "latent-previous",
            tr("Previous sample"),
            lambda: step(-1),
            shortcut="Shift+N",
            menu="Inspect",
            group="latent",
            help=tr("The code of the previous seed"),
            enabled=generates,
        ),
        Command(
            "near-real",
            tr("Show the nearest real pictures"),
            partial(w.docks.show, "real_neighbours"),
            menu="Inspect",
            group="latent",
            help=tr("Whether a generated picture is a copy"),
            enabled=generates,
        ),
        Command(
            "latent-reals",
            tr("Choose real pictures…"),
            choose_reals,
            menu="Inspect",
            group="latent",
            help=tr("The folder that generated pictures are compared with"),
            enabled=generates,
        ),
        *sets,
    ]
