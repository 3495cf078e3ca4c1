"""Texts that hold names of files, where Qt would take markup in them for its own. It shows nothing."""

from __future__ import annotations

from PySide6 import QtGui

Qt = QtGui.Qt  # which QtCore's lacks these two functions of


def plain(text: str) -> str:
    """Return a text so that a tooltip shows it as it is: `<img src=…>` in a file's name is no picture."""
    return Qt.convertFromPlainText(text) if Qt.mightBeRichText(text) else text
