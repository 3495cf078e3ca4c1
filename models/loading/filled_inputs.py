"""Inputs of a network besides the picture, filled in by what they mean: sizes, scale factors, masks, thresholds.

A size is that of the network's input, so that boxes which are scaled by it come in the input's pixels, from where they
are put on the picture like any others. What a meaning rests on (name, shape, what the outputs do when it is changed) is
told, and every meaning can be changed by an assumption.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.types import Refusal

WIDTH_HEIGHT, HEIGHT_WIDTH, INFO, TWICE, ONES, ZEROS = "width_height", "height_width", "info", "twice", "ones", "zeros"
TITLES = {
    WIDTH_HEIGHT: "width and height of the input",
    HEIGHT_WIDTH: "height and width of the input",
    INFO: "height and width of the input, and a scale of 1",
    TWICE: "width and height of the input, twice",
    ONES: "1 everywhere",
    ZEROS: "0 everywhere",
}
SIZES = (WIDTH_HEIGHT, HEIGHT_WIDTH)
NUMBERS = (  # words in the names of single numbers, and the numbers to fill in, the usual one first
    (r"iou|nms|overlap", ("0.5", "0.45", "0.7", "0.9")),
    (r"score|conf|thresh", ("0.05", "0.25", "0.5", "0")),
    (r"max|top|keep_top|num_det|detections", ("100", "300", "1000")),
    (r"keep_prob|scale|ratio|alpha", ("1", "0")),
    (r"train|drop|noise", ("0", "1")),
)
LEAST_SHARE = 0.9  # of numbers that follow when an input is doubled
KEY = "fill"


class Filling:
    """What an input is filled in with: a `meaning`, what speaks for it, and the factors of a trial.

    It has no attributes by name, so that restoring a network's state after a trial leaves what was found out.
    """

    __slots__ = ("evidence", "factors", "meaning")

    def __init__(self, meaning: str, evidence: str) -> None:
        self.meaning, self.evidence = meaning, evidence
        self.factors: tuple[float, ...] = ()


class FilledInput(nn.Module):
    """One input besides the picture: its name, its shape (0 is free) and type, and the meaning it is filled in with."""

    def __init__(self, name: str, shape: Sequence[int], dtype: torch.dtype, number: int) -> None:
        super().__init__()
        self.name, self.shape, self.dtype = name, tuple(shape), dtype
        self.choices, evidence = _meanings(name, self.shape, dtype)
        self.key = f"{KEY}{number}"
        self.filling = Filling(self.choices[0] if self.choices else "", evidence)

    def forward(self, x: Tensor) -> Tensor:
        """Return the value for inputs (N, C, h, w)."""
        meaning, factors = self.filling.meaning, self.filling.factors
        pictures, (height, width) = len(x), (int(x.shape[-2]), int(x.shape[-1]))
        given = {WIDTH_HEIGHT: (width, height), HEIGHT_WIDTH: (height, width), INFO: (height, width, 1.0)}
        given[TWICE] = (width, height, width, height)
        if meaning in given:
            row = torch.tensor(given[meaning], dtype=torch.float64)
            row = row * torch.tensor(factors, dtype=torch.float64) if factors else row
            sides = (pictures, *(1 for _ in self.shape[1:-1]), len(row)) if len(self.shape) > 1 else (len(row),)
            return row.expand(sides).to(x.device, self.dtype)
        value = {ONES: 1.0, ZEROS: 0.0}.get(meaning)
        number = torch.tensor(float(meaning) if value is None else value).to(x.device)
        number = number * (factors[0] if factors and len(set(factors)) == 1 else 1.0)
        sides = [side or 1 for side in self.shape]
        if len(sides) > 2:
            places = zip(sides[-2:], self.shape[-2:], (height, width), strict=True)
            sides[-2:] = [own if told else side for own, told, side in places]
        if len(sides) > 1 or (len(sides) == 1 and not self.shape[0] and not _single(self.name)):
            sides[0] = pictures
        sides = [
            2 if len(sides) == 2 and at == 1 and not told else side
            for at, (side, told) in enumerate(zip(sides, self.shape, strict=True))
        ]
        found = number.expand(sides).clone()
        if factors and found.ndim and found.shape[-1] == len(factors):
            found = torch.ones_like(found) * number.new_tensor(factors) * (1.0 if value is None else value)
        return found.to(self.dtype)

    @property
    def words(self) -> str:
        """What it is filled in with."""
        return TITLES.get(self.filling.meaning, self.filling.meaning)


def _meanings(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[tuple[str, ...], str]:
    """Return what an input may mean, the likeliest first, and what speaks for it; empty where nothing is known."""
    low = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    last = shape[-1] if shape else 1
    sized = re.search(r"size|shape|im_?info|dims|\bhw\b|\bwh\b|_hw|_wh|resolution", low) is not None
    if dtype == torch.bool and len(shape) >= 2:
        return ((ZEROS, ONES) if re.search("mask|pad", low) else (ONES, ZEROS)), "a mask, of which nothing is padding"
    if len(shape) in (3, 4) and (not last or last > 4):
        if re.search("mask|valid|pad|attention|weight", low) or (len(shape) == 3 and dtype != torch.float32):
            return (ONES, ZEROS), "a mask as large as the picture, of which everything counts"
        return (), ""
    if len(shape) <= 3 and (last == 2 or (not last and len(shape) == 2 and (sized or "scale" in low))):
        if re.search(r"scale|ratio|factor", low):
            return (ONES, HEIGHT_WIDTH, WIDTH_HEIGHT), "two factors by its name"
        high = re.search(r"shape|hw\b|_hw|height_width|im_size", low) is not None
        order = (HEIGHT_WIDTH, WIDTH_HEIGHT) if high else (WIDTH_HEIGHT, HEIGHT_WIDTH)
        return (*order, ONES, ZEROS), "a size by its name" if sized else "two numbers, as a size has"
    if len(shape) <= 2 and last == 3 and (sized or "info" in low):
        return (INFO, ONES), "height, width and scale by its name"
    if len(shape) <= 2 and last == 4 and sized:
        return (TWICE, ONES), "a size by its name"
    if (not shape or set(shape) <= {0, 1}) and len(shape) <= 2 and not re.search("ids|token", low):
        for words, values in NUMBERS:
            if re.search(words, low):
                return values, "a number of that kind by its name"
    return (), ""


def _single(name: str) -> bool:
    """Return whether a number's name says that there is one of it, not one for each picture."""
    return re.search("|".join(words for words, _ in NUMBERS), name.lower()) is not None


