"""Session files: the whole Document as JSON, its files by path, size and SHA-256, and the cards beside weights. No Qt.

Paths are written relative to the session, and found again there, where they were, or beside it under their name.
Folders, videos and what is larger than `LARGEST_HASHED_BYTES` have no SHA-256; nor has a picture after the first
`MOST_HASHED`, whose size alone is compared.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from models import files, output_files
from models.cards import card as cards
from models.cards.card import DEFAULT_MODEL
from models.pictures.media import has_password, is_endless, is_live, title
from models.recipe import versions
from models.types import Refusal, Source
from viewer.saving import validation
from viewer.saving.dataclass_json import mapped, plain, taken
from viewer.session.document import Document
from viewer.session.document_paths import moved, named, of_model

FORMAT = 1
SUFFIX = ".vitrine"
MARK = "vitrine_session"
MOST_BYTES = 20_000_000
LARGEST_HASHED_BYTES = 4_000_000_000
MOST_HASHED = 4096
MOST_HASHED_BYTES = 4_000_000_000  # of pictures, all together
MOST_NAMED, MOST_LINES = 5, 1000
HERE = "./"  # begins a path in a session, which no model's name does
Digests = dict[tuple[str, tuple[int, int]], str]


@dataclass(frozen=True)
class Opened:
    """What a session file held: the Document without what is missing, and what there is to tell.

    `missing` and `changed` are files by name, `notes` sentences about everything else that was not as it should be.
    `cards` are the model cards that stood beside weights and are gone, by the weights. `of` is the
    session that a Document written by `write_here` belongs to.
    """

    document: Document
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cards: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    of: Path | None = None

    @property
    def told(self) -> str:
        """What is not as it was when the session was saved, in sentences; "" for nothing."""
        parts = []
        if self.missing:
            parts.append(f"Missing: {listed(self.missing)}.")
        if self.changed:
            parts.append(f"Changed since: {listed(self.changed)}.")
        if self.notes:
            parts.append(self.notes[0] if len(self.notes) == 1 else f"{len(self.notes)} values could not be read.")
        return " ".join(parts)

    @property
    def details(self) -> str:
        """Every missing or changed file and every note, a line each."""
        lines = [*(f"missing: {name}" for name in self.missing), *(f"changed: {name}" for name in self.changed)]
        return "\n".join([*lines, *self.notes][:MOST_LINES])


def write(path: Path, document: Document, *, digests: Digests | None = None) -> list[str]:
    """Write a session file whole or not at all, and return what of the Document is not in it, in sentences.

    `digests` keeps SHA-256s of files that have not changed from one time to the next. Raises Refusal.
    """
    known: Digests = {} if digests is None else digests
    document, left = _without_passwords(document)
    written = named(document)
    pictures = {source.path for source in document.sources}
    entries, found, budget = {}, {}, [MOST_HASHED, MOST_HASHED_BYTES]
    for place in sorted(written):
        key = _key(place, path.parent)
        entries[key] = _entry(place, known, budget if place in pictures else None)
        if not key.startswith(HERE) or key.startswith(HERE + ".."):
            entries[key]["at"] = place
        if card := _card(Path(place)):
            found[key] = card
    document = moved(document, {place: _key(place, path.parent) for place in written})
    _write(path, {"versions": versions(), "document": plain(document), "files": entries, "cards": found})
    return left


def write_here(path: Path, document: Document, *, of: Path | None = None) -> None:
    """Write a Document to be read on this machine soon, by a session file's rules: paths as they are, nothing hashed.

    `of` is the session file that it was opened from or saved to. Raises Refusal.
    """
    document, _ = _without_passwords(document)
    _write(path, {"document": plain(document), "of": str(of or "")})


def _write(path: Path, body: dict[str, Any]) -> None:
    """Write what a session file holds. Raises Refusal."""
    content = json.dumps({MARK: FORMAT, **body}).encode()
    if len(content) > MOST_BYTES:
        raise Refusal(f"{path.name} would be larger than {MOST_BYTES / 1e6:.0f} MB.", advice="Open fewer pictures.")
    try:
        output_files.write_whole(path, content)
    except OSError as error:
        raise Refusal(
            f"{path.name} could not be written ({error.strerror or error}).",
            advice="Choose another folder, or make room on the disk.",
        ) from error


def read(path: Path) -> Opened:
    """Read a session file. What is missing or wrong in it is told of, and the rest is there. Raises Refusal."""
    body = _body(path)
    notes: list[str] = []
    document = validation.checked(taken(Document, body.get("document", {}), notes.append), notes.append)
    entries = {key: entry for key, entry in _table(body, "files").items() if isinstance(entry, dict)}
    found, gone, missing, changed = {}, set(), [], []
    for key, entry in entries.items():
        place, same = _find(key, entry, path)
        found[key] = place or _plain(path.absolute().parent / key)
        if not place:
            gone.add(found[key])
            missing.append(_last(key))
        elif not same:
            changed.append(_last(key))
    document = _without(moved(document, found), gone)
    document = mapped(document, _stamped)
    gone_cards = {}
    for key, card in _table(body, "cards").items():
        weights = Path(found.get(key, ""))
        if not weights.is_file() or not isinstance(card, dict) or (now := _card(weights)) == card:
            continue
        if now is None:
            gone_cards[weights] = card
        else:
            changed.append(cards.place(weights).name)
    of = body.get("of")
    belongs = Path(of) if isinstance(of, str) and of else None
    return Opened(document, tuple(missing), tuple(changed), tuple(notes), gone_cards, belongs)


def _body(path: Path) -> dict[str, Any]:
    """Return what stands in a session file. Raises Refusal."""
    files.check(path)
    advice = "Choose a session that Vitrine saved."
    if path.stat().st_size > MOST_BYTES:
        raise Refusal(f"{path.name} is larger than {MOST_BYTES / 1e6:.0f} MB, which no session is.", advice=advice)
    try:
        body = json.loads(files.content(path, most=MOST_BYTES))
        json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate could be written nowhere
    except RecursionError as error:
        raise Refusal(f"{path.name} is nested too deeply to be a session.", advice=advice) from error
    except OSError as error:
        raise files.refusal(path, error) from error
    except ValueError as error:
        raise Refusal(f"{path.name} is no session: it cannot be read as JSON.", advice=advice) from error
    if not isinstance(body, dict) or MARK not in body:
        raise Refusal(f"{path.name} is no session.", advice=advice)
    if body[MARK] != FORMAT:
        raise Refusal(f"{path.name} is a session of format {body[MARK]!r:.40}.", advice=f"This reads format {FORMAT}.")
    return body


def _table(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = body.get(name)
    return table if isinstance(table, dict) else {}


def _key(place: str, folder: Path) -> str:
    """Return a path as it is written: relative to the session's folder, or as it is on another drive."""
    try:
        return HERE + Path(os.path.relpath(place, folder.absolute())).as_posix()
    except ValueError:
        return place


