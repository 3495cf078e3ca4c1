"""The user's settings as one JSON file. Errors in it are noted, and never prevent the start."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import files
from models.output_files import write_whole
from models.pictures.media import has_password
from models.runtime.user_folders import HOME_VARIABLE, home, note, prepare
from models.types import Refusal
from viewer.translation import offered, tr

__all__ = ["HOME_VARIABLE", "Settings", "home"]

FILE = "settings.json"
RECENT_MOST = 12
MOST_BYTES = 16_000_000
SCALE_VARIABLE = "QT_SCALE_FACTOR"  # Qt reads it when the application is made
THEMES = ("system", "dark", "light")
PERCENTS = (100, 125, 150, 200)  # sizes of the window's text and controls


@dataclass
class Settings:
    """The user's settings. `extra` keeps unknown keys.

    `geometry` is the window's, as bytes in base64; `layouts` has by workspace the `state` of its docks, also in base64,
    and the panels that are `open`.

    `notes` are sentences for the log about dropped values and write errors.
    """

    folder: Path
    theme: str = "system"
    geometry: str = ""
    layouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_folder: str = ""
    recent_pictures: tuple[str, ...] = ()
    recent_models: tuple[str, ...] = ()
    recent_sessions: tuple[str, ...] = ()
    language: str = ""  # "" for the system's
    percent: int = 100  # the size of text and controls, of the usual one
    confined: bool = True  # whether the engine's process runs in a sandbox
    cluster: str = ""  # the address of the Ray cluster that goes over data sets
    extra: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path | None = None) -> Settings:
        """Read the settings in `folder`, else in $VITRINE_HOME, else in the user's configuration folder."""
        if folder is None:
            prepare()
        found = cls(folder or home())
        if folder is None and (remark := note()):
            found.notes.append(remark)
        found._take(found._read())
        return found

    @property
    def path(self) -> Path:
        """The settings file."""
        return self.folder / FILE

    def add_picture(self, path: str | Path) -> None:
        """Put a picture first among the recent ones; an address with a password in it is not stored."""
        if not has_password(os.fspath(path)):
            self.recent_pictures = _unique((os.fspath(path), *self.recent_pictures))

    def add_model(self, path: str | Path) -> None:
        """Put a model first among the recent ones."""
        self.recent_models = _unique((os.fspath(path), *self.recent_models))

    def add_session(self, path: str | Path) -> None:
        """Put a session first among the recent ones."""
        self.recent_sessions = _unique((os.fspath(path), *self.recent_sessions))

    def forget(self, path: str | Path) -> None:
        """Remove a path from the recent pictures and models, because it no longer exists."""
        gone = os.path.normcase(path)
        self.recent_pictures = tuple(p for p in self.recent_pictures if os.path.normcase(p) != gone)
        self.recent_models = tuple(p for p in self.recent_models if os.path.normcase(p) != gone)

    def memory(self, name: str) -> dict[str, Any]:
        """Return one panel's stored values, which the panel reads and writes."""
        panels = self.extra.get("panels")
        if not isinstance(panels, dict):
            panels = self.extra["panels"] = {}
        kept = panels.get(name)
        if not isinstance(kept, dict):
            kept = panels[name] = {}
        return kept

    def save(self) -> bool:
        """Write the file atomically; return False, with a note, if it cannot be written."""
        values = {**self.extra, **{name: getattr(self, name) for name in _READERS}}
        try:
            text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, text)
        except (OSError, TypeError, ValueError) as error:
            self.notes.append(tr("The settings could not be saved to {path}: {error}.", path=self.path, error=error))
            return False
        return True

    def _read(self) -> Mapping[str, Any]:
        try:
            if not self.path.exists():
                return {}
            found = json.loads(files.text_of(self.path, most=MOST_BYTES))
            if not isinstance(found, dict):
                raise ValueError("it does not contain a table of settings")
            json.dumps(found, ensure_ascii=False).encode()  # raises for a lone surrogate, which cannot be written again
        except (Refusal, OSError) as error:
            self.notes.append(tr("The settings in {path} could not be read: {error}", path=self.path, error=error))
            return {}
        except (ValueError, RecursionError) as error:
            aside = self.path.with_name(FILE + ".broken")
            self.notes.append(
                tr(
                    "The settings in {path} are broken ({error}); they were renamed to {aside}.",
                    path=self.path,
                    error=error,
                    aside=aside.name,
                )
            )
            with contextlib.suppress(OSError):
                self.path.replace(aside)
            return {}
        return found

    def _take(self, found: Mapping[str, Any]) -> None:
        for name, value in found.items():
            if name not in _READERS:
                self.extra[name] = value
                continue
            try:
                setattr(self, name, _READERS[name](value))
            except ValueError as error:
                self.notes.append(tr("The setting {name} was dropped: {error}.", name=name, error=error))


def is_confined() -> bool:
    """Return whether the engine runs in a sandbox, without loading the other settings."""
    return _alone("confined") is not False


def chosen_cluster() -> str:
    """Return the address of the cluster that goes over data sets, "" for none, without loading the other settings."""
    found = _alone("cluster")
    return found if isinstance(found, str) else ""


def chosen_language() -> str:
    """Return the language of the window, "" for the system's, without loading the other settings."""
    found = _alone("language")
    return found if isinstance(found, str) else ""


def scale_factor() -> str:
    """Return what Qt multiplies all sizes by, as text: what the environment says, times the size that was chosen."""
    found = _alone("percent")
    share = found / 100 if found in PERCENTS else 1.0
    try:
        own = float(os.environ.get(SCALE_VARIABLE) or 1)
    except ValueError:
        own = 1.0
    return f"{own * share:g}"


def _alone(name: str) -> Any:
    try:
        found = json.loads(files.text_of(home() / FILE, most=MOST_BYTES))
        return found.get(name) if isinstance(found, dict) else None
    except (OSError, ValueError, RecursionError, Refusal):
        return None


def _percent(value: object) -> int:
    if value not in PERCENTS or not isinstance(value, int):
        raise ValueError(f"{value!r} is not one of {', '.join(map(str, PERCENTS))}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _theme(value: object) -> str:
    if value not in THEMES:
        raise ValueError(f"{value!r} is not one of {', '.join(THEMES)}")
    return str(value)


def _language(value: object) -> str:
    if value not in ("", *offered()):
        raise ValueError(f"{value!r} is not one of {', '.join(offered())}")
    return str(value)


def _bytes(value: object) -> str:
    base64.b64decode(_text(value), validate=True)
    return _text(value)


def _layouts(value: object) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError("it is not a table of layouts")
    for layout in value.values():
        if not isinstance(layout, dict) or not isinstance(opened := layout.get("open"), list):
            raise ValueError("a layout does not say which panels are open")
        _bytes(layout.get("state", ""))
        for name in opened:
            _text(name)
    return {
        str(name): {"state": str(layout.get("state", "")), "open": layout["open"]} for name, layout in value.items()
    }


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _paths(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(path, str) and path for path in value):
        raise ValueError("it is not a list of paths")
    return _unique(tuple(value))


_READERS: Mapping[str, Callable[[object], Any]] = {
    "theme": _theme,
    "geometry": _bytes,
    "layouts": _layouts,
    "last_folder": _text,
    "recent_pictures": _paths,
    "recent_models": _paths,
    "recent_sessions": _paths,
    "language": _language,
    "percent": _percent,
    "confined": _flag,
    "cluster": _text,
}


def _unique(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths without duplicates, by this platform's comparison of paths; only the newest are kept."""
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(os.path.normcase(path), path)
    return tuple(first.values())[:RECENT_MOST]
