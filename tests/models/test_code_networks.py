"""Generators, decoders and VAEs in exported files and own code: they open as what they are, and equal the network."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

import code_makers
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.engine import registry
from models.exported.onnx_random import Drawn, chosen, of
from models.types import Refusal
from models.user_code import consent


def exported(net: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> Path:
    """A network as an ONNX file, a .pt2, or traced, for one code at a time."""
    one = tuple(each[:1] for each in inputs)
    if path.suffix == ".pt2":
        torch.export.save(torch.export.export(net, one), path)
    elif path.suffix == ".pt":
        traced: Any = torch.jit.trace(net, one, check_trace=False)
        traced.save(str(path))
        allow(path)
    else:
        pytest.importorskip("onnx", reason="onnx is not installed")
        names = list(inspect.signature(net.forward).parameters)
        torch.onnx.export(net, one, str(path), input_names=names, dynamo=False, opset_version=17)
    return path


def allow(path: Path) -> None:
    consent.allow(path, hashlib.sha256(path.read_bytes()).hexdigest())


def code_of(inputs: tuple[Tensor, ...], classes: int) -> Tensor:
    """The inputs side by side, a class number as a one-hot row."""
    rows = [torch.eye(classes)[each] if each.dtype == torch.int64 else each.flatten(1) for each in inputs]
    return torch.cat(rows, 1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *(("deep", suffix) for suffix in (".onnx", ".pt2", ".pt")),
        *(("flat", suffix) for suffix in (".onnx", ".pt")),
        *(("conditional", suffix) for suffix in (".onnx", ".pt2", ".pt")),
        *(("one-hot", suffix) for suffix in (".onnx", ".pt")),
    ],
)
def test_a_generator_makes_the_pictures_that_its_network_makes(name: str, suffix: str, tmp_path: Path) -> None:
    net, inputs = code_makers.made(name)
    path = exported(net, inputs, tmp_path / f"g{suffix}")
    said = "?classes=4" * (name == "one-hot" and suffix == ".pt")  # a row of any length leaves a code
    model = registry.open_model(f"{path}{said}")
    codes = code_of(inputs, 7)
    assert type(model).__name__ == "GeneratorAdapter" and model.space.size == codes.shape[1]
    blocks = [(block.kind, block.size) for block in model.space.blocks]
    wanted = {"conditional": [("gaussian", 8), ("categorical", 7)], "one-hot": [("gaussian", 8), ("categorical", 4)]}
    assert blocks == wanted.get(name, [("gaussian", codes.shape[1])])
    with torch.no_grad():
        pictures = net(*inputs)
        pictures = pictures.view(3, 1, 28, 28) if name == "flat" else pictures
        own = (pictures + 1) / 2 if float(pictures.min()) < 0 else pictures
        torch.testing.assert_close(model.decode(codes), own, atol=1e-5, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_what_it_cannot_tell_of_a_generator_is_a_choice(tmp_path: Path) -> None:
    net, inputs = code_makers.made("flat")
    path = exported(net, inputs, tmp_path / "g.pt")
    model = registry.open_model(f"{path}?prior=uniform&values=zero_one")
    assert [block.kind for block in model.space.blocks] == ["uniform"] and (model.low, model.high) == (0.0, 1.0)
    with pytest.raises(Refusal, match="values cannot be"):
        registry.open_model(f"{path}?values=other")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("suffix", "draws"), [(".onnx", True), (".pt2", True), (".onnx", False)])
def test_a_whole_vae_is_cut_into_encoder_and_decoder(suffix: str, draws: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = code_makers.Variational(draws=draws).eval()
    pictures = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(5))
    model: Any = registry.open_model(str(exported(net, (pictures,), tmp_path / f"vae{suffix}")))
    assert type(model).__name__ == "VAEAdapter" and model.likelihood == "bernoulli"
    codes = torch.randn(2, 3, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        for own, wanted in zip(model.encode(pictures), net.encode(pictures), strict=True):
            torch.testing.assert_close(own, wanted, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.decode(codes), net.decode(codes), atol=1e-5, rtol=1e-4)
    other = registry.open_model(f"{tmp_path / f'vae{suffix}'}?network=outputs")
    assert hasattr(other, "interpretation")


OWN = """
import torch
from torch import nn
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.fc3, self.fc4 = nn.Linear(4, 32), nn.Linear(32, 784)
    def encode(self, x):
        h = self.fc1(x).relu()
        return self.fc21(h), self.fc22(h)
    def decode(self, z):
        return self.fc4(self.fc3(z).relu()).sigmoid()
    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        return self.decode(mu + torch.randn_like(mu) * (0.5 * logvar).exp()), mu, logvar
