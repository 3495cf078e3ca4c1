"""Commands for generative models: draw another sample, return to the middle."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QFileDialog

from models.latent.space import SEED, seed_of
from viewer.commands.command import Command
from viewer.window.main_window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def step(by: int) -> None:
        text = store.document.latent.code
        found = seed_of(text)
        seed = found + by if found is not None else 0
        store.update(
            store.document.with_latent(code=f"{SEED}{max(0, seed)}", at=-1), title=f"Seed {max(0, seed)}", merge="seed"
        )

    def generates() -> bool:
        return w.controller.generates

    def choose_reals() -> None:
        begin = store.document.latent.reals or w.settings.last_folder
        name = QFileDialog.getExistingDirectory(w, "Real pictures to compare with", begin)
        if name:
            store.update(store.document.with_latent(reals=name), title="Compare with real pictures")

    def choose_set(row: int) -> None:
        words = ("with it", "without it")[row]
        name = QFileDialog.getExistingDirectory(w, f"Pictures {words}", w.settings.last_folder)
        if name:
            folders = tuple(name if at == row else old for at, old in enumerate(store.document.latent.folders))
            store.update(store.document.with_latent(folders=folders), title=f"Choose pictures {words}")

    sets = [
        Command(
            f"latent-{words.split()[0]}",
            f"Choose pictures {words}…",
            partial(choose_set, row),
            menu="Inspect",
            group="latent",
            help=f"A folder of pictures {words}: an attribute vector leads from those without to those with",
            enabled=generates,
        )
        for row, words in enumerate(("with an attribute", "without an attribute"))
    ]
    return [
        Command(
            "latent-next",
            "New sample",
            lambda: step(1),
            shortcut="N",
            menu="Inspect",
            group="latent",
            icon="samples",
            help="The code of the next seed",
            enabled=generates,
        ),
        Command(
            "latent-previous",
            "Last sample",
            lambda: step(-1),
            shortcut="Shift+N",
            menu="Inspect",
            group="latent",
            help="The code of the seed before",
            enabled=generates,
        ),
        Command(
            "latent-reals",
            "Choose real pictures…",
            choose_reals,
            menu="Inspect",
            group="latent",
            help="The folder that generated pictures are compared with",
            enabled=generates,
        ),
        *sets,
    ]
