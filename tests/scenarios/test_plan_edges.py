"""What a planner meets at its edges: figures that fall, two regimes, outages, unlike fleets."""

import json
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from scenarios.__main__ import run
from scenarios.planning import screen
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
from sim.planning import Budget, Capacity, Goal, Refusal, capacity
from sim.planning.forecast.bounds import bound, stability
from sim.planning.limits.budget import Missed
from sim.planning.runs.levers import wider_channel
from sim.planning.runs.probe import play_in_turn
from sim.planning.search.regimes import Look, Regimes, interval
from sim.planning.trust.choice import find_better_split
from sim.planning.trust.plan import judge_choice, judge_regimes

P95 = Goal(column="latency_p95_s", limit=0.1)
OPEN = WorkloadSpec(kind="poisson", rate_rps=2.0)
FREE = LinkSpec(sharing="dedicated")
QUICK = Budget(n_runs=5, requests_per_run=900, pilot_requests=500, half_width=0.1)
BATCHES = ConstantSource(server_s=0.005, batch_slope_s=0.001)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def timed(seed: int = 0, wait_s: float = 0.2) -> SystemSpec:
    """Batches of eight that wait 0.2 s to be full: few devices wait longest."""
    return SystemSpec(
        workload=OPEN,
        link=FREE,
        server=ServerSpec(discipline="dynamic", max_batch=8, max_wait_s=wait_s),
        seed=seed,
    )


def value(spec: SystemSpec, sources: dict[str, ConstantSource], n: int, goal: Goal) -> float:
    """The figure of one long run of its own, at n devices."""
    fleet = replace(spec.fleet, n_devices=n)
    result = sim_run(replace(spec, fleet=fleet, seed=spec.seed + 1000), sources)
    return goal.figure([goal.sample(result)])


def test_a_figure_that_falls_before_it_rises_has_a_least_number_too() -> None:
    sources = {"default": BATCHES}
    found = capacity(timed(), sources, P95, budget=QUICK)
    least = found.least
    assert least is not None
    assert least.lo <= least.n <= least.hi < found.n_star_lo <= found.n_star <= found.n_star_hi
    long = replace(timed(), horizon_s=70.0, warmup_s=10.0)
    figures = [
        value(long, sources, n, P95) for n in (1, 30, least.hi + 3, 150, found.n_star_lo - 8)
    ]
    assert all(figure > P95.limit for figure in figures[:2])
    assert all(figure <= P95.limit for figure in figures[2:])


def test_what_never_holds_is_refused_with_its_true_latency() -> None:
    """0.0135 s alone, far beyond 20 times the limit, at which an excess is cut off."""
    spec = SystemSpec(workload=OPEN, link=FREE)
    goal = Goal(column="latency_p95_s", limit=0.0001)
    sources = {"default": ConstantSource(device_s=0.0115, server_s=0.002)}
    with pytest.raises(Refusal, match=r"misses latency_p95_s <= 0.0001: 0.0135 at N = 1"):
        capacity(spec, sources, goal, budget=QUICK)


def test_a_curve_far_above_its_limit_is_drawn_where_it_is() -> None:
    found = capacity(timed(wait_s=0.01), {"default": BATCHES}, P95, budget=QUICK)
    assert found.least is None
    for n, each in zip(found.points, found.curve, strict=True):
        assert each.lo <= each.mean <= each.hi, n


def test_what_lies_on_both_sides_is_on_the_screen_and_in_the_files(
    capfd: pytest.CaptureFixture[str],
) -> None:
    line = [
        "plan", "request=by_hand", "request.server_s=0.005", "request.batch_slope_s=0.001",
        "workload=poisson", "workload.rate_rps=2", "link=ideal", "server.discipline=dynamic",
        "server.max_batch=8", "server.max_wait_s=0.2", "slo.p95_s=0.1", "plan.n_runs=5",
        "plan.requests_per_run=1000", "plan.pilot_requests=500", "plan.half_width=0.1",
        "workers=1", "name=falling",
    ]  # fmt: skip
    assert run(line) == 0
    said = capfd.readouterr().out
    plan = json.loads(Path("outputs/falling/plan.json").read_text())
    assert 1 < plan["n_least_lo"] <= plan["n_least"] <= plan["n_least_hi"] < plan["n_star_lo"]
    assert said.startswith(
        f"from {plan['n_least']} [{plan['n_least_lo']}, {plan['n_least_hi']}] to"
    )
    assert "fewer devices miss it, too" in said
    assert len(plan["least_curve"]) >= 3


