"""Commands for the user's own code: open it, keep its adapter, revoke consent."""

from __future__ import annotations

from pathlib import Path

from models import model_name
from models.user_code import consent, kept_adapters
from viewer.commands.command import Command
from viewer.session.engine_process import ProcessLane
from viewer.translation import tr, trn
from viewer.window.main_window import Window


def commands(window: Window) -> list[Command]:
    """Return the commands of a window."""
    return [
        Command(
            "open-code",
            tr("Open code…"),
            lambda: window.prompts.open_code(weights=_unknown_weights(window)),
            menu="Model",
            group="code",
            icon="open",
            help=tr("A Python file that builds a network, or an adapter file, with weights"),
        ),
        Command(
            "keep-adapter",
            tr("Remember this adapter"),
            lambda: _keep(window),
            menu="Model",
            group="code",
            enabled=lambda: _adapter(window) is not None,
            checked=lambda: (path := _adapter(window)) is not None and str(path) in kept_adapters.paths(),
            help=tr("Weights that it recognises open with it from now on"),
        ),
        Command(
            "confine",
            tr("Sandbox the models' process"),
            lambda: _confine(window),
            menu="Model",
            group="code",
            enabled=lambda: isinstance(window.session.jobs.lane, ProcessLane),
            checked=lambda: _is_confined(window),
            help=tr(
                "It may write only to its own folder and the caches, and may not read keys; off for code that must"
            ),
        ),
        Command(
            "forget-code",
            tr("Forget allowed code"),
            lambda: _forget(window),
            menu="Model",
            group="code",
            enabled=lambda: bool(consent.allowed()),
            help=tr("Every file of code is asked about again before it runs"),
        ),
    ]


def _unknown_weights(window: Window) -> str:
    """Return the file of weights whose network is unknown, if the model is one, else ""."""
    description = window.session.description
    unknown = description is not None and description.about.get("unknown")
    return model_name.split(window.session.store.document.model)[0] if unknown else ""


def _adapter(window: Window) -> Path | None:
    """Return the file of the adapter that the model uses, None if it is not the user's own."""
    description = window.session.description
    about = description.about if description is not None else {}
    return Path(str(about["code"])) if about.get("adapter") and about.get("code") else None


def _keep(window: Window) -> None:
    path = _adapter(window)
    if path is None:
        return
    known = str(path) in kept_adapters.paths()
    try:
        (kept_adapters.forget if known else kept_adapters.keep)(path)
    except OSError as error:
        window.tell(tr("That could not be saved: {error}.", error=error), severity="error")
        return
    text = (
        tr("{path} is forgotten.", path=path.name)
        if known
        else tr("Weights that {path} recognises open with it from now on.", path=path.name)
    )
    window.tell(text, key="adapter")
    window.refresh()


def _is_confined(window: Window) -> bool:
    lane = window.session.jobs.lane
    return isinstance(lane, ProcessLane) and lane.confined


def _confine(window: Window) -> None:
    """Turn the engine's sandbox on or off; a new engine starts, because a running one cannot leave its sandbox."""
    lane = window.session.jobs.lane
    if not isinstance(lane, ProcessLane):
        return
    lane.confined = window.settings.confined = not lane.confined
    window.settings.save()
    what = tr("is sandboxed") if lane.confined else tr("may read and write what you may")
    window.session.jobs.renew(tr("The models' process {what} from now on. A fresh one takes over.", what=what))
    window.session.again()
    window.refresh()


def _forget(window: Window) -> None:
    count = len(consent.allowed())
    try:
        consent.revoke()
    except OSError as error:
        window.tell(tr("The permissions could not be revoked: {error}.", error=error), severity="error")
        return
    told = trn(
        "{n:,} file of code may not run any more. What is open stays open.",
        "{n:,} files of code may not run any more. What is open stays open.",
        count,
    )
    window.tell(told, key="allow")
    window.refresh()
