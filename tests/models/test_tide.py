"""TIDE's error types equal what tidecv itself says, as recorded in tide.json by record_tide.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import dataset, matched

from models.evaluation import tide

CASES = json.loads(Path(__file__).with_name("tide.json").read_text(encoding="utf-8"))
NAMES = ("ClassError", "BoxError", "OtherError", "DuplicateError", "BackgroundError", "MissedError")


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['seed']}-{c['crowds']}-{c['score']}")
def test_it_equals_tidecv(case: dict[str, Any]) -> None:
    errors = tide.errors(matched(dataset(case["seed"], crowds=case["crowds"])))
    gains, count, ap = errors.tick(case["score"])
    assert ap * 100 == pytest.approx(case["ap"], abs=1e-9)
    np.testing.assert_array_equal(count, [case["count"][name] for name in NAMES])
    wanted = [case["main"][name] for name in tide.TYPES] + [case["special"][name] for name in tide.SPECIAL]
    np.testing.assert_allclose(gains * 100, wanted, atol=1e-9)


def test_every_type_occurs_in_the_record() -> None:
    for name in NAMES:
        assert sum(case["count"][name] for case in CASES) > 20, name
    for name in ("Cls", "Loc", "Bkg", "Miss"):
        assert max(case["main"][name] for case in CASES) > 1, name
