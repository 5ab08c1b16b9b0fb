"""Intervals against known distributions: coverage, closed forms, exact properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.statistics import (
    mser5,
    replication_interval,
    runs_still_needed,
    section_quantile,
    table_interval,
    two_sided_t,
)


def autoregression(generator, n_runs, length, phi=0.8):
    """Stationary AR(1) paths with mean 0, shape [n_runs, length]."""
    noise = generator.standard_normal((n_runs, length))
    noise[:, 0] /= math.sqrt(1.0 - phi**2)
    paths = np.empty_like(noise)
    paths[:, 0] = noise[:, 0]
    for t in range(1, length):
        paths[:, t] = phi * paths[:, t - 1] + noise[:, t]
    return paths


def share_inside(intervals, truth):
    return np.mean([interval.lo <= truth <= interval.hi for interval in intervals])


def test_t_is_student():
    for freedom in (1, 4, 9, 100):
        assert two_sided_t(0.95, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)
    with pytest.raises(ValueError, match="confidence must be within"):
        two_sided_t(1.0, 3)


def test_replication_interval_is_scipys():
    values = [3.1, 2.7, 3.9, 3.3]
    interval = replication_interval(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert interval == pytest.approx((np.mean(values), low, high))
    assert 3.0 in interval
    assert interval.relative == pytest.approx(interval.half_width / 3.25)
    assert math.isnan(replication_interval([1.0]).lo)


def test_replications_cover_the_mean_of_a_skewed_law():
    runs = np.random.default_rng(1).exponential(size=(2000, 10, 30)).mean(axis=2)
    assert share_inside(map(replication_interval, runs), 1.0) == pytest.approx(0.945, abs=0.015)


def test_mser5_removes_a_planted_bias():
    paths = autoregression(np.random.default_rng(3), 200, 2000)
    paths += 20.0 * np.exp(-np.arange(2000) / 60.0)
    cuts = [mser5(path) for path in paths]
    biased = paths.mean()
    kept = np.mean([path[cut:].mean() for path, cut in zip(paths, cuts, strict=True)])
    assert biased == pytest.approx(0.6, abs=0.03)
    assert abs(kept) < 0.1 * biased
    assert 100 < np.median(cuts) < 500


def test_mser5_is_its_definition():
    values = autoregression(np.random.default_rng(4), 1, 203)[0]
    batches = values[:200].reshape(40, 5).mean(axis=1)
    error = [np.sum((b := batches[d:]) ** 2 - b.mean() ** 2) / b.size**2 for d in range(21)]
    assert mser5(values) == 5 * int(np.argmin(error))


@given(st.floats(-1e3, 1e3), st.integers(20, 200), st.integers(0, 2**32))
def test_mser5_does_not_depend_on_the_origin(shift, n, seed):
    values = np.random.default_rng(seed).normal(0.0, 10.0, n)  # no two cuts tie
    assert mser5(values) == mser5(values + round(shift))


@pytest.mark.parametrize("probability", [0.5, 0.95, 0.99])
def test_section_quantile_covers(probability):
    data = np.random.default_rng(5).exponential(size=(500, 10, 2000))
    truth = -math.log(1.0 - probability)
    assert share_inside((section_quantile(d, probability) for d in data), truth) > 0.92


def test_section_quantile_bears_empty_and_single_sections():
    assert math.isnan(section_quantile([[], []], 0.5).mean)
    single = section_quantile([[1.0, 2.0, 3.0], []], 0.5)
    assert (single.mean, math.isnan(single.lo)) == (2.0, True)


def test_table_interval_covers_truth_and_plain_one_does_not():
    generator = np.random.default_rng(7)
    own, tau, n_runs = 0.5, 1.0, 20
    plain_hits, total_hits = [], []
    for _ in range(1000):
        table = tau * generator.standard_normal()
        plain = table + own * generator.standard_normal(n_runs)
        boot = (
            table
            + tau * generator.standard_normal(n_runs)
            + own * generator.standard_normal(n_runs)
        )
        plain_hits.append(0.0 in replication_interval(plain))
        total_hits.append(0.0 in table_interval(plain, boot))
    assert np.mean(plain_hits) < 0.35
    assert np.mean(total_hits) == pytest.approx(0.95, abs=0.025)


def test_runs_still_needed_predicts_the_end():
    values = np.random.default_rng(10).normal(10.0, 2.0, 1000)
    more = runs_still_needed(replication_interval(values[:20]), 20, 0.02)
    assert replication_interval(values[: 20 + more]).relative == pytest.approx(0.02, rel=0.35)
    assert runs_still_needed(replication_interval(values), 1000, 0.5) == 0
    assert runs_still_needed(replication_interval([]), 0, 0.5) == 2
