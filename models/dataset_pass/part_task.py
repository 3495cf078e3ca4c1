"""What another process is told to compute: one part of a pass over a data set, as a line of JSON, and who computes it.

A task names the model and says, by its `weights`, which one that must be: a process that opens anything else computes
nothing. Only the products in `PRODUCTS` can be named; a pass with others stays in the engine's process.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from models.dataset_pass.product import Product
from models.dataset_pass.products.embeddings import Embeddings
from models.dataset_pass.products.measurements import Measurements
from models.dataset_pass.products.patches import Patches
from models.dataset_pass.products.predictions import Predictions
from models.dataset_pass.shard import Shard

PRODUCTS: Mapping[str, Any] = {each.name: each for each in (Embeddings, Predictions, Patches, Measurements)}
ENTRY = "models.engine.part_worker"  # the program of a worker, which opens models and so stands above this room


class Unable(Exception):  # noqa: N818 - an expected answer
    """Others cannot compute the parts, and this says why: the engine's process does it alone."""


@dataclass(frozen=True)
class PartTask:
    """A shard to compute, with a model's full name, its `fingerprint`, the products, and the folder of the part."""

    model: str
    weights: str
    products: tuple[Product, ...]
    shard: Shard
    folder: str

    @property
    def text(self) -> str:
        """The task as one line of ASCII."""
        made = {
            "model": self.model,
            "weights": self.weights,
            "products": [[product.name, dataclasses.asdict(product)] for product in self.products],
            "shard": dataclasses.asdict(self.shard),
            "folder": self.folder,
        }
        return json.dumps(made)

    @classmethod
    def of(cls, text: str) -> PartTask:
        """Return the task in a line. Raises KeyError for a product that has no name here."""
        given = json.loads(text)
        products = tuple(PRODUCTS[name](**_frozen(fields)) for name, fields in given["products"])
        return cls(given["model"], given["weights"], products, Shard(**_frozen(given["shard"])), given["folder"])


def can_be_named(products: Sequence[Product]) -> bool:
    """Return whether all products are among those that another process knows."""
    return all(type(product) is PRODUCTS.get(product.name) for product in products)


def _frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) for name, value in fields.items()}


def _tuple(value: Any) -> Any:
    return tuple(_tuple(each) for each in value) if isinstance(value, list) else value


class Lane(Protocol):
    """Computes tasks elsewhere than in the engine's process."""

    @property
    def busy(self) -> str:
        """In words who computes, such as "3 worker processes"."""
        ...

    @property
    def running(self) -> bool:
        """Whether it was not stopped."""
        ...

    @property
    def looked_at(self) -> int:
        """How many pictures were looked at of the parts that are being computed."""
        ...

    def poll(self, wait_s: float) -> None:
        """Hand out tasks and take in what was done of them, waiting so long at most for something to happen.

        Raises Refusal, such as for a full disk, and Unable; both after `stop`.
        """
        ...

    @property
    def finished(self) -> list[str]:
        """The keys of the parts that were written."""
        ...

    def stop(self) -> None:
        """End it. Parts that were written stay."""
        ...