def _entry(place: str, known: Digests, budget: list[int] | None) -> dict[str, Any]:
    """Return what is written of a file: its size and SHA-256, "folder" of a folder, nothing of what is not there."""
    path = Path(place)
    if files.exists(path) and path.is_dir():
        return {"folder": True}
    stamp = Source.file(path).stamp
    if not any(stamp):
        return {}
    entry: dict[str, Any] = {"bytes": stamp[0]}
    if stamp[0] > LARGEST_HASHED_BYTES or is_live(place):
        return entry
    if budget is not None:
        budget[0] -= 1
        budget[1] -= stamp[0]
        if min(budget) < 0:
            return entry
    try:
        if (place, stamp) not in known:
            known[place, stamp] = files.sha256(path)
        entry["sha256"] = known[place, stamp]
    except Refusal:
        return entry
    return entry


def _card(weights: Path) -> dict[str, Any] | None:
    """Return the card of a model's file, None where there is none."""
    if weights.suffix.lower() not in files.MODEL_SUFFIXES:
        return None
    try:
        card = cards.beside(weights)
    except (Refusal, RecursionError):
        return None
    return dict(card.about) if card is not None else None


def _find(key: str, entry: Mapping[str, Any], session: Path) -> tuple[str, bool]:
    """Return where a file of a session lies now, "" for nowhere, and whether it is still the same one."""
    at = entry.get("at")
    folder = session.absolute().parent
    candidates = [folder / key, *([Path(at)] if isinstance(at, str) else []), folder / _last(key)]
    first = ""
    for candidate in dict.fromkeys(candidates):
        try:
            there = candidate.is_dir() if entry.get("folder") else candidate.is_file()
        except (OSError, ValueError):
            continue
        if there:
            place = _plain(candidate)
            if _same(Path(place), entry):
                return place, True
            first = first or place
    return first, False


