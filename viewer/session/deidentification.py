"""Which folder a document exports de-identified copies of, and where its settings say that this goes on."""

from __future__ import annotations

from pathlib import Path

from viewer.session.document import Document

INSPECTION = "deidentify"
SLOT = f"{INSPECTION}.folder"
LOOK, GO = "look", "go"  # among the settings: whether a folder is gone through for an export


def folder_of(document: Document) -> str:
    """Return the folder or data set that is exported: the one chosen here, the open one, or the picture's folder."""
    own = str(document.values(INSPECTION).get("folder", ""))
    if own:
        return own
    if document.data_set is not None:
        return document.data_set.path
    file = document.file
    return str(Path(file.path).parent) if file is not None and not file.moving else ""
