import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

import sim
from sim.replicate import settle
from sim.request import COLUMNS

SOURCE = {"default": sim.ExponentialSource(server_s=0.01)}


def spec(**fields):
    fields = {"horizon_s": 30.0, "warmup_s": 0.0, **fields}
    return sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated"),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=60.0),
        **fields,
    )


def test_replicates_until_the_asked_precision():
    loose = sim.replicate(spec(replications=5, precision=0.2), SOURCE)
    tight = sim.replicate(spec(replications=5, precision=0.05), SOURCE)
    estimate = tight["latency_mean_s"]
    assert 5 <= loose.n_runs < tight.n_runs < 200
    assert (estimate.hi - estimate.lo) / 2 <= 0.05 * estimate.mean
    assert estimate.lo < 0.025 < estimate.hi
    capped = sim.replicate(spec(replications=5, precision=0.001, max_replications=8), SOURCE)
    assert capped.n_runs == 8
    with pytest.raises(ValueError, match=r"precision_of must be one of .* got 'latency'"):
        sim.replicate(spec(precision=0.1, precision_of="latency"), SOURCE)


def test_mser5_cuts_a_start_that_is_not_typical():
    group = sim.GroupSpec(churn=sim.ChurnSpec(join_s=0.0, leave_s=4.0))
    late = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=12, groups={"crowd": group, "regular": sim.GroupSpec()}),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=9.0),
        link=sim.LinkSpec(sharing="dedicated"),
        warmup="mser5",
        horizon_s=60.0,
        warmup_s=0.0,
        replications=4,
    )
    sources = dict.fromkeys(("crowd", "regular"), SOURCE["default"])
    found = settle(late, sources, play=lambda tasks: [task() for task in tasks])
    assert 2.0 < found.warmup_s < 15.0
    cut, uncut = sim.run(found, sources), sim.run(late, sources)
    assert cut.value("latency_mean_s") < uncut.value("latency_mean_s")


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_workers_give_the_same_result(engine):
    """They get their tasks and send what they kept as bytes."""

    def elsewhere(tasks):
        sent = [pickle.loads(pickle.dumps(task)) for task in tasks]
        return [pickle.loads(pickle.dumps(task())) for task in reversed(sent)][::-1]

    asked = spec(replications=3, precision=0.05, engine=engine)
    here = sim.replicate(asked, SOURCE)
    there = sim.replicate(asked, SOURCE, play=elsewhere)
    assert here.n_runs == there.n_runs > 3
    assert repr(here.estimates) == repr(there.estimates)
    last = sim.run(asked, SOURCE, replication=here.n_runs - 1)
    for each in (here, there):
        assert all(
            np.array_equal(each.records[c], last.records[c], equal_nan=True) for c in COLUMNS
        )


def test_quantiles_are_those_of_all_runs_together():
    result = sim.replicate(spec(replications=4), SOURCE)
    books = [sim.run(spec(), SOURCE, replication=r).book for r in range(4)]
    for level in (50, 95, 99):
        parts = []
        for book in books:
            latency_s = book.records["done_s"] - book.records["created_s"]
            age_s = book.in_flight["done_s"] - book.in_flight["created_s"]
            older = age_s > np.quantile(latency_s, level / 100)
            parts += [latency_s, age_s[older]]
        estimate = result[f"latency_p{level}_s"]
        expected = np.quantile(np.concatenate(parts), level / 100)
        assert estimate.mean == pytest.approx(expected, rel=1e-12)
        assert estimate.lo < estimate.mean < estimate.hi
        assert latency_s.min() <= estimate.lo
        assert estimate.hi <= latency_s.max()


def test_a_law_broken_in_any_run_is_reported(monkeypatch):
    from sim import system
    from sim.measures.laws import Check

    seen = []

    def checked(*given):
        seen.append(Check(name=f"run {len(seen)}", left=0.0, right=len(seen) == 2, tolerance=0.0))
        return (seen[-1],)

    monkeypatch.setattr(system, "checks", checked)
    assert sim.replicate(spec(replications=4, horizon_s=1.0), SOURCE).failed_checks == ("run 2",)


def columns_without_ends(result):
    return {name for name, each in result.estimates.items() if math.isnan(each.lo)}


def test_runs_shorter_than_their_memory_have_no_interval_of_latency():
    """M/M/1 at load 0.95: one run remembers for longer than it lasts."""
    queue = sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated"),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=9.5),
    )
    result = sim.replicate(queue, {"default": sim.ExponentialSource(server_s=0.1)})
    assert not result.saturated
    assert any(
        word.startswith("too short for latencies: a run is worth") for word in result.warnings
    )
    assert "independent parts of itself, 6 are needed; horizon_s=" in result.warnings[-1]
    latency = result["latency_mean_s"]
    assert latency.mean > 0.3
    assert all(math.isnan(end) for end in (latency.lo, latency.hi, latency.lo_total))
    assert {"latency_p50_s", "latency_p99_s", "server_wait_s"} <= columns_without_ends(result)


