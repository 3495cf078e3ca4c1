"""The folder of the user's settings, cards and consents."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

HOME_VARIABLE = "VITRINE_HOME"


def home() -> Path:
    """Return the settings folder: $VITRINE_HOME if set, else the user's configuration folder."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named) if named else platformdirs.user_config_path("vitrine", appauthor=False)
