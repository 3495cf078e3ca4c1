"""The catalogue of published models, read from assets/zoo."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from models.files import ASSETS
from models.types import Refusal

FOLDER = ASSETS / "zoo"
PACKAGED = ASSETS / "packaged"
TORCHVISION, TIMM, PACKAGE, HUGGING_FACE = "torchvision", "timm", "package", "hf"
DEFAULT = "DEFAULT"
NOT_STATED = "not stated"
HUB = "https://huggingface.co"
HUB_FILE = "model.safetensors"
BYTES_PER_NUMBER = 4
LIKE = 3
IMAGENET = 1000

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A published model: an architecture with one of its weights, or without weights if `tag` is "".

    `name` opens it. `bytes` is the download size, estimated from the parameters unless `measured`; `size` is the
    input's side in pixels, 0 for any; `classes` includes a detector's background, and is 0 if the network outputs
    features. `licence` is that of the weights. `packages` are installed by the user instead of a download.
    """

    name: str
    library: str
    architecture: str
    tag: str
    family: str
    task: str
    parameters: int
    bytes: int = 0
    measured: bool = False
    size: int = 0
    classes: int = 0
    licence: str = ""
    url: str = ""
    hub: str = ""
    packages: tuple[str, ...] = ()

    @cached_property
    def words(self) -> str:
        """The text that is searched, in lower case."""
        return f"{self.architecture} {self.tag} {self.library} {self.family} {self.task} {self.name}".lower()

    @property
    def bare(self) -> str:
        """The name that opens the same architecture with random weights."""
        return self.architecture if self.library == TORCHVISION else f"{TIMM}:{self.architecture}"


@cache
def raw(library: str) -> Mapping[str, Any]:
    """Return the contents of a library's file: its "version", and its "models" by architecture."""
    return json.loads((FOLDER / f"{library}.json").read_text(encoding="utf-8"))


@cache
def entries() -> tuple[Entry, ...]:
    """Return all entries, torchvision's first. An architecture without published weights has one, without a tag."""
    return (*_torchvision(), *_packaged(), *_timm())


def find(name: str) -> Entry:
    """Return the entry of a name.

    Names are `torchvision:NAME:WEIGHTS` (or DEFAULT), `timm:NAME.TAG`, `timm:NAME` without weights, and `hf:ORG/NAME`
    for any repository on the Hugging Face hub. Raises Refusal for an unknown name, suggesting similar ones.
    """
    if name.startswith(f"{HUGGING_FACE}:"):
        if (found := hub_entry(name.partition(":")[2])) is not None:
            return found
        raise Refusal(f"{name[:200]!r} names no model on the hub.", advice="Such names are hf:ORG/NAME.")
    known = _by_name()
    if name in known:
        return known[name]
    library, _, rest = name.partition(":")
    architecture, _, tag = rest.partition(":" if library == TORCHVISION else ".")
    models = raw(library)["models"] if library in (TORCHVISION, TIMM) else {}
    row = models.get(architecture)
    if row is not None and library == TORCHVISION and tag == DEFAULT:
        return known[f"{name.removesuffix(DEFAULT)}{row['default']}"]
    if row is not None and library == TIMM and not tag:
        return _timm_entry(architecture, row, "", {})
    if row is not None:
        tags = ", ".join([*row["weights"], *([DEFAULT] if library == TORCHVISION else [])])
        message = f"{architecture} has no weights {tag!r}." if tag else f"{name} does not say which weights."
        raise Refusal(message, advice=f"Published: {tags or 'none'}.")
    from difflib import get_close_matches

    like = get_close_matches(name, known, n=LIKE, cutoff=0.5)
    advice = f"Most like it: {', '.join(like)}." if like else "main.py models --zoo TEXT lists what there is."
    raise Refusal(f"There is no model {name!r} in the zoo.", advice=advice)


def hub_entry(repository: str) -> Entry | None:
    """Return the entry of a repository `ORG/NAME` on the hub, which need not exist; None if that is no such name."""
    if not _REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        return None
    return Entry(
        name=f"{HUGGING_FACE}:{repository}",
        library=HUGGING_FACE,
        architecture=repository,
        tag="main",
        family=repository.partition("/")[0],
        task="",
        parameters=0,
        url=f"{HUB}/{repository}",
        hub=repository,
    )


def task(name: str) -> str:
    """Return the task of a name in the zoo, "" if it is unknown."""
    try:
        return find(name).task
    except Refusal:
        return ""


@cache
def _by_name() -> dict[str, Entry]:
    return {entry.name: entry for entry in entries()}


def _packaged() -> Iterator[Entry]:
    for path in sorted(PACKAGED.glob("*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        yield Entry(
            name=row["name"],
            library=PACKAGE,
            architecture=row["architecture"],
            tag="ImageNet",
            family="efficientnet",
            task=row["task"],
            parameters=row["parameters"],
            bytes=row["bytes"],
            measured=True,
            size=row["input"][1],
            classes=IMAGENET,
            licence=row["licence"],
            packages=tuple(row["packages"]),
        )


def _torchvision() -> Iterator[Entry]:
    for architecture, row in raw(TORCHVISION)["models"].items():
        for tag, weights in row["weights"].items():
            yield Entry(
                name=f"{TORCHVISION}:{architecture}:{tag}",
                library=TORCHVISION,
                architecture=architecture,
                tag=tag,
                family=row["family"],
                task=row["task"],
                parameters=weights["parameters"],
                bytes=weights["bytes"],
                measured=True,
                size=weights.get("size", 0),
                classes=weights.get("classes", 0),
                licence=weights.get("licence", ""),
                url=weights["url"],
            )


def _timm() -> Iterator[Entry]:
    for architecture, row in raw(TIMM)["models"].items():
        for tag, weights in (row["weights"] or {"": {}}).items():
            yield _timm_entry(architecture, row, tag, weights)


def _timm_entry(architecture: str, row: Mapping[str, Any], tag: str, weights: Mapping[str, Any]) -> Entry:
    classes = weights.get("classes", 0) if tag else row.get("classes", IMAGENET) * bool(row["per_class"])
    parameters = row["body"] + classes * row["per_class"]
    hub, url = weights.get("hub", ""), weights.get("url", "")
    if tag and not url:
        hub = hub or f"{TIMM}/{architecture}.{tag}"
        url = f"{HUB}/{hub}/resolve/main/{HUB_FILE}"
    return Entry(
        name=f"{TIMM}:{architecture}" + (f".{tag}" if tag else ""),
        library=TIMM,
        architecture=architecture,
        tag=tag,
        family=row["family"],
        task="classification" if classes else "features",
        parameters=parameters,
        bytes=BYTES_PER_NUMBER * parameters if tag else 0,
        size=weights.get("size", 0),
        classes=classes,
        licence=weights.get("licence", ""),
        url=url,
        hub=hub,
    )
