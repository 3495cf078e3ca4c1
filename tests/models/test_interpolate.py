"""Paths through codes: each frame is the decoder's own picture, steps and scores are what they are said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.engine.engine import Engine
from models.latent import path as paths
from models.latent import path_keys as texts
from models.latent.path_keys import Stop, settled
from models.latent.space import Block, Space, write
from models.requests import Request
from models.types import Failure, Refusal, Result
from tests.models.generators import gan, vae
from tests.models.latents import needed, vae_file

PLAIN = Space((Block("gaussian", 4),))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> str:
    return gan(tmp_path_factory.mktemp("gan"))


def ask(engine: Engine, model: str, **params: Any) -> Result:
    answer = engine.run(Request.make("interpolate", model, None, params))
    assert isinstance(answer, Result), answer
    return answer


def refused(engine: Engine, model: str, **params: Any) -> str:
    answer = engine.run(Request.make("interpolate", model, None, params))
    assert isinstance(answer, Failure) and not answer.details, answer
    return answer.text


def test_every_frame_is_the_decoders_picture_of_a_slerp(engine: Engine, model: str) -> None:
    given = {"from": "seed:1", "to": "seed:2", "frames": 9, "path": "slerp"}
    arrays = ask(engine, model, **given).arrays
    space = engine.model(model).space
    a, b = space.draw(1)[0].astype(float), space.draw(2)[0].astype(float)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    angle = np.arccos(a @ b / (lengths[0] * lengths[1]))
    for row, t in enumerate(np.linspace(0, 1, 9)):
        direction = (np.sin((1 - t) * angle) * a / lengths[0] + np.sin(t * angle) * b / lengths[1]) / np.sin(angle)
        expected = direction * ((1 - t) * lengths[0] + t * lengths[1])
        assert np.allclose(arrays["codes"][row], expected, atol=1e-5)
    assert np.array_equal(arrays["codes"][[0, -1]], np.stack([space.draw(1)[0], space.draw(2)[0]]))
    net = engine.model(model).net
    with torch.inference_mode():
        made = net.decode(torch.from_numpy(arrays["codes"])).clamp(0, 1).mul(255).round().to(torch.uint8)
    assert np.array_equal(arrays["pictures"], made.permute(0, 2, 3, 1).numpy().repeat(3, 3))
    assert np.array_equal(arrays["keys"], arrays["pictures"][[0, -1]])
    assert np.allclose(arrays["norms"], np.linalg.norm(arrays["codes"], axis=1), rtol=1e-6)


def test_the_default_of_a_gaussian_is_slerp_and_of_the_command_line_nothing_is_retimed(
    engine: Engine, model: str
) -> None:
    plain = ask(engine, model)
    assert plain.meta["parameters"]["retime"] is False and plain.meta["decodes"] == 60
    same = ask(engine, model, **{"from": "seed:0", "to": "seed:1", "path": "slerp"})
    assert np.array_equal(plain.arrays["codes"], same.arrays["codes"])
    straight = ask(engine, model, path="lerp").arrays["codes"]
    ends = straight[[0, -1]]
    assert np.allclose(straight, ends[0] + np.linspace(0, 1, 60)[:, None] * (ends[1] - ends[0]), atol=1e-6)


def test_steps_are_distances_of_the_pictures_also_across_batches(engine: Engine, model: str) -> None:
    net = engine.model(model).net
    for loop in (False, True):
        arrays = ask(engine, model, frames=150, loop=loop).arrays
        with torch.inference_mode():
            flat = net.decode(torch.from_numpy(arrays["codes"])).flatten(1).double().numpy()
        after = np.roll(flat, -1, axis=0)
        expected = np.linalg.norm(after - flat, axis=1)[: 150 if loop else 149]
        assert np.allclose(arrays["speed"], expected, rtol=1e-4, atol=1e-6)


def test_segments_have_their_own_path_and_easing(engine: Engine, model: str) -> None:
    keys = "seed:1 lerp easeInQuad | seed:2 | 0,1,0,-1"
    arrays = ask(engine, model, keys=keys, frames=21, path="slerp").arrays
    codes, space = arrays["codes"], engine.model(model).space
    a, b = space.draw(1)[0], space.draw(2)[0]
    assert np.allclose(codes[5], a + 0.25 * (b - a), atol=1e-6)  # half way in time, eased: a quarter of the way
    assert np.array_equal(codes[10], b) and np.array_equal(codes[-1], np.array([0, 1, 0, -1], np.float32))
    assert np.allclose(codes[10:], paths.slerp(b, [0, 1, 0, -1], np.linspace(0, 1, 11)), atol=1e-6)
    assert arrays["segment"].tolist() == [0] * 10 + [1] * 11
    assert len(arrays["keys"]) == 3


def test_from_and_to_stand_before_and_after_the_keys(engine: Engine, model: str) -> None:
    both = ask(engine, model, **{"from": "seed:1", "keys": "seed:5 | seed:6", "to": "seed:2", "frames": 4}).arrays
    space = engine.model(model).space
    assert np.array_equal(both["codes"], np.concatenate([space.draw(seed) for seed in (1, 5, 6, 2)]))


def test_a_loop_comes_back_without_a_double_frame(engine: Engine, model: str) -> None:
    arrays = ask(engine, model, keys="seed:1 | seed:2 | seed:3", frames=6, loop=True).arrays
    space = engine.model(model).space
    assert np.array_equal(arrays["codes"][::2], np.concatenate([space.draw(seed) for seed in (1, 2, 3)]))
    assert arrays["segment"].tolist() == [0, 0, 1, 1, 2, 2] and len(arrays["speed"]) == 6


@needed(vae_file())
@pytest.mark.parametrize("loop", [False, True])
def test_constant_speed_is_constant_and_says_what_it_cost(engine: Engine, loop: bool) -> None:
    given = {"from": "seed:1", "to": "seed:2", "frames": 120, "loop": loop}
    plain = ask(engine, str(vae_file()), **given)
    even = ask(engine, str(vae_file()), retime=True, **given)
    with torch.inference_mode():
        made = engine.model(str(vae_file())).decode(torch.from_numpy(even.arrays["codes"]))
    flat = made.flatten(1).double().numpy()
    steps = np.linalg.norm(np.diff(np.concatenate([flat, flat[:1]]) if loop else flat, axis=0), axis=1)
    assert steps.std() / steps.mean() <= 0.02
    assert abs(even.meta["variation"]["after"] - steps.std() / steps.mean()) < 1e-4
    assert plain.meta["variation"]["after"] > 0.1
    assert abs(even.meta["variation"]["before"] / plain.meta["variation"]["after"] - 1) < 0.1
    assert even.meta["decodes"] - 120 <= 150
    assert even.meta["features"] == "Pixels"
    assert np.array_equal(even.arrays["codes"][0], plain.arrays["codes"][0])


def test_the_score_is_a_percentile_among_samples(engine: Engine, critic: str) -> None:
    arrays = ask(engine, critic, frames=5).arrays
    opened = engine.model(critic)
    with torch.inference_mode():
        codes = np.concatenate([opened.space.draw(seed) for seed in range(256)])
        samples = opened.score(opened.decode(torch.from_numpy(codes))).numpy()
        frames = opened.score(opened.decode(torch.from_numpy(arrays["codes"]))).numpy()
    assert np.allclose(arrays["logit"], frames, atol=1e-5)
    assert np.allclose(arrays["score"], [100 * (samples < said).mean() for said in arrays["logit"]], atol=100 / 256)


def test_a_model_without_a_discriminator_has_no_score(engine: Engine, model: str) -> None:
    assert not {"score", "logit"} & set(ask(engine, model, frames=3).arrays)


@pytest.mark.parametrize(("which", "features"), [("vae", "encoder"), ("gan", "discriminator")])
def test_other_features_are_measured(engine: Engine, model: str, critic: str, which: str, features: str) -> None:
    name = model if which == "vae" else critic
    answer = ask(engine, name, frames=7, features=features)
    net = engine.model(name).net
    codes = torch.from_numpy(answer.arrays["codes"])
    with torch.inference_mode():
        if which == "vae":
            seen = net.encode(net.decode(codes))[0]
        else:
            layers = list(net.discriminator)
            seen = net.generator(codes).flatten(1)
            for layer in layers[:-1]:
                seen = layer(seen)
    assert np.allclose(answer.arrays["speed"], seen.diff(dim=0).norm(dim=1).numpy(), rtol=1e-4, atol=1e-6)
    other = critic if which == "vae" else model
    assert f"has no {features} to measure with" in refused(engine, other, features=features)


def test_the_band_holds_what_the_prior_draws_and_a_short_code_is_remarked(engine: Engine, model: str) -> None:
    answer = ask(engine, model, **{"from": "0,0,0,0.01", "to": "0,0,0.01,0", "frames": 8})
    low, high = answer.meta["band"]
    drawn = np.linalg.norm(np.random.default_rng(0).standard_normal((4000, 4)), axis=1)
    assert 0.93 < ((low <= drawn) & (drawn <= high)).mean() < 0.98
    assert "8 of 8 frames" in answer.meta["remarks"][0]


def test_mixed_choices_are_off_support(engine: Engine, critic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space((Block("categorical", 3), Block("uniform", 1), Block("gaussian", 2)))
    opened = engine.model(critic)
    monkeypatch.setattr(opened, "space", space)
    answer = ask(engine, critic, **{"from": "1,0,0,-1,1,0", "to": "0,1,0,1,0,1", "frames": 5})
    codes = answer.arrays["codes"]
    assert np.allclose(codes[:, :3].sum(1), 1) and np.allclose(codes[2, :4], [0.5, 0.5, 0, 0])
    assert np.allclose(np.linalg.norm(codes[:, 4:], axis=1), 1)  # slerp within the normal part alone
    assert any("3 of 5 frames mix two choices" in remark for remark in answer.meta["remarks"])


def test_frames_per_second_change_no_frame_and_decode_nothing_anew(engine: Engine, model: str) -> None:
    one = ask(engine, model, frames=12, fps=24)
    other = ask(engine, model, frames=12, fps=60)
    assert one.arrays["pictures"] is other.arrays["pictures"]
    assert (one.meta["fps"], other.meta["fps"]) == (24, 60)


def test_what_is_no_path_is_refused_in_words(engine: Engine, model: str) -> None:
    two = {"from": "seed:1", "to": "seed:2"}
    assert "there is one key" in refused(engine, model, **{"from": "seed:1"})
    assert "Key 2: The code has 3 numbers; this model's have 4" in refused(engine, model, keys="seed:1 | 1,2,3")
    assert "Key 1: The code holds a value that is not a number" in refused(engine, model, keys="1,nan,0,0 | seed:2")
    assert "Key 1: The code holds" in refused(engine, model, **{"from": "1,inf,0,0", "to": "seed:2"})
    assert "frames=1 is out of range" in refused(engine, model, frames=1, **two)
    assert "opposite each other" in refused(engine, model, **{"from": "1,0,0,0", "to": "-1,0,0,0"})
    assert ask(engine, model, **{"from": "1,0,0,0", "to": "-1,0,0,0", "path": "lerp"})
    assert "'slurp' is neither a path nor an easing" in refused(engine, model, keys="seed:1 slurp | seed:2")
    assert "two ways" in refused(engine, model, keys="seed:1 slerp lerp | seed:2")
    assert "path cannot be 'geodesic'" in refused(engine, model, path="geodesic")
    assert "missing.npy is not there" in refused(engine, model, **{"from": "missing.npy", "to": "seed:2"})


def test_more_than_memory_holds_is_refused(engine: Engine, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.inspections.interpolate.MOST_BYTES", 32 * 32 * 3 * 10)
    assert "Ask for 10" in refused(engine, model, frames=11)


def test_keys_are_read_as_they_are_written() -> None:
    stops = [
        Stop("seed:1", "slerp"),
        Stop("0.5,-1,0,2", "", "easeOutQuad"),
        Stop("a b.npy", "lerp", "linear"),
        Stop("7"),
    ]
    assert texts.read(texts.write(stops)) == stops
    assert texts.read("  ") == [] and texts.read("seed:1 |  | seed:2") == [Stop("seed:1"), Stop("seed:2")]
    assert texts.read("0.1, -0.2, 0.3, nan | seed:2")[0].code == "0.1, -0.2, 0.3, nan"


def test_files_become_numbers_to_the_bit(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
    np.save(tmp_path / "two codes.npy", codes)
    text = settled(f"seed:3 lerp | {tmp_path / 'two codes.npy'} slerp easeInQuad", PLAIN)
    assert text == f"seed:3 lerp | {write(codes)} slerp easeInQuad"
    rows, segments = texts.keys_of(texts.read(text), PLAIN, path="auto", easing="linear")
    assert np.array_equal(rows[1:], codes) and np.array_equal(rows[:1], PLAIN.draw(3))
    assert [(one.method, one.easing) for one in segments[1:]] == [("slerp", "easeInQuad")] * 2
    assert settled("seed:1", PLAIN) == "seed:1"
    with pytest.raises(Refusal, match="is not there"):
        settled(str(tmp_path / "none.npy"), PLAIN)
    np.save(tmp_path / "long.npy", np.zeros(5))
    with pytest.raises(Refusal, match="5 numbers; this model's have 4"):
        settled(str(tmp_path / "long.npy"), PLAIN)
