"""Constant visual speed: against closed forms, and on a decoder that others trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from latents import needed, vae, vae_file

from models.latent.path import Segment, path
from models.latent.retime import measured, steps, variation
from models.types import Refusal


def test_a_parabola_in_time_is_undone() -> None:
    """The picture is at p²: its speed is 2 p, twice the mean at the end, and equal steps lie at the roots."""
    found = measured(lambda p: (p**2)[:, None], 1)
    assert found.length == pytest.approx(1)
    positions, rate = found.curve
    np.testing.assert_allclose(rate, 2 * positions, atol=1e-4)
    np.testing.assert_allclose(found.even(50), np.sqrt(np.linspace(0, 1, 50)), atol=1e-4)


def test_a_circle_passed_unevenly_has_the_length_of_the_circle() -> None:
    def features(p: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * (p + 0.1 * np.sin(2 * np.pi * p))
        return np.stack([np.cos(angle), np.sin(angle), *np.zeros((200, len(p)))], 1)

    found = measured(features, 1)
    assert found.length == pytest.approx(2 * np.pi, rel=1e-5)
    assert variation(steps(features(np.arange(60) / 60), loop=True)) > 0.4
    for frames in (7, 60, 500):
        at = found.even(frames, loop=True)
        assert at[0] == 0 and at[-1] < 1
        np.testing.assert_allclose(steps(features(at), loop=True), 2 * np.sin(np.pi / frames), rtol=5e-3)


def test_keys_are_probed_and_probes_are_few() -> None:
    for span in (*range(1, 12), 47, 48, 49, 80, 120, 200):
        asked: list[float] = []

        def features(p: np.ndarray, asked: list[float] = asked) -> np.ndarray:
            asked.extend(p)
            return np.sin(3 * p)[:, None]

        found = measured(features, span)
        assert len(asked) <= max(145, span + 1 + 96), span
        assert set(range(span + 1)) <= set(np.round(found.positions, 9).tolist())
        assert (np.diff(found.positions) > 0).all()


def test_a_leap_of_speed_at_a_key_is_met() -> None:
    """Seven segments along a line, each three times as long as the one before."""
    ends = np.concatenate([[0], np.cumsum(3.0 ** np.arange(7))])

    def features(p: np.ndarray) -> np.ndarray:
        return np.interp(p, np.arange(8), ends)[:, None]

    at = measured(features, 7).even(200)
    np.testing.assert_allclose(steps(features(at)), ends[-1] / 199, rtol=1e-3)


def test_a_corner_is_cut_by_a_step_of_the_same_size() -> None:
    """A path round a right angle in three steps: the middle one is the hypotenuse, as long as the others."""

    def features(p: np.ndarray) -> np.ndarray:
        return np.stack([np.minimum(p, 1), np.maximum(p - 1, 0)], 1)

    at = measured(features, 2).even(4)
    step = 2 - np.sqrt(2)  # where step = sqrt(2) (1 - step)
    np.testing.assert_allclose(steps(features(at)), step, rtol=1e-3)


def test_stretches_without_change_are_jumped_over() -> None:
    def features(p: np.ndarray) -> np.ndarray:
        return (np.minimum(p, 1) + np.maximum(p - 2, 0))[:, None]

    found = measured(features, 3)
    np.testing.assert_allclose(steps(features(found.even(5))), 0.5, rtol=1e-3)
    positions, rate = found.curve
    np.testing.assert_allclose(rate[(positions > 1) & (positions < 2)], 0, atol=1e-9)


def test_where_nothing_changes_frames_are_evenly_spaced() -> None:
    found = measured(lambda p: np.ones((len(p), 4)), 2)
    assert found.length == 0 and (found.curve[1] == 1).all()
    np.testing.assert_allclose(found.even(5), np.linspace(0, 2, 5))
    assert variation([0, 0]) == 0
    with pytest.raises(Refusal, match="0 frames"):
        found.even(0)


@needed(vae_file())
@pytest.mark.parametrize(
    ("count", "method", "loop", "most"),
    [(2, "lerp", False, 0.02), (2, "slerp", False, 0.02), (4, "slerp", False, 0.02), (4, "slerp", True, 0.03)],
)
def test_on_a_real_decoder_steps_are_even(count: int, method: str, loop: bool, most: float) -> None:
    net, decoded = vae(), 0
    keys = np.random.default_rng(0).standard_normal((count, 10)).astype(np.float32)
    made = path(keys, [("gaussian", 10)], segments=[Segment(method)] * (count - 1 + loop), loop=loop)

    def features(positions: np.ndarray) -> np.ndarray:
        nonlocal decoded
        decoded += len(positions)
        with torch.inference_mode():
            return net.decode(torch.from_numpy(made.at(positions))).flatten(1).numpy()

    before = variation(steps(features(made.positions(120)), loop=loop))
    decoded = 0
    at = measured(features, made.span).even(120, loop=loop)
    assert decoded <= 150
    after = variation(steps(features(at), loop=loop))
    assert before > 0.2
    assert after <= most, (before, after)
    assert (np.diff(at) > 0).all()
