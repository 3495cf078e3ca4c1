"""Maps of planes: codes of places, coarse to fine, how fast the picture changes, what is no plane; encoded pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.engine.engine import Engine
from models.latent import plane as planes
from models.latent.plane import Axis, Plane
from models.latent.space import Block, Space, write
from models.requests import Request
from models.runtime.context import Context
from models.types import Failure, Refusal, Result, Source
from tests.models.generators import gan, vae

SPACE = Space((Block("categorical", 3, "digit"), Block("uniform", 2, "style"), Block("gaussian", 4, "noise")))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def ask(engine: Engine, model: str, **given: Any) -> Any:
    return engine.run(Request.make("manifold", model, None, given))


def whole(engine: Engine, model: str, **given: Any) -> Result:
    ask(engine, model, **given)
    engine.finish_idle()
    answer = ask(engine, model, **given)
    assert isinstance(answer, Result) and not answer.meta["partial"], answer
    return answer


def plane_of(result: Result) -> Plane:
    x, y = (Axis(float(low), float(high), bool(normal)) for low, high, normal in result.arrays["sides"])
    return Plane(result.arrays["origin"], result.arrays["u"], result.arrays["v"], x, y)


def test_a_tile_is_the_picture_of_the_code_of_its_middle(engine: Engine, tmp_path: Path) -> None:
    model = vae(tmp_path)
    code = engine.model(model).space.draw(3)[0]
    found = whole(engine, model, code=write(code), a=2, b=0, side=9, x=0.5, y=-1, zoom=2.0)
    for row, column in ((0, 0), (0, 8), (8, 0), (3, 5)):
        expected = code.copy()
        expected[2] = 0.5 - 1.5 + (column + 0.5) / 9 * 3
        expected[0] = -1 + 1.5 - (row + 0.5) / 9 * 3
        made = plane_of(found).code(*plane_of(found).coordinates((column + 0.5) / 9, (row + 0.5) / 9))
        assert np.allclose(made, expected, atol=1e-6) and np.array_equal(made[[1, 3]], code[[1, 3]])
        alone = engine.run(Request.make("decode", model, None, {"code": write(expected)}))
        assert isinstance(alone, Result)
        assert abs(found.arrays["pictures"][row, column].astype(int) - alone.arrays["picture"]).max() <= 1


def test_coarse_tiles_are_every_eighth_and_stay_as_they_are(engine: Engine, tmp_path: Path) -> None:
    model = vae(tmp_path)
    first = ask(engine, model, side=9)
    assert first.meta["partial"] and first.meta["step"] == 8 and first.arrays["known"].sum() == 4
    assert first.arrays["known"][::8, ::8].all()
    seen, steps = first.arrays["pictures"].copy(), [8]
    now, known = first, first.arrays["known"]
    while engine.idle_work:
        engine.work_idle(1e-4)
        now = ask(engine, model, side=9)
        known, step = now.arrays["known"], now.meta["step"]
        assert known[::step, ::step].all() and step <= steps[-1]
        finer = np.ones_like(known)
        finer[:: max(1, step // 2), :: max(1, step // 2)] = False
        assert not known[finer].any(), "nothing finer is there before all that is coarser"
        steps.append(step)
    assert len({*steps}) > 1 and steps[-1] == 1 and known.all()
    assert np.array_equal(now.arrays["pictures"][::8, ::8], seen[::8, ::8])
    assert len(np.unique(now.arrays["pictures"].reshape(81, -1), axis=0)) > 40


def test_only_the_map_asked_for_last_goes_on(engine: Engine, tmp_path: Path) -> None:
    model = vae(tmp_path)
    ask(engine, model, y=1.0)
    ask(engine, model, y=2.0)
    engine.finish_idle()
    assert ask(engine, model, y=2.0).arrays["known"].all()
    assert ask(engine, model, y=1.0).arrays["known"].sum() == 16
    engine.finish_idle()


def test_a_map_that_is_called_off_is_whole_the_next_time(engine: Engine, tmp_path: Path) -> None:
    model, calls = vae(tmp_path), []
    request = Request.make("manifold", model, None, {"x": 0.25})
    answer = engine.run(request, Context(cancelled=lambda: len(calls) > 3 or bool(calls.append(1))))
    assert isinstance(answer, Failure) and answer.cancelled
    assert whole(engine, model, x=0.25).arrays["known"].all()


def test_even_in_probability_follows_the_normal_quantiles(engine: Engine, tmp_path: Path) -> None:
    found = plane_of(whole(engine, vae(tmp_path), side=5, even="probability"))
    ends = torch.special.ndtr(torch.tensor([-3.0, 3.0], dtype=torch.float64))
    shares = ends[0] + (torch.arange(5) + 0.5) / 5 * (ends[1] - ends[0])
    expected = torch.special.ndtri(shares).numpy()
    assert np.allclose(found.grid(5)[2, :, 0], expected, atol=1e-6)
    assert np.allclose(found.grid(5)[:, 1, 1], expected[::-1], atol=1e-6)
    for x, y in ((0.3, -1.7), (-2.9, 2.0)):
        assert np.allclose(found.coordinates(*found.place(x, y)), (x, y), atol=1e-9)


def test_the_plane_of_three_codes_has_them_and_their_sum_in_its_corners(engine: Engine, tmp_path: Path) -> None:
    model = vae(tmp_path)
    codes = engine.model(model).space.draw(1, count=3)
    answer = whole(engine, model, through=write(codes), side=4)
    found = plane_of(answer)
    corners = [found.code(-1, -1), found.code(1, -1), found.code(-1, 1), found.code(1, 1)]
    assert np.allclose(corners[:3], codes, atol=1e-6) and np.allclose(
        corners[3], codes[1] + codes[2] - codes[0], atol=1e-5
    )
    assert answer.meta["axes"] == ()
    where, away = found.project(np.stack([codes[0], (codes[1] + codes[2]) / 2, np.full(4, 3, "f4")]))
    assert np.allclose(where[:2], [[-1, -1], [0, 0]], atol=1e-6)
    assert [found.holds(d) for d in away.tolist()] == [True, True, False]


def test_speed_is_the_length_of_the_gradient_in_the_plane(engine: Engine, tmp_path: Path) -> None:
    name = gan(tmp_path)
    found = whole(engine, name, a=1, b=4, side=30, zoom=1.5, speed=True)
    model, middle = engine.model(name), plane_of(found).grid(30)
    for row, column in ((4, 9), (15, 15), (25, 3)):
        code = torch.from_numpy(plane_of(found).code(*middle[row, column]))
        jacobian: Any = torch.autograd.functional.jacobian(lambda z: model.decode(z[None])[0], code)
        expected = float(torch.linalg.norm(jacobian[..., [1, 4]]))
        assert found.arrays["speed"][row, column] == pytest.approx(expected, rel=0.05)


def test_what_spans_no_plane_is_refused(engine: Engine, tmp_path: Path) -> None:
    model = vae(tmp_path)
    asked = [{"a": 1, "b": 1}, {"a": 0, "b": 4}, {"code": "1,2"}, {"code": "1,nan,0,0"}]
    asked += [{"through": "0,0,0,0;1,1,1,1;3,3,3,3"}, {"through": "0,0,0,0;0,0,0,0;1,0,0,0"}, {"through": "0,0,0,0"}]
    words = ["line", "Dimension 4 cannot", "2 numbers", "NaN", "one line", "one line", "three codes"]
    for given, word in zip(asked, words, strict=True):
        answer = ask(engine, model, **given)
        assert isinstance(answer, Failure) and word in answer.text and answer.advice, given
    (tmp_path / "one").mkdir()
    answer = ask(engine, vae(tmp_path / "one", dims=1))
    assert isinstance(answer, Failure) and "two dimensions" in answer.text


def test_axes_are_what_carries_most_or_was_trained_to_mean_something() -> None:
    assert planes.pair(Space((Block("gaussian", 4),)), [0.1, 3.0, 0.0, 2.0]) == (1, 3)
    assert planes.pair(SPACE) == (3, 4) and planes.pair(Space((Block("gaussian", 4),))) == (0, 1)
    assert planes.filled(-1, 3, (3, 4)) == (4, 3) and planes.filled(3, -1, (3, 4)) == (3, 4)
    plane = planes.of_dimensions(SPACE, SPACE.draw(0)[0], 3, 6)
    assert (plane.x.low, plane.x.high, plane.y.low, plane.y.high) == (-1, 1, -3, 3)
    with pytest.raises(Refusal, match="Dimension 1 cannot"):
        planes.of_dimensions(SPACE, SPACE.draw(0)[0], 1, 6)


def test_encoded_pictures_have_the_codes_of_the_encoder_and_the_classes_of_their_folders(
    engine: Engine, tmp_path: Path
) -> None:
    name, rng = vae(tmp_path), np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / "real" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (28, 28), dtype=np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "real" / "a" / "broken.png").write_bytes(b"no picture")
    request = Request.make("encoded", name, Source.file(tmp_path / "real"))
    engine.run(request)
    engine.finish_idle()
    answer = engine.run(request)
    assert isinstance(answer, Result) and not answer.meta["partial"]
    assert len(answer.meta["names"]) == 40 and len(answer.meta["problems"]) == 1 and answer.meta["of"] == 41
    model = engine.model(name)
    for row in (0, 17):
        path = Path(answer.meta["paths"][row])
        assert answer.meta["classes"][answer.arrays["label"][row]] == path.parent.name
        seen, _ = model.input(np.array(Image.open(path).convert("RGB")))
        with torch.inference_mode():
            mean, log_variance = model.encode(seen)
        assert np.allclose(answer.arrays["means"][row], mean[0], atol=1e-5)
        assert np.allclose(answer.arrays["spreads"][row], (log_variance[0] / 2).exp(), atol=1e-5)
    few = engine.run(Request.make("encoded", name, Source.file(tmp_path / "real" / "b"), {"count": 5}))
    assert isinstance(few, Result) and few.meta["of"] == 5 and set(few.arrays["label"].tolist()) == {-1}
    none = engine.run(Request.make("encoded", name, Source.file(tmp_path / "home")))
    assert isinstance(none, Failure)