def _same(path: Path, entry: Mapping[str, Any]) -> bool:
    """Tell whether a file is still what a session says of it."""
    size, digest = entry.get("bytes"), entry.get("sha256")
    try:
        found = path.stat().st_size
        if isinstance(size, int) and found != size:
            return False
        return not isinstance(digest, str) or found > LARGEST_HASHED_BYTES or files.sha256(path) == digest
    except (OSError, Refusal):
        return False


def is_session(path: str | Path) -> bool:
    """Tell by its name whether a path is that of a session."""
    return Path(path).suffix.lower() == SUFFIX


def _plain(path: Path) -> str:
    """Return a path without "..", and with its links: they are the user's way of naming it."""
    return os.path.abspath(path)  # noqa: PTH100


def listed(names: tuple[str, ...]) -> str:
    """Return names as a list in words, the first few of them."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _last(key: str) -> str:
    return PureWindowsPath(key).name


def _without(document: Document, gone: set[str]) -> Document:
    """Return a document without what is gone: pictures left out, the model the default one, folders none."""
    if not gone:
        return document
    kept = tuple(source for source in document.sources if source.path not in gone)
    if kept != document.sources:
        before = sum(source.path not in gone for source in document.sources[: document.current])
        if document.file is not None and document.file.path in gone:
            document = document.with_sources(kept, current=max(0, min(before, len(kept) - 1)))
        else:
            document = dataclasses.replace(document, sources=kept, current=before)
    if of_model(document.beside) & gone:
        document = document.with_beside("")
    if of_model(document.model) & gone:
        document = document.with_model(DEFAULT_MODEL)

    def less(value: Any) -> Any:
        lost = {
            f.name: None
            for f in dataclasses.fields(value)
            if isinstance(found := getattr(value, f.name), Source) and found.path in gone and f.default is None
        }
        return dataclasses.replace(value, **lost) if lost else value

    document = mapped(document, less)
    latent = document.latent
    folders = ["" if folder in gone else folder for folder in latent.folders]
    return document.with_latent(reals="" if latent.reals in gone else latent.reals, folders=(folders[0], folders[1]))


def _without_passwords(document: Document) -> tuple[Document, list[str]]:
    """Return a document without the addresses that hold a password, and what to tell of each."""
    secret = [source for source in document.sources if has_password(source.path)]
    if not secret:
        return document, []
    kept = tuple(source for source in document.sources if source not in secret)
    told = [f"{title(source.path)} is not in the session, because its address holds a password." for source in secret]
    return document.with_sources(kept), told


def _stamped(value: Any) -> Any:
    """Return a source with the stamp of the file as it is now."""
    if not isinstance(value, Source) or is_endless(value.path):
        return value
    try:
        return dataclasses.replace(Source.file(value.path), frame=value.frame)
    except ValueError:  # a path no system has
        return value
