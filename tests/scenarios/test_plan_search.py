"""The pieces of the search for N*: its points, its crossing, its regimes, and what levers bring."""

import math
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import ConstantSource, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.planning import Budget, Capacity, Goal, capacity, crossing
from sim.planning.limits.goal import Sample
from sim.planning.runs.levers import LEVERS
from sim.planning.runs.probe import Heard, Probe
from sim.planning.search.crossing import around, extend
from sim.planning.search.regimes import Look, SafeSearch
from sim.planning.trust.why import why

NONE = np.empty(0)
MEAN = Goal(column="latency_mean_s", limit=0.1)


def heard(slow_s: float) -> Heard:
    """A run of 100 requests with this 95th percentile."""
    return Heard((Sample(NONE, 50.0 * slow_s, 100.0, slow_s),), 100, 1.0, saturated=False)


@pytest.mark.parametrize(
    ("slow_s", "apart"),
    [
        ([0.10, 0.11, 0.12, 0.13], 0),
        ([0.05, 0.09, 0.17, 0.3], 0),  # widely spread, but without a gap
        ([0.05, 0.06, 0.05, 1.2], 1),
        ([0.9, 0.05, 1.2, 0.06, 0.05], 2),
    ],
)
def test_runs_in_a_second_regime_are_counted(slow_s: list[float], apart: int) -> None:
    source = {"default": ConstantSource(server_s=0.01)}
    probe = Probe(
        SystemSpec(link=LinkSpec(sharing="ps")),
        source,
        [MEAN],
        play=lambda tasks: [heard(s) for s in slow_s],
    )
    probe.listen((7,), len(slow_s))
    assert probe.count_apart(7, MEAN) == apart
    assert probe.played == (7,)
    assert probe.n_runs(7) == len(slow_s)


@pytest.mark.parametrize(
    ("slow_s", "fallen"),
    [
        ([0.10, 0.11, 0.12, 0.13], 0),
        ([0.10, 0.12, 0.18, 0.21], 0),  # about the limit, as at any crossing
        ([0.05, 0.06, 0.05, 1.2], 1),
        ([0.05, 0.06, 0.07, 0.1, 0.19, 0.3], 1),  # for a while, without a gap: the last one misses
        ([0.9, 0.8, 1.2, 0.7], 4),
    ],
)
def test_a_long_run_that_misses_the_limit_has_fallen_also_without_a_gap(
    slow_s: list[float], fallen: int
) -> None:
    """The runs' means are half of their 95th percentiles; the limit on them is 0.1 s."""
    source = {"default": ConstantSource(server_s=0.01)}
    spec = SystemSpec(link=LinkSpec(sharing="ps"))
    runs = iter([[heard(s) for s in slow_s], [heard(s) for s in slow_s[:2]]])
    long, short = (Probe(spec, source, [MEAN], play=lambda tasks: next(runs)) for _ in range(2))
    long.listen((7,), len(slow_s))
    short.listen((7,), 2)
    assert long.count_fallen(7, MEAN, beside=short) == fallen


def test_missed_deadlines_that_double_by_chance_are_no_second_regime() -> None:
    shares = [0.0, 0.001, 0.004, 0.002, 0.011, 0.0]
    samples = [Sample(NONE, 1000.0 * share, 1000.0, 0.05 + share) for share in shares]
    goal = Goal(column="deadline_miss_share", limit=0.005)
    assert np.exp(np.max(goal.excess(samples))) > 2.0
    assert goal.count_apart(samples) == 0


@given(
    points=st.sets(st.integers(1, 10_000), min_size=1, max_size=5),
    below=st.booleans(), above=st.booleans(), steps=st.integers(1, 5),
)  # fmt: skip
def test_points_that_do_not_bound_grow_on_the_open_side(points, below, above, steps) -> None:  # type: ignore[no-untyped-def]
    before = tuple(sorted(points))
    after = extend(before, below, above, steps)
    assert after == tuple(sorted(set(after)))
    assert after[0] >= 1
    assert (after[-1] > before[-1]) == above
    assert after[0] < before[0] or not below or before[0] == 1
    assert len(set(after) - set(before)) <= below + above
    assert len(after) <= 5 + 2 * (below and above)


