import numpy as np
import pytest

import sim
from sim.measures.columns import freshness_s
from sim.measures.overtime import load_over_time, present_over_time
from sim.request import DONE

FREE = sim.LinkSpec(sharing="dedicated")
QUICK = {"default": sim.ConstantSource(device_s=0.001)}


def created(workload, n_devices=4, horizon_s=300.0, source=QUICK, **fields):
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=workload,
        link=FREE,
        horizon_s=horizon_s,
        warmup_s=0.0,
        **fields,
    )
    return sim.run(spec, source)


def gaps(result, device=0):
    times = result.records["created_s"][result.records["device"] == device]
    return np.diff(np.sort(times))


@pytest.mark.parametrize("kind", ["poisson", "gamma", "mmpp"])
def test_bursts_keep_the_mean_rate_and_have_their_variance(kind):
    workload = sim.WorkloadSpec(kind=kind, rate_rps=20.0, gap_cv=2.5, burst_s=0.5)
    spread = gaps(created(workload, n_devices=1, horizon_s=2_000.0))
    assert np.mean(spread) == pytest.approx(0.05, rel=0.1)
    cv = np.std(spread) / np.mean(spread)
    if kind == "mmpp":
        assert 1.3 < cv < 4.0
    else:
        assert cv == pytest.approx(1.0 if kind == "poisson" else 2.5, rel=0.1)


def test_cameras_have_phases_jitter_or_fire_together():
    spread = created(sim.WorkloadSpec(kind="periodic", rate_rps=10.0), horizon_s=20.0)
    assert np.allclose(gaps(spread, 2), 0.1)
    starts = [spread.records["created_s"][spread.records["device"] == i][0] for i in range(4)]
    assert min(np.diff(np.sort(starts))) > 0.01
    together = created(
        sim.WorkloadSpec(kind="periodic", rate_rps=10.0, synchronised=True), horizon_s=20.0
    )
    assert len(np.unique(np.round(together.records["created_s"], 9))) == 200
    jittered = created(
        sim.WorkloadSpec(kind="periodic", rate_rps=10.0, synchronised=True, jitter_s=0.02)
    )
    late = np.sort(jittered.records["created_s"]) % 0.1
    assert late.max() < 0.02 + 1e-9
    assert np.mean(late) == pytest.approx(0.01, rel=0.05)


def test_busy_cameras_drop_frames_and_keep_them_fresh():
    slow = {"default": sim.ConstantSource(device_s=0.25)}
    camera = {"kind": "periodic", "rate_rps": 10.0}
    dropping = created(sim.WorkloadSpec(**camera, max_in_flight=1), 1, 100.0, slow)
    queueing = created(sim.WorkloadSpec(**camera), 1, 100.0, slow)
    assert dropping.value("dropped_share") == pytest.approx(2 / 3, abs=0.01)
    assert dropping.value("freshness_s") == pytest.approx(0.25 + 0.3 / 2, rel=0.01)
    assert queueing.value("freshness_s") > 20.0
    assert queueing.warnings
    assert dropping.warnings == ()


@pytest.mark.parametrize("rho", [0.3, 0.7])
def test_the_age_of_an_md1_queue_is_the_known_one(rho):
    """M/D/1: (1/mu) (1 / (2 (1 - rho)) + 1/2 + (1 - rho) exp(rho) / rho), Kaul et al. 2012."""
    source = {"default": sim.ConstantSource(server_s=0.1)}
    workload = sim.WorkloadSpec(kind="poisson", rate_rps=10.0 * rho)
    found = [created(workload, 1, 4e3, source, seed=s).value("freshness_s") for s in (1, 2)]
    exact = 0.1 * (0.5 / (1.0 - rho) + 0.5 + (1.0 - rho) * np.exp(rho) / rho)
    assert np.mean(found) == pytest.approx(exact, rel=0.03)


def test_a_few_answers_per_device_do_not_look_fresher_than_many():
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2000),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=0.2),
        link=FREE,
        warmup_s=40.0,
        horizon_s=80.0,
    )
    assert sim.run(spec, QUICK).value("freshness_s") == pytest.approx(5.0, rel=0.02)


