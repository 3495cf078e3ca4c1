"""Codes and blocks: reproducible, exact as text, checked; and what plain files of VAEs and GANs are taken for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models import model_name
from models.adapters.generator import GeneratorAdapter
from models.adapters.vae import VAEAdapter
from models.engine import registry
from models.engine.engine import Engine
from models.latent.space import Block, Space, write
from models.loading import layer_chain, plain_generators
from models.loading.plain_layouts import MLPVAE, ConvVAE
from models.recipe import read
from models.recipe import write as write_recipe
from models.requests import Request
from models.types import Failure, Refusal, Result
from tests.models.latents import gan_file, needed

MIXED = Space((Block("categorical", 10, "digit"), Block("uniform", 2, "style"), Block("gaussian", 5, "noise")))


def normal(size: int) -> Space:
    return Space((Block("gaussian", size),))


# codes


def test_a_seed_is_the_same_code_on_every_machine_and_follows_each_prior() -> None:
    assert np.array_equal(MIXED.draw(7), MIXED.draw(7)) and not np.array_equal(MIXED.draw(7), MIXED.draw(8))
    # What NumPy's documented generator gives, which no version may change: PCG64 seeded with [3, 0].
    assert np.array_equal(normal(4).draw(3)[0], np.random.default_rng([3, 0]).standard_normal(4).astype(np.float32))
    many = MIXED.draw(1, count=4000)
    assert np.array_equal(many[:3], MIXED.draw(1, count=3)), "the first ones do not depend on how many there are"
    assert set(np.unique(many[:, :10])) == {0.0, 1.0} and (many[:, :10].sum(1) == 1).all()
    assert abs(many[:, :10].mean(0) - 0.1).max() < 0.02
    assert abs(many[:, 10:12]).max() <= 1 and abs(many[:, 10:12].std() - 1 / 3**0.5) < 0.02
    assert abs(many[:, 12:].std() - 1) < 0.02


def test_truncation_draws_again_what_is_beyond() -> None:
    plain, cut = normal(64).draw(5, count=50), normal(64).draw(5, count=50, truncation=1.0)
    assert abs(plain).max() > 1 >= abs(cut).max()
    assert abs(cut.std() - 0.54) < 0.02, "the standard deviation of a normal number cut at 1"


@settings(max_examples=60)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=12))
def test_a_code_survives_being_text_bit_for_bit(values: list[float]) -> None:
    code = np.array(values, np.float32)
    back = normal(len(values)).parse(write(code))
    assert back.tobytes() == code[None].tobytes()
    assert np.array_equal(normal(len(values)).parse(write(np.stack([code, code]))), np.stack([code, code]))


def test_what_is_no_code_is_refused_with_the_reason(tmp_path: Path) -> None:
    space = normal(3)
    np.save(tmp_path / "good.npy", np.eye(3))
    assert np.array_equal(space.parse(str(tmp_path / "good.npy")), np.eye(3, dtype=np.float32))
    np.save(tmp_path / "long.npy", np.zeros(4))
    np.save(tmp_path / "bad.npy", np.array([0, np.nan, 0]))
    np.save(tmp_path / "words.npy", np.array(["a", "b", "c"]))
    (tmp_path / "none.npy").write_text("nothing")
    wrong = {
        "1,2": "2 numbers; this model's have 3",
        "1,2,nan": "NaN",
        "1,2,inf": "infinite",
        "one,2,3": "not a latent code",
        "1,2,3;1,2": "different lengths",
        "seed:x": "not a seed",
        "seed:-1": "not a seed",
        str(tmp_path / "long.npy"): "4 numbers",
        str(tmp_path / "bad.npy"): "NaN",
        str(tmp_path / "words.npy"): "made of numbers",
        str(tmp_path / "none.npy"): "cannot be read",
        str(tmp_path / "gone.npy"): "is not there",
    }
    for text, reason in wrong.items():
        with pytest.raises(Refusal, match=reason):
            space.parse(text)
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(Refusal, match="cannot be read"):
        space.parse(str(tmp_path / "objects.npy"))


def test_blocks_of_a_card_are_checked() -> None:
    assert Space.of(MIXED.plain) == MIXED and MIXED.size == 17 and MIXED.gaussian == 5
    for given_blocks in ([], [{"kind": "gauss", "size": 3}], [{"kind": "gaussian", "size": 0}], [{"size": 3}], [3]):
        with pytest.raises(Refusal):
            Space.of(given_blocks)  # type: ignore[arg-type]


def test_the_length_of_a_code_is_that_of_its_normal_part() -> None:
    codes = MIXED.draw(2, count=3)
    assert np.allclose(MIXED.norm(codes), np.linalg.norm(codes[:, 12:], axis=1))


# files


def files(folder: Path, net: nn.Module, name: str) -> Path:
    torch.save(net.state_dict(), folder / name)
    return folder / name


def mlp(sizes: tuple[int, ...], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers[:-1])


def test_a_gan_of_two_files_opens_under_assumptions_that_can_be_flipped(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator, critic = mlp((6, 20, 64)), mlp((64, 12, 1))
    path = files(tmp_path, generator, "G--3.ckpt")
    alone = registry.open_model(str(path))
    assert isinstance(alone, GeneratorAdapter) and not hasattr(alone, "score")
    files(tmp_path, critic, "D--3.ckpt")
    z = torch.randn(5, 6)
    for activation, plain in (("relu", nn.ReLU), ("leaky_relu", lambda: nn.LeakyReLU(0.2))):
        model = registry.open_model(f"{path}?activation={activation}")
        expected = generator[2](plain()(generator[0](z))).tanh().view(5, 1, 8, 8)
        assert torch.allclose(model.generate(z), expected, atol=1e-6)
        assert torch.allclose(model.decode(z), expected / 2 + 0.5, atol=1e-6)
        judged = critic[2](nn.functional.leaky_relu(critic[0](expected.flatten(1)), 0.2)).flatten()
        assert torch.allclose(model.score(model.decode(z)), judged, atol=1e-5)
    made = registry.open_model(f"{path}?output=sigmoid").generate(z)
    assert float(made.min()) >= 0 and float(made.max()) <= 1
    with pytest.raises(Refusal, match="no assumption 'colour'"):
        registry.open_model(f"{path}?colour=red")
    with pytest.raises(Refusal, match="activation cannot be 'selu'"):
        registry.open_model(f"{path}?activation=selu")
    with pytest.raises(Refusal, match="is a discriminator"):
        registry.open_model(str(tmp_path / "D--3.ckpt"))


def test_a_dcgan_is_rebuilt_from_its_tensors(tmp_path: Path) -> None:
    torch.manual_seed(1)
    plain = nn.Module()
    plain.main = nn.Sequential(
        nn.ConvTranspose2d(10, 16, 4, 1, 0, bias=False),
        nn.BatchNorm2d(16, 0.8),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8, 0.8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    path = files(tmp_path, plain, "netG_epoch_4.pth")
    z = torch.randn(3, 10)
    with torch.no_grad():
        expected = plain.eval().main(z[:, :, None, None])
        assert torch.allclose(registry.open_model(f"{path}?eps=0.8").generate(z), expected, atol=1e-6)
        assert not torch.allclose(registry.open_model(str(path)).generate(z), expected, atol=1e-3)
    assert registry.open_model(str(path)).shape == (3, 16, 16)


@pytest.mark.parametrize("layout", ["interleaved", "halves"])
def test_mean_and_variance_are_taken_from_where_the_layout_says(tmp_path: Path, layout: str) -> None:
    torch.manual_seed(2)
    net = ConvVAE(dims=3, width=4, hidden=8)
    model = registry.open_model(f"{files(tmp_path, net, 'model.pt')}?layout={layout}")
    x = torch.rand(2, 1, 32, 32)
    hidden: list[Tensor] = []
    net.encoder.mu_logvar_gen.register_forward_hook(lambda module, given, out: hidden.append(out))
    net.encode(x)
    mean, log_variance = model.encode(x)
    parts = (slice(0, 6, 2), slice(1, 6, 2)) if layout == "interleaved" else (slice(0, 3), slice(3, 6))
    assert torch.allclose(mean, hidden[0][:, parts[0]], atol=1e-6)
    assert torch.allclose(log_variance, hidden[0][:, parts[1]], atol=1e-6)


def test_the_vae_of_pytorchs_examples_opens(tmp_path: Path) -> None:
    net = MLPVAE(pixels=784, hidden=16, dims=5, side=28)
    model = registry.open_model(str(files(tmp_path, net, "vae_epoch_25.pth")))
    assert isinstance(model, VAEAdapter) and model.shape == (1, 28, 28) and model.space.size == 5


@pytest.mark.parametrize(
    "state",
    [
        {"fc.weight": torch.zeros(3, 3)},
        {"0.weight": torch.zeros(7, 3), "2.weight": torch.zeros(9, 7)[:, :, None]},
        {"0.weight": torch.zeros(7, 3), "2.weight": torch.zeros(10, 7)},
    ],
)
def test_other_tensors_are_left_to_others(state: Mapping[str, Tensor]) -> None:
    assert plain_generators.propose(state, Path("x.pth"), {}, lambda path: {}) is None


def test_layers_that_do_not_follow_are_refused() -> None:
    layers = layer_chain.numbered(
        {"0.weight": torch.zeros(7, 3), "0.bias": torch.zeros(8), "2.weight": torch.zeros(64, 7)}
    )
    with pytest.raises(Refusal, match="do not follow"):
        layer_chain.rebuild(layers, {"activation": "relu", "output": "tanh"})


def test_a_recipe_keeps_the_assumptions(tmp_path: Path) -> None:
    path = files(tmp_path, mlp((6, 20, 64)), "G.pth")
    engine = Engine(threads=1)
    request = Request.make("decode", f"{path}?activation=tanh", None, {"code": "seed:3"})
    answer = engine.run(request)
    assert isinstance(answer, Result)
    write_recipe(tmp_path / "a.recipe.json", request, answer)
    again = read(tmp_path / "a.recipe.json").request
    assert model_name.split(again.model)[1] == {"activation": "tanh"}
    repeated = engine.run(again)
    assert isinstance(repeated, Result) and np.array_equal(repeated.arrays["picture"], answer.arrays["picture"])


def test_assumptions_are_parted_from_names() -> None:
    assert model_name.split("digits-vae") == ("digits-vae", {})
    assert model_name.split(model_name.join("a/G.pth", {"b": "2", "a": "1"})) == ("a/G.pth", {"a": "1", "b": "2"})


# pictures


def test_what_the_network_makes_is_what_is_shown(tmp_path: Path) -> None:
    engine = Engine(threads=1)
    path = str(files(tmp_path, mlp((6, 20, 192)), "G.pth"))
    answer = engine.run(Request.make("sample", path, None, {"seed": 4, "count": 20}))
    assert isinstance(answer, Result)
    model = engine.model(path)
    with torch.no_grad():
        expected = (model.decode(torch.from_numpy(answer.arrays["codes"])) * 255).round().byte().permute(0, 2, 3, 1)
    assert answer.arrays["pictures"].shape == (20, 8, 8, 3)
    assert abs(answer.arrays["pictures"].astype(int) - expected.numpy().astype(int)).max() <= 1
    for row in (0, 19):
        one = engine.run(Request.make("decode", path, None, {"code": f"seed:{4 + row}"}))
        assert isinstance(one, Result) and np.array_equal(one.arrays["code"], answer.arrays["codes"][row])
        assert abs(one.arrays["picture"].astype(int) - answer.arrays["pictures"][row].astype(int)).max() <= 1
    bad = engine.run(Request.make("decode", path, None, {"code": "1,2"}))
    assert isinstance(bad, Failure) and "6" in bad.message


def test_a_dropped_picture_is_converted_and_said() -> None:
    model = VAEAdapter(VAEAdapter.tiny(), registry.Card("tiny"))
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    given_input, note = model.input(colour)
    grey = (colour.astype(np.float64) @ [0.299, 0.587, 0.114]) / 255
    halved = grey.reshape(32, 2, 32, 2).mean((1, 3))
    assert given_input.shape == (1, 1, 32, 32)
    # Antialiased bilinear halving weighs four pixels a side by 1, 3, 3, 1: near the mean of four, no more.
    assert abs(given_input[0, 0].numpy() - halved).mean() < 0.1
    assert "64 × 64 to 32 × 32" in note and "grey" in note
    plain = np.repeat(rng.integers(0, 255, (32, 32, 1), dtype=np.uint8), 3, 2)
    same, silent = model.input(plain)
    assert silent == "" and np.allclose(same[0, 0].numpy() * 255, plain[:, :, 0], atol=1e-3)


def test_a_network_that_makes_no_numbers_is_refused(tmp_path: Path) -> None:
    net = mlp((6, 20, 64))
    with torch.no_grad():
        net[0].weight.fill_(float("nan"))  # type: ignore[union-attr, operator]
    answer = Engine(threads=1).run(Request("decode", str(files(tmp_path, net, "G.pth"))))
    assert isinstance(answer, Failure) and "not a number" in answer.message


@needed(gan_file(), gan_file("D"))
def test_the_discriminator_tells_the_right_assumption_from_the_wrong_one() -> None:
    path = gan_file()
    means = {}
    for activation in ("relu", "leaky_relu"):
        model = registry.open_model(f"{path}?activation={activation}")
        codes = model.tensor(np.concatenate([model.space.draw(seed) for seed in range(400)]))
        means[activation] = float(model.score(model.decode(codes)).sigmoid().mean())
    assert means["relu"] > 1.5 * means["leaky_relu"], means
    # It was trained so: what is assumed by itself is the right one.
    assert registry.open_model(str(path)).card.about["assumptions"]["activation"]["value"] == "relu"
