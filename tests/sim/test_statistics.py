"""Intervals against known distributions: coverage, closed forms, exact properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.statistics import (
    batch_means,
    compare_pairs,
    drift,
    mser5,
    order_interval,
    replication_interval,
    runs_still_needed,
    section_quantile,
    sequential,
    split,
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


def test_batch_means_cover_a_correlated_mean_where_the_iid_formula_fails():
    paths = autoregression(np.random.default_rng(2), 800, 2000)
    assert share_inside(map(batch_means, paths), 0.0) == pytest.approx(0.94, abs=0.02)
    assert share_inside(map(replication_interval, paths), 0.0) < 0.6


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


def test_split_drops_the_front():
    assert [part.tolist() for part in split(range(7), 3)] == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(ValueError, match="n_sections must be within"):
        split([1.0], 2)


@pytest.mark.parametrize("probability", [0.5, 0.95, 0.99])
def test_section_quantile_covers(probability):
    data = np.random.default_rng(5).exponential(size=(500, 10, 2000))
    truth = -math.log(1.0 - probability)
    assert share_inside((section_quantile(d, probability) for d in data), truth) > 0.92


def test_section_quantile_bears_empty_and_single_sections():
    assert math.isnan(section_quantile([[], []], 0.5).mean)
    single = section_quantile([[1.0, 2.0, 3.0], []], 0.5)
    assert (single.mean, math.isnan(single.lo)) == (2.0, True)


def test_order_interval_is_the_binomial_one():
    values = np.arange(1, 101) / 100.0
    interval = order_interval(values, 0.5)
    assert (interval.lo, interval.hi) == (0.40, 0.61)  # ranks 40 and 61 of 100, David and Nagaraja
    assert order_interval(values, 0.999).hi == math.inf
    data = np.random.default_rng(6).exponential(size=(2000, 400))
    covered = share_inside((order_interval(d, 0.95) for d in data), -math.log(0.05))
    assert 0.94 < covered < 0.98


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


def test_pairing_removes_what_is_common():
    generator = np.random.default_rng(8)
    common = generator.standard_normal(50)
    first = common + 0.3 * generator.standard_normal(50) + 1.0
    second = common + 0.3 * generator.standard_normal(50)
    result = compare_pairs(first, second)
    assert 1.0 in result.difference
    assert result.variance_ratio > 5.0
    assert compare_pairs([1.0, 2.0], [0.0, 1.0]).variance_ratio == math.inf
    with pytest.raises(ValueError, match="paired runs must match, got 2 and 1"):
        compare_pairs([1.0, 2.0], [1.0])


def test_sequential_stops_at_the_target_and_covers():
    generator = np.random.default_rng(9)
    hits, used = [], []
    for _ in range(400):
        interval, n = sequential(lambda _: generator.exponential(), relative=0.2)
        assert interval.relative <= 0.2 / 1.2
        hits.append(1.0 in interval)
        used.append(n)
    assert np.mean(hits) > 0.88
    assert 100 < np.mean(used) < 160  # (1.96 / (0.2 / 1.2))^2 = 138
    assert sequential(lambda _: generator.exponential(), relative=0.01, n_max=20)[1] == 20
    with pytest.raises(ValueError, match="n_min"):
        sequential(lambda _: 0.0, relative=0.1, n_min=1)


def test_runs_still_needed_predicts_the_end():
    values = np.random.default_rng(10).normal(10.0, 2.0, 1000)
    more = runs_still_needed(replication_interval(values[:20]), 20, 0.02)
    assert replication_interval(values[: 20 + more]).relative == pytest.approx(0.02, rel=0.35)
    assert runs_still_needed(replication_interval(values), 1000, 0.5) == 0
    assert runs_still_needed(replication_interval([]), 0, 0.5) == 2


def test_drift_tells_a_growing_queue_from_a_stable_one():
    paths = autoregression(np.random.default_rng(11), 300, 4000) + 10.0
    p_values = [drift(path)[1] for path in paths]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.03)
    growth, p_value = drift(np.arange(4000.0) + paths[0])
    assert growth == pytest.approx(2.0, abs=0.05)
    assert p_value < 1e-6
    assert drift(np.ones(100)) == (0.0, 1.0)
