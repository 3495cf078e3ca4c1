"""Write de-identified copies of pictures into a folder, with a report. Originals are never written to.

A copy holds pixels alone: nothing of the original's EXIF data, thumbnails, places, texts or colour profile. Each file
is written whole or not at all. What an earlier report in the same folder lists and still is as it says is not done
again; any other file that is there stays.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from models import files, output_files, recipe
from models.deidentification import report
from models.deidentification.obscuring import Way, areas, margin_of, obscured, shape_of
from models.deidentification.report import DONE, FAILED, LEFT_OUT, NOTHING, Row
from models.output_files import OutputFiles
from models.pictures.images import Picture, png
from models.requests import Request
from models.types import Float, Int, Pixels, Refusal, Result, Source

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
JPEG_QUALITY, JPEG_MOST_PX = 95, 65_500
REPORT_EVERY_S = 5.0
MOST_REPORT_BYTES = 1 << 30
FOLDERS = ("folder", "class folders")  # data sets all of whose root is the input
ADVICE = "Choose a new folder beside it."
Read = Callable[[str], Picture]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is hidden in which picture, from the Result of the inspection `deidentify`."""

    result: Result

    @classmethod
    def of(cls, result: Result) -> Plan:
        """Return the plan of a result."""
        return cls(result)

    @property
    def way(self) -> Way:
        """How areas are hidden."""
        return self.result.meta["way"]

    def rows_of(self, picture: int) -> tuple[int, int]:
        """Return the first row of the boxes of a picture and the row after the last."""
        low, high = np.searchsorted(self.result.arrays["of_picture"], [picture, picture + 1])
        return int(low), int(high)

    def rings(self, box: int) -> list[Float]:
        """Return the rings of a box's mask, none without masks."""
        arrays = self.result.arrays
        if "ring_of" not in arrays:
            return []
        low, high = np.searchsorted(arrays["ring_of"], [box, box + 1])
        start = arrays["ring_start"]
        return [arrays["outline"][start[ring] : start[ring + 1]] for ring in range(int(low), int(high))]


@dataclass(frozen=True, eq=False)
class Hidden:
    """A picture with its areas hidden: `pixels` (H, W, 3), `areas` (K, 4) in whole pixels, `masked` (K,) by a mask."""

    pixels: Pixels
    areas: Int
    masked: tuple[bool, ...]


def hidden_in(plan: Plan, picture: int, pixels: Pixels) -> Hidden:
    """Return the pixels (H, W, 3) of a picture with what was found in it hidden."""
    low, high = plan.rows_of(picture)
    boxes, margin = plan.result.arrays["boxes"][low:high], float(plan.result.meta["margin"])
    height, width = pixels.shape[:2]
    places = areas(boxes, margin, width, height)
    shapes = [
        shape_of(plan.rings(low + row), places[row].tolist(), margin_of(boxes[row], margin))
        for row in range(high - low)
    ]
    made = obscured(pixels, places, plan.way, shapes=shapes)
    return Hidden(made, places, tuple(shape is not None for shape in shapes))


