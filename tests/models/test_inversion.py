"""Inversion, nearest real pictures, the discriminator's verdict: against known solutions, planted copies, counting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.engine.engine import Engine
from models.latent import neighbours
from models.latent.inversion import invert, spread
from models.latent.space import Block, Space, write
from models.pictures.images import save_png
from models.requests import Request
from models.tracing.traced_calls import gradients
from models.types import Failure, Refusal, Result, Source
from tests.models.generators import gan, vae

MIXED = Space((Block("categorical", 3), Block("uniform", 2), Block("gaussian", 2)))


def linear(space: Space, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((space.size, 36), generator=generator)


def last(steps: object) -> object:
    return list(steps)[-1]  # type: ignore[call-overload]


def test_a_linear_generator_is_inverted_to_the_code_that_made_the_picture() -> None:
    space = Space((Block("gaussian", 5),))
    weight, code = linear(space), space.draw(3)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return (z @ weight).view(-1, 1, 6, 6)

    with gradients():
        found = list(invert(decode, decode(torch.from_numpy(code)), space, steps=600, rate=0.05, pull=0.0))
    assert found[-1].error < 1e-4 and np.allclose(found[-1].code, code[0], atol=0.02)
    curve = found[-1].curve
    assert len(curve) == 600 and (np.diff(curve) <= 0).all(), "the best so far never gets worse"
    solved = np.linalg.lstsq(weight.numpy().T, (code @ weight.numpy())[0], rcond=None)[0]
    assert np.allclose(found[-1].code, solved, atol=0.02)


def test_every_block_stays_what_it_is() -> None:
    weight, code = linear(MIXED), MIXED.draw(11)
    with gradients():
        found = list(
            invert(
                lambda z: (z @ weight).view(-1, 1, 6, 6),
                (torch.from_numpy(code) @ weight).view(1, 1, 6, 6),
                MIXED,
                starts=12,
                steps=500,
                pull=0.0,
            )
        )[-1]
    assert set(found.code[:3]) == {0.0, 1.0} and found.code[:3].sum() == 1
    assert np.array_equal(found.code[:3], code[0, :3]), "the choice is found, for every one is begun from"
    assert abs(found.code[3:5]).max() <= 1 and np.allclose(found.code[3:], code[0, 3:], atol=0.05)
    assert spread(MIXED, 7, 0)[:, :3].sum(0).tolist() == [3, 2, 2]


def test_the_pull_draws_to_the_length_of_the_prior() -> None:
    space = Space((Block("gaussian", 8),))
    weight = linear(space) * 0.05

    def length(pull: float) -> float:
        far = torch.full((1, 1, 6, 6), 0.9)
        with gradients():
            steps = list(invert(lambda z: (z @ weight).view(-1, 1, 6, 6), far, space, steps=300, pull=pull))
        return float(np.linalg.norm(steps[-1].code))

    free, held = length(0.0), length(5.0)
    assert abs(held - 8**0.5) < 0.3 < abs(free - 8**0.5)


def test_a_generator_that_ignores_its_code_is_refused() -> None:
    space = Space((Block("gaussian", 2),))
    with gradients(), pytest.raises(Refusal, match="does not depend"):
        list(invert(lambda z: torch.zeros(len(z), 1, 2, 2), torch.zeros(1, 1, 2, 2), space, steps=3))


def test_inversion_of_the_models_own_picture_and_its_control(tmp_path: Path) -> None:
    engine, model = Engine(threads=1), gan(tmp_path)
    made = engine.run(Request.make("decode", model, None, {"code": "seed:5"}))
    assert isinstance(made, Result)
    save_png(made.arrays["picture"], tmp_path / "own.png")
    source = Source.file(tmp_path / "own.png")
    few = engine.run(Request.make("invert", model, source, {"steps": 10, "starts": 2, "control": False}))
    many = engine.run(Request.make("invert", model, source, {"steps": 300}))
    assert isinstance(few, Result) and isinstance(many, Result)
    assert many.meta["error"] < 1e-3 < few.meta["error"] and "control" not in few.meta
    assert many.meta["control"] < 1e-3
    again = engine.run(Request.make("decode", model, None, {"code": write(many.arrays["code"])}))
    assert isinstance(again, Result) and np.array_equal(again.arrays["picture"], many.arrays["picture"])
    told = ((again.arrays["picture"].astype(float) - many.arrays["target"]) / 255) ** 2
    assert abs(told.mean() - many.meta["error"]) < 1e-3
    assert np.allclose(
        many.arrays["residual"] * 255, (many.arrays["picture"].astype(float) - many.arrays["target"]).mean(2), atol=1.01
    )


# neighbours


def test_neighbours_are_those_of_a_naive_search_and_a_copy_stands_out() -> None:
    rng = np.random.default_rng(0)
    real = rng.random((300, 40), np.float32)
    query = rng.random(40, np.float32)
    distances = np.sqrt(((real.astype(np.float64) - query) ** 2).sum(1))
    rows, found = neighbours.nearest(query, real, count=5)
    assert rows.tolist() == np.argsort(distances)[:5].tolist() and np.allclose(found, np.sort(distances)[:5])
    pairs = np.sqrt(((real[:, None].astype(np.float64) - real[None]) ** 2).sum(2))
    np.fill_diagonal(pairs, np.inf)
    typical = neighbours.typical(real, most=300)
    assert np.allclose(np.sort(typical), np.sort(pairs.min(1)), rtol=1e-5)
    copied = neighbours.among(real[7] + 1e-4, real, typical, count=3)
    fresh = neighbours.among(query, real, typical, count=3)
    assert copied.rows[0] == 7 and copied.ratio < 0.01 and copied.percentile == 0
    assert 0.7 < fresh.ratio < 1.4 and 0 <= fresh.percentile <= 100


def pictures(folder: Path, count: int, *, side: int = 32) -> Path:
    rng = np.random.default_rng(1)
    folder.mkdir()
    for number in range(count):
        save_png(rng.integers(0, 255, (side, side, 3), dtype=np.uint8), folder / f"{number:02}.png")
    return folder


def test_a_planted_copy_is_the_nearest_picture_of_the_folder(tmp_path: Path) -> None:
    engine, model = Engine(threads=1), vae(tmp_path)
    folder = pictures(tmp_path / "real", 12)
    (folder / "broken.png").write_bytes(b"no picture")
    made = engine.run(Request.make("decode", model, None, {"code": "seed:2"}))
    assert isinstance(made, Result)
    save_png(made.arrays["picture"], folder / "planted.png")
    asked = Request.make("real_neighbours", model, None, {"code": "seed:2", "folder": str(folder), "count": 3})
    found = engine.run(asked)
    assert isinstance(found, Result)
    assert Path(found.meta["paths"][0]).name == "planted.png" and found.meta["ratio"] < 0.05
    assert found.meta["among"] == 13 and found.meta["unreadable"] == 1
    assert np.array_equal(found.arrays["pictures"][0], made.arrays["picture"])
    assert len(found.arrays["distances"]) == 3 and (np.diff(found.arrays["distances"]) >= 0).all()


def test_they_can_be_compared_in_a_classifiers_scores(tmp_path: Path) -> None:
    engine, model = Engine(threads=1), vae(tmp_path)
    folder = pictures(tmp_path / "real", 5)
    asked = {"folder": str(folder), "features": "photos-resnet", "count": 5}
    found = engine.run(Request.make("real_neighbours", model, None, asked))
    assert isinstance(found, Result), found
    scores = []
    for path in (None, *sorted(folder.iterdir())):
        picture = found.arrays["picture"] if path is None else None
        if picture is not None:
            save_png(picture, tmp_path / "made.png")
        # The real ones are grey as the model has them.
        shown = picture if picture is not None else found.arrays["pictures"][found.meta["paths"].index(str(path))]
        save_png(shown, tmp_path / "shown.png")
        told = engine.run(Request.make("classify", "photos-resnet", Source.file(tmp_path / "shown.png"), {"top": 10}))
        assert isinstance(told, Result)
        scores.append(told.arrays["scores"][np.argsort(told.arrays["labels"])])
    expected = np.sort(np.linalg.norm(np.stack(scores[1:]) - scores[0], axis=1))
    assert np.allclose(np.sort(found.arrays["distances"]), expected, atol=1e-3)
    refused = engine.run(Request.make("real_neighbours", model, None, {**asked, "features": "digits-ssd"}))
    assert isinstance(refused, Failure) and "is not a classifier" in refused.message


@pytest.mark.parametrize("inspection", ["real_neighbours", "critic"])
def test_a_folder_without_pictures_is_refused(tmp_path: Path, inspection: str) -> None:
    engine, model = Engine(threads=1), gan(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no picture")
    for name, reason in (("empty", "no picture"), ("bad", "no picture"), ("gone", "not a folder")):
        answer = engine.run(Request.make(inspection, model, None, {"folder": str(tmp_path / name)}))
        assert isinstance(answer, Failure) and reason in answer.message.lower(), (name, answer)


def test_the_discriminators_percentile_is_counted(tmp_path: Path) -> None:
    engine, model = Engine(threads=1), gan(tmp_path)
    folder = pictures(tmp_path / "real", 9, side=8)
    answer = engine.run(Request.make("critic", model, None, {"code": "seed:3", "folder": str(folder)}))
    assert isinstance(answer, Result)
    opened = engine.model(model)
    with torch.no_grad():
        own = opened.score(opened.decode(opened.tensor(opened.space.draw(3))))
        others = [float(opened.score(opened.decode(opened.tensor(opened.space.draw(seed))))[0]) for seed in range(256)]
    assert np.isclose(answer.arrays["score"][0], float(own[0]), atol=1e-6)
    assert np.allclose(answer.arrays["samples"], others, atol=1e-5)
    assert abs(answer.meta["percentile"] - 100 * np.mean(np.array(others) < float(own[0]))) < 0.5
    assert answer.arrays["reals"].shape == (9,) and answer.meta["among"] == 9
    assert abs(answer.meta["real_percentile"] - 100 * (answer.arrays["reals"] < float(own[0])).mean()) < 1e-6


def test_a_path_is_ranked_alike_whoever_asked_for_the_sample_first(tmp_path: Path) -> None:
    model = gan(tmp_path)
    path = Request.make("interpolate", model, None, {"from": "seed:1", "to": "seed:2", "frames": 5})
    alone, after = Engine(threads=1), Engine(threads=1)
    assert isinstance(after.run(Request.make("critic", model, None)), Result)
    first, second = alone.run(path), after.run(path)
    assert isinstance(first, Result) and isinstance(second, Result)
    assert np.array_equal(first.arrays["score"], second.arrays["score"])
    told = after.run(Request.make("critic", model, None, {"code": "seed:1"}))
    assert isinstance(told, Result) and abs(told.meta["percentile"] - second.arrays["score"][0]) < 0.5
