"""The latent space of a model: its blocks, and codes as arrays and as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal, get_args

import numpy as np

from models import files
from models.types import Float, Refusal

Kind = Literal["gaussian", "uniform", "categorical", "w"]
KINDS: tuple[str, ...] = get_args(Kind)
SEED = "seed:"
MOST_SEED_BITS = 63
_SEED_HELP = f"A seed is a whole number from 0 to 2^{MOST_SEED_BITS} - 1."
CODE_HELP = "seed:NUMBER, numbers with commas, or an NPY file of this model's length."
MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class Block:
    """One part of a code: `size` numbers of one kind.

    "gaussian" is standard normal, "uniform" from -1 to 1, "categorical" one-hot, and "w" an intermediate space without
    a known prior.
    """

    kind: Kind
    size: int
    name: str = ""


@dataclass(frozen=True)
class Space:
    """The blocks of a code, in order. A code is their concatenation, a vector (D,) float32."""

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, given: Iterable[Mapping[str, Any]]) -> Space:
        """Read the blocks of a card. Raises Refusal for malformed ones."""
        try:
            blocks = tuple(Block(b["kind"], int(b["size"]), str(b.get("name", b["kind"]))) for b in given)
        except (TypeError, KeyError, ValueError) as error:
            raise Refusal("The card's latent blocks cannot be read.", advice="Each needs kind and size.") from error
        wrong = [b.kind for b in blocks if b.kind not in KINDS or b.size < 1]
        if wrong or not blocks:
            raise Refusal(f"A latent block cannot be {wrong or 'missing'}.", advice=f"Kinds: {', '.join(KINDS)}.")
        return cls(blocks)

    @property
    def size(self) -> int:
        """The length D of a code."""
        return sum(block.size for block in self.blocks)

    @property
    def plain(self) -> list[dict[str, Any]]:
        """The blocks in the form a card stores."""
        return [{"kind": b.kind, "size": b.size, "name": b.name} for b in self.blocks]

    def parts(self) -> list[tuple[Block, slice]]:
        """Return each block with its slice of the code."""
        found, start = [], 0
        for block in self.blocks:
            found.append((block, slice(start, start + block.size)))
            start += block.size
        return found

    def draw(self, seed: int, *, count: int = 1, truncation: float = 0.0) -> Float:
        """Draw codes (count, D) from the prior.

        A seed gives the same codes on every machine, and the first ones do not depend on `count`. With `truncation`
        above 0, normal numbers of larger magnitude are drawn again (Brock et al. 2019, section 3.1).
        """
        # A generator per row keeps the first codes the same whatever `count` is.
        rows = [np.random.default_rng([seed, row]) for row in range(count)]
        return np.stack([self._drawn(rng, truncation) for rng in rows]) if rows else np.zeros((0, self.size), "f4")

    def _drawn(self, rng: np.random.Generator, truncation: float) -> Float:
        code = np.zeros(self.size, np.float32)
        for block, part in self.parts():
            match block.kind:
                case "uniform":
                    code[part] = rng.uniform(-1, 1, block.size)
                case "categorical":
                    code[part.start + int(rng.integers(block.size))] = 1
                case _:
                    values = rng.standard_normal(block.size)
                    while truncation > 0 and (far := np.abs(values) > truncation).any():
                        values[far] = rng.standard_normal(int(far.sum()))
                    code[part] = values
        return code

    def origin(self) -> Float:
        """Return the centre of the prior (D,): zeros, and the first category of each categorical block."""
        code = np.zeros(self.size, np.float32)
        for block, part in self.parts():
            if block.kind == "categorical":
                code[part.start] = 1
        return code

    def norm(self, codes: Float) -> Float:
        """Return the length (N,) of the gaussian parts of codes (N, D); only for these is a length informative."""
        kept = [codes[:, part] for block, part in self.parts() if block.kind == "gaussian"]
        if not kept:
            return np.zeros(len(codes), np.float32)
        return np.linalg.norm(np.concatenate(kept, 1).astype(np.float64), axis=1).astype(np.float32)

    @property
    def gaussian(self) -> int:
        """The number of standard normal entries in a code."""
        return sum(block.size for block in self.blocks if block.kind == "gaussian")

    def check(self, codes: Any) -> Float:
        """Return one code (D,) or several as (N, D) float32. Raises Refusal for a wrong length, NaN or infinity."""
        found = np.asarray(codes)
        if found.dtype.kind not in "fiu":
            raise Refusal("A latent code is made of numbers.", advice=f"This model's codes have {self.size}.")
        found = np.atleast_2d(found.astype(np.float32))
        if found.ndim > 2:
            found = found.reshape(len(found), -1)
        if found.shape[1] != self.size:
            raise Refusal(
                f"The code has {found.shape[1]:,} numbers; this model's have {self.size:,}.",
                advice="Take one that was made with this model.",
            )
        if not np.isfinite(found).all():
            raise Refusal(
                "The code holds a value that is not a number (NaN or infinite).", advice="Correct or replace it."
            )
        return found

    def one(self, text: str, *, truncation: float = 0.0) -> Float:
        """Return the single code named by a text, as (1, D). Raises Refusal if it names several."""
        codes = self.parse(text, truncation=truncation)
        if len(codes) != 1:
            raise Refusal(f"There are {len(codes):,} codes, not one.", advice="Give one row.")
        return codes

    def parse(self, text: str, *, truncation: float = 0.0) -> Float:
        """Return the codes (N, D) named by a text: `seed:7` or `7`, numbers with commas, or the path of an NPY file.

        An empty text means seed 0. Rows are separated by semicolons. Raises Refusal for a malformed text or code.
        """
        given = text.strip()
        if not given or given.startswith(SEED) or (given.removeprefix("-").isdigit() and self.size > 1):
            return self.draw(_seed(given.removeprefix(SEED) or "0"), truncation=truncation)
        if given.lower().endswith(".npy"):
            return self.check(_read(Path(given)))
        try:
            rows = [[float(value) for value in row.split(",")] for row in given.split(";")]
        except ValueError:
            raise Refusal(
                f"{text[:60]!r} is not a latent code.", advice="Give seed:NUMBER, numbers with commas, or an NPY file."
            ) from None
        if len({len(row) for row in rows}) > 1:
            raise Refusal("The codes are of different lengths.", advice=f"This model's codes have {self.size} numbers.")
        return self.check(rows)


def write(codes: Float) -> str:
    """Format codes (N, D) or (D,) as a text that `Space.parse` reads back exactly."""
    return ";".join(",".join(f"{value:.9g}" for value in row) for row in np.atleast_2d(codes).tolist())


def seed_of(text: str) -> int | None:
    """Return the seed named by `seed:7`; None for any other text."""
    if not text.startswith(SEED):
        return None
    try:
        return _seed(text.removeprefix(SEED))
    except Refusal:
        return None


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        raise Refusal(f"{text[:60]!r} is not a seed.", advice=_SEED_HELP) from None
    if not 0 <= seed < 1 << MOST_SEED_BITS:
        raise Refusal(f"{text[:60]} is not a seed.", advice=_SEED_HELP)
    return seed


def _read(path: Path) -> Any:
    try:
        # `files.check` accepts regular files only: reading a named pipe would block forever.
        if files.check(path).stat().st_size > MOST_BYTES:
            raise Refusal(f"{path.name} is too large for codes.", advice=f"At most {MOST_BYTES >> 20} MB are read.")
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            known = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, _, kind = known[version](file)
            if math.prod(shape) * kind.itemsize > path.stat().st_size:
                raise ValueError("it claims more numbers than it holds")
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, KeyError, SyntaxError, TokenError, RecursionError) as error:
        raise Refusal(
            f"{path.name} cannot be read as codes ({error}).", advice="Give an NPY file of numbers."
        ) from error
