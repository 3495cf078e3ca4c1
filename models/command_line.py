"""Names and lists on the command line: a model's full name from its options, output files, the known models."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path

from models import files, model_name
from models.cards import card as cards
from models.cards import packaged
from models.cards.zoo_catalogue import NOT_STATED
from models.requests import Request
from models.types import Refusal
from models.user_code import helpers
from models.zoo import cached
from models.zoo.search import search

WIDTH = 116

FURTHER = ("weights", "device", "precision")


def add_options(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Declare the options that name a model; `named` reads them."""
    parser.add_argument(
        "--model",
        required=required,
        help="a bundled or published model's name, an architecture's, weights, a program, or code: FILE.py:build",
    )
    add_further(parser)


def add_further(parser: argparse.ArgumentParser) -> None:
    """Declare the options that go with a model's name."""
    parser.add_argument("--weights", metavar="FILE", help="the weights of what code builds")
    parser.add_argument("--device", help="cpu, cuda:0, mps; chosen automatically if left out")
    parser.add_argument("--precision", help="float32, bfloat16 or float16")
    parser.add_argument(
        "--allow",
        action="store_true",
        help="run the code in the file that --model names, and what it imports from its folder",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name a cluster; `models.runtime.cluster_address.use` takes them."""
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="a Ray cluster goes over a data set, such as ray://HOST:10001"
    )
    parser.add_argument("--allow-on-cluster", action="store_true", help="your own code may run there, for this run")


def named(model: str, further: Mapping[str, str], *, allow: bool = False, say: Callable[[str], object] = str) -> str:
    """Return the full name of a model, "" if none is named; `further` are its weights, device and precision.

    With `allow`, record consent to run the code in its file and what that imports from its folder, and `say` which
    files these are. Raises Refusal for `allow` on a file that is not code, and for weights, device or precision
    without a model.
    """
    given = {key: value for key, value in further.items() if value}
    if not model:
        if given or allow:
            raise Refusal("No model was named.", advice="Name it with --model.")
        return ""
    base, assumed = model_name.split(model)
    if allow:
        code = files.code_of(base)
        path = code[0] if code is not None else Path(base).absolute()
        if code is None and not files.is_script(path):
            raise Refusal(f"{base} is not a file of code.", advice="Leave --allow out.")
        for allowed, digest in helpers.allow(files.check(path)).items():
            say(f"Allowed: {allowed} (SHA-256 {digest})")
    return cards.canonical(model_name.join(base, {**assumed, **given}))


NAMED_AS = {"classification_figures": "figures"}


def export_name(request: Request, taken: set[str]) -> str:
    """Return a name for a request's output files and add it to `taken`: `a.detect`, else `a.png.detect`, and so on."""
    kind = NAMED_AS.get(request.inspection, request.inspection)
    longer = request.source.name if request.source else Path(request.model).name
    stem = request.stem.removesuffix(request.inspection) + kind
    numbered = (f"{longer}-{number}" for number in count(2))
    further = (f"{begin}.{kind}" for begin in chain((longer,), numbered))
    name = next(begin for begin in chain((stem,), further) if begin.lower() not in taken)
    taken.add(name.lower())
    return name


def bundled_lines() -> Iterator[str]:
    """Yield lines for the bundled models and for the architectures that open without weights."""
    for card in cards.bundled().values():
        yield f"{card.name:24} {card.task:14} {card.bytes / 1e6:4.1f} MB  {card.licence:8} {card.title}"
    yield "\nAs Python packages:"
    for card in packaged.cards().values():
        state = "installed" if packaged.installed(card.name) else packaged.command(card)
        yield f"{card.name:24} {card.task:14} {card.bytes / 1e6:4.1f} MB  {card.licence:10} {card.title}: {state}"
    yield "\nWithout weights, for their anchors:"
    for name, title in cards.ARCHITECTURES.items():
        yield f"{name:38} {title}"
    yield "\nSegmenters without weights:"
    for name, title in cards.SEGMENTERS.items():
        yield f"{name:38} {title}"
    yield "\nClassifiers without weights, for their layers:"
    yield textwrap.fill(" ".join(cards.CLASSIFIERS), WIDTH)


def zoo_lines(text: str) -> Iterator[str]:
    """Yield a line for each entry that matches `text` (all for ""), best match first, then a line with the totals."""
    entries = cached.listed()
    found, there = search(entries, text), cached.found(entries)
    for entry in found:
        unknown = "" if entry.hub else "no weights"
        size = f"{'' if entry.measured else '~'}{entry.bytes / 1e6:,.0f} MB" if entry.bytes else unknown
        licence = (entry.licence or NOT_STATED) if entry.tag else ""
        state = "in the cache" if entry.name in there else ""
        parameters = f"{entry.parameters / 1e6:,.1f} M" if entry.parameters else ""
        yield f"{entry.name:64} {entry.task:14} {parameters:>10} {size:>10}  {licence:20} {state}".rstrip()
    yield f"{len(found):,} of {len(entries):,}; {len(there):,} in the cache"
