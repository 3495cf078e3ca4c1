"""Networks from pictures to pictures, rebuilt from their tensors alone: the same pictures, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import picture_networks as nets
import pytest
import torch
from torch import Tensor, nn

from models.cards.card import PHOTOS
from models.engine import registry
from models.engine.engine import Engine
from models.pictures import images
from models.requests import Request
from models.types import Result, Source

NETWORKS: dict[str, Callable[[], Any]] = {
    "SRCNN": nets.Srcnn,
    "SRCNN in colour": lambda: nets.Srcnn(3),
    "ESPCN": nets.Espcn,
    "FSRCNN": nets.Fsrcnn,
    "DnCNN": nets.DnCNN,
    "DnCNN in colour without norms": lambda: nets.DnCNN(3, normed=False),
    "FFDNet": nets.Ffdnet,
    "VDSR": nets.Vdsr,
    "EDSR x2": nets.Edsr,
    "EDSR x4": lambda: nets.Edsr(4),
    "EDSR x3": lambda: nets.Edsr(3),
    "SRResNet": nets.Srresnet,
    "ESRGAN": nets.Rrdb,
    "fast neural style": nets.StyleNet,
    "CycleGAN, 6 blocks": nets.CycleNet,
    "CycleGAN, 9 blocks, batch norms": lambda: nets.CycleNet(9, batch=True),
    "pix2pix with dropout": nets.PairedNet,
    "pix2pix without dropout": lambda: nets.PairedNet(drop=False),
    "pix2pix, another collection": nets.UpDownNet,
}


def random(net: nn.Module) -> nn.Module:
    """Return a network whose norms have statistics unlike those of a new one."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
        if name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return net.eval()


def channels(net: nn.Module) -> int:
    seen = next(p for p in net.parameters() if p.ndim == 4).shape[1]
    return {13: 3, 8: 1}.get(seen, seen)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_rebuilt_network_makes_the_same_pictures(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = random(NETWORKS[name]())
    torch.save({"state_dict": {f"module.{k}": t for k, t in net.state_dict().items()}}, tmp_path / "w.pth")
    file = f"{tmp_path / 'w.pth'}{getattr(net, 'choices', '')}"
    model = registry.open_model(file)
    assert model.card.task == "picture to picture" and model.card.about["note"].startswith("Recognised by its tensors")
    x = torch.rand(2, channels(net), 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        made, wanted = model.net(x), net(x)
    way = model.code.way
    made = made if way == "direct" else x + made if way == "added" else x - made
    assert torch.equal(made, wanted), float((made - wanted).abs().max())


def opened(state: dict[str, Tensor], file: Path) -> Any:
    torch.save(state, file)
    return registry.open_model(str(file))


def test_old_names_and_leftovers_of_old_versions_are_the_same_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 32, 32)
    for net, state in ((nets.Rrdb(), "old_names"), (nets.StyleNet(), "leftovers")):
        model = opened(getattr(net, state)(), tmp_path / f"{state}.pth")
        with torch.no_grad():
            assert torch.equal(model.net(x), net.eval()(x))


@pytest.mark.parametrize("count", [5, 8, 2])
def test_a_generator_that_is_told_labels_opens_by_its_tensors(count: int, tmp_path: Path) -> None:
    """StarGAN's: the labels count from the first convolution, and the picture is the published network's own."""
    torch.manual_seed(0)
    net = nets.StarNet(count).eval()
    model = opened(net.as_saved(), tmp_path / "200000-G.ckpt")
    assert (
        model.groups
        == {
            5: (("black hair", "blond hair", "brown hair"), ("male",), ("young",)),
            8: (("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"),),
            2: (("label 1", "label 2"),),
        }[count]
    )
    told = model.labels({5: "brown hair, young", 8: "happy", 2: "label 2"}[count])
    assert told == {5: (0, 0, 1, 0, 1), 8: (0, 0, 0, 0, 1, 0, 0, 0), 2: (0, 1)}[count]
    plain = torch.rand(1, 3, 36, 44)
    with torch.no_grad():
        wanted = (net(2 * plain - 1, torch.tensor([told]).float()) + 1) / 2
        usual = (net(2 * plain - 1, torch.tensor([model.labels("")]).float()) + 1) / 2
    torch.testing.assert_close(model.made_of(plain, told), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(model.made_of(plain), usual, rtol=0, atol=1e-6)
    each = registry.open_model(f"{tmp_path / '200000-G.ckpt'}?labels=each")
    assert each.groups == tuple((f"label {at}",) for at in range(1, count + 1)) and not any(each.labels(""))


def test_an_enlarging_network_answers_in_the_panel_with_the_right_colours(tmp_path: Path) -> None:
    """A network that repeats each pixel: what the panel gets is the picture itself, larger."""
    net = nets.Espcn(3, 2)
    torch.nn.init.zeros_(net.first_part[0].bias)
    with torch.no_grad():
        for conv, eye in ((net.first_part[0], 2), (net.first_part[2], 1), (net.last_part[0], 1)):
            conv.weight.zero_()
            conv.bias.zero_()
            for out in range(3):
                conv.weight[out if conv is not net.last_part[0] else slice(4 * out, 4 * out + 4), out, eye, eye] = 1
    torch.save(net.state_dict(), tmp_path / "w.pth")
    engine = Engine(threads=1)
    source = Source.file(PHOTOS / "cat.jpg")
    answer = engine.run(Request.make("translate", f"{tmp_path / 'w.pth'}?activation=relu&way=direct", source))
    assert isinstance(answer, Result), answer
    own = images.read(PHOTOS / "cat.jpg").pixels
    np.testing.assert_array_equal(answer.arrays["output"], own.repeat(2, 0).repeat(2, 1))
    assert answer.meta["times"] == 2


def test_a_style_is_on_the_scale_it_was_trained_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = opened(nets.StyleNet().state_dict(), tmp_path / "w.pth")
    assert model.preprocess.range == 255 and model.card.about["assumptions"]["scale"]["value"] == "zero_255"
    model = opened(nets.CycleNet().state_dict(), tmp_path / "g.pth")
    assert model.preprocess.mean == (0.5, 0.5, 0.5) and model.card.about["assumptions"]["output"]["value"] == "tanh"


def test_the_noise_that_is_left_decides_whether_noise_is_given(tmp_path: Path) -> None:
    """A denoiser trained for a moment: its tensors do not say that it gives the noise; noisy pictures do."""
    torch.manual_seed(0)
    net = nets.DnCNN(1, normed=False)
    clean = torch.nn.functional.interpolate(torch.rand(8, 1, 6, 6), size=(32, 32), mode="bilinear")
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(60):
        noisy = clean + 0.1 * torch.randn_like(clean)
        loss = (net.dncnn(noisy) - clean).square().mean()  # it learns to give the clean picture
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model = opened({k: t.detach() for k, t in net.state_dict().items()}, tmp_path / "w.pth")
    assert model.card.about["assumptions"]["way"]["value"] == "direct"
    assert "mean squared error" in model.card.about["note"]