# Two regimes: loops over a medium whose contention eats what is contended for.

SLOW = Goal(column="latency_p95_s", limit=0.5)
AIR = {"default": ConstantSource(payload_bytes=5000.0, server_s=1e-6)}
REGIMES = Budget(requests_per_run=2500, pilot_requests=1500, half_width=0.02)


def contended(seed: int, think_s: float = 4.0) -> SystemSpec:
    """Devices that think, 5 ms of air each: they either mostly think or mostly wait."""
    return SystemSpec(
        workload=WorkloadSpec(think_s=think_s),
        link=LinkSpec(
            sharing="wifi", contention="bianchi", rate_bps=8e6, mtu_bytes=5000, header_bytes=0,
            frame_airtime_s=1e-5,
        ),
        seed=seed,
    )  # fmt: skip


def hold_longer(found: Capacity, sources: dict[str, ConstantSource], goal: Goal) -> bool:
    """Whether the safe N holds in another run, ten times longer."""
    spec = found.spec
    length_s = 10.0 * (spec.horizon_s - spec.warmup_s)
    longer = replace(spec, horizon_s=spec.warmup_s + length_s)
    return value(longer, sources, found.n_star, goal) <= goal.limit


@pytest.mark.slow
def test_of_two_regimes_the_safe_number_leads() -> None:
    found = capacity(contended(1), AIR, SLOW, budget=REGIMES)
    assert found.regimes is not None
    assert found.regimes.n_safe == found.n_star
    assert found.n_star_lo <= found.n_star <= found.n_star_hi < found.regimes.above
    assert found.regimes.fallen >= 1
    assert hold_longer(found, AIR, SLOW)


SEEN = Regimes(
    n_safe=520, lo=490, hi=533, n_runs=32, longer=10.0, above=534, fallen=3, looked_at=12
)


def test_two_regimes_are_said_first_and_graded_d() -> None:
    found = {
        "n_star": 520, "n_star_lo_total": 490, "n_star_hi_total": 533, "n_least": 1,
        "confidence": 0.95,
        "binding": "server", "binds_surely": False, "words": "loops", "two_regimes": asdict(SEEN),
        "gains": [{"name": "server", "words": "the server"}],
    }  # fmt: skip
    said = screen.headline(found)
    assert said.startswith("520 devices [490, 533] at 95 % confidence, the most at which no run")
    finding = judge_regimes(3, SEEN)
    assert finding.verdict == "bad"
    assert "with 520 devices none of 32 runs, 10 times as long, collapsed" in finding.words
    assert "with 534 devices 3 of 12 runs fell into a regime" in finding.words
    assert judge_regimes(3, None).verdict == "caution"
    assert judge_regimes(0, None).verdict == "good"


def test_runs_that_never_collapse_bound_the_safe_number_from_below() -> None:
    looks = [Look(100, 1.0, 8, 0), Look(108, 1.0, 8, 8), Look(104, 1.0, 8, 0)]
    lo, hi = interval(looks, 104, 108, 0.95)
    assert 98 <= lo <= 104 <= hi <= 107
    wide = interval([Look(100, 0.1, 4, 0), Look(108, 0.1, 4, 1)], 100, 108, 0.95)
    assert wide[0] < lo


def test_a_rare_collapse_puts_the_interval_where_one_in_twenty_falls() -> None:
    """Runs drawn from the law itself, at a rate of exp((N - 500) / 8) a run."""
    generator = np.random.default_rng(4)
    exact, held = 500 + 8 * np.log(-np.log1p(-0.05)), 0
    for _ in range(40):
        looks = []
        for n in (440, 460, 470, 480, 490, 500):
            share = -np.expm1(-np.exp((n - 500) / 8.0))
            looks.append(Look(n, 1.0, 8, int(generator.binomial(8, share))))
        fallen = [look.n for look in looks if look.fallen]
        above = min(fallen)
        lo, hi = interval(looks, max(n for n in range(430, above, 10)), above, 0.95)
        held += lo <= exact <= hi or hi == above - 1
    assert held >= 36


