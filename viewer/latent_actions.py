"""The actions of generative models: another sample, back to the middle. What they do to the picture is elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.latent.space import SEED
from viewer.commands import Command

if TYPE_CHECKING:
    from viewer.window import Window


def commands(w: Window) -> list[Command]:
    """Return the commands of a window."""
    store = w.session.store

    def step(by: int) -> None:
        text = store.document.latent.code
        seed = int(text.removeprefix(SEED)) + by if text.startswith(SEED) else 0
        store.update(
            store.document.with_latent(code=f"{SEED}{max(0, seed)}", at=-1), title=f"Seed {max(0, seed)}", merge="seed"
        )

    def generates() -> bool:
        return w.easel.generates

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
    ]
