"""Paths: interpolation against closed forms, blocks each by their prior, frames by number alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.latent.path import EASINGS, METHODS, Segment, lerp, path, shares, slerp, variance_preserving
from models.types import Refusal

T = np.linspace(0, 1, 11)
WAYS = (lerp, slerp, variance_preserving)
CODES = arrays(np.float32, 5, elements=st.floats(-4, 4, width=32))


def draws(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


@given(CODES, CODES)
@pytest.mark.parametrize("way", WAYS)
def test_both_ends_are_exact(way: Any, a: np.ndarray, b: np.ndarray) -> None:
    try:
        found = way(a, b, [0, 1])
    except Refusal:
        assert way is slerp and a @ b < 0
        return
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [a, b])


def test_slerp_turns_by_equal_angles_with_linear_norms() -> None:
    a, b = draws(2, 64) * [[1], [2]]
    found = slerp(a, b, T).astype(np.float64)
    norms = np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(norms, (1 - T) * np.linalg.norm(a) + T * np.linalg.norm(b), rtol=1e-6)
    unit = found / norms[:, None]
    angles = np.arccos((unit[1:] * unit[:-1]).sum(1))
    whole = math.acos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    np.testing.assert_allclose(angles, whole / 10, rtol=1e-4)
    plane = np.linalg.qr(np.stack([a, b]).T)[0]
    np.testing.assert_allclose(found @ plane @ plane.T, found, atol=1e-5)  # the shorter way, in the plane of the two


def test_slerp_of_a_quarter_turn_is_cosine_and_sine() -> None:
    found = slerp([3, 0], [0, 3], T)
    np.testing.assert_allclose(found, 3 * np.stack([np.cos(T * np.pi / 2), np.sin(T * np.pi / 2)], 1), atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_slerp_of_parallel_codes_is_lerp(scale: float) -> None:
    a = draws(1, 8)[0]
    np.testing.assert_allclose(slerp(a, scale * a, T), lerp(a, scale * a, T), rtol=1e-6)
    near = a + np.float32(1e-6) * draws(1, 8, 1)[0]
    np.testing.assert_allclose(slerp(a, near, T), lerp(a, near, T), atol=1e-6)


def test_slerp_changes_little_where_it_becomes_lerp() -> None:
    for sine in (0.99e-4, 1.01e-4):
        b = np.array([math.sqrt(1 - sine**2), sine])
        assert np.abs(slerp([1, 0], b, T) - lerp([1, 0], b, T)).max() < 1e-7


def test_slerp_of_opposite_codes_is_refused_but_not_along_a_line_of_one_dimension() -> None:
    a = draws(1, 8)[0]
    with pytest.raises(Refusal, match="opposite"):
        slerp(a, -2 * a, T)
    np.testing.assert_array_equal(slerp([1], [-2], T), lerp([1], [-2], T))


def test_slerp_from_the_origin_goes_straight_out() -> None:
    a = draws(1, 8)[0]
    np.testing.assert_allclose(slerp(0 * a, a, T), T[:, None] * a, rtol=1e-6)


def test_between_independent_draws_lerp_leaves_the_shell_and_the_others_do_not() -> None:
    a, b = draws(2000, 64), draws(2000, 64, 1)
    mid = {way: np.mean([np.linalg.norm(way(x, y, 0.5)) for x, y in zip(a, b, strict=True)]) for way in WAYS}
    assert mid[lerp] == pytest.approx(5.63, abs=0.05)  # sqrt(64 / 2), from the closed form of the norm
    assert mid[variance_preserving] == pytest.approx(7.97, abs=0.05)
    assert mid[slerp] == pytest.approx(7.97, abs=0.05)


def test_easings_start_at_0_end_at_1_and_mirror_each_other() -> None:
    t = np.linspace(0, 1, 101)
    for name, ease in EASINGS.items():
        assert ease(np.array([0.0]))[0] == 0 and ease(np.array([1.0]))[0] == 1, name
        assert (np.diff(ease(t)) > 0).all(), name
    for power, name in ((2, "Quad"), (3, "Cubic")):
        np.testing.assert_allclose(EASINGS[f"easeIn{name}"](t), t**power)
        np.testing.assert_allclose(EASINGS[f"easeOut{name}"](t), 1 - EASINGS[f"easeIn{name}"](1 - t))
        both = EASINGS[f"easeInOut{name}"]
        np.testing.assert_allclose(both(t / 2), EASINGS[f"easeIn{name}"](t) / 2)
        np.testing.assert_allclose(both(t), 1 - both(1 - t), atol=1e-12)


BLOCKS = (("gaussian", 4), ("categorical", 3), ("uniform", 2), ("w", 2))


def blocked(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    keys = np.concatenate([rng.standard_normal((3, 4)), np.eye(3), rng.uniform(-1, 1, (3, 4))], 1)
    return keys.astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_each_block_goes_by_its_prior(method: str) -> None:
    keys = blocked()
    made = path(keys, BLOCKS, segments=[Segment(method)])
    found = made.at(T)
    gaussian = {"lerp": lerp, "variance-preserving": variance_preserving}.get(method, slerp)
    np.testing.assert_array_equal(found[:, :4], gaussian(keys[0, :4], keys[1, :4], T))
    np.testing.assert_array_equal(found[:, 4:], lerp(keys[0, 4:], keys[1, 4:], T))
    np.testing.assert_allclose(found[:, 4:7].sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(made.off_support(found), [False, *[True] * 9, False])


@pytest.mark.parametrize("loop", [False, True])
def test_frames_pass_every_key_by_number(loop: bool) -> None:
    keys = blocked()
    made = path(keys, BLOCKS, loop=loop)
    assert made.span == 2 + loop
    frames = 12 if loop else 9
    positions = made.positions(frames)
    codes = made.at(positions)
    np.testing.assert_array_equal(codes[[0, 4, 8]], keys)
    segment, t = made.local(positions)
    assert segment.tolist() == ([0] * 4 + [1] * 4 + [2] * 4 if loop else [0] * 4 + [1] * 5)
    np.testing.assert_allclose(t, [0, 0.25, 0.5, 0.75] * (frames // 4) + [1.0] * (not loop))
    assert len(np.unique(codes, axis=0)) == frames  # a loop does not show its first frame twice


def test_segments_have_their_own_method_and_easing() -> None:
    keys = draws(3, 6)
    made = path(keys, [("gaussian", 6)], segments=[Segment("lerp", "easeInQuad"), Segment("slerp", "easeOutCubic")])
    positions = made.positions(21)
    np.testing.assert_allclose(positions[:10], np.linspace(0, 1, 11)[:10] ** 2)
    np.testing.assert_allclose(positions[10:], 2 - (1 - np.linspace(0, 1, 11)) ** 3)
    np.testing.assert_array_equal(made.at(positions[5]), lerp(keys[0], keys[1], 0.25))
    np.testing.assert_allclose(made.at(positions[15]), slerp(keys[1], keys[2], 0.875), atol=1e-6)
    rest = path(keys, [("gaussian", 6)], segments=[Segment("lerp")])
    assert rest.segments == (Segment("lerp"), Segment())


def test_two_keys_make_a_loop_there_and_back() -> None:
    keys = draws(2, 6)
    codes = path(keys, [("gaussian", 6)], loop=True).at([0, 0.5, 1, 1.5, 2])
    np.testing.assert_array_equal(codes[[0, 2, 4]], keys[[0, 1, 0]])
    np.testing.assert_allclose(codes[1], codes[3], atol=1e-6)


def test_one_frame_is_the_first_key_and_the_same_question_gives_the_same_bytes() -> None:
    keys = draws(4, 16)
    made = path(keys, [("gaussian", 16)])
    np.testing.assert_array_equal(made.at(made.positions(1)), keys[:1])
    assert made.at(made.positions(30)).tobytes() == made.at(made.positions(30)).tobytes()
    np.testing.assert_array_equal(shares(4, loop=True), [0, 0.25, 0.5, 0.75])


@pytest.mark.parametrize(
    ("keys", "blocks", "segments", "words"),
    [
        ([], [("gaussian", 2)], [], "no key"),
        ([[1, 2]], [("gaussian", 2)], [], "one key"),
        ([[1, 2, 3], [3, 4, 5]], [("gaussian", 2)], [], "has 2 numbers"),
        ([[1, 2], [np.nan, 4], [1, np.inf]], [("gaussian", 2)], [], "Key 2, 3"),
        ([[1, 2], [3, 4]], [("gaussian", 2)], [Segment()] * 2, "2 segments"),
        ([[1, 2], [3, 4]], [("gaussian", 2)], [Segment("geodesic")], "interpolate 'geodesic'"),
        ([[1, 2], [3, 4]], [("gaussian", 2)], [Segment(easing="bounce")], "easing 'bounce'"),
        ([[1, 2], [3, 4]], [("poisson", 2)], [], "block 'poisson'"),
    ],
)
def test_what_makes_no_path_is_refused(keys: list, blocks: list, segments: list, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        path(keys, blocks, segments=segments)


def test_no_frame_is_refused() -> None:
    with pytest.raises(Refusal, match="0 frames"):
        path(draws(2, 2), [("gaussian", 2)]).positions(0)
