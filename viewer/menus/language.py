"""View > Language: the system's, or one that there is a translation for. It is in force after a restart."""

from __future__ import annotations

from functools import partial

from models.types import Refusal
from viewer import translation
from viewer.commands.command import Command
from viewer.engine_texts import shown
from viewer.saving import session_file
from viewer.translation import tr
from viewer.window.main_window import Window

FILE = f"restart{session_file.SUFFIX}"  # what was open, in the settings' folder, until the new window has read it
KEY = "language"


def commands(w: Window) -> list[Command]:
    """Return the commands of a window: each language is called what it calls itself."""
    names = {"": tr("Language of the system"), **translation.offered()}
    return [
        Command(
            f"language-{code or 'system'}",
            name,
            partial(choose, w, code),
            menu="View/Language",
            group="window",
            checked=partial(_is_chosen, w, code),
        )
        for code, name in names.items()
    ]


def choose(w: Window, code: str) -> None:
    """Keep a language, and offer to start again if it is not the one in force."""
    w.settings.language = code
    w.settings.save()
    text = tr("The language changes when Vitrine starts again. Pictures, model and settings stay open.")
    offer_restart(w, text if (code or translation.system()) != translation.language() else "", key=KEY)


def offer_restart(w: Window, text: str, *, key: str) -> None:
    """Say what a restart will bring, with a button for it, in place of what was said about `key` before."""
    for toast in w.toasts.shown:
        if toast.message.key == key:
            toast.dismiss()
    if text:
        w.tell(text, key=key, action=(tr("Restart now"), partial(restart, w)), stays=True)


def restart(w: Window) -> None:
    """Close the window, and let the program start again with what is open."""
    path = w.settings.folder / FILE
    try:
        document = w.docks.recorded(w.session.store.document)
        w.settings.folder.mkdir(parents=True, exist_ok=True)
        session_file.write_here(path, document, of=w.sessions.path)
    except (Refusal, OSError) as error:
        w.tell(f"{shown(str(error))} {getattr(error, 'advice', '')}", severity="error")
        return
    w.restart = path
    w.sessions.kept_elsewhere = True
    w.close()


def _is_chosen(w: Window, code: str) -> bool:
    return w.settings.language == code
