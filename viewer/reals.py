"""Which folder of real pictures generated ones are compared with: the one chosen, else the current picture's."""

from __future__ import annotations

from pathlib import Path

from viewer.session.document import Document

NONE = "Open or choose a folder of real pictures to compare with."


def folder(document: Document) -> str:
    """Return the folder, "" where there is none."""
    if document.latent.reals or document.file is None or document.file.moving:
        return document.latent.reals
    return str(Path(document.file.path).parent)


def words(document: Document) -> str:
    """Return what is said of the folder."""
    found = folder(document)
    return f"Real pictures: {Path(found).name or found}" if found else NONE
