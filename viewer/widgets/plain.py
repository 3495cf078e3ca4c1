"""Escape file names for widgets in which Qt would interpret markup."""

from __future__ import annotations

from PySide6 import QtGui

Qt = QtGui.Qt  # QtCore.Qt lacks the two functions used below


def plain(text: str) -> str:
    """Return text that a tooltip shows literally, even if a file's name contains `<img src=…>`."""
    return Qt.convertFromPlainText(text) if Qt.mightBeRichText(text) else text
