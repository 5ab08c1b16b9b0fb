"""A queue that grows without end is said to, and its mean is no result."""

import math

import pytest

import sim
from sim.measures.saturation import Load, judge

LATENCIES = ("latency_mean_s", "latency_p95_s", "server_wait_s", "server_queue_mean")


def spec(load=0.8, server=None, **fields):
    """One Poisson stream against service times of 10 ms."""
    kind = fields.pop("kind", "poisson")
    return sim.SystemSpec(
        workload=sim.WorkloadSpec(kind=kind, rate_rps=load / 0.01),
        server=server or sim.ServerSpec(),
        link=sim.LinkSpec(sharing="dedicated"),
        **{"horizon_s": 55.0, "warmup_s": 5.0, "replications": 10, **fields},
    )


SOURCE = {"default": sim.ExponentialSource(server_s=0.01)}


@pytest.mark.parametrize("load", [1.02, 1.05, 1.3])
def test_overload_is_said_and_has_no_mean(load):
    result = sim.replicate(spec(load), SOURCE)
    assert result.saturated
    assert "saturated" in result.warnings[0]
    for name in LATENCIES:
        assert math.isnan(result.value(name)), name
    assert result.value("throughput_rps") == pytest.approx(100.0, rel=0.03)
    assert result.value("server_utilization") > 0.98


def test_critical_load_is_said_under_every_seed():
    for seed in range(3):
        assert sim.replicate(spec(1.0, seed=seed), SOURCE).warnings


@pytest.mark.parametrize("load", [0.3, 0.8, 0.9])
def test_a_stable_queue_is_not_called_saturated(load):
    for seed in range(2):
        result = sim.replicate(spec(load, seed=seed), SOURCE)
        assert all(word.startswith("too short for latency_p99_s") for word in result.warnings)
        assert result.value("latency_mean_s") == pytest.approx(0.01 / (1 - load), rel=0.35)


def test_overloaded_batches_are_recognised_by_what_is_left_over():
    source = {"default": sim.ConstantSource(server_s=0.01, batch_slope_s=0.001)}
    server = sim.ServerSpec(discipline="take_all", max_batch=8)  # 8 in 17 ms: 470 per second
    over = sim.replicate(spec(5.0, server, horizon_s=20.0, replications=5), source)
    under = sim.replicate(spec(4.4, server, horizon_s=20.0, replications=5), source)
    assert over.saturated
    assert not under.saturated
    assert all(word.startswith("too short for latency_p99_s") for word in under.warnings)


def test_systems_that_drop_or_ask_again_have_means():
    limited = sim.replicate(spec(1.5, sim.ServerSpec(queue_limit=5)), SOURCE)
    closed = sim.replicate(spec(1.5, kind="closed", replications=2), SOURCE)
    for result in (limited, closed):
        assert result.warnings == ()
        assert result.value("latency_mean_s") > 0.0


def test_cameras_that_fire_together_are_not_left_over_work():
    burst = Load(arrived=1000, grown=150, busiest="server_utilization", share=0.5)
    together = sim.SystemSpec(
        link=sim.LinkSpec(sharing="ps"),
        fleet=sim.FleetSpec(n_devices=200),
        workload=sim.WorkloadSpec(kind="periodic", synchronised=True),
    )
    assert not judge(together, [burst] * 5).saturated
    assert judge(spec(), [burst] * 5).saturated


def test_precision_is_not_sought_where_there_is_no_mean():
    result = sim.replicate(spec(1.3, precision=0.01, replications=3), SOURCE)
    assert result.n_runs == 3
    assert result.saturated