"""
GENERATOR = """
from torch import nn
class Generator(nn.Module):
    def __init__(self, nz=20, nc=1):
        super().__init__()
        self.main = nn.Sequential(nn.ConvTranspose2d(nz, 8, 4, 1, 0), nn.ReLU(), nn.ConvTranspose2d(8, nc, 4, 2, 1),
                                  nn.Sigmoid())
    def forward(self, noise):
        return self.main(noise)
"""
LAZY = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.LazyConv2d(4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
    def forward(self, x):
        return self.f(x)
"""


def coded(text: str, path: Path) -> Path:
    path.write_text(text, encoding="utf-8")
    allow(path)
    return path


def test_own_code_of_a_vae_and_of_a_generator_opens_as_such(tmp_path: Path) -> None:
    model: Any = registry.open_model(str(coded(OWN, tmp_path / "vae.py")))
    assert type(model).__name__ == "VAEAdapter" and model.space.size == 4 and model.shape == (1, 28, 28)
    pictures = torch.rand(2, 1, 28, 28)
    own, wanted = model.encode(pictures), model.net.decoder.net.net.encode(pictures.flatten(1))
    assert torch.equal(own[0], wanted[0]) and torch.equal(own[1], wanted[1])
    made: Any = registry.open_model(str(coded(GENERATOR, tmp_path / "gan.py")))
    assert type(made).__name__ == "GeneratorAdapter" and made.space.size == 20 and made.shape == (1, 8, 8)


