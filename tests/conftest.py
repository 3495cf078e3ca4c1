"""For every test: no screen, and no setting of the user's own is read or written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("vitrine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vitrine")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("VITRINE_HOME", str(home))
    return home
