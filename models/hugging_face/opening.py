"""From a folder to an opened model: network, card, preparation of pictures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import files, model_name
from models.cards import card as cards
from models.cards import model_folder
from models.cards.card import Card
from models.hugging_face import configuration, folder, library, network, pose, preparation, zero_shot
from models.hugging_face.folder import Folder
from models.loading.opened_model import Opened
from models.loading.preprocess import Preprocess
from models.runtime.context import Context
from models.types import Refusal

TASKS = {
    **dict.fromkeys((library.DETECTION, library.INSTANCES), "detection"),
    library.CLASSIFICATION: "classification",
    **dict.fromkeys((library.SEGMENTATION, library.DEPTH), "segmentation"),
    library.FEATURES: "features",
    library.ZERO_SHOT: "classification",
    **dict.fromkeys((library.POSE, library.INTEREST_POINTS), "landmarks"),
}
README_BYTES = 1 << 16
_LICENCE = re.compile(r"^license:\s*[\"']?([\w.+ -]{1,40})", re.MULTILINE)


def opened(path: Path, assumed: Mapping[str, str], context: Context, *, name: str = "") -> Opened:
    """Return the model in a folder; `name` is what it is called where that is not the folder's own name.

    Raises Refusal if it does not open, in a sentence.
    """
    library.library()
    found = folder.read(path)
    library.class_of(found.architecture, found.kind)  # before the weights are read
    with context.stage("read weights"):
        state = network.state_of(found)
    net, task = network.build(found, state)
    made = _preparation(found)
    texts: tuple[str, ...] = ()
    if task == library.ZERO_SHOT:
        given, assumed = zero_shot.taken(assumed)
        beside = cards.beside(found.weights[0])
        texts = zero_shot.prompts(given, beside.classes if beside is not None else ())
        net = zero_shot.compared(net, path, texts)
    model_name.check(assumed, {}, name=name or path.name)
    card = _card(found, net, task, made, name=name, texts=texts)
    files_of = tuple(
        one for one in (path / model_folder.CONFIG, *(path / own for own in folder.PROCESSORS)) if one.exists()
    )
    place = card.weights
    assert place is not None
    made_of = (*found.weights, *files_of, cards.place(place), cards.own_place(place))
    return Opened(net, card, made_of, preparation=None if isinstance(made, Preprocess) else made)


def _preparation(found: Folder) -> Any:
    processor = preparation.processor_of(found)
    return pose.PoseCrop(processor) if type(processor).__name__ == pose.KIND else preparation.preparation(processor)


def _card(found: Folder, net: Any, task: str, made: Any, *, name: str, texts: tuple[str, ...] = ()) -> Card:
    place = found.weights[0]
    own = cards.beside(place)
    if own is not None and texts:
        own = replace(own, classes=texts)
    card = own or Card(name or found.path.name, task="", weights=place)
    count = int(getattr(net.config, "num_labels", 0) or 0)
    unnamed = task in (library.FEATURES, library.DEPTH, library.INTEREST_POINTS)
    classes = () if unnamed else configuration.classes(net.config, count)
    classes = configuration.points(net.config) if task == library.POSE else classes
    classes = texts or classes
    about: dict[str, Any] = {
        "family": found.kind,
        "weights": place.name,
        "note": f"A folder of Hugging Face's, opened by transformers {library.library().__version__}.",
    }
    if texts:
        about |= {"note": f"{about['note']} {zero_shot.NOTE}", "free classes": True}
    if isinstance(made, Preprocess):
        about["preprocessing"] = made.about
    if licence := _licence(found.path):
        about["licence of the weights"] = licence
    architecture = type(net.model if texts else net).__name__
    card = cards.recognised(card, architecture=architecture, task=TASKS[task], classes=classes, about=about)
    return _with_sums(card, found, licence)


def _with_sums(card: Card, found: Folder, licence: str) -> Card:
    sums = [files.sha256(file) for file in found.weights]
    sha256 = sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
    size = sum(file.stat().st_size for file in found.weights)
    return replace(card, sha256=sha256, bytes=size, licence=card.licence or licence)


def _licence(path: Path) -> str:
    """Return the licence that the folder's README states at its beginning, "" if it states none."""
    try:
        with (path / "README.md").open(encoding="utf-8", errors="replace") as file:
            head = file.read(README_BYTES)
    except (OSError, Refusal):
        return ""
    stated = _LICENCE.search(head.split("\n---", 1)[0]) if head.startswith("---") else None
    return stated[1].strip() if stated else ""
