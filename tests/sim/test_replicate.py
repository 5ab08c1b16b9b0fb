import numpy as np
import pytest

import sim
from sim.replicate import settle

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


def test_workers_give_the_same_result():
    def elsewhere(tasks):
        return [task() for task in reversed(list(tasks))][::-1]

    here = sim.replicate(spec(replications=3), SOURCE)
    there = sim.replicate(spec(replications=3), SOURCE, play=elsewhere)
    assert repr(here.estimates) == repr(there.estimates)


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
        assert estimate.mean - estimate.lo == pytest.approx(estimate.hi - estimate.mean)


def test_a_law_broken_in_any_run_is_reported(monkeypatch):
    from sim import system
    from sim.measures.laws import Check

    seen = []

    def checked(*given):
        seen.append(Check(name=f"run {len(seen)}", left=0.0, right=len(seen) == 2, tolerance=0.0))
        return (seen[-1],)

    monkeypatch.setattr(system, "checks", checked)
    assert sim.replicate(spec(replications=4, horizon_s=1.0), SOURCE).failed_checks == ("run 2",)
