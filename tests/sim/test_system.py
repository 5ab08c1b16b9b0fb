import math

import numpy as np
import pytest

import sim

FREE = sim.LinkSpec(sharing="dedicated")


def closed(n_devices, *, think_s, think="constant", **fields):
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=sim.WorkloadSpec(think_s=think_s, think=think),
        **({"link": sim.LinkSpec(sharing="ps")} | fields),
    )


@pytest.mark.parametrize("sharing", ["dedicated", "fifo", "ps"])
def test_deterministic_cycle_is_exact(sharing):
    link = sim.LinkSpec(
        sharing=sharing, rate_bps=8e6, header_bytes=50, frame_airtime_s=1e-4, rtt_s=0.004
    )
    source = sim.ConstantSource(
        device_s=0.011, payload_bytes=1450, decode_s=0.001, server_s=0.003, answer_bytes=150
    )
    result = sim.run(closed(1, think_s=0.017, link=link), {"default": source})
    uplink_s, downlink_s = 1e-4 + 1500 / 1e6, 1e-4 + 200 / 1e6
    latency_s = 0.011 + 0.002 + uplink_s + 0.004 + downlink_s + 0.002
    assert result.value("throughput_rps") == pytest.approx(1 / (latency_s + 0.017), rel=1e-9)
    assert result.value("latency_mean_s") == pytest.approx(latency_s, rel=1e-9)
    assert result.failed_checks == ()


def test_past_saturation_the_server_sets_the_pace():
    source = sim.ConstantSource(device_s=0.01, payload_bytes=500, server_s=0.004)
    result = sim.run(closed(40, think_s=0.02), {"default": source})
    assert result.value("throughput_rps") == pytest.approx(250, rel=0.01)
    assert result.value("server_utilization") == pytest.approx(1.0, rel=1e-6)
    assert result.value("server_s_per_request") == pytest.approx(0.004, rel=1e-6)


def interval(spec, sources, column):
    estimate = sim.replicate(spec, sources)[column]
    assert estimate.lo_total == estimate.lo
    return estimate.lo, estimate.hi


def test_mm1_mean_lies_in_the_interval():
    spec = sim.SystemSpec(
        link=FREE,
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=70.0),
        horizon_s=80.0,
        warmup_s=20.0,
        seed=4,
    )
    source = {"default": sim.ExponentialSource(server_s=0.01)}
    lo, hi = interval(spec, source, "latency_mean_s")
    assert lo < 1 / (100 - 70) < hi
    lo, hi = interval(spec, source, "throughput_rps")
    assert lo < 70 < hi


def repairman_throughput(n_devices, think_s, service_s):
    """M/M/1//N: exact, from the birth-death chain."""
    weights = [1.0]
    for busy in range(1, n_devices + 1):
        weights.append(weights[-1] * (n_devices - busy + 1) * service_s / think_s)
    return (1 - weights[0] / math.fsum(weights)) / service_s


def test_machine_repairman_mean_lies_in_the_interval():
    spec = closed(
        8, think_s=0.1, think="exponential", link=FREE, horizon_s=120.0, warmup_s=5.0, seed=2
    )
    lo, hi = interval(spec, {"default": sim.ExponentialSource(server_s=0.015)}, "throughput_rps")
    assert lo < repairman_throughput(8, 0.1, 0.015) < hi


def test_same_seed_same_records_and_devices_keep_their_streams():
    source = {"default": sim.ExponentialSource(server_s=0.01, device_s=0.02)}
    spec = closed(5, think_s=0.1, think="exponential", horizon_s=20.0)
    first, second = sim.run(spec, source), sim.run(spec, source)
    for name, column in first.records.items():
        np.testing.assert_array_equal(column, second.records[name])
    other = sim.run(spec, source, replication=1)
    assert other.value("latency_mean_s") != first.value("latency_mean_s")
    larger = sim.run(closed(9, think_s=0.1, think="exponential", horizon_s=20.0), source)

    def first_created(result):
        return result.records["created_s"][result.records["device"] == 0][0]

    assert first_created(first) == first_created(larger)


def test_terminating_run_ends_with_device_0():
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=3), workload=sim.WorkloadSpec(requests=10), link=FREE
    )
    result = sim.run(spec, {"default": sim.ConstantSource(device_s=0.1, server_s=0.2)})
    assert result.value("device_time_s") == pytest.approx(0.1 + 0.2 + 9 * 0.6, rel=1e-9)
    assert result.value("device_busy_s") == pytest.approx(1.0, rel=1e-9)


def test_a_terminating_run_may_go_on_until_every_device_is_through():
    """Three devices in a cycle of 0.6 s: the last one is two service times behind device 0."""
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=3),
        workload=sim.WorkloadSpec(requests=10, until_all=True),
        link=FREE,
    )
    result = sim.run(spec, {"default": sim.ConstantSource(device_s=0.1, server_s=0.2)})
    first = 0.1 + 0.2 + 9 * 0.6
    assert result.value("device_time_s") == pytest.approx(first, rel=1e-9)
    assert result.value("device_time_all_s") == pytest.approx(first + 0.4, rel=1e-9)
    assert result.records["done_s"].max() == pytest.approx(first, rel=1e-9)  # the window's end
    assert not result.failed_checks
    with pytest.raises(ValueError, match=r"workload\.until_all needs workload\.requests"):
        sim.WorkloadSpec(until_all=True)


