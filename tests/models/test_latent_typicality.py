"""Typicality: lengths against scipy's chi distribution and the notes' table, percentiles against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.latent.typicality import norm_band, norm_share, percentile

SIZES = [1, 2, 3, 10, 64, 512, 4096, 20_000]


@pytest.mark.parametrize("size", SIZES)
def test_lengths_are_those_of_the_chi_distribution(size: int) -> None:
    chi = stats.chi(size)
    assert norm_band(size) == pytest.approx(chi.ppf([0.025, 0.975]), rel=1e-7)
    assert norm_band(size, share=0.5) == pytest.approx(chi.ppf([0.25, 0.75]), rel=1e-7)
    for length in (0.0, 0.1, size**0.5 / 2, size**0.5, size**0.5 + 3, 3 * size**0.5 + 30):
        assert norm_share(size, length) == pytest.approx(chi.cdf(length), rel=1e-7, abs=1e-12)


def test_the_band_holds_so_many_of_a_sample() -> None:
    lengths = np.linalg.norm(np.random.default_rng(0).standard_normal((20_000, 10)), axis=1)
    low, high = norm_band(10)
    assert np.mean((lengths > low) & (lengths < high)) == pytest.approx(0.95, abs=0.005)


def test_a_percentile_counts_ties_half() -> None:
    sample = [1.0, 2.0, 2.0, 3.0, 7.0]
    for value in (0.0, 1.0, 2.0, 5.0, 7.0, 9.0):
        assert percentile(value, sample) == pytest.approx(stats.percentileofscore(sample, value, kind="mean"))
    assert percentile(3.0, []) == 50
