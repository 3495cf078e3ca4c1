"""What is told of a miss and of a wrong box, in words, and when nothing is told. Opening is in `test_truth`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.viewer import test_truth
from tests.viewer.test_truth import SSD, Make, opened, panel

made = test_truth.made


def test_a_miss_says_which_box_over_it_counts_for_another(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    outcome = panel(d).mistakes.outcome
    row = int(outcome.objects[outcome.matches.truth[outcome.matches.correct][0]])
    found = outcome.name(int(outcome.judged[outcome.matches.correct][0]))
    assert outcome.miss(row).endswith(f"; {found} counts for another")
    for row in outcome.missed_rows.tolist():
        ious = [naive_iou(outcome.annotated.boxes[row], box) for box in outcome.result.arrays["boxes"]]
        if max(ious) < 0.5:
            assert ";" not in outcome.miss(row)
    for place, row in enumerate(outcome.judged.tolist()):
        if outcome.matches.wrong[place] and outcome.matches.iou[place] < 0.1:
            assert outcome.mistake(row) == "on nothing"


def naive_iou(a: Any, b: Any) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return float(inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter))


def test_while_the_pinned_settings_are_shown_nothing_is_told_of_those_of_now(desk: Make, made: Path) -> None:
    d = desk(model=SSD)
    opened(d, made / "set.json")
    d.run("compare-pin")
    d.set("score", 0.9)
    assert d.layer("missed") is not None
    d.run("compare-flip")
    d.settle()
    assert d.layer("missed") is None
    d.run("compare-flip")
    assert d.layer("missed") is not None