def test_lazy_layers_get_their_sizes_from_a_picture_or_from_the_weights(tmp_path: Path) -> None:
    path = coded(LAZY, tmp_path / "lazy.py")
    model = registry.open_model(f"{path}?size=64x48")
    assert model.preprocess.size == (48, 64) and "64 × 48 px" in model.card.about["note"]
    net: Any = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 15 * 15, 5))
    state: Any = {f"f.{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save(state, tmp_path / "lazy.pth")
    loaded = registry.open_model(f"{path}?weights={tmp_path / 'lazy.pth'}")
    x = torch.rand(1, 3, *loaded.preprocess.size)
    assert loaded.preprocess.size == (32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.net(x), net(x))


FILLED = """
import torch
from torch import nn
class Seen(nn.Module):
    def __init__(self):
        super().__init__()
        conv, average = nn.Conv2d(3, 4, 3, stride=2), nn.AdaptiveAvgPool2d(1)
        self.f = nn.Sequential(conv, nn.ReLU(), average, nn.Flatten(), nn.Linear(4, 3))
    def forward(self, images, mask, orig_target_sizes):
        return self.f(images * mask[:, None].to(images.dtype)) + orig_target_sizes.to(images.dtype).sum(1, keepdim=True)
"""


@pytest.mark.filterwarnings("ignore")
def test_inputs_besides_the_picture_are_filled_in_for_own_code_and_torchscript(tmp_path: Path) -> None:
    model = registry.open_model(f"{coded(FILLED, tmp_path / 'seen.py')}?fill2=ones")
    assert model.card.about["assumptions"]["fill3"]["value"] == "width_height"
    assert "orig_target_sizes is filled in with width and height" in model.card.about["note"]
    net, x = model.net.net, torch.rand(1, 3, 40, 56)
    inputs = (x, torch.ones(1, 40, 56, dtype=torch.bool), torch.tensor([[56, 40]]))
    with torch.no_grad():
        assert torch.equal(model.net(x), net(*inputs))
    traced: Any = torch.jit.trace(net, inputs)
    traced.save(str(tmp_path / "seen.pt"))
    allow(tmp_path / "seen.pt")
    other = registry.open_model(f"{tmp_path / 'seen.pt'}?fill2=ones&fill3=height_width")
    assert other.card.about["assumptions"]["fill3"]["value"] == "height_width"
    with torch.no_grad():
        assert torch.equal(other.net(x), net(*inputs))


def test_an_input_of_which_nothing_is_known_is_named(tmp_path: Path) -> None:
    text = "from torch import nn\nclass Two(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    text += "        self.c = nn.Conv2d(3, 2, 3)\n    def forward(self, x, prior):\n        return self.c(x) + prior\n"
    with pytest.raises(Refusal, match="of its input prior it is not known what belongs there"):
        registry.open_model(str(coded(text, tmp_path / "two.py")))


def test_random_numbers_of_a_graph_repeat_and_are_those_of_a_seed() -> None:
    net = nn.Sequential(Drawn("normal", low=2.0, high=3.0), Drawn("uniform", low=-1.0, high=1.0))
    assert len(of(net)) == 2
    x = torch.zeros(2, 20_000)
    normal, uniform = net[0](x), net[1](x)
    assert torch.equal(net[0](x), normal) and torch.equal(normal[0], normal[1])
    assert abs(float(normal.mean()) - 2) < 0.1 and abs(float(normal.std()) - 3) < 0.1
    assert -1 <= float(uniform.min()) < -0.99 and 0.99 < float(uniform.max()) <= 1
    chosen(net, {"seed": "3"})
    assert not torch.equal(net[0](x), normal)
    yes = Drawn("chance")(torch.full((1, 20_000), 0.25))
    assert abs(float(yes.mean()) - 0.25) < 0.02
    drawn = Drawn("choice", count=20_000)(torch.tensor([[0.0, float(np.log(3))]]))
    assert abs(float(drawn.float().mean()) - 0.75) < 0.02


LIGHTNING = """
import torch
import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torchmetrics import Accuracy
class Net(pl.LightningModule):
    def __init__(self, hidden=6, rate=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.f = nn.Sequential(nn.Conv2d(1, self.hparams.hidden, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.last = nn.Linear(hidden, 4)
        self.accuracy = Accuracy(task="multiclass", num_classes=4)
    def forward(self, x):
        return self.last(self.f(x))
    def training_step(self, batch, number):
        self.log("loss", self(batch).sum())
"""


def test_a_lightning_module_opens_without_lightning_with_its_checkpoint(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    names = {"0.weight": "f.0.weight", "0.bias": "f.0.bias", "3.weight": "last.weight", "3.bias": "last.bias"}
    state = {names[name]: tensor for name, tensor in net.state_dict().items()}
    saved = {"epoch": 1, "pytorch-lightning_version": "2.1", "state_dict": state, "hyper_parameters": {"hidden": 8}}
    torch.save(saved, tmp_path / "net.ckpt")
    path = coded(LIGHTNING, tmp_path / "lit.py")
    model = registry.open_model(f"{path}?weights={tmp_path / 'net.ckpt'}&hidden=8")
    x = torch.rand(1, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(model.net(x), net(x))
    if "installed" in model.card.about["note"]:  # else the real one was there
        assert "Lightning is not installed; only its training is missing." in model.card.about["note"]


def test_code_that_would_be_downloaded_is_not_run(tmp_path: Path) -> None:
    text = 'import torch\nmodel = torch.hub.load("pytorch/vision", "resnet18", pretrained=True)\n'
    with pytest.raises(Refusal, match=r"torch\.hub\.load") as caught:
        registry.open_model(str(coded(text, tmp_path / "hub.py")))
    assert "torchvision:resnet18" in caught.value.advice
    text = text.replace("pytorch/vision", "someone/nets")
    with pytest.raises(Refusal, match=r"torch\.hub\.load") as caught:
        registry.open_model(str(coded(text, tmp_path / "hub2.py")))
    assert "hubconf.py:resnet18" in caught.value.advice