class Export:
    """The export of a plan into a folder. `run` writes it; `rows` tell what was done so far."""

    def __init__(self, request: Request, result: Result, folder: Path) -> None:
        """Look where each picture goes. Raises Refusal for a folder that may not be written into."""
        self.request, self.plan, self.folder = request, Plan.of(result), Path(folder).expanduser().absolute()
        meta = result.meta
        self.paths: Sequence[str] = meta["paths"]
        check_folder(self.folder, meta)
        self.rows = [Row(Path(shown).name if Path(shown).is_absolute() else shown) for shown in meta["shown"]]
        self._originals = {os.path.realpath(path) for path in self.paths}
        self._inputs = _ids(_input_folders(meta))
        self._before = self._earlier()
        self._taken: set[str] = set()
        self._reported = time.monotonic()

    @property
    def report_paths(self) -> tuple[Path, Path]:
        """The paths of the report as JSON and as CSV."""
        return self.folder / f"{report.NAME}.json", self.folder / f"{report.NAME}.csv"

    @property
    def counts(self) -> dict[str, int]:
        """The number of pictures in each state, and of hidden areas."""
        return report.counts(self.rows)

    def run(self, read: Read) -> Generator[tuple[int, int], None, None]:
        """Write picture by picture, yielding how many are done and of how many; `read` returns a picture, upright.

        The report is written at the end, also where the iterator is closed before that: the other pictures are then
        marked as not done, and the next export into the folder goes on. Raises Refusal if the disk is full.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_files.refusal(self.folder, error) from error
        try:
            for number, row in enumerate(self.rows):
                try:
                    self._do(number, row, read)
                except OSError as error:
                    row.output, row.made_of = "", ""
                    raise output_files.refusal(self.folder, error) from error
                if time.monotonic() - self._reported > REPORT_EVERY_S:
                    self.write_report()
                yield number + 1, len(self.rows)
        finally:
            self.write_report()

    def write_report(self) -> None:
        """Write the report as it stands. Raises Refusal."""
        as_json, as_csv = self.report_paths
        try:
            with OutputFiles() as written:
                written.add(as_json, report.as_json(self.rows, self._about()))
                written.add(as_csv, report.as_csv(self.rows))
        except OSError as error:
            raise output_files.refusal(self.folder, error) from error
        self._reported = time.monotonic()

    def _about(self) -> dict[str, Any]:
        meta = self.plan.result.meta
        return {
            "model": meta["model_name"],
            "weights_sha256": meta.get("sha256", ""),
            "data_set": meta["data_set"],
            "settings": dict(meta.get("parameters", {})),
            "notes": list(meta["notes"]),
            "boxes_beyond_the_greatest_number": int(self.plan.result.arrays["cut"].sum()),
            "versions": recipe.versions(),
        }

    def _earlier(self) -> Mapping[str, Row]:
        """Return the rows of an earlier report in the folder."""
        path = self.report_paths[0]
        try:
            return report.read(files.text_of(path, most=MOST_REPORT_BYTES)) if path.is_file() else {}
        except (OSError, ValueError, Refusal):
            return {}

    def _do(self, number: int, row: Row, read: Read) -> None:
        """Make the copy of one picture, or say in its row why there is none. Raises OSError, as for a full disk."""
        arrays, meta = self.plan.result.arrays, self.plan.result.meta
        state, path = int(arrays["state"][number]), self.paths[number]
        if state == 0:
            return
        low, high = self.plan.rows_of(number)
        if state < 0:
            row.state, row.reason = FAILED, str(meta["errors"].get(number, ""))
            return
        if high == low and meta["empty"] == "leave_out":
            row.state = LEFT_OUT
            return
        stamp = tuple(int(value) for value in arrays["stamps"][number])
        if Source.file(path).stamp != stamp:
            row.state, row.reason = FAILED, "It has changed since it was looked at. Ask again."
            return
        try:
            as_jpeg = meta["format"] == "kept" and files.kind(Path(path)) == "a JPEG picture"
            as_jpeg = as_jpeg and int(arrays["sizes"][number].max()) <= JPEG_MOST_PX
            row.output = self._name(row.picture, as_jpeg=as_jpeg)
            row.made_of = self._key(number, stamp, as_jpeg=as_jpeg)
            before = self._before.get(row.picture)
            if before is not None and before.made_of == row.made_of and self._is_there(before, row.output):
                vars(row).update(vars(before))
                return
            picture = read(path)
            size = (picture.pixels.shape[1], picture.pixels.shape[0])
            if size != tuple(arrays["sizes"][number].tolist()):
                raise Refusal("It has changed since it was looked at.", advice="Ask again.")
            hidden = hidden_in(self.plan, number, picture.pixels)
            content = _jpeg(hidden.pixels) if as_jpeg else png(hidden.pixels)
            self._write(row, before, content)
        except Refusal as refusal:
            row.state, row.output, row.reason = FAILED, "", f"{refusal} {refusal.advice}".strip()
            return
        row.sha256 = hashlib.sha256(content).hexdigest()
        row.state, row.reason = (DONE, picture.note) if high > low else (NOTHING, picture.note)
        row.boxes = [self._box(box, hidden, box - low) for box in range(low, high)]

    def _box(self, box: int, hidden: Hidden, at: int) -> dict[str, Any]:
        arrays, area = self.plan.result.arrays, hidden.areas[at].tolist()
        words = self.plan.way.words(area)
        return {
            "class": self.plan.result.meta["classes"][int(arrays["labels"][box])],
            "score": float(arrays["scores"][box]),
            "box": [float(value) for value in arrays["boxes"][box]],
            "hidden": area,
            "done": f"the mask {words}" if hidden.masked[at] else words,
        }

    def _name(self, picture: str, *, as_jpeg: bool) -> str:
        """Return the path of a copy within the folder, other than those of all copies before it."""
        path = PurePosixPath(*[part for part in PurePosixPath(picture).parts if part not in ("..", "/")])
        fits = path.suffix.lower() in JPEG_SUFFIXES if as_jpeg else path.suffix.lower() == ".png"
        wanted = path if fits else path.with_suffix(".jpg" if as_jpeg else ".png")
        found, number = wanted, 1
        while str(found).casefold() in self._taken:
            number += 1
            found = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        self._taken.add(str(found).casefold())
        return str(found)

    def _key(self, number: int, stamp: tuple[int, ...], *, as_jpeg: bool) -> str:
        """Return a key of everything that a copy is made of."""
        result, (low, high) = self.plan.result, self.plan.rows_of(number)
        way = self.plan.way
        told = [stamp, way.way, way.colour, way.strength, result.meta["margin"], as_jpeg, report.FORMAT]
        told += [result.arrays[name][low:high].tolist() for name in ("boxes", "scores", "labels")]
        told += [[ring.tolist() for ring in self.plan.rings(box)] for box in range(low, high)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def _is_there(self, before: Row, output: str) -> bool:
        """Return whether an earlier export's copy of this name is still as its report says."""
        path = self.folder / output
        if before.state not in (DONE, NOTHING) or before.output != output or path.is_symlink() or not path.is_file():
            return False
        try:
            return files.sha256(path) == before.sha256
        except (OSError, Refusal):
            return False

    def _write(self, row: Row, before: Row | None, content: bytes) -> None:
        """Write a copy. Raises Refusal where that would harm another file, OSError where it fails."""
        path = self.folder / row.output
        path.parent.mkdir(parents=True, exist_ok=True)
        if _ids([str(path.parent)]) & self._inputs or os.path.realpath(path) in self._originals:
            raise Refusal(f"{row.output} would lie among the originals.", advice=ADVICE)
        if path.is_symlink() or path.exists():
            ours = before is not None and self._is_there(before, row.output)
            if not ours and (path.is_symlink() or not _holds(path, content)):
                text = f"A file {row.output} that no report lists is in the output folder, so it stays."
                raise Refusal(text, advice="Choose an empty folder.")
        output_files.write_whole(path, content)


