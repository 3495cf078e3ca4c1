"""Reads ground truth from tables (CSV): one row for each box, whatever the columns are called, also without a header.

Known by their columns: TensorFlow's object detection, RetinaNet's without a header, Open Images, Kaggle's with one
column of boxes, VoTT, Roboflow, the VGG Image Annotator's, and others with the same kinds of columns.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from models import files
from models.texts import plain_text
from models.truth import table_cells, via
from models.truth.find_pictures import finder
from models.truth.gather import Gatherer, Listing, Progress, number, whole
from models.truth.marked import SUFFIXES, Box, Mark, Marked, centred, found_at, sized, truth
from models.truth.types import Truth
from models.types import Refusal

MOST_BYTES = 500_000_000
MOST_FIELD = 1 << 20
PEEKED_BYTES, PEEKED_ROWS = 1 << 14, 50
DELIMITERS = ",;\t|"
ADVICE = "A table of boxes has columns for the picture's name, the class, and xmin, ymin, xmax, ymax or x, y, w, h."
# Names of columns in small letters without signs, likely ones first.
PICTURE_COLUMNS = (
    "filename imagefilename imagepath filepath imagename image imageid img imgpath imgname path file frame fname name "
    "파일명 이미지 이미지명 파일 사진 파일이름"
)
CLASS_COLUMNS = (
    "class classname labelname label category categoryname object objectclass classid labelid categoryid species type "
    "target 클래스 라벨 레이블 분류 종류 클래스명"
)
CORNER_COLUMNS = (
    "xmin x1 x0 left xmn roix1 bboxx1 bboxxmin boxxmin minx bxmin xtl topleftx",
    "ymin y1 y0 top ymn roiy1 bboxy1 bboxymin boxymin miny bymin ytl toplefty",
    "xmax x2 right xmx roix2 bboxx2 bboxxmax boxxmax maxx bxmax xbr bottomrightx",
    "ymax y2 bottom ymx roiy2 bboxy2 bboxymax boxymax maxy bymax ybr bottomrighty",
)
NEAR_COLUMNS = ("x bboxx bboxleft boxx", "y bboxy bboxtop boxy")
CENTRE_COLUMNS = (
    "xcenter centerx xcentre centrex cx xc bboxcenterx",
    "ycenter centery ycentre centrey cy yc bboxcentery",
)
SIDE_COLUMNS = ("w bboxw bboxwidth boxwidth bw width", "h bboxh bboxheight boxheight bh height")
PICTURE_SIDE_COLUMNS = (
    "imagewidth imgwidth originalwidth imwidth width",
    "imageheight imgheight originalheight imheight height",
)
BOX_COLUMNS = "bbox box boundingbox bboxes coordinates"
AUTO_ML = ("TRAIN", "TRAINING", "VALIDATE", "VALIDATION", "TEST", "UNASSIGNED")
FEW = 5  # rows that are looked for as pictures
GROUP_COLUMNS = "isgroupof iscrowd crowd difficult"


def read(path: Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth in a table. Raises Refusal where no columns of boxes can be told."""
    gather = Gatherer(progress)
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise Refusal(f"{path.name} has no rows.", advice=ADVICE)
    head = [first, *itertools.islice(rows, PEEKED_ROWS)]
    rows = itertools.chain(head[1:], rows)
    columns = _header(first, head[1:], path)
    if columns is not None and columns.cells:
        listed = table_cells.pictures(
            path, columns.cells, columns.names, picture=columns.picture, label=columns.label, rows=rows
        )
        return truth(path.stem, "CSV", _named(path, columns, listed), gather=gather)
    if columns is None:
        if _is_counted(head):
            return truth(path.stem, "list of boxes", _counted(path, itertools.chain(head[:1], rows)), gather=gather)
        columns = _without_header(first)
        if columns is not None and not columns.corners_hold(head):
            gather.remark("The four numbers of a row are taken as x, y, width, height: as corners some have no area.")
            columns = columns.as_sizes()
    if columns is None:
        raise _unknown(path, first)
    if "regionshapeattributes" in columns.names:
        return truth(path.stem, "VIA", _via(path, columns, rows), gather=gather)
    found: dict[str, Marked] = {}
    if columns.first is not None:
        rows = _before(columns.first, rows)
    for line, row in enumerate(rows, 2 if columns.first is None else 1):
        gather.progress(0, 1, f"Reading {path.name}")
        _take(columns, found, path, row, line)
    pictures = _as_shares(_as_corners(gather, columns, list(found.values())))
    return truth(path.stem, "CSV", _named(path, columns, pictures), gather=gather)


