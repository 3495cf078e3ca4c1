"""Checkpoints taken apart: averages, Lightning's modules, prefixes; and how one differs from a network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.loading import weights
from models.types import Refusal


def state() -> dict[str, torch.Tensor]:
    return {"conv.weight": torch.arange(12.0).view(3, 4), "conv.bias": torch.ones(3)}


def same(a: object, b: object) -> bool:
    assert isinstance(a, dict) and isinstance(b, dict)
    return list(a) == list(b) and all(torch.equal(a[n], b[n]) for n in a)


def lightning() -> dict[str, object]:
    """A checkpoint as Lightning writes it, of a module that keeps an average and a weighted loss."""
    plain = {f"model.{n}": t for n, t in state().items()}
    average = {f"ema_model.{n}": t * 0 for n, t in state().items()}
    loss = {"criterion.weight": torch.ones(3)}
    return {"epoch": 2, "pytorch-lightning_version": "2.4.0", "state_dict": {**plain, **average, **loss}}


def test_a_lightning_checkpoint_is_taken_apart(tmp_path: Path) -> None:
    torch.save(lightning(), tmp_path / "w.ckpt")
    assert list(weights.sets(tmp_path / "w.ckpt")) == ["model", "ema_model"]
    assert same(weights.read(tmp_path / "w.ckpt"), state())
    assert same(weights.read(tmp_path / "w.ckpt", "ema_model"), {n: t * 0 for n, t in state().items()})


def test_only_networks_known_by_name_are_taken_apart(tmp_path: Path) -> None:
    both = {"model.a": torch.ones(1), "decoder.b": torch.ones(1)}
    torch.save(both, tmp_path / "w.pth")
    assert same(weights.read(tmp_path / "w.pth"), both)


def test_an_averaged_model_loses_its_counter(tmp_path: Path) -> None:
    net = torch.nn.Linear(2, 2)
    torch.save(torch.optim.swa_utils.AveragedModel(net).state_dict(), tmp_path / "w.pth")
    assert same(weights.read(tmp_path / "w.pth"), net.state_dict())


def test_a_prefix_stays_where_the_network_has_it() -> None:
    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = torch.nn.Linear(2, 2)

    for saved, net in ((Wrapped(), Wrapped()), (torch.nn.DataParallel(Wrapped()), Wrapped())):
        weights.load(net, saved.state_dict(), name="w.pth")
        assert same(net.state_dict(), {k.removeprefix("module."): v for k, v in saved.state_dict().items()})


def test_every_difference_is_listed_with_the_nearest_name() -> None:
    wanted = {"layer1.conv.weight": (4, 3, 3, 3), "fc.weight": (10, 4), "fc.bias": (10,)}
    given = {"layer1.conv_1.weight": torch.ones(4, 3, 3, 3), "fc.weight": torch.ones(5, 4), "step": torch.tensor(1)}
    with pytest.raises(Refusal) as caught:
        weights.fits(wanted, given)
    assert caught.value.details.splitlines() == [
        "Of another size (1):",
        "  fc.weight: 5 x 4 in the file, 10 x 4 in the network",
        "Missing in the file (2):",
        "  layer1.conv.weight: 4 x 3 x 3 x 3; nearest in the file: layer1.conv_1.weight",
        "  fc.bias: 10",
        "Unexpected in the file (2):",
        "  layer1.conv_1.weight: 4 x 3 x 3 x 3",
        "  step: a single number",
    ]


def test_a_list_of_differences_is_bounded() -> None:
    with pytest.raises(Refusal) as caught:
        weights.fits({f"a{i}": (1,) for i in range(5000)}, {"b": torch.ones(1)})
    assert "… and 4,800 more" in caught.value.details and len(caught.value.details) < 20_000
