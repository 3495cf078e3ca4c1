"""Opens published models by name, from the cache or with random weights. The download is in `models.zoo.fetch`."""

from __future__ import annotations

from collections.abc import Mapping

from models import model_name
from models.cards import card, zoo_catalogue
from models.hugging_face.opening import opened
from models.loading import heads
from models.loading.opened_model import Opened
from models.runtime.context import Context
from models.zoo.open_published import found_folder, open_zoo


def match(base: str) -> bool:
    """Return whether this is the name of a published model."""
    return card.is_zoo(base)


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the network with its weights, or with random ones if the name asks for none."""
    if base.startswith(f"{zoo_catalogue.HUGGING_FACE}:"):
        return opened(found_folder(base), assumed, context, name=base)
    model_name.check({key: value for key, value in assumed.items() if key != heads.KEY}, {}, name=base)
    with context.stage("read weights"):
        return Opened(*open_zoo(base), assumed=assumed)
