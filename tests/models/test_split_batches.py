"""Many inputs in halves where memory is full: the same numbers, and no more tries than there are halves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cards.card import PHOTOS
from models.engine.engine import Engine
from models.pictures.images import pictures_in
from models.requests import Request
from models.runtime.split_batches import in_parts
from models.types import Failure, Result, Source

MODEL = "photos-resnet"


def full(most: int, sizes: list[int]) -> Any:
    """A network's forward on a graphics processor that has room for `most` inputs."""

    def run(x: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return x * 2, x.sum(1)

    return run


@pytest.mark.parametrize(("count", "most"), [(8, 8), (8, 3), (7, 1), (1, 1)])
def test_halves_give_the_same(count: int, most: int) -> None:
    x, sizes = torch.arange(count * 2.0).view(count, 2), []
    doubled, summed = in_parts(full(most, sizes), x)
    assert torch.equal(doubled, x * 2) and torch.equal(summed, x.sum(1))
    assert sum(size for size in sizes if size <= most) == count


def test_one_that_does_not_fit_and_other_errors_are_raised() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        in_parts(full(0, []), torch.zeros(4, 2))

    def broken(x: Tensor) -> tuple[Tensor, ...]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        in_parts(broken, torch.zeros(4, 2))


@pytest.mark.parametrize("method", ["smooth_grad", "integrated_gradients", "lime"])
def test_methods_go_on_with_fewer_at_once(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request(method, MODEL, Source.file(pictures_in(PHOTOS)[0]))
    plain = Engine(threads=1).run(request)
    engine = Engine(threads=1)
    model, sizes = engine.model(MODEL), []
    own = model.subject

    def tight(*given: Any, **named: Any) -> Any:
        subject = own(*given, **named)

        def scores(x: Tensor) -> Tensor:
            sizes.append(len(x))
            if len(x) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return subject.scores(x)

        return replace(subject, scores=scores)

    monkeypatch.setattr(model, "subject", tight)
    answer = engine.run(request)
    engine.finish_idle()
    again = engine.run(request)
    assert isinstance(plain, Result) and isinstance(answer, Result), (plain, answer)
    assert not isinstance(again, Failure) and max(sizes) > 2
    if not plain.meta.get("partial"):
        np.testing.assert_allclose(answer.arrays["map"], plain.arrays["map"], rtol=1e-3, atol=1e-5)