def is_list(path: Path) -> bool:
    """Return whether a text file is a table: a picture's name with four numbers in each row, or columns of boxes."""
    try:
        with files.check(path).open("rb") as file:
            head = file.read(PEEKED_BYTES)
    except (Refusal, OSError):
        return False
    lines = head.decode("utf-8-sig", "replace").splitlines()[: PEEKED_ROWS + 1]
    rows = list(_parsed("\n".join(lines if len(head) < PEEKED_BYTES else lines[:-1])))
    if not rows or any("\0" in cell for row in rows for cell in row):
        return False
    if _header(rows[0], rows[1:]) is not None:
        return len(rows) > 1
    return all(any(cell.strip().lower().endswith(SUFFIXES) for cell in row) for row in rows) and (
        _is_counted(rows) or _without_header(rows[0]) is not None
    )


def _is_counted(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows are a picture's name, a number of boxes, and four numbers for each of them."""

    def counted(row: Sequence[str]) -> bool:
        cells = [cell for cell in row if cell.strip()]
        if len(cells) < 2 or not cells[0].strip().lower().endswith(SUFFIXES) or not cells[1].strip().isdecimal():
            return False
        return len(cells) == 2 + 4 * int(cells[1]) and all(map(_is_number, cells[2:]))

    return bool(rows) and all(map(counted, rows)) and any(len(row) > 2 for row in rows)


def _counted(path: Path, rows: Iterator[list[str]]) -> list[Marked]:
    found = []
    for line, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row if cell.strip()]
        marks = []
        for at in range(2, len(cells) - 3, 4):
            try:
                a, b, c, d = (number(cell) for cell in cells[at : at + 4])
                marks.append(Mark("object", (a, b, c, d), f"line {line}"))
            except (ValueError, TypeError, OverflowError):
                marks.append(Mark("object", "has no box of four numbers", f"line {line}"))
        found.append(Marked(cells[0], path, marks))
    return found


class _Columns:
    """Where the columns of a table are: `names` by what they hold. `first` is a row of values in the header's place."""

    def __init__(self, names: dict[str, int], first: list[str] | None = None) -> None:
        self.names, self.first, self.cells = names, first, ""
        self.picture, self.label = self._of(PICTURE_COLUMNS), self._of(CLASS_COLUMNS)
        if self.label == self.picture:
            self.label = -1
        self.whole, self.group = self._of(BOX_COLUMNS), self._of(GROUP_COLUMNS)
        self.corners = self._all(CORNER_COLUMNS)
        near = self._all(CORNER_COLUMNS[:2]) or self._all(NEAR_COLUMNS)
        self.near, self.centre = near, self._all(CENTRE_COLUMNS)
        self.sides = self._all(SIDE_COLUMNS) if near or self.centre else ()
        own = () if self.corners else self.sides
        self.size = tuple(place for place in self._all(PICTURE_SIDE_COLUMNS) if place not in own)

    def _of(self, words: str) -> int:
        return next((self.names[word] for word in words.split() if word in self.names), -1)

    def _all(self, words: Sequence[str]) -> tuple[int, ...]:
        found = tuple(self._of(each) for each in words)
        return found if -1 not in found else ()

    def corners_hold(self, rows: Sequence[Sequence[str]]) -> bool:
        """Return whether the four numbers of all rows are corners in order, where they are taken for corners."""
        cells = [[row[at].strip() for at in self.corners] for row in rows if len(row) > max(self.corners, default=0)]
        return not self.corners or all(_is_ordered(each) for each in cells if all(map(_is_number, each)))

    def as_sizes(self) -> _Columns:
        """Return the columns with the four numbers taken as the near corner and the size."""
        names = dict(self.names)
        for corner, side in (("xmin", "x"), ("ymin", "y"), ("xmax", "w"), ("ymax", "h")):
            names[side] = names.pop(corner)
        return _Columns(names, self.first)

    @property
    def boxes(self) -> bool:
        return bool(self.corners or self.sides or self.whole >= 0)

    def box(self, row: Sequence[str]) -> Box | str | None:
        """Return the box of a row, None for one without a box, a text where its values are no numbers."""
        if self.corners or self.sides:
            places = self.corners or (*(self.centre or self.near), *self.sides)
            cells = [row[place].strip() if place < len(row) else "" for place in places]
        else:
            cells = re.findall(r"[-+0-9.eE]+", row[self.whole] if self.whole < len(row) else "")
        if not any(cells):
            return None
        try:
            a, b, c, d = (number(cell) for cell in cells)
        except (ValueError, TypeError, OverflowError):
            return "has no box of four numbers"
        if self.corners:
            return a, b, c, d
        return centred(a, b, c, d) if self.centre and self.whole < 0 else sized(a, b, c, d)


