"""The example of an adapter file, for the tests of it and of everything that holds for adapters."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from models.user_code import helpers

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@cache
def face_adapter() -> ModuleType:
    """Return the example as a module; it may have been opened in this process, and then its files need consent."""
    helpers.allow(EXAMPLES / "face_adapter.py")
    sys.path.insert(0, str(EXAMPLES))
    try:
        spec = importlib.util.spec_from_file_location("face_adapter", EXAMPLES / "face_adapter.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(EXAMPLES))
