"""Which of the questions that are asked of every family only the gate asks."""

from __future__ import annotations

import pytest

from models.engine import registry

# Of each kind of answer one family, of which every attribution method is asked in every run.
EXPLAINED = ("ClassifierAdapter", "SsdAdapter", "RcnnAdapter", "SegmenterAdapter", "AnyDepthAdapter", "FaceDetector")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the attribution methods of the other families as exhaustive."""
    methods = set(registry.all_attributions())
    for item in items:
        asked = getattr(item, "callspec", None)
        if asked is None or not {"family", "inspection"} <= asked.params.keys():
            continue
        if asked.params["inspection"].id in methods and asked.params["family"].__name__ not in EXPLAINED:
            item.add_marker(pytest.mark.exhaustive)