def _rows(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a table in any usual encoding and with any usual delimiter."""
    content = files.content(path, most=MOST_BYTES)
    try:
        text, _ = plain_text.decoded(content)
    except UnicodeError as error:
        raise Refusal(f"{path.name} is not text in UTF-8.", advice="Save it as UTF-8.") from error
    try:
        yield from _parsed(text)
    except csv.Error as error:
        raise Refusal(f"{path.name} is no table: {error}.", advice=ADVICE) from error


def _parsed(text: str) -> Iterator[list[str]]:
    lines = [line for line in itertools.islice(io.StringIO(text), PEEKED_ROWS) if line.strip()]
    if len(lines) > 1 and lines[0].strip().isdecimal() and not lines[1].strip().isdecimal():  # CelebA's number of rows
        text = text.lstrip("\ufeff \r\n")[len(lines[0].strip()) :].lstrip()
        lines = lines[1:]
    head = next(iter(lines), "")
    delimiter = max(DELIMITERS, key=head.count)
    if not head.count(delimiter):
        delimiter = " "
    csv.field_size_limit(MOST_FIELD)
    yield from (row for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True) if any(row))


def _plain(cell: str) -> str:
    return re.sub(r"[\W_]", "", cell.lower())


def _header(row: list[str], rows: Sequence[Sequence[str]] = (), path: Path | None = None) -> _Columns | None:
    """Return the columns that a first row names, None where it names no boxes.

    Where it names no column of pictures, that whose cells in the next `rows` are pictures' names is taken.
    """
    names: dict[str, int] = {}
    for place, cell in enumerate(row):
        names.setdefault(_plain(cell), place)
    names.pop("", None)
    columns = _Columns(names)
    if "regionshapeattributes" in names and "filename" in names:
        return columns
    columns.cells = table_cells.kind_of(names, rows)
    if columns.picture < 0 and (columns.boxes or columns.cells):
        columns.picture = _picture_column(rows, path, but=set(columns.sides) | set(columns.corners))
        columns.label = -1 if columns.label == columns.picture else columns.label
    return columns if columns.picture >= 0 and (columns.boxes or columns.cells) else None


def _picture_column(rows: Sequence[Sequence[str]], path: Path | None, *, but: set[int]) -> int:
    """Return the column whose cells are pictures' names, with or without suffix; -1 if there is none."""
    places = [at for at in range(min(map(len, rows), default=0)) if at not in but]
    for at in places:
        if all(row[at].strip().lower().endswith(SUFFIXES) for row in rows):
            return at
    if path is None:
        return -1
    find = finder(path, Listing())
    some = rows[:FEW]
    return next((at for at in places if some and all(found_at(find, row[at].strip()) for row in some)), -1)


def _without_header(row: list[str]) -> _Columns | None:
    """Return the columns of a table without a header: a picture's name, four numbers side by side, a class."""
    picture = next((n for n, cell in enumerate(row) if cell.strip().lower().endswith(SUFFIXES)), -1)
    numeric = [_is_number(cell) for cell in row]
    if len(row) == 8 and picture == 5 and not numeric[0] and all(numeric[1:5]) and all(numeric[6:]):  # Make Sense
        words = ["class", "x", "y", "w", "h", "filename", "imagewidth", "imageheight"]
        names = {word: place for place, word in enumerate(words)}
        return _Columns(names, first=row)
    if picture == 1 and len(row) in (10, 11) and row[0].strip().upper() in AUTO_ML:
        far = 7 if row[7].strip() else 5  # two corners, or all four
        names = {"filename": 1, "class": 2, "xmin": 3, "ymin": 4, "xmax": far, "ymax": far + 1}
        return _Columns(names, first=row)
    starts = [at for at in range(len(row) - 3) if all(numeric[at : at + 4])]
    empty = len(row) == 6 and not any(cell.strip() for cell in row[1:])  # RetinaNet's picture without objects
    if picture < 0 or not (starts or empty):
        return None
    at = next((n for n in starts if _is_ordered(row[n : n + 4])), starts[0]) if starts and not empty else 1
    rest = [n for n in range(len(row)) if n != picture and not at <= n < at + 4]
    # A class is told by name, else it stands behind the box, or before it.
    label = next((n for n in rest if not numeric[n]), max(rest, default=-1))
    names = {"filename": picture, "xmin": at, "ymin": at + 1, "xmax": at + 2, "ymax": at + 3}
    if label >= 0:
        names["class"] = label
    return _Columns(names, first=row)


def _is_ordered(cells: Sequence[str]) -> bool:
    x0, y0, x1, y1 = (number(cell.strip()) for cell in cells)
    return x1 > x0 and y1 > y0


def _is_number(cell: str) -> bool:
    try:
        number(cell.strip())
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _before(first: list[str], rows: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rows


def _take(columns: _Columns, found: dict[str, Marked], path: Path, row: list[str], line: int) -> None:
    """Add one row to the picture that it names."""
    name = row[columns.picture].strip() if columns.picture < len(row) else ""
    if not name:
        return
    picture = found.get(name)
    if picture is None:
        sides = [whole(row[place].strip()) or 0 if place < len(row) else 0 for place in columns.size]
        size = (max(sides[0], 0), max(sides[1], 0)) if len(sides) == 2 else (0, 0)
        picture = found[name] = Marked(name, path, [], size)
    box = columns.box(row)
    label = row[columns.label].strip() if 0 <= columns.label < len(row) else ""
    if box is not None:
        crowd = 0 <= columns.group < len(row) and row[columns.group].strip().lower() in ("1", "1.0", "true")
        picture.marks.append(Mark(label or "object", box, f"line {line}", crowd))


def _as_corners(gather: Gatherer, columns: _Columns, pictures: list[Marked]) -> list[Marked]:
    """Return pictures whose column of boxes holds corners, not sizes: as sizes many would reach beyond the picture."""
    if columns.whole < 0 or columns.corners or columns.sides:
        return pictures
    boxes = [(mark.box, each.size) for each in pictures for mark in each.marks if not isinstance(mark.box, str)]
    beyond = sum(0 < size[0] < box[2] - 1 or 0 < size[1] < box[3] - 1 for box, size in boxes)
    ordered = all(box[2] - box[0] > box[0] and box[3] - box[1] > box[1] for box, _ in boxes)
    if not (ordered and beyond):
        return pictures
    gather.remark(
        "The column of boxes is taken as corners x0, y0, x1, y1: as sizes they would reach beyond the picture."
    )
    return [replace(each, marks=[_corner(mark) for mark in each.marks]) for each in pictures]


def _corner(mark: Mark) -> Mark:
    if isinstance(mark.box, str):
        return mark
    x0, y0, x1, y1 = mark.box
    return replace(mark, box=(x0, y0, x1 - x0, y1 - y0))


def _as_shares(pictures: list[Marked]) -> list[Marked]:
    """Return pictures with their boxes told to be shares of the sides, where no number is above 1."""
    boxes = [mark.box for each in pictures for mark in each.marks if not isinstance(mark.box, str)]
    if not boxes or max(max(box) for box in boxes) > 1.01:
        return pictures
    return [replace(each, shares=True) for each in pictures]


def _named(path: Path, columns: _Columns, pictures: list[Marked]) -> list[Marked]:
    """Return pictures with the names of classes that a list beside the table gives to their codes (Open Images)."""
    lists = [*sorted(path.parent.glob("class-descriptions*.csv")), *sorted(path.parent.glob("classes.csv"))]
    lists = [each for each in lists if each != path]
    if not lists or columns.label < 0:
        return pictures
    names: dict[str, str] = {}
    for row in _rows(lists[0]):
        if len(row) >= 2:
            code, name = (row[1], row[0]) if whole(row[1].strip()) is not None else (row[0], row[1])
            names[code.strip()] = name.strip()
    return [replace(e, marks=[replace(m, name=names.get(m.name, m.name)) for m in e.marks]) for e in pictures]


def _via(path: Path, columns: _Columns, rows: Iterator[list[str]]) -> list[Marked]:
    """Return the pictures of the VGG Image Annotator's table, whose shapes are JSON in their cells."""
    found: dict[str, Marked] = {}
    shape, about = columns.names["regionshapeattributes"], columns.names.get("regionattributes", -1)
    for line, row in enumerate(rows, 2):
        if max(shape, about, columns.picture) >= len(row):
            continue
        picture = found.setdefault(row[columns.picture], Marked(row[columns.picture], path))
        try:
            region = {"shape_attributes": json.loads(row[shape]), "region_attributes": json.loads(row[about] or "{}")}
        except (ValueError, RecursionError):
            picture.marks.append(Mark("object", "has a shape that is no JSON", f"line {line}"))
            continue
        if region["shape_attributes"]:
            picture.marks.append(via.mark(region, f"line {line}"))
    return list(found.values())


def has_boxes(path: Path) -> bool:
    """Return whether a table's first row tells which of its columns hold boxes; False for what cannot be read."""
    try:
        first = next(_rows(path), None)
        return first is not None and (_header(first) or _without_header(first)) is not None
    except (OSError, ValueError, csv.Error, Refusal):
        return False


def _unknown(path: Path, row: list[str]) -> Refusal:
    names = {_plain(cell) for cell in row}
    if names & set(PICTURE_COLUMNS.split()) and names & set(CLASS_COLUMNS.split()):
        text = f"{path.name} has pictures and classes, but no boxes."
        return Refusal(text, advice=f"Ground truth of detectors has boxes. {ADVICE}")
    shown = ", ".join(cell.strip()[:20] for cell in row[:8])
    return Refusal(f"{path.name} has no columns of boxes that are known: {shown}.", advice=ADVICE)
