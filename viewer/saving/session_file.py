"""Session files: the whole Document as JSON, its files by path, size and SHA-256, and the cards beside weights.

Paths are relative to the session file, and are looked up there, at their old place, or beside the session file by name.
Folders, videos and files larger than `LARGEST_HASHED_BYTES` have no SHA-256; nor have pictures after the first
`MOST_HASHED`, of which only the size is compared.
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
from viewer.session.dataclass_json import mapped, plain, taken
from viewer.session.document import Document
from viewer.session.document_paths import moved, named, of_model
from viewer.translation import tr

FORMAT = 1
SUFFIX = ".vitrine"
MARK = "vitrine_session"
MOST_BYTES = 20_000_000
LARGEST_HASHED_BYTES = 4_000_000_000
MOST_HASHED = 4096
MOST_HASHED_BYTES = 4_000_000_000  # bytes of all pictures together
MOST_NAMED, MOST_LINES = 5, 1000
HERE = "./"  # start of a path in a session; no model's name starts like this
Digests = dict[tuple[str, tuple[int, int]], str]


@dataclass(frozen=True)
class Opened:
    """The content of a session file: the Document without missing files, and what to report.

    `missing` and `changed` are files by name; `notes` are sentences about everything else that was wrong. `cards` are
    model cards that stood beside weights and no longer do, by the weights. `of` is the session that a Document written
    by `write_here` belongs to.
    """

    document: Document
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cards: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    of: Path | None = None

    @property
    def differences(self) -> str:
        """What differs from when the session was saved, in sentences; "" for nothing."""
        parts = []
        if self.missing:
            parts.append(tr("Missing: {listed}.", listed=listed(self.missing)))
        if self.changed:
            parts.append(tr("Changed since: {listed}.", listed=listed(self.changed)))
        if self.notes:
            parts.append(
                self.notes[0]
                if len(self.notes) == 1
                else tr("{notes} values could not be read.", notes=len(self.notes))
            )
        return " ".join(parts)

    @property
    def details(self) -> str:
        """Every missing or changed file and every note, one per line."""
        lines = [
            *(tr("missing: {name}", name=name) for name in self.missing),
            *(tr("changed: {name}", name=name) for name in self.changed),
        ]
        return "\n".join([*lines, *self.notes][:MOST_LINES])


def write(path: Path, document: Document, *, digests: Digests | None = None) -> list[str]:
    """Write a session file atomically, and return sentences on what of the Document it does not contain.

    `digests` caches the SHA-256 of unchanged files between calls. Raises Refusal.
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
    """Write a Document that will soon be read on this machine: like a session file, with absolute paths and no hashes.

    `of` is the session file that it was opened from or saved to. Raises Refusal.
    """
    document, _ = _without_passwords(document)
    _write(path, {"document": plain(document), "of": str(of or "")})


def _write(path: Path, body: dict[str, Any]) -> None:
    """Write the content of a session file. Raises Refusal."""
    content = json.dumps({MARK: FORMAT, **body}).encode()
    if len(content) > MOST_BYTES:
        raise Refusal(
            tr("{path} would be larger than {most_bytes:.0f} MB.", path=path.name, most_bytes=MOST_BYTES / 1e6),
            advice=tr("Open fewer pictures."),
        )
    try:
        output_files.write_whole(path, content)
    except OSError as error:
        raise Refusal(
            tr("{path} could not be written ({strerror}).", path=path.name, strerror=error.strerror or error),
            advice=tr("Choose another folder, or make room on the disk."),
        ) from error


def read(path: Path) -> Opened:
    """Read a session file. Missing or wrong parts are reported, and the rest is used. Raises Refusal."""
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
    """Return the JSON in a session file. Raises Refusal."""
    files.check(path)
    advice = tr("Choose a session that Vitrine saved.")
    if path.stat().st_size > MOST_BYTES:
        raise Refusal(
            tr(
                "{path} is larger than {most_bytes:.0f} MB, too large for a session.",
                path=path.name,
                most_bytes=MOST_BYTES / 1e6,
            ),
            advice=advice,
        )
    try:
        body = json.loads(files.content(path, most=MOST_BYTES))
        json.dumps(body, ensure_ascii=False).encode()  # raises for a lone surrogate, which cannot be saved again
    except RecursionError as error:
        raise Refusal(tr("{path} is nested too deeply to be a session.", path=path.name), advice=advice) from error
    except OSError as error:
        raise files.refusal(path, error) from error
    except ValueError as error:
        raise Refusal(
            tr("{path} is not a session: it cannot be read as JSON.", path=path.name), advice=advice
        ) from error
    if not isinstance(body, dict) or MARK not in body:
        raise Refusal(tr("{path} is not a session.", path=path.name), advice=advice)
    if body[MARK] != FORMAT:
        raise Refusal(
            tr("{path} is a session of format {body!r:.40}.", path=path.name, body=body[MARK]),
            advice=tr("This reads format {format}.", format=FORMAT),
        )
    return body


def _table(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = body.get(name)
    return table if isinstance(table, dict) else {}


def _key(place: str, folder: Path) -> str:
    """Return a path as stored: relative to the session's folder, or absolute on another drive."""
    try:
        return HERE + Path(os.path.relpath(place, folder.absolute())).as_posix()
    except ValueError:
        return place


def _entry(place: str, known: Digests, budget: list[int] | None) -> dict[str, Any]:
    """Return what is stored for a file: size and SHA-256; "folder" for a folder, {} if it does not exist."""
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
    """Return the card of a model's file, None if there is none."""
    if weights.suffix.lower() not in files.MODEL_SUFFIXES:
        return None
    try:
        card = cards.beside(weights)
    except (Refusal, RecursionError):
        return None
    return dict(card.about) if card is not None else None


def _find(key: str, entry: Mapping[str, Any], session: Path) -> tuple[str, bool]:
    """Return the current path of a session's file, "" if it is missing, and whether it is unchanged."""
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
    """Return whether a file still matches its entry in a session."""
    size, digest = entry.get("bytes"), entry.get("sha256")
    try:
        found = path.stat().st_size
        if isinstance(size, int) and found != size:
            return False
        return not isinstance(digest, str) or found > LARGEST_HASHED_BYTES or files.sha256(path) == digest
    except (OSError, Refusal):
        return False


def is_session(path: str | Path) -> bool:
    """Return whether a path has the suffix of a session file."""
    return Path(path).suffix.lower() == SUFFIX


def _plain(path: Path) -> str:
    """Return a path without "..", but with its symbolic links, which are part of the user's naming."""
    return os.path.abspath(path)  # noqa: PTH100


def listed(names: tuple[str, ...]) -> str:
    """Return the first few names as a list in words."""
    more = tr(" and {names:,} more", names=len(names) - MOST_NAMED) if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _last(key: str) -> str:
    return PureWindowsPath(key).name


def _without(document: Document, gone: set[str]) -> Document:
    """Return a document without missing files: pictures removed, the model replaced by the default, folders cleared."""
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
    """Return a document without addresses that contain a password, and a sentence for each."""
    secret = [source for source in document.sources if has_password(source.path)]
    if not secret:
        return document, []
    kept = tuple(source for source in document.sources if source not in secret)
    messages = [
        tr("{path} is not in the session, because its address holds a password.", path=title(source.path))
        for source in secret
    ]
    return document.with_sources(kept), messages


def _stamped(value: Any) -> Any:
    """Return a source with the current time stamp of its file."""
    if not isinstance(value, Source) or is_endless(value.path):
        return value
    try:
        return dataclasses.replace(Source.file(value.path), frame=value.frame)
    except ValueError:  # an invalid path, such as one with a null character
        return value
