"""`plan` end to end, on small systems whose requests are given by hand."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.__main__ import run
from scenarios.planning.workers import playing
from sim import (
    ChurnSpec,
    ConstantSource,
    FleetSpec,
    GroupSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
)
from sim import run as sim_run
from sim.planning import Budget, Goal, Refusal, capacity
from sim.planning.forecast.bounds import bound, stability
from sim.planning.forecast.demands import demands
from sim.planning.forecast.neighbour import neighbour
from sim.planning.limits.goal import Sample
from sim.planning.limits.slo import Slo
from sim.planning.runs.levers import LEVERS
from sim.planning.search.inverse import inverse
from sim.planning.trust.finding import Trust
from sim.planning.trust.run import run_trust
from sim.theory import md1_response_quantile_s

SMALL = (
    "+experiment=batch_server", "server.discipline=fifo", "server.max_batch=1",
    "request.server_s=0.02", "request.batch_slope_s=null", "slo.p95_s=0.1", "horizon_s=60",
    "plan.requests_per_run=1500", "plan.pilot_requests=500", "plan.n_runs=5",
    "plan.half_width=0.2", "workers=1", "name=small",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_plan_says_how_many_what_binds_and_why(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *SMALL]) == 0
    said = capfd.readouterr().out
    plan = json.loads(Path("outputs/small/plan.json").read_text())
    exact = max(n for n in range(1, 25) if md1_response_quantile_s(2.0 * n, 0.02, 0.95) <= 0.1)
    assert plan["n_star_lo"] <= exact <= plan["n_star_hi"]
    assert plan["binding"] == "server"
    assert f"{plan['n_star']} devices [" in said
    assert "95 % confidence; bottleneck: the server" in said
    assert plan["requests"] > 0
    assert plan["elapsed_s"] > 0.0
    assert plan["grade"] in "ABC"
    (row,) = csv.DictReader(Path("outputs/small/plan.csv").read_text().splitlines())
    assert int(row["n_star"]) == plan["n_star"]
    page = Path("outputs/small/plan.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page.split("<details>")[0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("request.server_s=0.2", "even one device misses latency_p95_s <= 0.1"),
        ("request.server_s=1.0", "its queue grows without end at N = 1"),
        ("slo.p95_s=null", "slo must limit the latency"),
        ("slo.p95_s=-1", "slo.p95_s must be > 0, got -1"),
        ("slo.latency_s=0.1", "slo.latency_s is now slo.mean_s"),
        ("slo.ttft_p95_s=0.1", "slo.ttft_p95_s does not apply: "),
        ("slo.memory_bytes=1e6", "slo.memory_bytes cannot be checked for requests that all cost"),
        ("slo.accuracy_drop_pp=-1", "slo.accuracy_drop_pp must be >= 0, got -1"),
        ("slo.accuracy_drop_pp=1", "needs a network that answers"),
        ("slo.deadline_miss_share=0.1", "needs workload.deadline_s"),
        ("plan.spare=1", "plan.spare needs plan.n_devices"),
        ("plan.half_width=0", "half_width must be within (0, 1)"),
        ("plan.over=[link=wifi,lte]", "within brackets quote what holds = or commas"),
        ("plan.over=[workload.rate_rps=1]", "within brackets quote"),
        ("plan.over=[nosuch]", "unknown axis of plan.over 'nosuch'"),
        ("plan.over=['request.server_s=0.01,0.02']", "which the command line fixes; leave one"),
    ],
)
def test_mistakes_end_in_one_line_with_status_2(
    wrong: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *SMALL, wrong]) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert words in error[0]


def test_the_question_turned_round(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *SMALL, "plan.n_devices=30", "plan.spare=1"]) == 0
    plan = json.loads(Path("outputs/small/plan.json").read_text())
    least = {remedy["name"]: remedy for remedy in plan["remedies"]}
    speed = least["server_speed"]
    exact = next(
        x / 1000 for x in range(1210, 4000) if md1_response_quantile_s(60.0, 20.0 / x, 0.95) <= 0.1
    )
    assert speed["lo"] <= exact <= speed["hi"]
    assert least["n_gpus"]["least"] == 3  # two are enough, one is spare
    assert least["n_cells"]["least"] is None
    assert "30 devices need one of these" in capfd.readouterr().out


def test_nothing_is_enough_where_the_device_alone_is_too_slow() -> None:
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"), workload=WorkloadSpec(think_s=1.0), horizon_s=20.0
    )
    goal = Goal(column="latency_mean_s", limit=0.1)
    slow = {"default": ConstantSource(device_s=0.2, server_s=0.001)}
    with playing("test", 1) as play, pytest.raises(Refusal, match="even one device misses"):
        inverse(spec, slow, [goal], 5, budget=Budget(pilot_requests=200), play=play)


def shared() -> tuple[SystemSpec, dict[str, ConstantSource]]:
    """Closed loop over a FIFO link and a FIFO server."""
    spec = SystemSpec(
        fleet=FleetSpec(n_devices=12),
        workload=WorkloadSpec(think_s=0.1),
        link=LinkSpec(sharing="fifo", rate_bps=8e6, header_bytes=0),
        server=ServerSpec(),
        horizon_s=20.0,
        warmup_s=2.0,
    )
    return spec, {"default": ConstantSource(device_s=0.01, payload_bytes=8000, server_s=0.006)}


@pytest.mark.parametrize("lever", LEVERS, ids=lambda lever: lever.name)
def test_a_lever_never_raises_a_constant_fifo_systems_mean_latency(lever) -> None:  # type: ignore[no-untyped-def]
    spec, sources = shared()
    before = sim_run(spec, sources).value("latency_mean_s")
    after = sim_run(*lever.pull(spec, sources, 1.3)).value("latency_mean_s")
    assert after < before


@given(
    rate_rps=st.floats(0.5, 4.0), payload=st.floats(500.0, 2e4), server_s=st.floats(1e-3, 0.02),
    device_s=st.floats(1e-3, 0.05), factor=st.floats(1.05, 3.0), lever=st.sampled_from(LEVERS),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_in_fifo_systems_no_lever_lowers_the_capacity(  # type: ignore[no-untyped-def]
    rate_rps, payload, server_s, device_s, factor, lever
) -> None:
    """On common streams every request leaves earlier, so that the root cannot fall. A faster device
    may change their order: then only the sum of the latencies is sure to fall.
    """
    spec = SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=rate_rps),
        link=LinkSpec(sharing="fifo", rate_bps=8e6, frame_airtime_s=1e-4),
        horizon_s=9.0,
    )
    sources = {
        "default": ConstantSource(device_s=device_s, payload_bytes=payload, server_s=server_s)
    }
    column = "latency_mean_s" if lever.name == "device" else "latency_p95_s"
    goal = Goal(column=column, limit=0.05)
    for n in (2, 9):
        before, after = (
            np.mean(goal.excess([born_early(*system, n, r) for r in range(2)]))
            for system in ((spec, sources), lever.pull(spec, sources, factor))
        )
        assert after <= before + 1e-9


def born_early(spec, sources, n, replication) -> Sample:  # type: ignore[no-untyped-def]
    """The requests of the first 6 s of 9 s, the same ones however long they take."""
    fleet = replace(spec.fleet, n_devices=n)
    records = sim_run(replace(spec, fleet=fleet), sources, replication=replication).records
    late_s = (records["done_s"] - records["created_s"])[records["created_s"] < 6.0]
    return Sample(np.sort(late_s), float(late_s.sum()), float(late_s.size))


def test_the_bound_lies_above_what_is_served() -> None:
    spec, sources = shared()
    goal = Goal(column="latency_mean_s", limit=0.06)
    most = bound(spec, sources, [goal])
    beyond = replace(spec, fleet=FleetSpec(n_devices=int(most) + 1))
    assert sim_run(beyond, sources).value("latency_mean_s") > goal.limit


def test_the_neighbour_of_a_closed_loop_is_near_and_a_broken_law_is_grade_d() -> None:
    spec, sources = shared()
    result = sim_run(spec, sources)
    near = neighbour(spec, sources, 12)
    assert near is not None
    assert near.least_s <= result.value("latency_mean_s") <= near.latency_s
    columns = {name: each.mean for name, each in result.estimates.items()}
    assert run_trust(spec, sources, columns, result.checks).grade == "A"
    broken = tuple(replace(check, left=check.left + 1e3) for check in result.checks)
    judged: Trust = run_trust(spec, sources, columns, broken)
    assert judged.grade == "D"
    assert judged.action == "do not use it"


def test_any_quantile_is_a_goal() -> None:
    (goal,) = Slo(quantile=0.975, quantile_s=0.2).goals
    assert (goal.column, goal.probability, goal.limit) == ("latency_p975_s", 0.975, 0.2)
    with pytest.raises(ValueError, match="go together"):
        Slo(quantile=0.9)


def test_a_quantile_is_limited_once_and_lies_away_from_its_ends() -> None:
    with pytest.raises(ValueError, match=r"slo\.quantile=0\.95 is slo\.p95_s; leave one"):
        Slo(p95_s=0.1, quantile=0.95, quantile_s=0.2)
    for wild in (1e-13, 1.0 - 1e-13, 1.0, 0.0, float("nan")):
        with pytest.raises(ValueError, match=r"slo\.quantile must be within"):
            Slo(quantile=wild, quantile_s=0.2)


def test_a_queue_that_grows_slower_than_a_run_shows_is_no_service() -> None:
    """M/D/1 of 20 ms: at 25 devices of 2 requests/s the load is 1, however loose the limit is."""
    spec = SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0), link=LinkSpec(sharing="dedicated")
    )
    sources = {"default": ConstantSource(server_s=0.02)}
    assert stability(spec, sources) == 24
    budget = Budget(n_runs=4, requests_per_run=1000, pilot_requests=300, half_width=0.3)
    found = capacity(spec, sources, Goal(column="latency_p95_s", limit=1.5), budget=budget)
    assert 23 <= found.n_star <= found.n_star_hi <= found.stable == 24
    steady = replace(spec, workload=replace(spec.workload, kind="periodic"))
    assert stability(steady, sources) == 25
    for patient in (
        replace(spec, workload=replace(spec.workload, max_in_flight=1)),
        replace(spec, server=ServerSpec(queue_limit=3)),
        replace(spec, workload=WorkloadSpec()),
        replace(spec, link=LinkSpec(sharing="ps", frame_error_rate=0.1)),
    ):
        assert stability(patient, sources) == np.inf
    parted = replace(spec, fleet=FleetSpec(groups={"a": GroupSpec(), "b": GroupSpec()}))
    assert stability(parted, dict.fromkeys(("a", "b"), sources["default"])) == 24


@pytest.mark.parametrize(
    ("link", "group"),
    [
        ({"rate_bps": 8e6}, GroupSpec()),
        ({"rate_bps": 1e6}, GroupSpec(rate_bps=8e6)),
        ({"rate": "shannon", "bandwidth_hz": 8e6 / np.log2(1.0 + 10.0), "gap_db": 0.0,
          "snr_db": 10.0}, GroupSpec()),
        ({"rate": "shannon", "bandwidth_hz": 8e6 / np.log2(1.0 + 10.0), "gap_db": 0.0},
         GroupSpec(snr_db=10.0)),
    ],
)  # fmt: skip
def test_the_demand_on_a_link_is_what_the_simulator_sends_at(link, group) -> None:  # type: ignore[no-untyped-def]
    """1,000 B at 8 Mbit/s last 1 ms; 10 requests/s each: a load of 1 at 100 devices."""
    spec = SystemSpec(
        fleet=FleetSpec(groups={"all": group}),
        workload=WorkloadSpec(kind="poisson", rate_rps=10.0),
        link=LinkSpec(sharing="fifo", header_bytes=0, frame_airtime_s=0.0, rtt_s=0.0, **link),
        horizon_s=30.0,
    )
    sources = {"all": ConstantSource(payload_bytes=1000.0)}
    found = demands(spec, sources)
    assert found is not None
    assert found.link_s == pytest.approx(1e-3)
    assert sim_run(spec, sources).value("latency_mean_s") == pytest.approx(found.alone_s, rel=0.05)
    assert stability(spec, sources) == 99


def test_what_falls_with_the_load_has_no_bound() -> None:
    spec = SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0), link=LinkSpec(sharing="dedicated")
    )
    sources = {"default": ConstantSource(server_s=0.02)}
    goal = Goal(column="latency_mean_s", limit=0.5)
    assert bound(spec, sources, [goal]) == pytest.approx(25.0)
    churn = GroupSpec(churn=ChurnSpec(mean_up_s=1.0, mean_down_s=9.0))
    for other in (
        replace(spec, fleet=FleetSpec(groups={"default": churn})),
        replace(spec, server=ServerSpec(queue_limit=4)),
        replace(spec, link=LinkSpec(sharing="dedicated", frame_error_rate=0.8, max_retries=2)),
    ):
        assert bound(other, sources, [goal]) == np.inf


def test_a_mean_that_holds_by_turning_requests_away_has_a_caution(
    capfd: pytest.CaptureFixture[str],
) -> None:
    line = [*SMALL, "slo.p95_s=null", "slo.mean_s=0.05", "server.queue_limit=3"]
    assert run(["plan", *line, "plan.max_devices=200"]) in (0, 2)
    assert run(["plan", *line, "slo.mean_s=0.04"]) == 0
    plan = json.loads(Path("outputs/small/plan.json").read_text())
    (given_up,) = [each for each in plan["trust"] if each["name"] == "requests given up"]
    assert given_up["verdict"] == "caution"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan.over=['server.speed=1,2']", "slo.p95_s=0.001"], "one request alone is too slow"),
        (["request=foo"], "allowed: by_hand"),
    ],
)
def test_what_cannot_be_planned_ends_in_one_line(words, said, capfd) -> None:  # type: ignore[no-untyped-def]
    assert run(["plan", *SMALL, *words]) == 2
    printed = capfd.readouterr().err.strip().splitlines()[-1]
    assert said in printed
    assert printed.startswith("splitfleet: ")


def test_where_nothing_is_shared_no_number_is_too_large(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "cut=output"]) == 2
    assert "cut=output shares nothing" in capfd.readouterr().err


def test_a_field_of_requests_by_hand_needs_the_group(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "request.server_s=0.01"]) == 2
    assert "choose the group first, such as request=by_hand" in capfd.readouterr().err


def test_no_age_outgrows_a_run_shorter_than_its_limit() -> None:
    """Rare requests: 0.2 per device and second, so that the age is 5 s alone; limit 7 s."""
    spec = SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=0.2), link=LinkSpec(sharing="dedicated")
    )
    sources = {"default": ConstantSource(server_s=0.02)}
    budget = Budget(n_runs=4, requests_per_run=300, pilot_requests=100, half_width=0.1)
    found = capacity(spec, sources, Goal(column="freshness_s", limit=7.0), budget=budget)
    assert 240 <= found.n_star <= 250  # 250 keep the server busy all the time
    with pytest.raises(Refusal, match="even one device misses freshness_s <= 4"):
        capacity(spec, sources, Goal(column="freshness_s", limit=4.0), budget=budget)