def test_an_older_answer_that_overtakes_makes_nothing_older():
    records = {
        "device": np.zeros(3),
        "created_s": np.array([0.0, 2.0, 1.0]),
        "done_s": np.array([1.0, 3.0, 4.0]),
        "outcome": np.full(3, DONE),
        "ending": np.zeros(3),
    }
    whole = [(1.0 + 3.0) / 2 * 2, (1.0 + 3.0) / 2 * 2]  # from 1 s to 3 s, from 3 s to 5 s
    assert freshness_s(records, 0.0, 5.0) == pytest.approx(sum(whole) / 4.0)
    assert freshness_s(records, 2.0, 3.0) == pytest.approx(2.5)
    assert np.isnan(freshness_s(records, 0.0, 0.5))


def test_replay_plays_the_file(tmp_path):
    path = tmp_path / "arrivals.csv"
    path.write_text("time_s,device\n0.5,1\n0.25,0\n3.0,1\n")
    workload = sim.WorkloadSpec(kind="replay", replay_csv=str(path))
    records = created(workload, 2, 10.0).records
    assert sorted(zip(records["created_s"], records["device"], strict=True)) == [
        (0.25, 0.0),
        (0.5, 1.0),
        (3.0, 1.0),
    ]
    path.write_text("time_s\n1\n2\n3\n")
    assert sorted(created(workload, 2, 10.0).records["device"]) == [0.0, 0.0, 1.0]
    path.write_text("time_s,device\n1,2\n")
    with pytest.raises(
        ValueError, match=r"line 2: device must be a whole number within \[0, 1\], got '2'"
    ):
        created(workload, 2, 10.0)


def test_a_target_that_nobody_reaches_is_refused(tmp_path):
    path = tmp_path / "arrivals.csv"
    path.write_text("time_s\n1\n")
    with pytest.raises(ValueError, match=r"workload.requests must be <= the 1 times of device 0"):
        created(sim.WorkloadSpec(kind="replay", replay_csv=str(path), requests=5), 1)
    groups = {"default": sim.GroupSpec(churn=sim.ChurnSpec(leave_s=1.0))}
    with pytest.raises(ValueError, match="needs device 0, of group 'default', to stay"):
        sim.SystemSpec(
            link=sim.LinkSpec(sharing="ps"),
            fleet=sim.FleetSpec(groups=groups),
            workload=sim.WorkloadSpec(requests=3),
        )


def test_the_queue_of_mm1_has_its_mean_length_and_the_load_its_share():
    workload = sim.WorkloadSpec(kind="poisson", rate_rps=50.0)
    result = created(workload, 1, 400.0, {"default": sim.ExponentialSource(server_s=0.01)})
    assert result.value("server_queue_mean") == pytest.approx(0.5, abs=0.1)
    load = load_over_time(result.records, np.linspace(0.0, 400.0, 9))
    assert np.mean(load) == pytest.approx(result.value("server_utilization"), rel=1e-3)
    present = present_over_time(result.records, np.linspace(0.0, 400.0, 9))
    assert np.mean(present["server_waiting"]) == pytest.approx(0.5, abs=0.1)
    sums = present["server_waiting"] + present["server_present"]
    np.testing.assert_allclose(present["in_system"], sums, atol=1e-9)


def test_deadlines_are_counted():
    workload = sim.WorkloadSpec(kind="poisson", rate_rps=50.0, deadline_s=0.02)
    result = created(workload, 1, 200.0, {"default": sim.ExponentialSource(server_s=0.01)})
    assert result.value("deadline_miss_share") == pytest.approx(np.exp(-1.0), abs=0.04)


def test_a_loop_that_takes_no_time_is_refused():
    with pytest.raises(ValueError, match=r"workload.think_s must be > 0"):
        created(sim.WorkloadSpec(), source={"default": sim.ConstantSource()})


def churning(churn, **fields):
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=6, groups={"default": sim.GroupSpec(churn=churn)}),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=5.0),
        horizon_s=30.0,
        warmup_s=0.0,
        **({"link": sim.LinkSpec(sharing="ps")} | fields),
    )
    source = sim.ConstantSource(device_s=0.02, payload_bytes=60_000, server_s=0.005)
    return sim.run(spec, {"default": source})


