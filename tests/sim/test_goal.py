"""Goals of sessions, held against what a system of equal sessions must show."""

import math

import numpy as np
import pytest

import sim
from sim.planning.forecast.bounds import bound
from sim.planning.limits.goal import Goal

FREE = sim.LinkSpec(sharing="dedicated", rate_bps=8e6, header_bytes=0)
PROMPT = sim.Draw(0, 0.05, 4000.0, 0.0, 0.02, 0.0, math.nan, 20, 0)
TOKEN = sim.Draw(0, 0.004, 200.0, 0.0, 0.002, 0.0, math.nan, 1, 20)
TTFT_S = 0.05 + 4000 / 1e6 + 0.02
TPOT_S = 0.004 + 200 / 1e6 + 0.002


def play(n_devices: int = 1, **server: object) -> sim.Result:
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=sim.WorkloadSpec(think_s=0.1, think="constant"),
        link=FREE,
        server=sim.ServerSpec(**server),  # type: ignore[arg-type]
        horizon_s=20.0,
        warmup_s=1.0,
    )
    source = sim.ConstantSessions(prompt=PROMPT, token=TOKEN, n_tokens=10, server_token_bytes=50.0)
    return sim.run(spec, {"default": source})


@pytest.mark.parametrize(
    ("column", "exact_s"),
    [
        ("latency_p95_s", TTFT_S + 9 * TPOT_S),
        ("ttft_p95_s", TTFT_S),
        ("tpot_p95_s", TPOT_S),
        ("tpot_mean_s", TPOT_S),
    ],
)
def test_alone_every_session_shows_the_sum_of_its_parts(column: str, exact_s: float) -> None:
    result = play()
    goal = Goal(column=column, limit=0.01)
    assert goal.excess([goal.sample(result)]) == pytest.approx([math.log(exact_s / 0.01)])


def test_goals_of_tokens_are_the_columns_of_a_loaded_run() -> None:
    result = play(n_devices=12)
    for name, column in (("tpot_mean_s", "tpot_s"), ("tpot_p95_s", "tpot_p95_s")):
        goal = Goal(column=name, limit=0.01)
        seen = goal.figure([goal.sample(result)])
        assert seen == pytest.approx(result.value(column), rel=0.01)
        assert seen > 1.5 * TPOT_S


@pytest.mark.parametrize("digits", ["05", "1", "5", "999"])
def test_any_quantile_says_how_far_it_is_from_its_limit(digits: str) -> None:
    """A low one, too, below which there are fewer levels than above it."""
    spec = sim.SystemSpec(link=FREE, workload=sim.WorkloadSpec(think_s=0.1), horizon_s=60.0)
    source = {"default": sim.ExponentialSource(server_s=0.02)}
    goal = Goal(column=f"latency_p{digits}_s", limit=0.01)
    samples = [goal.sample(sim.run(spec, source, replication=r)) for r in range(4)]
    excess = goal.excess(samples)
    assert np.mean(excess) == pytest.approx(math.log(goal.figure(samples) / 0.01), abs=1e-9)
    assert 0.0 < np.std(excess) < 0.5


def test_sessions_that_are_turned_away_are_infinitely_late() -> None:
    result = play(n_devices=4, session_memory_bytes=2999.0, admission="reject")
    assert result.value("dropped_share") > 0.05
    for column in ("ttft_p95_s", "tpot_p95_s"):
        goal = Goal(column=column, limit=100.0)
        assert goal.excess([goal.sample(result)])[0] > 0.0


def test_limits_of_tokens_bound_no_number_of_devices() -> None:
    """A session may last long though its tokens come fast; only its latency bounds the loop."""
    source = sim.ConstantSource(server_s=0.01)
    spec = sim.SystemSpec(workload=sim.WorkloadSpec(think_s=1.0), link=FREE)
    tokens = [Goal(column="tpot_p95_s", limit=0.001), Goal(column="ttft_p95_s", limit=0.001)]
    assert bound(spec, {"default": source}, tokens) == math.inf
    assert bound(spec, {"default": source}, [Goal(column="latency_p95_s", limit=0.001)]) == 0.0
