"""`plan.over` and `plan -m`: what is spanned, what is compared, what is refused."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from scenarios.__main__ import run
from scenarios.planning import choice
from scenarios.planning.candidate import Candidate, candidate, front, label, unknown_row
from scenarios.planning.choice import choose
from scenarios.planning.workers import playing
from scenarios.systems.case import Case
from scenarios.systems.measured import Drop
from sim import (
    ConstantSource,
    FleetSpec,
    GroupSpec,
    LinkSpec,
    PowerSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
)
from sim.planning import Budget, Goal
from sim.planning.limits.budget import Missed, Refusal

P95 = Goal(column="latency_p95_s", limit=0.1)
NAMES = {
    "model": "-", "cut": "stage1", "codec": "ecsq", "device": "-", "link": "-", "server": "-",
}  # fmt: skip
ABOUT = {"labels": NAMES, "identity": None, "digests": {}}
SMALL = (
    "plan", "+experiment=batch_server", "plan.requests_per_run=600", "plan.pilot_requests=300",
    "plan.n_runs=4", "plan.half_width=0.3", "workers=1", "name=small",
)  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def system(server_s: float, device_s: float = 0.0, drop_pp: float | None = 0.0) -> Candidate:
    """Devices of 2 requests/s before a FIFO server; its bound is 1 / (2 server_s)."""
    power = PowerSpec(idle_w=1.0, compute_w=2.0, transmit_w=0.0)
    spec = SystemSpec(
        fleet=FleetSpec(groups={"all": GroupSpec(power=power)}),
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0),
        link=LinkSpec(sharing="dedicated"),
    )
    source = ConstantSource(device_s=device_s, server_s=server_s)
    drop = None if drop_pp is None else Drop(mean=0.0, lo=0.0, hi=drop_pp)
    one = Case(**ABOUT, spec=spec, sources={"all": source}, drop=drop)
    return candidate({"codec": f"of {server_s}"}, one, [P95])


def chosen(
    candidates: list[Candidate], limit_pp: float = math.inf, budget: Budget | None = None
) -> Candidate:
    def check(asked: Case) -> None:
        if asked.drop is not None and asked.drop.hi > limit_pp:
            raise Missed("loses too much")

    with playing("test", 1) as play:
        best, requests = choose(candidates, [P95], check, budget=budget or Budget(), play=play)
    assert requests >= sum(each.found.requests for each in candidates if each.found)
    return best


def test_what_serves_fewer_but_loses_less_is_searched_too() -> None:
    """The second has the same cut, serves half as many and is more accurate: it is on the front;
    the third is as good as the first in nothing.
    """
    best, exact, worse = system(0.01, drop_pp=1.0), system(0.02), system(0.02, drop_pp=1.0)
    assert chosen([best, exact, worse]) is best
    assert {id(best), id(exact)} == front([best, exact, worse])
    assert worse.found is None
    assert worse.fate.startswith(("its bound lies", "fails at"))
    assert worse.n_most < best.n_most


def test_the_winner_is_among_those_that_keep_their_answers() -> None:
    fast, exact = system(0.01, drop_pp=2.0), system(0.02)
    assert chosen([fast, exact], limit_pp=1.0) is exact
    assert fast.fate == "loses too much"
    assert fast.row(front=False)["n_at_most"] == 0


def test_searches_that_all_need_more_than_a_short_one_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within the requests that the command may spend, or else its own refusal says so."""
    monkeypatch.setattr(choice, "_SHORT_REQUESTS", 3000.0)
    best = chosen([system(0.01), system(0.02)])
    assert best.values["codec"] == "of 0.01"
    assert best.fate == "searched"
    assert not best.failed
    with pytest.raises(Refusal, match="the budget of 4000 requests ended the search"):
        chosen([system(0.01), system(0.02)], budget=Budget(max_requests=4000.0))


def test_costs_that_are_not_known_are_not_compared() -> None:
    known, unknown = system(0.01), system(0.01, drop_pp=None)
    assert math.isnan(unknown.costs[0])
    assert not known.cheaper(unknown)
    assert not unknown.cheaper(known)
    assert unknown.cheaper(replace(unknown))
    assert unknown.row(front=False)["accuracy_drop_pp_hi"] is None


