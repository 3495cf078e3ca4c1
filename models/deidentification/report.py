"""The report of a de-identified folder: what was found in each picture and what was done, as JSON and CSV.

Pictures in which nothing was found come first, since they may still show a face; then those that failed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1
NAME = "deidentification"
MISSED = (
    "What the model did not find stays visible. Look through the pictures, first through those in which it found "
    "nothing."
)
UNDONE = (
    "Blurred and pixelated areas can be restored in part, the weaker the more, and programs recognise faces in them. "
    "Only filled areas hold nothing of what was there."
)
REST = (
    "Only what lies in the areas is hidden: clothes, surroundings, texts and the names of the files can still tell who "
    "somebody is."
)
DONE, NOTHING, FAILED, LEFT_OUT, WAITING = "hidden", "nothing found", "failed", "left out", "not done"
ORDER = (NOTHING, LEFT_OUT, FAILED, WAITING, DONE)
HEADINGS = ("picture", "output", "state", "class", "score", "x0", "y0", "x1", "y1", "hidden_x0", "hidden_y0")
HEADINGS += ("hidden_x1", "hidden_y1", "done", "reason")


@dataclass
class Row:
    """One picture: its path in the data set, its `state` and `reason`, and its `boxes` with what was done to each.

    `output` is the path of the copy in the output folder, `sha256` its digest, `made_of` a key of all it was made of.
    """

    picture: str
    state: str = WAITING
    output: str = ""
    sha256: str = ""
    made_of: str = ""
    reason: str = ""
    boxes: list[dict[str, Any]] = field(default_factory=list)


def notes(way: str) -> list[str]:
    """Return what a reader of the report has to know, for areas hidden in a way."""
    return [MISSED, REST] if way == "fill" else [MISSED, UNDONE, REST]


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return the number of pictures in each state, and of hidden areas."""
    found = {state: sum(row.state == state for row in rows) for state in ORDER}
    return {**found, "areas": sum(len(row.boxes) for row in rows if row.state == DONE)}


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return the pictures as they are listed: first those in which nothing was found."""
    return sorted(rows, key=lambda row: ORDER.index(row.state))


def as_json(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """Return the report as JSON; `about` says which model, settings and versions made it."""
    body = {
        "vitrine_deidentification": FORMAT,
        **about,
        "complete": not any(row.state == WAITING for row in rows),
        "counts": counts(rows),
        "pictures": [vars(row) for row in in_order(rows)],
    }
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """Return the report as a table with a line for each box, and one for each picture without a box."""
    content = io.StringIO()
    table = csv.writer(content, lineterminator="\n")
    table.writerow(HEADINGS)
    for row in in_order(rows):
        head = (row.picture, row.output, row.state)
        for box in row.boxes or [None]:
            if box is None:
                table.writerow([*head, *[""] * 11, row.reason])
            else:
                numbers = [*(f"{value:.2f}" for value in box["box"]), *box["hidden"]]
                table.writerow([*head, box["class"], f"{box['score']:.6f}", *numbers, box["done"], row.reason])
    return content.getvalue()


def read(text: str) -> dict[str, Row]:
    """Return the pictures of an earlier report by their path in the data set, none for a text that is no report."""
    try:
        body = json.loads(text)
        if body["vitrine_deidentification"] != FORMAT:
            return {}
        rows = [Row(**each) for each in body["pictures"]]
        return {str(row.picture): row for row in rows if isinstance(row.boxes, list)}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
