"""How often the planner's interval holds the truth, and whether its answers spread as it says."""

import math
from collections.abc import Callable
from dataclasses import replace
from math import nan

import numpy as np
import pytest
from scipy.optimize import brentq

from sim import (
    ConstantSource,
    ExponentialSource,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
    run,
)
from sim.planning import Budget, Capacity, Goal, capacity
from sim.sources.source import Sources
from sim.theory import md1_response_quantile_s, mm1_response_quantile_s, mva

SEEDS, FEW = 400, 40


def open_queue(seed: int) -> Capacity:
    """M/M/1, N devices of 2 requests/s, 10 ms a request; 95th percentile within 100 ms."""
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"), workload=WorkloadSpec(kind="poisson", rate_rps=2.0), seed=seed
    )
    goal = Goal(column="latency_p95_s", limit=0.1)
    return capacity(spec, {"default": ExponentialSource(server_s=0.01)}, goal, budget=SMALL)


def constant_service(seed: int) -> Capacity:
    """M/D/1, N devices of 2 requests/s, 20 ms a request; 95th percentile within 100 ms."""
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"), workload=WorkloadSpec(kind="poisson", rate_rps=2.0), seed=seed
    )
    goal = Goal(column="latency_p95_s", limit=0.1)
    return capacity(spec, {"default": ConstantSource(server_s=0.02)}, goal, budget=SMALL)


def closed_network(seed: int) -> Capacity:
    """N devices that think 0.5 s, one exponential server of 10 ms; mean within 30 ms."""
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"), workload=WorkloadSpec(kind="closed", think_s=0.5), seed=seed
    )
    goal = Goal(column="latency_mean_s", limit=0.03)
    return capacity(spec, {"default": ExponentialSource(server_s=0.01)}, goal, budget=SMALL)


def batch_server(seed: int) -> Capacity:
    """The known system, as in `plan +experiment=batch_server`."""
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"),
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0),
        server=ServerSpec(discipline="take_all", max_batch=32),
        seed=seed,
    )
    source = ConstantSource(server_s=0.0038, batch_slope_s=0.0008)
    goal = Goal(column="latency_p95_s", limit=0.06)
    budget = Budget(requests_per_run=10_000)
    return capacity(spec, {"default": source}, goal, budget=budget)


SMALL = Budget(half_width=0.03, requests_per_run=4000, pilot_requests=1000)


def exact_open() -> float:
    return brentq(lambda n: mm1_response_quantile_s(2.0 * n, 0.01, 0.95) - 0.1, 10, 49)


def exact_constant() -> float:
    return brentq(lambda n: md1_response_quantile_s(2.0 * n, 0.02, 0.95) - 0.1, 5, 24)


def exact_closed() -> float:
    """Between whole numbers by the line that the planner takes as well."""
    below_s, above_s = (mva(n, 0.5, [0.01]).response_s for n in (37, 38))
    assert below_s <= 0.03 < above_s
    return 37.0 + (0.03 - below_s) / (above_s - below_s)


SYSTEMS: dict[str, tuple[Callable[[int], Capacity], float | None]] = {
    "open queue": (open_queue, exact_open()),
    "constant service": (constant_service, exact_constant()),
    "closed network": (closed_network, exact_closed()),
    "batch server": (batch_server, None),  # by long runs: 530 or 531
}


def covers(found: Capacity, root: float | None) -> bool:
    truth = {530, 531} if root is None else {math.floor(root)}
    return any(found.n_star_lo <= n <= found.n_star_hi for n in truth)


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_interval_covers_and_the_spread_is_no_larger_than_stated(name: str) -> None:
    """Of whole devices 93 % and more, since ends are rounded away from each other; of the number at
    which the limit is met exactly 91 to 98 %, which 400 seeds cannot tell from 93 to 97.
    """
    plan, root = SYSTEMS[name]
    found = [plan(seed) for seed in range(SEEDS)]
    held = sum(covers(each, root) for each in found)
    roots = np.array([each.root.root for each in found])
    halves = np.array([each.root.half_width for each in found])
    spread, stated = float(np.std(roots, ddof=1)), float(np.mean(halves)) / 1.96
    met = nan if root is None else float(np.mean(np.abs(roots - root) <= halves))
    print(f"| {name} | {root} | {held} of {SEEDS} | {met:.1%} | {spread:.2f} | {stated:.2f} |")
    assert held >= 0.93 * SEEDS
    assert root is None or 0.91 <= met <= 0.98
    assert spread <= 1.15 * stated  # that of 400 is itself known to within 7 %


