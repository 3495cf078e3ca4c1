"""Latent codes in the window: a model's latent space, the document's position in it, its dimensions as controls."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from models.inspection import Description
from models.latent import space as spaces
from models.latent.space import Block, Space
from models.latent.typicality import norm_band
from models.params import Parameter
from models.types import Float, Refusal, Result, Source
from viewer.engine_texts import shown
from viewer.session.document import Document
from viewer.translation import tr

NO_REAL_PICTURES = tr("Open or choose a folder of real pictures to compare with.")

REACH = 4.0
UNUSED_NATS = 0.05
UNUSED, NOISE = tr("Unused dimensions"), tr("Noise")
CHOICE = "choice"


def space_of(description: Description | None) -> Space | None:
    """Return the latent space of a model, None if it has none."""
    given = description.about.get("latent") if description and "Generates" in description.capabilities else None
    return Space.of(given) if given else None


def code_of(document: Document, space: Space) -> Float | None:
    """Return the document's code (D,), None if its text is no code of this space."""
    truncation = float(document.values("decode").get("truncation", 0.0))
    try:
        found = space.parse(document.latent.code, truncation=truncation)
    except Refusal:
        return None
    return found[0] if len(found) == 1 else None


def at(document: Document, code: Float, *, key: int = -1) -> Document:
    """Return the document at a code (D,); `key` is the timeline's key with this code, -1 for none."""
    return document.with_latent(code=spaces.write(code), at=key)


def folder_of(document: Document) -> Source | None:
    """Return the folder of real pictures: the chosen one, else that of the current picture.

    If the open pictures are in several subfolders, these are classes, and their parent folder is returned.
    """
    if document.latent.reals:
        return Source.file(document.latent.reals)
    if document.file is None or document.file.moving:
        return None
    folder = Path(document.file.path).parent
    folders = {Path(source.path).parent for source in document.sources}
    classes = len(folders) > 1 and {each.parent for each in folders} == {folder.parent}
    return Source.file(folder.parent if classes else folder)


def usage(description: Description, space: Space) -> Float | None:
    """Return the KL divergence (D,) in nats of each dimension over the test set, if the card states it."""
    found = np.asarray(description.about.get("kl", ()), np.float32)
    return found if found.shape == (space.size,) else None


def reach_of(code: Float | None) -> float:
    """Return the range of the controls of normal dimensions: the prior's, or larger if the code is outside it."""
    farthest = float(np.abs(code).max(initial=0)) if code is not None else 0.0
    return REACH if farthest <= REACH else float(np.ceil(farthest))


def controls(
    description: Description, space: Space, *, reach: float = REACH
) -> tuple[list[Parameter], dict[str, list[str]]]:
    """Return a control for each dimension, a choice for each categorical block, and groups that can be folded, by
    title.

    For a VAE, dimensions are sorted by KL divergence; those that carry no information are folded. So is the noise of a
    model that has other blocks.
    """
    nats = usage(description, space)
    found: list[Parameter] = []
    folded: dict[str, list[str]] = {}
    several = len({block.kind for block in space.blocks}) > 1
    for block, part in space.parts():
        if block.kind == "categorical":
            choices = tuple(str(number) for number in range(block.size))
            names = tuple(str(name) for name in description.about.get("categories", ()))
            more = {"choices": choices, "titles": names if len(names) == block.size else ()}
            help_text = tr(
                "One of these is 1, the others are 0; named by what their pictures show, where that is known."
            )
            found.append(Parameter(f"{CHOICE}{part.start}", _title(block), CHOICE, "0", help=help_text, **more))
            continue
        order = np.arange(block.size) if nats is None else np.argsort(-nats[part], kind="stable")
        for number in order.tolist():
            row = part.start + number
            hint = "" if nats is None else tr("KL divergence {nats:.2f} nats over the test set.", nats=nats[row])
            name = f"{_title(block)} {number + 1}" if several else f"z{row}"
            title = name if nats is None else f"{name} · {nats[row]:.1f}"
            far = 1.0 if block.kind == "uniform" else reach
            found.append(
                Parameter(f"z{row}", title, "float", 0.0, -far, far, 0.02, help=hint or tr("Number {row}.", row=row))
            )
            if nats is not None and nats[row] < UNUSED_NATS:
                folded.setdefault(UNUSED, []).append(f"z{row}")
            elif several and block.kind == "gaussian":
                folded.setdefault(NOISE, []).append(f"z{row}")
    return found, folded


def dimensions(description: Description, space: Space) -> list[tuple[int, str]]:
    """Return the dimensions that can be traversed, with their titles, in the order of the controls."""
    made, _ = controls(description, space)
    return [(int(p.name.removeprefix("z")), p.title) for p in made if p.kind != CHOICE]


def values(code: Float, space: Space) -> dict[str, float | str]:
    """Return a code (D,) as the values of its controls."""
    found: dict[str, float | str] = {}
    for block, part in space.parts():
        if block.kind == "categorical":
            found[f"{CHOICE}{part.start}"] = str(int(np.argmax(code[part])))
        else:
            found |= {f"z{row}": float(code[row]) for row in range(part.start, part.stop)}
    return found


def changed(code: Float, space: Space, name: str, value: object) -> Float:
    """Return a code (D,) with one control changed."""
    made = code.copy()
    if name.startswith(CHOICE):
        start = int(name.removeprefix(CHOICE))
        part = next(part for _, part in space.parts() if part.start == start)
        made[part] = 0
        made[start + int(str(value))] = 1
    else:
        made[int(name.removeprefix("z"))] = float(str(value))
    return made


def name_of(encoded: Result, row: int) -> str:
    """Return the name of an encoded picture, preceded by its class if it has one."""
    label = int(encoded.arrays["label"][row])
    known = f"{encoded.meta['classes'][label]} · " if label >= 0 else ""
    return f"{known}{encoded.meta['names'][row]}"


def typical(code: Float, space: Space, folder: tuple[float, float] | None = None) -> str:
    """Return in words the norm of the code's normal part (D,), compared with the prior's and with a folder's codes."""
    if not space.gaussian:
        return ""
    length = float(space.norm(code[None])[0])
    low, high = _band(space.gaussian)
    text = tr("Length {length:.2f}; 95 % of the prior's: {low:.2f} to {high:.2f}", length=length, low=low, high=high)
    return text + (
        tr("; of the folder's: {folder:.2f} to {folder_2:.2f}", folder=folder[0], folder_2=folder[1]) if folder else ""
    )


@cache
def _band(size: int) -> tuple[float, float]:
    return norm_band(size)


def _title(block: Block) -> str:
    return shown((block.name or block.kind).capitalize())


def real_folder(document: Document) -> str:
    """Return the folder of real pictures: the chosen one, else the current picture's; "" if there is none."""
    if document.latent.reals or document.file is None or document.file.moving:
        return document.latent.reals
    return str(Path(document.file.path).parent)


def real_words(document: Document) -> str:
    """Return the label that names the folder of real pictures."""
    found = real_folder(document)
    return tr("Real pictures: {found}", found=Path(found).name or found) if found else NO_REAL_PICTURES
