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

__all__ = ["HOME_VARIABLE", "Settings", "home"]

FILE = "settings.json"
RECENT_MOST = 12
MOST_BYTES = 16_000_000
THEMES = ("system", "dark", "light")


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
    confined: bool = True  # whether the engine's process runs in a sandbox
    extra: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path | None = None) -> Settings:
        """Read the settings in `folder`, else in $VITRINE_HOME, else in the user's configuration folder."""
        if folder is None:
            prepare()
        found = cls(folder or home())
        if folder is None and (told := note()):
            found.notes.append(told)
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
            self.notes.append(f"The settings could not be saved to {self.path}: {error}.")
            return False
        return True

    def _read(self) -> Mapping[str, Any]:
        try:
            if not self.path.exists():
                return {}
            found = json.loads(files.text_of(self.path, most=MOST_BYTES))
            if not isinstance(found, dict):
                raise ValueError("it holds no table of settings")
            json.dumps(found, ensure_ascii=False).encode()  # raises for a lone surrogate, which cannot be written again
        except (Refusal, OSError) as error:
            self.notes.append(f"The settings in {self.path} could not be read: {error}")
            return {}
        except (ValueError, RecursionError) as error:
            aside = self.path.with_name(FILE + ".broken")
            self.notes.append(f"The settings in {self.path} are broken ({error}); they were renamed to {aside.name}.")
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
                self.notes.append(f"The setting {name} was dropped: {error}.")


def is_confined() -> bool:
    """Return whether the engine runs in a sandbox, without loading the other settings."""
    try:
        found = json.loads(files.text_of(home() / FILE, most=MOST_BYTES))
        return not isinstance(found, dict) or found.get("confined", True) is not False
    except (OSError, ValueError, RecursionError, Refusal):
        return True


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _theme(value: object) -> str:
    if value not in THEMES:
        raise ValueError(f"{value!r} is not one of {', '.join(THEMES)}")
    return str(value)


def _bytes(value: object) -> str:
    base64.b64decode(_text(value), validate=True)
    return _text(value)


def _layouts(value: object) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError("it is no table of layouts")
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
        raise ValueError(f"{value!r} is not a text")
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
    "confined": _flag,
}


def _unique(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths without duplicates, by this platform's comparison of paths; only the newest are kept."""
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(os.path.normcase(path), path)
    return tuple(first.values())[:RECENT_MOST]
