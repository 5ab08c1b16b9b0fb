"""The planner against queues whose capacity is known in closed form."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sim import (
    ConstantSource,
    ExponentialSource,
    FleetSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
)
from sim.planning import Budget, Capacity, Goal, Refusal, capacity, crossing, isotonic
from sim.theory import mm1_response_quantile_s, mva

SERVICE_S = 0.01
RATE_RPS = 2.0
P95 = Goal(column="latency_p95_s", limit=0.1)
QUICK = Budget(half_width=0.03, requests_per_run=3000, pilot_requests=1000)


def open_system(seed: int = 0, horizon_s: float = 60.0) -> SystemSpec:
    """Poisson devices before one exponential server, no link: M/M/1 at rate 2 N."""
    return SystemSpec(
        link=LinkSpec(sharing="ps"),
        fleet=FleetSpec(n_devices=1),
        workload=WorkloadSpec(kind="poisson", rate_rps=RATE_RPS),
        server=ServerSpec(),
        horizon_s=horizon_s,
        warmup_s=3.0,
        seed=seed,
    )


def plan_mm1(seed: int = 0, horizon_s: float = 60.0, **budget: float) -> Capacity:
    """N* of the M/M/1 server."""
    budget = {"requests_per_run": 4000, "pilot_requests": 1000, **budget}
    sources = {"default": ExponentialSource(server_s=SERVICE_S)}
    return capacity(open_system(seed, horizon_s), sources, P95, budget=Budget(**budget))


def exact_mm1() -> int:
    """Largest N with p95 of the response within the goal."""
    held = [
        n
        for n in range(1, int(1.0 / (SERVICE_S * RATE_RPS)))
        if mm1_response_quantile_s(RATE_RPS * n, SERVICE_S, 0.95) <= P95.limit
    ]
    return max(held)


def test_the_response_quantile_of_mm1_is_met_at_the_exact_number() -> None:
    found = plan_mm1(half_width=0.03)
    assert found.n_star_lo <= exact_mm1() <= found.n_star_hi
    assert found.n_star_lo <= found.n_star <= found.n_star_hi
    assert found.root.half_width <= max(1.0, 0.03 * found.n_star)
    assert found.monotone


def test_of_two_limits_the_one_that_is_missed_first_counts() -> None:
    """The mean within 33 ms ends at N = 34 or 35, the 95th percentile within 107 ms at 36."""
    sources = {"default": ExponentialSource(server_s=SERVICE_S)}
    mean, p95 = Goal(column="latency_mean_s", limit=0.033), replace(P95, limit=0.107)
    both = capacity(open_system(), sources, (p95, mean), budget=QUICK)
    assert both.goal == mean
    assert both.n_star_lo <= 34 <= both.n_star_hi


def test_the_same_seed_gives_the_same_answer_to_the_bit() -> None:
    first, second = (plan_mm1(half_width=0.5, n_runs=4, requests_per_run=800) for _ in range(2))
    assert first == second


def test_the_mean_of_a_closed_network_is_met_at_the_number_of_mva() -> None:
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"),
        fleet=FleetSpec(n_devices=1),
        workload=WorkloadSpec(kind="closed", think_s=0.5),
        horizon_s=120.0,
        warmup_s=6.0,
    )
    goal = Goal(column="latency_mean_s", limit=0.03)
    sources = {"default": ExponentialSource(server_s=SERVICE_S)}
    found = capacity(spec, sources, goal, budget=QUICK)
    exact = max(n for n in range(1, 100) if mva(n, 0.5, [SERVICE_S]).response_s <= goal.limit)
    assert found.n_star_lo <= exact <= found.n_star_hi


@pytest.mark.slow
def test_a_faster_server_never_lowers_the_capacity() -> None:
    sources = {"default": ExponentialSource(server_s=SERVICE_S)}
    slow = open_system(horizon_s=15.0)
    fast = replace(slow, server=ServerSpec(speed=1.2))
    budget = Budget(half_width=0.5, n_runs=4, requests_per_run=2000, pilot_requests=1000)
    assert (
        capacity(slow, sources, P95, budget=budget).n_star
        < capacity(fast, sources, P95, budget=budget).n_star
    )


def test_refused_when_one_device_misses() -> None:
    with pytest.raises(Refusal, match=r"even one device misses latency_p95_s <= 0\.1"):
        capacity(open_system(), {"default": ConstantSource(server_s=0.2)}, P95)
    with pytest.raises(Refusal, match="grows without end"):
        capacity(open_system(), {"default": ConstantSource(server_s=1.0)}, P95)


def test_refused_when_nothing_limits_or_the_budget_ends() -> None:
    free = {"default": ConstantSource(server_s=1e-6)}
    with pytest.raises(Refusal, match="still holds at max_devices = 16"):
        capacity(open_system(horizon_s=10.0), free, P95, budget=Budget(max_devices=16))
    with pytest.raises(Refusal, match="budget of 1000 requests ended"):
        plan_mm1(horizon_s=10.0, max_requests=1000)
    with pytest.raises(Refusal, match=r"max_runs = 3 ended the search: N\* in"):
        plan_mm1(horizon_s=15.0, half_width=0.001, n_runs=3, max_runs=3)


def test_goals_are_checked() -> None:
    with pytest.raises(ValueError, match=r"goal must be one of .*, got 'p95'"):
        Goal(column="p95", limit=0.1)
    with pytest.raises(ValueError, match="limit of freshness_s must be above 0"):
        Goal(column="freshness_s", limit=0.0)


def test_the_interval_of_a_crossing_covers_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    n = np.array([90.0, 95.0, 100.0, 105.0, 110.0])
    truth = 101.3
    inside = 0
    for _ in range(400):
        shift = rng.normal(0.0, 0.1, (10, 1))  # common to a replication, as with common streams
        excess = 0.02 * (n - truth) + 3e-4 * (n - truth) ** 2 + shift
        excess = excess + rng.normal(0.0, 0.02, (10, 5))
        found = crossing(n, excess)
        inside += found.lo <= truth <= found.hi
    assert 0.92 <= inside / 400 <= 0.98


def test_the_guard_is_the_least_squares_fit_that_never_falls() -> None:
    values = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 3.0])
    assert isotonic(values) == pytest.approx([1.0, 2.5, 2.5, 4.0, 4.0, 4.0])
    found = crossing(np.arange(1.0, 6.0), np.array([[-1.0, 2.0, -1.0, -1.0, 1.0]] * 3))
    assert math.isfinite(found.root)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_batch_server_is_planned_at_its_known_number(seed: int) -> None:
    """Long runs put N* at 530 or 531: 3 ms + 0.8 ms b, all that waits up to 32, p95 < 60 ms."""
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"),
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0),
        server=ServerSpec(discipline="take_all", max_batch=32),
        seed=seed,
    )
    source = ConstantSource(server_s=0.0038, batch_slope_s=0.0008)
    found = capacity(spec, {"default": source}, Goal(column="latency_p95_s", limit=0.06))
    assert found.n_star_lo <= 531
    assert found.n_star_hi >= 530
    assert found.root.half_width <= max(1.0, 0.01 * found.n_star)
