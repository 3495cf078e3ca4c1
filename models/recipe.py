"""Recipes: a request written down completely, so that `replay` reproduces its numbers."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from models import model_name
from models.files import check, exists, sha256, text_of
from models.output_files import write_whole
from models.pictures.media import is_endless, title
from models.requests import Request
from models.types import Refusal, Result, Source

FORMAT = 1
MOST_LISTED = 200_000  # files of a folder that tell whether it is still the same
MOST_BYTES = 1 << 24
PACKAGES = ("torch", "torchvision", "numpy", "pillow")


@dataclass(frozen=True)
class Recipe:
    """The request in a recipe, and the SHA-256 of the weights it was made with."""

    request: Request
    weights_sha256: str


def write(path: Path, request: Request, result: Result) -> None:
    """Write the recipe of a result to a file, atomically. Raises OSError, and Refusal as `text` does."""
    write_whole(path, text(path, request, result))


def text(path: Path, request: Request, result: Result) -> str:
    """Return the recipe of a result as written to `path`: inspection, model, picture, parameters, SHA-256s, versions.

    A folder, such as one of ground truth, has that of the names and sizes of its files.

    Raises Refusal if the picture has changed since, because the numbers would not be those of the file.
    """
    source = request.source
    picture = None
    if source is not None:
        picture = _written(source, path.parent)
    body = {
        "vitrine_recipe": FORMAT,
        "inspection": request.inspection,
        "model": {"name": _model_name(request.model, path.parent), "sha256": result.meta.get("sha256", "")},
        "picture": picture,
        "parameters": dict(result.meta.get("parameters", {})),
        "versions": versions(),
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def read(path: Path) -> Recipe:
    """Read a recipe; its picture is looked up relative to it, then beside it. Raises Refusal that names the fault."""
    try:
        body: Mapping[str, Any] = json.loads(text_of(path, most=MOST_BYTES))
        json.dumps(body, ensure_ascii=False).encode()  # raises for a lone surrogate, which could not be written again
        number = body["vitrine_recipe"]
        inspection, model = str(body["inspection"]), body["model"]
        parameters = dict(body["parameters"])
        if not all(isinstance(value, bool | int | float | str) for value in parameters.values()):
            raise TypeError("a parameter is not a plain value")
        picture = body["picture"]
        wanted = str(model["name"]), str(model["sha256"])
        file, digest = (str(picture["file"]), str(picture["sha256"])) if picture else ("", "")
        listed = str(picture.get("files", "")) if picture else ""
        frame = int(picture.get("frame", -1)) if picture else -1
        endless = bool(picture) and not digest and "frame" in picture
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise Refusal(f"{path.name} is not a recipe.", advice="Give a .recipe.json that Vitrine wrote.") from error
    if number != FORMAT:
        raise Refusal(
            f"{path.name} is a recipe of format {number!r:.40}.", advice=f"This Vitrine reads format {FORMAT}."
        )
    name, assumed = model_name.split(wanted[0])
    if Path(name).suffix:
        name = str(next(iter(_places(name, path.parent)), name))
    name = model_name.join(name, assumed)
    if endless:
        raise Refusal(
            f"{path.name} was made on {file}, which shows other pictures now.", advice="It cannot be replayed."
        )
    if inspection == "neighbours" and not file:  # what nearest real pictures were called before
        inspection = "real_neighbours"
    source = dataclasses.replace(Source.file(_picture(file, digest or listed, path)), frame=frame) if file else None
    return Recipe(Request.make(inspection, name, source, parameters), wanted[1])


def _written(source: Source, folder: Path) -> dict[str, Any]:
    """Return a recipe's entry for its picture: file and SHA-256, for a video also the frame. Raises Refusal."""
    if is_endless(source.path):
        return {"file": title(source.path), "frame": source.frame, "sha256": ""}
    if Source.file(source.path).stamp != source.stamp:
        raise Refusal(f"{source.name} has changed since it was looked at.", advice="Open it again.")
    frame = {"frame": source.frame} if source.frame >= 0 else {}
    file = _relative(source.path, folder)
    if Path(source.path).is_dir():
        return {"file": file, "sha256": "", "files": _names_and_sizes(Path(source.path))}
    return {"file": file, **frame, "sha256": sha256(source.path)}


def _names_and_sizes(folder: Path) -> str:
    """Return the SHA-256 of the names and sizes of the first files in a folder and below, hidden ones left out.

    There are at most `MOST_LISTED` of them, in the order of their names. One that cannot be asked counts as empty.
    """
    digest, listed = hashlib.sha256(), 0
    for inside, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            place = Path(inside, name)
            size = 0
            with contextlib.suppress(OSError):
                size = place.stat().st_size if place.is_file() else 0
            told = f"{place.relative_to(folder).as_posix()}\0{size}\0"
            digest.update(told.encode("utf-8", "surrogateescape"))
            listed += 1
            if listed >= MOST_LISTED:  # a recipe of somebody else's may name the root of all
                return digest.hexdigest()
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of the packages that numbers depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _relative(file: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder.absolute())).as_posix()
    except ValueError:
        return file


def _model_name(model: str, folder: Path) -> str:
    return _relative(str(Path(model).absolute()), folder) if Path(model).suffix else model


def _places(file: str, folder: Path) -> list[Path]:
    """Return where a file or folder named in a recipe exists: at its original place, or beside the recipe."""
    beside = folder / PureWindowsPath(file).name
    return [place for place in (folder / file, beside) if exists(place)]


def _picture(file: str, digest: str, recipe: Path) -> Path:
    places = _places(file, recipe.parent)
    if not places:
        raise Refusal(f"The picture {file[:200]} is gone.", advice=f"Put it beside {recipe.name}.")
    for place in places:
        if place.is_dir():
            if not digest or _names_and_sizes(place) == digest:
                return place
        elif sha256(check(place)) == digest:
            return place
    raise Refusal(f"The picture {places[0].name} has changed since the recipe.", advice="Restore the original.")