@given(centre=st.floats(-5.0, 1e5), reach=st.floats(0.0, 1e3), count=st.sampled_from([3, 5]))
def test_points_lie_around_the_centre_and_none_below_one(centre, reach, count) -> None:  # type: ignore[no-untyped-def]
    points = around(centre, reach, count)
    assert 1 <= len(points) <= count
    assert points[0] == max(1, round(centre - reach))
    assert points[-1] == max(1, round(centre + reach))


def test_of_a_parabola_that_falls_before_it_rises_the_rise_is_the_crossing() -> None:
    n = np.array([40.0, 60.0, 80.0, 100.0, 120.0])
    excess = (n - 60.0) * (n - 110.0) / 1000.0  # zero at 60, falling, and at 110, rising
    noise = np.random.default_rng(3).normal(0.0, 0.05, (12, 1))
    found = crossing(n, excess + noise)
    assert found.root == pytest.approx(110.0, abs=2.0)
    assert 60.0 < found.lo < found.root < found.hi < 120.0


def test_what_is_above_the_limit_from_one_device_on_crosses_there() -> None:
    found = crossing(np.array([1.0, 2.0, 3.0]), np.array([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4]]))
    assert (found.root, found.lo) == (1.0, 1.0)
    high = crossing(np.array([5.0, 6.0, 7.0]), np.array([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4]]))
    assert math.isinf(high.half_width)


def played(spec: SystemSpec, sources: dict[str, ConstantSource]) -> Capacity:
    goal = Goal(column="latency_p95_s", limit=0.1)
    budget = Budget(half_width=0.05, n_runs=10, requests_per_run=3000, pilot_requests=1000)
    return capacity(spec, sources, goal, budget=budget)


@pytest.mark.slow
@pytest.mark.parametrize("discipline", ["fifo", "dynamic", "take_all"])
@pytest.mark.parametrize("rate_bps", [1e6, 2e7])
def test_no_lever_lowers_the_capacity_and_the_binding_one_raises_it_most(
    discipline: str, rate_bps: float
) -> None:
    """By whole searches, levers pulled by 10 %; a batch timer only beyond the intervals."""
    batch = {} if discipline == "fifo" else {"max_batch": 8}
    timer = {"max_wait_s": 0.01} if discipline == "dynamic" else {}
    spec = SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0),
        link=LinkSpec(sharing="fifo", rate_bps=rate_bps, header_bytes=0),
        server=ServerSpec(discipline=discipline, **batch, **timer),  # type: ignore[arg-type]
    )
    source = ConstantSource(
        device_s=0.005, payload_bytes=1500, server_s=0.01, batch_slope_s=0.004 if batch else None
    )
    sources = {"default": source}
    before = played(spec, sources)
    reasons = why(spec, sources, before, play=lambda tasks: [task() for task in tasks])
    after = {lever.name: played(*lever.pull(spec, sources, 1.1)) for lever in LEVERS}
    for found in after.values():
        assert found.n_star_hi >= before.n_star_lo
        if discipline == "fifo":
            assert found.root.root >= before.root.root - 0.05 * before.root.half_width
    best = max((gain.name for gain in reasons.resources), key=lambda name: after[name].root.root)
    assert reasons.binding.name == best == ("uplink" if rate_bps == 1e6 else "server")


@pytest.mark.parametrize(
    ("looks", "long_falls", "above"),
    [
        ([Look(540, 0.1, 4, 1)], False, None),  # slow by chance, once
        ([Look(540, 0.1, 4, 1), Look(530, 0.1, 4, 1)], True, 530),
        ([Look(540, 0.1, 4, 1), Look(535, 1.0, 4, 2)], False, 535),
        ([Look(540, 0.1, 4, 0)], True, None),
        ([Look(510, 1.0, 4, 1)], True, None),  # not above what is safe
    ],
)
def test_a_second_regime_is_one_that_long_runs_fall_into(
    looks: list[Look], long_falls: bool, above: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = SafeSearch.__new__(SafeSearch)
    search._looks, search._long = list(looks), cast("Probe", None)

    def play(probe: Probe, n: int, n_runs: int) -> bool:
        search._looks.append(Look(n, 1.0, n_runs, int(long_falls)))
        return long_falls

    monkeypatch.setattr(search, "_misses", play)
    assert search._find_collapsed(515) == above