def check_folder(folder: Path, meta: Mapping[str, Any]) -> None:
    """Raise Refusal for an output folder that is, or lies in, a folder of the originals, or is no folder."""
    inputs = _ids(_input_folders(meta))
    folder = Path(os.path.realpath(folder))
    if folder.exists() and not folder.is_dir():
        raise Refusal(f"{folder.name} is a file, and no folder.", advice=ADVICE)
    for place in (folder, *folder.parents):
        if _ids([str(place)]) & inputs:
            text = f"{folder} is the folder of the originals, or lies in it, so nothing is written there."
            raise Refusal(text, advice=ADVICE)


def _input_folders(meta: Mapping[str, Any]) -> list[str]:
    found = {str(Path(path).parent) for path in meta["paths"]}
    found |= {str(Path(os.path.realpath(path)).parent) for path in meta["paths"]}
    return sorted(found | {meta["root"]} if meta["kind_of_set"] in FOLDERS else found)


def _ids(folders: Sequence[str]) -> set[tuple[int, int]]:
    """Return what tells folders apart, however they are written."""
    found = set()
    for folder in folders:
        try:
            status = os.stat(folder or os.curdir)  # noqa: PTH116
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return found


def _holds(path: Path, content: bytes) -> bool:
    """Return whether a file holds this content, as after an export that was killed."""
    try:
        return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _jpeg(pixels: Pixels) -> bytes:
    """Return a picture (H, W, 3) as JPEG with full colour resolution, and without anything but its pixels."""
    content = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(content, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return content.getvalue()
