"""How far N* moves with the errors of machines: closed forms, and N* found anew."""

import math

import pytest

import sim
from profiles.shipping import shipped
from profiles.tables.layers import ModelProfile
from sim.planning import Budget, Goal, capacity
from sim.planning.trust.finding import CAUTION
from sim.planning.trust.machines import move
from sim.planning.trust.run import run_trust
from sim.sources.source import ConstantSource, Errors, largest_drift
from sim.specs import LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.statistics import normal_scores, two_sided_t
from sim.theory import md1_response_s

Z = 1.959964
GOAL = Goal(column="latency_mean_s", limit=0.05)


def open_spec():
    return SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=1.0),
        link=LinkSpec(sharing="dedicated"),
        server=ServerSpec(),
    )


def largest(service_s, device_s=0.0, limit_s=0.05):
    """N of M/D/1 behind a constant device."""
    return max(
        n for n in range(1, 2000)
        if n * service_s < 1 and device_s + md1_response_s(n, service_s) <= limit_s
    )  # fmt: skip


def test_nothing_moves_where_no_error_is_known():
    source = ConstantSource(server_s=0.01)
    assert move(open_spec(), {"default": source}, GOAL, 80) == (1.0, 1.0, "")


@pytest.mark.parametrize("error", [0.05, 0.3])
def test_a_servers_error_moves_n_as_the_exact_queue_does(error):
    source = ConstantSource(server_s=0.01, log_errors=Errors(tail=error))
    n = largest(0.01)
    moved = move(open_spec(), {"default": source}, GOAL, n)
    slow, fast = (largest(0.01 * math.exp(sign * Z * error)) for sign in (1, -1))
    assert n * moved.lo == pytest.approx(slow, rel=0.02, abs=1.5)
    assert n * moved.hi == pytest.approx(fast, rel=0.02, abs=1.5)
    assert moved.words == f"the server's layers x/: {math.exp(error):.2f}"


def test_a_device_so_slow_that_the_limit_is_missed_alone_leaves_nothing():
    source = ConstantSource(device_s=0.03, server_s=0.01, log_errors=Errors(head=0.5))
    moved = move(open_spec(), {"default": source}, GOAL, largest(0.01, 0.03))
    assert moved.lo < 1e-6
    assert moved.hi > 1.0


def test_independent_errors_add_in_squares():
    both = ConstantSource(device_s=0.005, server_s=0.01, log_errors=Errors(head=0.2, tail=0.1))
    n = largest(0.01, 0.005)
    alone = [
        move(open_spec(), {"default": ConstantSource(
            device_s=0.005, server_s=0.01, log_errors=one)}, GOAL, n).lo
        for one in (Errors(head=0.2), Errors(tail=0.1))
    ]  # fmt: skip
    whole = move(open_spec(), {"default": both}, GOAL, n).lo
    assert math.log(whole) == pytest.approx(-math.hypot(*map(math.log, alone)))


def test_a_percentile_moves_as_one_that_is_planned_anew():
    """The 95th percentile of M/D/1, whose N* is played at the shifted speed."""
    goal = Goal(column="latency_p95_s", limit=0.1)
    source = ConstantSource(server_s=0.01, log_errors=Errors(tail=0.2))
    budget = Budget(requests_per_run=4000, pilot_requests=1000)
    n, slow = (
        capacity(open_spec(), {"default": each}, goal, budget=budget).n_star
        for each in (source, source.shift(Errors(tail=Z)))
    )
    moved = move(open_spec(), {"default": source}, goal, n)
    assert n * moved.lo == pytest.approx(slow, rel=0.05)


def test_sources_shift_by_the_factor_of_each_error():
    source = ConstantSource(
        device_s=1.0, payload_bytes=9.0, decode_s=2.0, server_s=3.0,
        log_errors=Errors(0.1, 0.2, 0.0, 0.3),
    )  # fmt: skip
    draw = source.shift(Errors(1.0, -1.0, 5.0, 2.0)).mean()
    assert (draw.device_s, draw.server_s, draw.decode_s) == pytest.approx(
        (math.exp(0.1), 3.0 * math.exp(-0.2), 2.0 * math.exp(0.6))
    )
    assert sim.ConstantSource(server_s=1.0).shift(Errors(1, 1, 1, 1)).mean().server_s == 1.0


@pytest.mark.parametrize("n", [2, 3, 5, 40])
def test_normal_scores_make_students_interval_the_normal_one(n):
    scores = normal_scores(n, 0.95)
    assert scores.mean() == pytest.approx(0.0, abs=1e-12)
    assert two_sided_t(0.95, n - 1) * scores.std(ddof=1) == pytest.approx(Z)


@pytest.mark.parametrize("replications", [3, 5, 20])
def test_a_known_error_is_as_wide_in_few_runs_as_in_many(replications):
    """One device whose second is known to 10 %: its latency to 1.96 times that."""
    source = ConstantSource(device_s=1.0, log_errors=Errors(head=0.1))
    spec = SystemSpec(
        workload=WorkloadSpec(think_s=0.0), link=LinkSpec(sharing="dedicated"), warmup_s=0.0,
        horizon_s=60.0, replications=replications,
    )  # fmt: skip
    latency = sim.replicate(spec, {"default": source}).estimates["latency_mean_s"]
    assert latency.mean == pytest.approx(1.0)
    assert latency.hi_total - latency.mean == pytest.approx(0.1 * Z, rel=0.03)
    assert latency.mean - latency.lo_total == pytest.approx(0.1 * Z, rel=0.03)


@pytest.mark.parametrize(("drift", "grade"), [(0.04, 0), (-0.08, 1), (0.4, 1)])
def test_a_machine_that_drifted_by_more_than_five_percent_is_a_caution(drift, grade):
    source = ConstantSource(device_s=0.001, payload_bytes=10, server_s=0.01)
    source.drift = drift  # as a source of measured tables says it
    spec = open_spec()
    result = sim.run(spec, {"default": source})
    columns = {name: each.mean for name, each in result.estimates.items()}
    found = run_trust(spec, {"default": source}, columns, ()).findings
    cautions = [one for one in found if one.name == "drift"]
    assert [one.verdict for one in cautions] == [CAUTION] * grade


def test_a_drift_goes_with_the_seconds_to_other_machines():
    profile = ModelProfile.load(shipped.DATA / "profiles" / "efficientnet_b0-single-1.npz")
    there = profile.head.scale(3.0, hardware="slow", source="a book")
    assert there.drift == profile.head.drift == pytest.approx(0.3986, abs=1e-4)
    assert largest_drift(there, None) == there.drift
    assert largest_drift(None) == 0.0