def test_every_group_has_columns_of_its_own():
    """The slow group's cycle is twice as long; both are exact."""
    groups = {"fast": sim.GroupSpec(), "slow": sim.GroupSpec(slowdown=2.0)}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=8, groups=groups), link=FREE, warmup_s=0.0, horizon_s=100.0
    )
    source = sim.ConstantSource(device_s=1.0)
    result = sim.run(spec, {"fast": source, "slow": source})
    assert result.value("latency_mean_s_fast") == pytest.approx(1.0)
    assert result.value("latency_p95_s_slow") == pytest.approx(2.0)
    rates = [result.value(f"throughput_rps_{name}") for name in groups]
    assert rates[0] + rates[1] == pytest.approx(result.value("throughput_rps"), rel=0.02)
    members = [len(set(result.records["device"][result.records["group"] == g])) for g in (0, 1)]
    assert rates == [
        pytest.approx(members[0] / 1.0, rel=0.02),
        pytest.approx(members[1] / 2, rel=0.03),
    ]


def test_groups_follow_their_shares_whatever_n():
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(
            n_devices=100,
            groups={"cam": sim.GroupSpec(share=3.0), "robot": sim.GroupSpec(slowdown=2.0)},
        ),
        link=FREE,
        horizon_s=10.0,
        warmup_s=0.0,
    )
    source = sim.ConstantSource(device_s=1.0)
    result = sim.run(spec, {"cam": source, "robot": source})
    group = dict(zip(result.records["device"], result.records["group"], strict=True))
    assert sum(group.values()) == pytest.approx(25, abs=2)
    assert group[0] == 0
    with pytest.raises(ValueError, match="group 'robot' needs source 'robot', got cam"):
        sim.run(spec, {"cam": source})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sim.FleetSpec(n_devices=0), r"fleet.n_devices must be >= 1, got 0"),
        (lambda: sim.LinkSpec(sharing="pss"), r"link.sharing must be one of .* mean 'ps'"),
        (
            lambda: sim.LinkSpec(sharing="ps", rate_bps=math.nan),
            r"link.rate_bps must be > 0, got nan",
        ),
        (
            lambda: sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), warmup_s=70.0),
            r"warmup_s must be below horizon_s=60, got 70",
        ),
    ],
)
def test_impossible_specs_are_refused_in_one_line(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("groups", "workload", "message"),
    [
        (
            {"a": sim.GroupSpec(workload=sim.WorkloadSpec(requests=3))},
            {},
            r"fleet\.groups\.a\.workload\.requests must not be set, got 3",
        ),
        (
            {"a": sim.GroupSpec(churn=sim.ChurnSpec(leave_s=2.0)), "b": sim.GroupSpec()},
            {"requests": 3},
            "needs device 0, of group 'a', to stay",
        ),
        (
            {"a": sim.GroupSpec(), "b": sim.GroupSpec(churn=sim.ChurnSpec(leave_s=2.0))},
            {"requests": 3, "until_all": True},
            "needs group 'b' to stay, but it leaves for good",
        ),
    ],
)
def test_runs_that_could_not_end_are_refused(groups, workload, message):
    with pytest.raises(ValueError, match=message):
        sim.SystemSpec(
            link=sim.LinkSpec(sharing="ps"),
            fleet=sim.FleetSpec(n_devices=4, groups=groups),
            workload=sim.WorkloadSpec(think_s=0.1, **workload),
        )


def test_a_replay_too_short_for_its_target_is_refused(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text("time_s,device\n0.1,0\n0.2,0\n0.3,0\n0.3,1\n")
    replayed = sim.WorkloadSpec(kind="replay", replay_csv=str(path))

    def play(**workload):
        spec = sim.SystemSpec(
            link=sim.LinkSpec(sharing="ps"),
            fleet=sim.FleetSpec(n_devices=2, groups={"one": sim.GroupSpec(workload=replayed)}),
            workload=sim.WorkloadSpec(**workload),
        )
        return sim.run(spec, {"one": sim.ConstantSource(device_s=0.01)})

    assert play(requests=3).value("device_time_s") == pytest.approx(0.31)
    with pytest.raises(ValueError, match=r"must be <= the 3 times of device 0 .* got 4"):
        play(requests=4)
    with pytest.raises(ValueError, match=r"must be <= the 1 times of device 1 .* got 3"):
        play(requests=3, until_all=True)


def test_more_replications_need_no_other_setting():
    assert sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), replications=1000).replications == 1000
    with pytest.raises(ValueError, match=r"max_replications must be >= 300, got 200"):
        sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), replications=300, precision=0.1)


def test_stages_of_sessions_and_requests_stand_side_by_side():
    prompt = sim.Draw(0, 0.05, 4000.0, 0.0, 0.02, 4.0, math.nan, 20, 0)
    token = sim.Draw(0, 0.004, 200.0, 0.0, 0.002, 4.0, math.nan, 1, 20)
    sources = {
        "talk": sim.ConstantSessions(prompt=prompt, token=token, n_tokens=5),
        "look": sim.ConstantSource(device_s=0.3, payload_bytes=1000.0, server_s=0.001),
    }
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups={"talk": sim.GroupSpec(), "look": sim.GroupSpec()}),
        workload=sim.WorkloadSpec(think_s=0.1, think="constant"),
        link=sim.LinkSpec(sharing="dedicated"),
        warmup_s=0.0,
        horizon_s=20.0,
    )
    result = sim.run(spec, sources)
    looks = np.sum((result.records["outcome"] == 1.0) & (result.records["tokens"] == 0))
    steps = len(result.steps["done_s"])
    first = np.sum(result.steps["tokens"] == 0)
    device_s = 0.3 * looks + 0.05 * first + 0.004 * (steps - first)
    assert result.value("device_service_s") == pytest.approx(device_s / (looks + steps))
