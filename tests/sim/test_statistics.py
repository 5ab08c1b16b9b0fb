"""Intervals against known distributions: coverage, closed forms, exact properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.statistics import (
    Interval,
    batch_means,
    independent_beyond,
    independent_parts,
    log_interval,
    lower_quantiles,
    moments,
    mser5,
    quantiles,
    replication_interval,
    runs_still_needed,
    section_quantile,
    skewed_mean,
    skewed_quantile,
    skewed_t,
    skewness,
    table_interval,
    two_sided_t,
    within_variance,
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


@given(st.lists(st.floats(-1e9, 1e9) | st.sampled_from([0.0, 0.1, 1e120]), max_size=40))
def test_moments_are_numpys_to_the_bit(values):
    n, mean, variance = moments(values)
    assert n == len(values)
    if n:
        assert mean == np.mean(values)
    if n > 1:
        assert variance == np.var(values, ddof=1)
    assert (np.isnan(mean), np.isnan(variance)) == (n == 0, n < 2)


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


@given(
    st.lists(st.floats(0.0, 1e6) | st.sampled_from([0.0, 0.1, 2.5]), min_size=1, max_size=80),
    st.lists(st.floats(0.0, 1.0) | st.sampled_from([0.5, 0.95, 0.999]), min_size=1, max_size=5),
)
def test_quantiles_are_numpys_to_the_bit(values, levels):
    sample = np.array(values)
    assert quantiles(sample, levels) == np.quantile(sample, levels).tolist()
    assert quantiles(sample, levels) == [float(np.quantile(sample, each)) for each in levels]
    assert sample.tolist() == values


SECONDS = st.sampled_from([0.0, 1e-9, 0.5, 0.5 + 1e-16, 2.0, math.inf]) | st.floats(0.0, 9.0)


@given(
    st.lists(st.lists(SECONDS, max_size=60), min_size=1, max_size=8).filter(any),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4).map(sorted),
)
def test_lower_quantiles_are_those_of_all_runs_together(runs, levels):
    found = lower_quantiles([np.sort(np.array(run)) for run in runs], levels)
    every = np.concatenate([np.array(run) for run in runs])
    assert found.tolist() == np.quantile(every, levels, method="lower").tolist()


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


def test_the_log_interval_is_that_of_the_logarithm():
    values = [0.8, 1.3, 0.9, 1.4]
    plain, log = replication_interval(values), log_interval(values)
    relative = plain.half_width / plain.mean
    assert math.log(log.hi / log.mean) == pytest.approx(relative)
    assert math.log(log.mean / log.lo) == pytest.approx(relative)
    assert log_interval([0.0, 0.0, 0.0]) == (0.0, 0.0, 0.0)
    rare = log_interval([0.0, 0.0, 0.0, 0.1])
    assert 0.0 < rare.lo < rare.mean < rare.hi


def test_the_log_interval_covers_the_share_of_rare_events():
    """One cluster a run on average, of five events on average."""
    generator = np.random.default_rng(11)
    clusters = generator.poisson(1.0, (2_000, 10))
    shares = np.where(clusters > 0, generator.gamma(np.maximum(clusters, 1), 5.0), 0.0)
    assert share_inside(map(replication_interval, shares), 5.0) < 0.90
    assert share_inside(map(log_interval, shares), 5.0) == pytest.approx(0.95, abs=0.02)


@given(
    st.lists(st.floats(0.1, 10.0), min_size=2, max_size=8),
    st.lists(st.floats(0.1, 10.0), min_size=2, max_size=8),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
def test_the_total_interval_is_never_the_narrower_one(plain, boot, below, above):
    mean = float(np.mean(plain))
    inner = Interval(mean, mean - below, mean + above)
    total = table_interval(plain, boot, inner=inner)
    assert total.lo <= inner.lo <= inner.hi <= total.hi


def test_batches_are_means_of_consecutive_observations():
    runs = [np.arange(7.0), np.arange(9.0)]
    assert batch_means(runs, 3).tolist() == [[0.5, 2.5, 4.5], [1.0, 4.0, 7.0]]
    assert batch_means(runs).shape == (2, 7)
    assert batch_means([[], [1.0]]).shape == (2, 0)


def test_skewness_is_scipys():
    values = np.random.default_rng(12).exponential(size=(4, 30))
    assert skewness(values) == pytest.approx(stats.skew(values.ravel()))
    assert skewness([0.1 + 0.2, 0.3, 0.3]) == 0.0


@given(st.floats(0.5, 5.0), st.floats(-1.5, 1.5), st.integers(2, 40))
def test_skewed_t_inverts_halls_cubic(t, skew, n):
    below, above = skewed_t(t, skew, n)
    root = math.sqrt(n)

    def cubic(x):
        higher = skew * x**2 / (3.0 * root) + skew**2 * x**3 / (27.0 * n)
        return x + higher + skew / (6.0 * root)

    assert below == 0.0 or cubic(below) == pytest.approx(t, abs=1e-6)
    assert above == 0.0 or cubic(-above) == pytest.approx(-t, abs=1e-6)
    assert skewed_t(t, -skew, n) == pytest.approx((above, below))
    assert skewed_t(t, 0.0, n) == (t, t)


def test_a_skewed_mean_covers_where_students_t_does_not():
    runs = np.random.default_rng(13).lognormal(0.0, 1.5, (2_000, 10, 20))
    truth = math.exp(1.5**2 / 2.0)
    means = runs.mean(axis=2)
    plain = share_inside(map(replication_interval, means), truth)
    skewed = share_inside((skewed_mean(m, r) for m, r in zip(means, runs, strict=True)), truth)
    assert plain < 0.91
    assert skewed == pytest.approx(0.95, abs=0.02)


def test_a_skewed_mean_of_symmetric_runs_is_students():
    runs = np.array([[1.0, 5.0, 3.0, 1.0, 5.0], [2.0, 6.0, 4.0, 2.0, 6.0]])
    mirrored = np.concatenate((runs, 7.0 - runs))
    means = mirrored.mean(axis=1)
    assert skewed_mean(means, mirrored) == pytest.approx(replication_interval(means))


@pytest.mark.parametrize("probability", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n_runs", [3, 10])
def test_skewed_quantile_covers(probability, n_runs):
    data = np.random.default_rng(14).exponential(size=(1_000, n_runs, 1_000))
    truth = -math.log(1.0 - probability)
    covered = share_inside((skewed_quantile(d, probability) for d in data), truth)
    assert covered == pytest.approx(0.95, abs=0.02)


@given(st.integers(0, 2**32), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_a_skewed_quantile_lies_among_the_observations(seed, probability):
    generator = np.random.default_rng(seed)
    runs = [generator.exponential(size=n) for n in generator.integers(1, 60, 5)]
    interval = skewed_quantile(runs, probability)
    every = np.concatenate(runs)
    assert every.min() <= interval.lo <= interval.mean <= interval.hi <= every.max()
    assert interval.mean == np.quantile(every, probability)
    scaled = skewed_quantile([4.0 * run for run in runs], probability)
    assert scaled == pytest.approx([4.0 * end for end in interval])


def test_a_skewed_quantile_bears_empty_and_single_runs():
    assert math.isnan(skewed_quantile([[], []], 0.5).mean)
    single = skewed_quantile([[1.0, 2.0, 3.0], []], 0.5)
    assert (single.mean, math.isnan(single.lo)) == (2.0, True)
    assert skewed_quantile([[2.0, 2.0], [2.0, 2.0]], 0.9) == (2.0, 2.0, 2.0)


def test_independent_parts_of_noise_and_of_memory():
    generator = np.random.default_rng(15)
    assert independent_parts(generator.normal(size=(50, 20))) > 17.0
    slow = autoregression(generator, 400, 200, phi=0.6)
    expected = 200 * 0.4 / 1.6
    assert independent_parts(slow) == pytest.approx(expected, rel=0.06)
    assert independent_parts(np.full((3, 20), 0.1) + 0.2) == 20.0
    levels = np.arange(10.0)[:, None] + generator.normal(0.0, 0.1, (10, 20))
    assert independent_parts(levels) > 13.0  # differences between runs are no memory
    assert within_variance(levels) == pytest.approx(0.01, rel=0.2)


def test_independent_observations_beyond_a_quantile():
    generator = np.random.default_rng(16)
    runs = generator.exponential(size=(10, 2_000))
    assert independent_beyond(runs, 0.99) == pytest.approx(200.0, rel=0.25)
    clustered = np.repeat(generator.exponential(size=(10, 400)), 10, axis=1)
    assert independent_beyond(clustered, 0.95) == pytest.approx(200.0, rel=0.25)
    assert independent_beyond([[]], 0.5) == 0.0
    worlds = runs * np.geomspace(0.5, 2.0, 10)[:, None]
    assert independent_beyond(worlds, 0.99) < 30.0