# Where the answer is no plain crossing: what it promises must hold in a run ten times longer.


def two_regimes(seed: int) -> tuple[Capacity, Sources, Goal]:
    """Loops of 1.5 to 2.25 s over a medium whose contention eats what is contended for."""
    spec = SystemSpec(
        workload=WorkloadSpec(think_s=1.5 + 0.25 * (seed % 4)),
        link=LinkSpec(
            sharing="wifi", contention="bianchi", rate_bps=8e6, mtu_bytes=5000, header_bytes=0,
            frame_airtime_s=1e-5,
        ),
        seed=seed,
    )  # fmt: skip
    sources = {"default": ConstantSource(payload_bytes=5000.0, server_s=1e-6)}
    goal = Goal(column="latency_p95_s", limit=0.5)
    budget = Budget(requests_per_run=2500, pilot_requests=1500)
    return capacity(spec, sources, goal, budget=budget), sources, goal


def falling(seed: int) -> tuple[Capacity, Sources, Goal]:
    """Batches of 4 to 10 that wait 0.15 to 0.25 s to be full; p95 within 100 ms."""
    spec = SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0),
        link=LinkSpec(sharing="dedicated"),
        server=ServerSpec(
            discipline="dynamic", max_batch=4 + 2 * (seed % 4), max_wait_s=0.15 + 0.05 * (seed % 3)
        ),
        seed=seed,
    )
    sources = {"default": ConstantSource(server_s=0.01, batch_slope_s=0.002)}
    goal = Goal(column="latency_p95_s", limit=0.1)
    budget = Budget(requests_per_run=4000, pilot_requests=1000)
    return capacity(spec, sources, goal, budget=budget), sources, goal


def excess_longer(
    found: Capacity, sources: Sources, goal: Goal, n: int, *, n_runs: int = 1
) -> float:
    """How far n devices miss the goal in runs of another seed, ten times longer."""
    spec = found.spec
    length_s = 10.0 * (spec.horizon_s - spec.warmup_s)
    fleet, seed = replace(spec.fleet, n_devices=n), spec.seed + 1000
    spec = replace(spec, fleet=fleet, seed=seed, horizon_s=spec.warmup_s + length_s)
    samples = [goal.sample(run(spec, sources, replication=r)) for r in range(n_runs)]
    return goal.figure(samples) / goal.limit - 1.0


@pytest.mark.slow
def test_the_safe_number_of_two_regimes_holds_in_a_run_ten_times_longer() -> None:
    held = regimes = 0
    for seed in range(FEW):
        found, sources, goal = two_regimes(seed)
        regimes += found.regimes is not None
        excess = excess_longer(found, sources, goal, found.n_star)
        held += excess <= 0.0
        print(f"| {seed} | {found.n_star} [{found.n_star_lo}, {found.n_star_hi}] | {excess:+.2f} |")
    print(f"{regimes} of {FEW} with two regimes; {held} hold")
    assert regimes >= 0.9 * FEW
    assert held >= 0.95 * FEW


@pytest.mark.slow
def test_both_ends_of_a_figure_that_falls_hold_in_a_run_ten_times_longer() -> None:
    """Three such runs, whose percentile is itself known to some 5 % so near the load at which a
    queue grows; where they miss the limit by more than 2 %, twenty tell.
    """
    held = held_at_once = missed = 0
    for seed in range(FEW):
        found, sources, goal = falling(seed)
        least = found.least
        assert least is not None
        ends = (least.hi, found.n_star_lo)
        excess = [excess_longer(found, sources, goal, n, n_runs=3) for n in ends]
        held_at_once += max(excess) <= 0.02
        if max(excess) > 0.02:
            excess = [excess_longer(found, sources, goal, n, n_runs=20) for n in ends]
        below = excess_longer(found, sources, goal, max(1, least.lo // 2))
        held += max(excess) <= 0.02
        missed += below > 0.0
        print(
            f"| {seed} | {least.n} [{least.lo}, {least.hi}] to {found.n_star}"
            f" [{found.n_star_lo}, {found.n_star_hi}] | {excess[0]:+.3f} {excess[1]:+.3f} |"
        )
    print(f"{held} of {FEW} hold at both ends, {held_at_once} by three runs;", end=" ")
    print(f"{missed} miss the limit with half the least")
    assert held >= 0.95 * FEW
    assert missed == FEW