def test_energy_is_that_of_every_group_by_its_requests() -> None:
    """A third of the devices asks twice as often as the others: half of all requests."""

    def group(share: float, rate_rps: float, watts: float, slow: float) -> GroupSpec:
        return GroupSpec(
            share=share, slowdown=slow, power=PowerSpec(idle_w=0, compute_w=watts, transmit_w=0),
            workload=WorkloadSpec(kind="poisson", rate_rps=rate_rps),
        )  # fmt: skip

    groups = {"a": group(2.0, 1.0, 3.0, 1.0), "b": group(1.0, 2.0, 10.0, 2.0)}
    spec = SystemSpec(fleet=FleetSpec(groups=groups), link=LinkSpec(sharing="dedicated"))
    sources = dict.fromkeys("ab", ConstantSource(device_s=0.01, server_s=0.001))
    mixed = Case(**ABOUT, spec=spec, sources=sources)
    one = candidate({}, mixed, [P95])
    assert one.device_s == pytest.approx(0.015)
    assert one.energy_j == pytest.approx(0.5 * 3.0 * 0.01 + 0.5 * 10.0 * 0.02)
    dark = {**groups, "b": replace(groups["b"], power=None)}
    spec = replace(spec, fleet=FleetSpec(groups=dark))
    assert math.isnan(candidate({}, replace(mixed, spec=spec), [P95]).energy_j)


def test_open_groups_bound_what_closed_ones_may_stand_beside_them() -> None:
    """Every other device asks for 0.02 of the server, whatever the loops between them leave it."""
    groups = {
        "closed": GroupSpec(workload=WorkloadSpec(think_s=0.1)),
        "open": GroupSpec(workload=WorkloadSpec(kind="poisson", rate_rps=2.0)),
    }
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"), fleet=FleetSpec(groups=groups), server=ServerSpec()
    )
    sources = dict.fromkeys(groups, ConstantSource(server_s=0.01))
    mixed = Case(**ABOUT, spec=spec, sources=sources)
    assert candidate({}, mixed, [P95]).bound == pytest.approx(100.0)


def test_a_label_says_what_was_chosen() -> None:
    values = {"cut": "stage3", "server.max_batch": 8, "server.speed": 2.0, "link": "wifi"}
    assert label(values) == "stage3 batch 8 speed 2.0 wifi"
    row = unknown_row(values, "not traced")
    assert (row["cut"], row["max_batch"], row["server.speed"]) == ("stage3", "8", 2.0)
    assert (row["n_star"], row["failed"], row["fate"]) == (None, None, "not traced")


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ("slo.p95_s=0.1,0.2", "slo.p95_s changes no system"),
        ("fleet.n_devices=1,2", "fleet.n_devices changes no system"),
        ("seed=1,2", "seed changes no system"),
        ("plan.max_runs=50,60", "plan.max_runs changes no system"),
        ("cut=stage1,stage2", "cut changes nothing with request by hand"),
        ("server.max_batch=0,8", "server.max_batch=0: server.max_batch must be >= 1"),
        ("server.mx_batch=8", "nearest: server.max_batch"),
    ],
)
def test_axes_without_sense_are_refused(
    over: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*SMALL, f"plan.over=['{over}']"]) == 2
    printed = capfd.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err


def test_many_plans_of_one_command_are_rows_and_folders(capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*SMALL, "-m", "slo.p95_s=0.04,0.06,0.001"]) == 1
    rows = list(csv.DictReader(Path("outputs/small/results.csv").read_text().splitlines()))
    assert [row["limit"] for row in rows] == ["0.04", "0.06", ""]
    assert int(rows[0]["n_star"]) < int(rows[1]["n_star"])
    assert "even one device misses" in rows[2]["error"]
    for row in rows[:2]:
        plan = json.loads((Path(row["folder"]) / "plan.json").read_text())
        assert plan["n_star"] == int(row["n_star"])
        assert (Path(row["folder"]) / "plan.html").exists()
    printed = capfd.readouterr()
    assert printed.out.count("bottleneck") == 2
    assert "even one device misses" in printed.err


def test_every_system_has_a_line_that_tells_it_from_the_others() -> None:
    axes = "plan.over=['server.speed=1,2','server.max_batch=8,32']"
    assert run([*SMALL, axes, "slo.p95_s=0.03", "plan.requests_per_run=1500"]) == 0
    plan = json.loads(Path("outputs/small/plan.json").read_text())
    labels = [row["label"] for row in plan["choice"]]
    assert sorted(labels) == [
        "speed 1 batch 32", "speed 1 batch 8", "speed 2 batch 32", "speed 2 batch 8",
    ]  # fmt: skip
    best = plan["choice"][0]
    assert (best["label"], best["pareto"]) == ("speed 2 batch 32", True)
    assert best["n_star"] == plan["n_star"]
    assert best["n_star_lo"] == plan["n_star_lo"]