def of(net: nn.Module) -> list[FilledInput]:
    """Return the inputs of a network that are filled in, in its order."""
    return [module for module in net.modules() if isinstance(module, FilledInput)]


def sized(net: nn.Module) -> bool:
    """Return whether a network is told the size that its boxes are to be scaled to."""
    return any(each.filling.meaning in SIZES for each in of(net))


def unknown(name: str, value: str, shape: Sequence[int], dtype: torch.dtype) -> Refusal:
    """Return the refusal of a network that wants something besides the picture of which nothing is known."""
    sides = " x ".join(str(side or "?") for side in shape) or "one number"
    kind = str(dtype).removeprefix("torch.")
    return Refusal(
        f"{name} wants more than a picture: of its input {value} ({sides}, {kind}) it is not known what belongs there.",
        advice="Export it with that input filled in as a constant, or write a function around it that does so.",
    )


def chosen(net: nn.Module, given: Mapping[str, str]) -> set[str]:
    """Put the user's choices in force, and return the keys of the inputs that they are of."""
    found = {each.key: each for each in of(net)}
    for key, each in found.items():
        if given.get(key) in each.choices:
            each.filling.meaning = given[key]
    return set(found) & set(given)


def offered(net: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the assumptions on the inputs that are filled in."""
    made = {}
    for each in of(net):
        titles = {choice: TITLES.get(choice, choice) for choice in each.choices}
        choices = (each.filling.meaning, *(choice for choice in each.choices if choice != each.filling.meaning))
        about = {
            "title": f"Input {each.name}",
            "help": "What the network's input besides the picture is filled in with.",
        }
        made[each.key] = {**about, "choices": choices, "titles": titles, "evidence": each.filling.evidence}
    return made


def note(net: nn.Module) -> str:
    """Return in a sentence for each filled input what it holds and why, "" where there is none."""
    told = (
        f"Besides the picture, {each.name} is filled in with {each.words}: {each.filling.evidence}." for each in of(net)
    )
    return " ".join(told)


def settle(net: nn.Module, run: Callable[[], Sequence[tuple[str, Tensor]]], fixed: set[str]) -> bool:
    """Find out what the pairs of numbers among the filled inputs mean by changing them; return whether one changed.

    `run` returns the network's outputs for one picture by name. `fixed` are the keys of those that the user chose.
    """
    changed = False
    for each in of(net):
        pair = each.key not in fixed and each.filling.meaning in (*SIZES, ONES) and {*SIZES} <= {*each.choices}
        if not pair:
            continue
        before = each.filling.meaning
        for meaning in (WIDTH_HEIGHT, ONES):
            told = _told(each, meaning, run)
            if told:
                break
        each.filling.factors = ()
        each.filling.meaning, each.filling.evidence = told or (before, each.filling.evidence)
        changed |= each.filling.meaning != before
    return changed


def _told(each: FilledInput, meaning: str, run: Callable[[], Sequence[tuple[str, Tensor]]]) -> tuple[str, str] | None:
    """Return what a pair of numbers means by what boxes do when both, and when the first alone, are doubled."""
    each.filling.meaning = meaning

    def under(*factors: float) -> list[Tensor]:
        each.filling.factors = factors
        return [tensor.detach().cpu().double() for _, tensor in run() if tensor.is_floating_point()]

    plain, both = under(), under(2.0, 2.0)
    for ratio, size in ((2.0, True), (0.5, False)):
        follows = _columns(plain, both, ratio)
        if not follows:
            continue
        if not size:
            return ONES, "boxes are halved when it is doubled: factors by which the picture was scaled"
        first = _columns(plain, under(2.0, 1.0), ratio)
        wide = bool(first) and not any(first)
        words = "boxes double with it, "
        if not first:
            return (meaning if meaning in SIZES else WIDTH_HEIGHT), f"{words}both sides at once"
        return (
            (WIDTH_HEIGHT, words + "x with the first number")
            if wide
            else (HEIGHT_WIDTH, words + "y with the first number")
        )
    return None


def _columns(before: Sequence[Tensor], after: Sequence[Tensor], ratio: float) -> list[int]:
    """Return the columns of boxes that are `ratio` times what they were, of the first output that has any: 0 for x and
    1 for y.

    Boxes begin at an even column, but with seven columns, of which the first is the number of the picture.
    """
    for a, b in zip(before, after, strict=False):
        if a.shape != b.shape or a.ndim < 2 or not 4 <= a.shape[-1] <= 8 or not a.numel():
            continue
        rows, others = a.reshape(-1, a.shape[-1]), b.reshape(-1, a.shape[-1])
        found = [at for at in range(rows.shape[1]) if _follows(rows[:, at], others[:, at], ratio)]
        if found:
            return [(at + (rows.shape[1] == 7)) % 2 for at in found]
    return []


def _follows(a: Tensor, b: Tensor, ratio: float) -> bool:
    used = a.abs() > 1e-3 * a.abs().max()
    if not used.any() or not (a.isfinite().all() and b.isfinite().all()):
        return False
    near = (b[used] - ratio * a[used]).abs() <= 0.02 * (ratio * a[used]).abs() + 1e-6
    return float(near.double().mean()) >= LEAST_SHARE