def test_what_is_too_short_for_the_tail_alone_keeps_its_mean():
    short = sim.replicate(spec(replications=4, horizon_s=8.0), SOURCE)
    (said,) = short.warnings
    assert said.startswith("too short for latency_p99_s, latency_p999_s: the runs hold about")
    assert "8 are needed; horizon_s=" in said
    assert not math.isnan(short["latency_mean_s"].lo)
    assert math.isnan(short["latency_p99_s"].lo_total)
    long = sim.replicate(spec(horizon_s=60.0), SOURCE)
    assert long.warnings == ()
    assert not math.isnan(long["latency_p99_s"].lo)


def test_the_advice_is_followed_with_success():
    said = sim.replicate(spec(horizon_s=4.0, seed=3), SOURCE).warnings[-1]
    horizon_s = float(said.split("horizon_s=")[1].split(" ")[0])
    longer = sim.replicate(spec(horizon_s=horizon_s, seed=3), SOURCE)
    assert 8.0 < horizon_s < 60.0
    assert not math.isnan(longer["latency_p99_s"].lo)


def test_a_system_without_randomness_is_never_too_short():
    cycle = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=70),
        workload=sim.WorkloadSpec(kind="closed", think_s=0.5, think="constant"),
        link=sim.LinkSpec(sharing="dedicated"),
        replications=3,
    )
    result = sim.replicate(cycle, {"default": sim.ConstantSource(server_s=0.01)})
    assert result.warnings == ()
    for name in ("latency_mean_s", "latency_p99_s", "latency_p999_s", "throughput_rps"):
        estimate = result[name]
        assert estimate.lo == pytest.approx(estimate.hi, rel=1e-9)


def test_cameras_with_phases_of_their_own_are_not_too_short():
    """Every run repeats one pattern: batches of a run are alike, and runs are independent."""
    cameras = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=12),
        workload=sim.WorkloadSpec(kind="periodic", rate_rps=2.0),
        link=sim.LinkSpec(sharing="dedicated"),
        horizon_s=30.0,
    )
    result = sim.replicate(cameras, {"default": sim.ConstantSource(server_s=0.03)})
    assert not any("too short for latencies" in word for word in result.warnings)
    assert not math.isnan(result["latency_mean_s"].lo)


def test_an_event_that_all_runs_share_is_no_memory():
    """A failure at 20 s makes neighbouring batches alike in every run, and the runs, too."""
    failing = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=10),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=2.0),
        link=sim.LinkSpec(sharing="dedicated"),
        server=sim.ServerSpec(fail_at_s=(20.0,), repair_s=5.0),
    )
    result = sim.replicate(failing, {"default": sim.ExponentialSource(server_s=0.02)})
    assert not any(word.startswith("too short") for word in result.warnings)
    assert not math.isnan(result["latency_mean_s"].lo)


def test_a_loop_that_has_stopped_is_not_asked_to_run_longer():
    stopping = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2),
        workload=sim.WorkloadSpec(kind="closed", think_s=0.1),
        link=sim.LinkSpec(sharing="dedicated"),
        server=sim.ServerSpec(fail_at_s=(10.0,), repair_s=1e9),
        replications=3,
    )
    result = sim.replicate(stopping, {"default": sim.ExponentialSource(server_s=0.02)})
    (said,) = result.warnings
    assert said.startswith("stopped")
    assert not math.isnan(result["throughput_rps"].lo)


def test_a_terminating_run_is_no_part_of_a_longer_one():
    ending = sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated"),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=95.0, requests=200),
    )
    result = sim.replicate(ending, SOURCE)
    assert not math.isnan(result["latency_mean_s"].lo)
    (said,) = result.warnings
    assert said.startswith("too short for latency_p")
    assert "horizon_s" not in said
    assert "needed; replications=" in said


def test_no_interval_leaves_what_its_column_can_be():
    """A rare share, a queue that is mostly empty and an accuracy close to 1."""
    rare = spec(replications=4, horizon_s=2.0)
    rare = replace(rare, workload=replace(rare.workload, deadline_s=0.09))
    result = sim.replicate(rare, SOURCE)
    shares = ("deadline_miss_share", "dropped_share", "server_utilization", "accuracy")
    for name, estimate in result.estimates.items():
        assert not estimate.lo < 0.0, name
        assert not estimate.lo_total < 0.0, name
        assert not (name in shares and max(estimate.hi, estimate.hi_total) > 1.0), name


def test_an_interval_keeps_within_bounds():
    from sim.measures.intervals import bound
    from sim.statistics import Interval

    assert bound("accuracy", Interval(0.9, 0.7, 1.1), 0.8) == (0.9, 0.7, 1.0)
    assert bound("latency_mean_s", Interval(0.9, -0.7, 1.1), 0.0) == (0.9, 0.0, 1.1)
    assert bound("drift", Interval(-0.9, -1.7, 0.1), -1.0) == (-0.9, -1.7, 0.1)
    assert math.isnan(bound("drop_share", Interval(0.0, math.nan, math.nan), 0.0).hi)