# Outages never help.

CALM = SystemSpec(workload=OPEN, link=FREE, horizon_s=40.0, warmup_s=4.0)


@cache
def quiet_capacity(goal: Goal) -> Capacity:
    """N* of the system without outages."""
    return capacity(CALM, {"default": ConstantSource(server_s=0.02)}, goal, budget=QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_no_outage_makes_a_quantile_hold_for_more(seed: int) -> None:
    sources = {"default": ConstantSource(server_s=0.02)}
    silent = replace(FREE, outage_at_s=[30.0], outage_length_s=9.9)
    spec = replace(CALM, seed=seed)
    without = capacity(spec, sources, P95, budget=QUICK)
    try:
        found = capacity(replace(spec, link=silent), sources, P95, budget=QUICK)
    except Missed:
        return
    assert found.n_star <= without.n_star


@pytest.mark.parametrize(
    "fault",
    [
        {"link": replace(FREE, outage_at_s=[20.0], outage_length_s=2.0)},
        {"link": replace(FREE, outage_at_s=[38.0], outage_length_s=2.0)},
        {"server": ServerSpec(fail_at_s=[15.0, 25.0], repair_s=0.5, on_failure="lose")},
        {"server": ServerSpec(mean_up_s=5.0, repair_s=0.1, on_failure="lose")},
        {"fleet": FleetSpec(groups={"default": GroupSpec(churn=ChurnSpec(leave_s=20.0))})},
    ],
    ids=["outage", "outage at the end", "failures", "random failures", "leaving"],
)
def test_no_outage_within_a_run_makes_more_devices_served(fault: dict[str, object]) -> None:
    """With a loose limit a short run does not show how a queue grows, and a failure empties it."""
    sources = {"default": ConstantSource(server_s=0.02)}
    goal = Goal(column="latency_mean_s", limit=0.2)
    without = quiet_capacity(goal)
    try:
        found = capacity(replace(CALM, **fault), sources, goal, budget=QUICK)  # type: ignore[arg-type]
    except Missed:
        return
    assert found.n_star <= without.n_star
    assert found.n_star_hi <= without.n_star_hi


# Fleets of unlike groups.


def fleet(**groups: GroupSpec) -> SystemSpec:
    return SystemSpec(fleet=FleetSpec(groups=groups), link=FREE)


def test_unlike_open_groups_have_the_number_at_which_their_loads_sum_to_one() -> None:
    """Three in four cameras of 4 rps and 5 ms, one in four sensors of 1 rps and 20 ms."""
    camera = GroupSpec(share=3.0, workload=WorkloadSpec(kind="poisson", rate_rps=4.0))
    sensor = GroupSpec(share=1.0, workload=WorkloadSpec(kind="gamma", rate_rps=1.0))
    spec = fleet(camera=camera, sensor=sensor)
    sources = {"camera": ConstantSource(server_s=0.005), "sensor": ConstantSource(server_s=0.02)}
    assert stability(spec, sources) == 49
    assert bound(spec, sources, [P95]) == pytest.approx(50.0)
    found = capacity(spec, sources, Goal(column="latency_p95_s", limit=0.2), budget=QUICK)
    assert 40 <= found.n_star <= 49


def test_members_are_counted_one_by_one() -> None:
    """Four cameras of 0.2 fill it: beside them only sensors that cost nothing."""
    camera = GroupSpec(workload=WorkloadSpec(kind="poisson", rate_rps=20.0))
    spec = fleet(camera=camera, sensor=GroupSpec(workload=OPEN))
    sources = {"camera": ConstantSource(server_s=0.01), "sensor": ConstantSource(device_s=0.01)}
    most = int(stability(spec, sources))
    for n, stable in ((most, True), (most + 1, False)):
        alone = replace(spec, fleet=replace(spec.fleet, n_devices=n), horizon_s=60.0)
        rate = sim_run(alone, sources).value("throughput_rps_camera")
        assert (rate < 95.0) == stable


def test_loops_and_what_gives_up_add_nothing_that_must_grow() -> None:
    open_group = GroupSpec(workload=OPEN)
    loop = GroupSpec(workload=WorkloadSpec(think_s=0.01))
    patient = GroupSpec(workload=replace(OPEN, max_in_flight=2))
    source = ConstantSource(server_s=0.02)
    assert stability(fleet(a=open_group), {"a": source}) == 24
    for other in (loop, patient):
        mixed = fleet(a=open_group, b=other)
        assert 46 <= stability(mixed, {"a": source, "b": source}) <= 50
        alone = fleet(b=other)
        assert stability(alone, {"b": source}) == np.inf


# Questions that have no answer, and a lever that exists.

BY_HAND = (
    "plan", "request=by_hand", "request.server_s=0.02", "workload=poisson", "workload.rate_rps=2",
    "slo.p95_s=0.1", "plan.requests_per_run=600", "plan.pilot_requests=300", "plan.n_runs=4",
    "plan.half_width=0.3", "workers=1", "name=edge",
)  # fmt: skip


def test_recorded_times_do_not_grow_with_the_devices(capfd: pytest.CaptureFixture[str]) -> None:
    Path("times.csv").write_text("time_s\n0.1\n0.2\n")
    line = [*BY_HAND, "workload.kind=replay", "workload.replay_csv=times.csv"]
    assert run(line) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert "workload.kind must not be replay" in error[0]


def test_where_a_choice_shares_nothing_a_sentence_says_so() -> None:
    group = GroupSpec(source="far", alternatives=["here"], policy="fastest")
    spec = SystemSpec(fleet=FleetSpec(groups={"all": group}), workload=OPEN, link=FREE)
    far = ConstantSource(payload_bytes=1000.0, server_s=0.02)
    sources = {"all": far, "far": far, "here": ConstantSource(device_s=0.001)}
    with pytest.raises(Refusal, match="no number of them is too large"):
        capacity(spec, sources, P95, budget=replace(QUICK, max_devices=100))


@pytest.mark.parametrize("fading", ["none", "rayleigh"])
def test_the_uplinks_lever_scales_the_rates_of_schemes(fading: str) -> None:
    spec = SystemSpec(
        link=LinkSpec(sharing="fifo", rate="mcs", fading=fading, coherence_s=10.0), horizon_s=30.0
    )
    sources = {"default": ConstantSource(payload_bytes=20_000.0, server_s=1e-6)}
    before = sim_run(spec, sources).value("airtime_s_per_request")
    after = sim_run(*wider_channel(spec, sources, 2.0)).value("airtime_s_per_request")
    assert after == pytest.approx(0.5 * before, rel=0.02)


def test_a_plan_over_the_schemes_of_802_11_pulls_its_lever(
    capfd: pytest.CaptureFixture[str],
) -> None:
    line = [*BY_HAND, "link.sharing=fifo", "link.rate=mcs", "request.payload_bytes=30000"]
    assert run([*line, "request.server_s=0.001"]) == 0
    plan = json.loads(Path("outputs/edge/plan.json").read_text())
    gains = {gain["name"]: gain["devices"] for gain in plan["gains"]}
    assert gains["uplink"] > 0.0


def test_devices_that_choose_for_themselves_may_serve_fewer_than_a_fixed_split() -> None:
    """All take the 10 ms at the server that are fastest for each; 2 ms would serve five times more,
    after 15 ms of their own.
    """
    group = GroupSpec(source="far", alternatives=["mid"], policy="fastest")
    spec = SystemSpec(fleet=FleetSpec(groups={"all": group}), workload=OPEN, link=FREE)
    sources = {
        "far": ConstantSource(payload_bytes=1000.0, server_s=0.01),
        "mid": ConstantSource(payload_bytes=1000.0, server_s=0.002, device_s=0.015),
    }
    found = capacity(spec, sources, P95, budget=QUICK)
    better = find_better_split(found, sources, [P95], play=play_in_turn)
    assert better is not None
    name, n = better
    assert name == "mid"
    assert n > found.n_star_hi
    (caution,) = judge_choice(better)
    assert caution.verdict == "caution"
    assert f"where all keep to mid, {n} devices" in caution.words
    alone = replace(found.spec, fleet=FleetSpec(groups={"all": GroupSpec(source="mid")}))
    assert value(alone, sources, n, P95) <= P95.limit
    fixed = replace(found, spec=alone)
    assert find_better_split(fixed, sources, [P95], play=play_in_turn) is None
