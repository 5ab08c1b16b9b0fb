"""The bursty workload against the exact laws of a two-state Markov-modulated Poisson process."""

import numpy as np
import pytest

import sim
from sim.devices.workload import mmpp_gap
from sim.streams import Streams

BURSTS = [
    {"rate_rps": 20.0, "burst_s": 0.5},
    {"rate_rps": 2.0, "burst_s": 0.05, "burst_share": 0.3},
    {"rate_rps": 5.0, "burst_s": 0.2, "burst_factor": 40.0, "burst_share": 0.02},
]


def arrivals_s(spec, n, seed=0):
    """Times of `n` arrivals of one device."""
    stream = Streams(seed).pauses()
    gap = mmpp_gap(spec, stream)
    return np.cumsum([stream.advance() or gap() for _ in range(n)])


def process(spec):
    """Arrival rates and leaving rates of the calm state and the burst."""
    share, factor = spec.burst_share, spec.burst_factor
    calm = spec.rate_rps / (1.0 - share + share * factor)
    leaving = np.array([share / (1.0 - share), 1.0]) / spec.burst_s
    return np.array([calm, calm * factor]), leaving


def gap_moments(spec):
    """(mean, squared coefficient of variation, lag-1 correlation) of the gaps.

    With D0 = Q - Lambda, D1 = Lambda: moments from (-D0)^-1 and the chain embedded at arrivals
    (Fischer and Meier-Hellstern 1993, section 2.3).
    """
    rates, leaving = process(spec)
    inverse = np.linalg.inv(np.diag(rates + leaving) - leaving[:, None] * (1.0 - np.eye(2)))
    share = np.array([1.0 - spec.burst_share, spec.burst_share])
    start = share * rates / (share @ rates)
    mean = start @ inverse.sum(axis=1)
    square = 2.0 * start @ inverse @ inverse.sum(axis=1)
    product = start @ inverse @ inverse @ np.diag(rates) @ inverse.sum(axis=1)
    variance = square - mean**2
    return mean, variance / mean**2, (product - mean**2) / variance


def dispersion(spec, window_s):
    """Var N(t) / E N(t) in steady state (Heffes and Lucantoni 1986, equation 4)."""
    rates, leaving = process(spec)
    p, total = spec.burst_share, leaving.sum()
    jump = p * (1.0 - p) * (rates[1] - rates[0]) ** 2
    settled = 1.0 - (1.0 - np.exp(-total * window_s)) / (total * window_s)
    return 1.0 + 2.0 * jump * settled / (spec.rate_rps * total)


@pytest.mark.parametrize("burst", BURSTS, ids=str)
def test_gaps_have_the_exact_mean_variance_and_correlation(burst):
    spec = sim.WorkloadSpec(kind="mmpp", **burst)
    seen = []
    for seed in range(30):
        gaps = np.diff(arrivals_s(spec, 4_000, seed))
        mean = gaps.mean()
        off = gaps - gap_moments(spec)[0]
        seen.append((mean, np.mean(off**2) / mean**2, np.mean(off[1:] * off[:-1])))
    exact = gap_moments(spec)
    exact = (exact[0], exact[1], exact[2] * exact[1] * exact[0] ** 2)
    errors = np.std(seen, axis=0, ddof=1) / np.sqrt(len(seen))
    assert np.all(np.abs(np.mean(seen, axis=0) - exact) < 4.0 * errors + 1e-3 * np.abs(exact))
    variance = exact[1] * exact[0] ** 2
    bounds = (0.05 * exact[0], 0.1 * exact[1], 0.03 * variance)
    assert np.all(errors < bounds)  # else the intervals would hold anything


@pytest.mark.parametrize("burst", BURSTS, ids=str)
@pytest.mark.parametrize("window_s", [0.1, 1.0])
def test_counts_have_the_exact_index_of_dispersion(burst, window_s):
    spec = sim.WorkloadSpec(kind="mmpp", **burst)
    seen = []
    for seed in range(30):
        times = arrivals_s(spec, 3_000, seed)
        edges = np.arange(0.0, times[-1], window_s)
        counts = np.histogram(times, edges)[0]
        seen.append(np.mean((counts - spec.rate_rps * window_s) ** 2) / (spec.rate_rps * window_s))
    error = np.std(seen, ddof=1) / np.sqrt(len(seen))
    exact = dispersion(spec, window_s)
    assert abs(np.mean(seen) - exact) < 4.0 * error + 0.01 * exact
    assert error < 0.1 * exact


def test_the_first_state_has_the_stationary_law():
    """The first arrival comes in time-stationary state: P(T > t) from shares, not from arrivals."""
    spec = sim.WorkloadSpec(kind="mmpp", rate_rps=5.0, burst_s=100.0, burst_share=0.2)
    first = np.array([arrivals_s(spec, 1, seed)[0] for seed in range(4_000)])
    rates, leaving = process(spec)
    inverse = np.linalg.inv(np.diag(rates + leaving) - leaving[:, None] * (1.0 - np.eye(2)))
    exact = np.array([0.8, 0.2]) @ inverse.sum(axis=1)
    assert abs(first.mean() - exact) < 4.0 * first.std() / np.sqrt(len(first))


@pytest.mark.parametrize("burst_s", [1e-9, 1e-15, 1e12])
def test_bursts_of_any_length_cost_the_same(burst_s):
    """Short bursts are a Poisson process, endless ones the state that it starts in."""
    spec = sim.WorkloadSpec(kind="mmpp", rate_rps=3.0, burst_s=burst_s)
    gaps = np.diff(arrivals_s(spec, 5_000))
    rates, _ = process(spec)
    rate = 3.0 if burst_s < 1.0 else rates[0]
    assert gaps.mean() * rate == pytest.approx(1.0, abs=4.0 / np.sqrt(len(gaps)))
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.08)
