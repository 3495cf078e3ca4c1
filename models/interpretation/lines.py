"""The interpretation of a network as lines of text, for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def lines(meta: Mapping[str, Any], model: str) -> Iterator[str]:
    """Yield lines that say what a Result of the inspection `interpretation` of a `model` tells."""
    given = meta["input"]
    yield f"Input: {given['channels']} x {given['height']} x {given['width']} (channels, height, width)"
    way = given["preprocessing"]
    scaled = f"0 to {way['range']:g}, less {_few(way['mean'])}, over {_few(way['std'])}"
    yield f"Pictures: {way['order'].upper()}, {scaled}, {way['fit']}"
    if given["filled"]:
        yield given["filled"]
    yield "Outputs:"
    for row in meta["outputs"]:
        shape = " x ".join(map(str, row["shape"])) or "one number"
        span = f"{row['low']:.4g} to {row['high']:.4g}" + ("" if row["finite"] else ", not all finite")
        yield f"  {row['name']}: {shape} {row['dtype']}, {span}{'' if row['used'] else ' (not read)'}"
    yield "Readings, the likeliest first:"
    for row in meta["readings"]:
        yield f"{'*' if row['chosen'] else ' '} {row['fit']:.2f}  {row['title']}"
        yield f"        {row['finds']}" if row["finds"] else f"        {row['kind_title']}"
        if row["chosen"]:
            for sentence in row["evidence"]:
                yield f"        {sentence}"
        else:
            mark = "&" if "?" in model else "?"
            yield f"        {model}{mark}reading={row['id']}"
    if meta["question"]:
        yield meta["question"]
    for row in meta["preparations"]:
        yield f"{'*' if row['chosen'] else ' '} {row['title']}: {row['finds']}"


def _few(values: Any) -> str:
    same = len(set(values)) == 1
    return f"{values[0]:g}" if same else " ".join(f"{value:g}" for value in values)