@pytest.mark.parametrize("sharing", ["ps", "fifo", "weighted", "dedicated"])
def test_devices_that_leave_in_the_middle_of_an_upload(sharing):
    link = sim.LinkSpec(sharing=sharing, rate_bps=10e6)
    churn = sim.ChurnSpec(join_s=3.0, leave_s=10.0, back_s=20.0)
    result = churning(churn, link=link)
    born = result.records["created_s"]
    assert born.min() > 3.0
    assert not np.any((born > 10.0) & (born < 20.0))
    assert np.any(born > 20.0)
    left = result.records["outcome"] == 5.0
    assert np.sum(left) > 0
    assert np.all(result.records["done_s"][left] == 10.0)
    assert np.any(~np.isnan(result.records["device_end_s"][left]))
    assert result.failed_checks == ()


def test_devices_that_restart_at_random():
    result = churning(
        sim.ChurnSpec(mean_up_s=2.0, mean_down_s=2.0),
        link=sim.LinkSpec(sharing="ps", rate_bps=30e6),
    )
    assert np.sum(result.records["outcome"] == 5.0) > 3
    assert len(result.records["created_s"]) == pytest.approx(6 * 5 * 30 / 2, rel=0.35)
    assert result.failed_checks == ()


def test_stragglers_and_power_sheets():
    group = sim.GroupSpec(
        straggler_share=0.25,
        straggler_slowdown=4.0,
        power=sim.PowerSpec(idle_w=2.0, compute_w=3.0, transmit_w=1.0),
    )
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=100, groups={"default": group}),
        link=sim.LinkSpec(sharing="dedicated", rate_bps=8e6, header_bytes=0),
        horizon_s=40.0,
        warmup_s=0.0,
    )
    source = {"default": sim.ConstantSource(device_s=0.1, payload_bytes=1000.0)}
    result = sim.run(spec, source)
    service = result.records["device_end_s"] - result.records["device_start_s"]
    slow = result.records["device"][service > 0.3]
    assert len(np.unique(slow)) == pytest.approx(25, abs=2)
    n_done = result.value("n_requests")
    busy_j = 3.0 * np.sum(service) + 1.0 * 0.001 * n_done
    assert result.value("device_energy_j_per_request") == pytest.approx(
        (2.0 * 40.0 * 100 + busy_j) / n_done, rel=1e-6
    )
    plain = sim.run(sim.SystemSpec(link=FREE), source)
    assert np.isnan(plain.value("device_energy_j_per_request"))


def test_the_policy_switches_when_the_link_breaks_down():
    group = sim.GroupSpec(alternatives=["local"], policy="fastest")
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=1, groups={"remote": group}),
        workload=sim.WorkloadSpec(think_s=0.01),
        link=sim.LinkSpec(sharing="fifo", rate_bps=1e6, outage_at_s=[20.0], outage_length_s=5.0),
        horizon_s=40.0,
        warmup_s=0.0,
    )
    remote = sim.ConstantSource(device_s=0.01, payload_bytes=5000.0, server_s=0.001)
    local = sim.ConstantSource(device_s=0.2)
    result = sim.run(spec, {"remote": remote, "local": local})
    choice, born = result.records["choice"], result.records["created_s"]
    assert not choice[born < 19.0].any()
    assert choice[born > 26.0].all()
    with pytest.raises(ValueError, match=r"needs sources with means"):
        sim.run(spec, {"remote": sim.ExponentialSource(server_s=1.0), "local": local})


def test_a_replay_beyond_the_horizon_is_refused_and_a_part_of_it_is_said(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text("time_s\n" + "".join(f"{k}\n" for k in range(0, 200, 2)))
    load = sim.WorkloadSpec(kind="replay", replay_csv=str(path))
    source = {"default": sim.ConstantSource(server_s=0.01)}
    spec = sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), workload=load, horizon_s=59.0)
    result = sim.run(spec, source)
    assert any("30 of 100 times of" in word for word in result.warnings)
    assert len(result.records["done_s"]) == 30
    whole = sim.run(
        sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), workload=load, horizon_s=500.0), source
    )
    assert whole.warnings == ()
    path.write_text("time_s\n1000\n")
    with pytest.raises(ValueError, match=r"within horizon_s=59, the first is at 1000 s"):
        sim.run(spec, source)
    path.write_text("time_s\nsoon\n")
    with pytest.raises(ValueError, match="line 2: time_s must be a number >= 0, got 'soon'"):
        sim.run(spec, source)
