"""DeepLabV3+, PSPNet, BiSeNet and FCN by their tensors: the scores of the networks that were saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import atrous_networks
import pytest
import torch
from torch import nn

from models.engine import registry
from models.families.find import find

NETWORKS = atrous_networks.NETWORKS


def _with_statistics(kind: Any) -> nn.Module:
    torch.manual_seed(0)
    net = kind()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return net.eval()


@pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
def test_the_scores_of_pixels_are_those_of_the_network_that_was_saved(kind: Any) -> None:
    net = _with_statistics(kind)
    proposal = find(net.state_dict())
    assert proposal is not None
    assert proposal.task == "segmentation"
    made = proposal.build({name: item["choices"][0] for name, item in proposal.offered.items()})
    made.load_state_dict(net.state_dict())
    x = torch.rand(1, 3, 65, 98)
    with torch.no_grad():
        torch.testing.assert_close(made.eval()(x), net(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)
def test_a_tensor_more_is_another_network(kind: Any) -> None:
    state = {**kind().state_dict(), "extra.weight": torch.zeros(4, 4, 3, 3)}
    assert find(state) is None


def test_another_output_stride_is_a_flip_that_changes_scores(tmp_path: Path) -> None:
    net = _with_statistics(atrous_networks.DeepLabHead)
    held = {"cur_itrs": 30000, "model_state": net.state_dict(), "optimizer_state": {"state": {}}, "best_score": 0.7}
    torch.save(held, tmp_path / "best_deeplabv3plus_resnet50_cityscapes_os16.pth")
    path = str(tmp_path / "best_deeplabv3plus_resnet50_cityscapes_os16.pth")
    model, other = registry.open_model(path), registry.open_model(f"{path}?strides=8")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-4, atol=1e-4)
        assert not torch.allclose(other.net(x), net(x), atol=1e-3)
    assert model.card.task == "segmentation"
    assert len(model.card.classes) == 19
