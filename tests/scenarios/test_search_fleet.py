"""The comparison of fleets: what is chosen, what is told, and that it is all of it."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sim
from profiles.tables.hardware import ServerSpec, parse
from scenarios.__main__ import run
from scenarios.figures import search_fleet
from scenarios.searching import contest
from scenarios.searching.fleets import FLEETS, Fleet
from scenarios.searching.options import tables
from scenarios.systems.scenario import Link
from scenarios.systems.sheets import read
from sim import AdaptSpec
from sim.planning import Budget, guess
from sim.search import Predictor

ROUGH = Budget(
    half_width=0.3, n_runs=3, max_runs=6, requests_per_run=300, pilot_requests=200,
)  # fmt: skip


def plan(name, **changes):
    fields = {
        "fleet": FLEETS[name], "link": Link(rate_bps=8.6e6, sharing="ps", rtt_s=2e-3),
        "known": tables(FLEETS[name].model), "drop_pp": 3.0, "reserve": 0.2,
        "adapt": AdaptSpec(), "budget": ROUGH, "seed": 0,
    }  # fmt: skip
    return contest.Plan(**{**fields, **changes})


def test_the_eight_fleets_are_those_of_the_question():
    assert list(FLEETS) == [
        "light link", "tight link", "slow devices", "fast devices", "mixed fleet",
        "bursty cameras", "autoregressive", "weak server",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["tight link", "mixed fleet"])
def test_a_device_alone_takes_the_least_server_time_within_its_reserve(name):
    """Against every option tried one by one."""
    case = plan(name)
    problem = contest.whole(case, 1, 0.8 * case.fleet.limit_s)
    for number, row in enumerate(contest.choose(case, "own")):
        alone = problem.of_group(number, 1)
        found = Predictor(alone).predict(np.arange(len(alone.groups[0].options))[:, None])
        assert found.feasible[row]
        assert found.server_s[row] == pytest.approx(found.server_s[found.feasible].min())


def test_nobody_answers_without_the_server():
    for name in FLEETS:
        case = plan(name)
        for options in case.options.values():
            assert "output" not in {label.cut for label in options.labels}


def test_a_proposal_is_feasible_where_it_is_made_and_at_fewer_devices():
    case = plan("tight link")
    rows = contest._largest(case, 1.0)
    assert rows is not None
    for n_devices in (1, 8):
        problem = contest.whole(case, n_devices, case.fleet.limit_s)
        assert Predictor(problem).predict(np.array([rows])).feasible[0]


def test_the_group_adapts_among_the_options_that_may_be_best():
    case = plan("mixed fleet")
    rows = contest.choose(case, "own")
    problem = contest.whole(case, 1, case.fleet.limit_s)
    free = contest.choosing(case, problem, rows, online=True)
    for group in free.spec.fleet.groups.values():
        assert group.policy == "search"
        assert 1 <= len(group.alternatives) < 30
        assert {group.source, *group.alternatives} <= set(free.sources)
    fixed = contest.choosing(case, problem, rows, online=False)
    assert {group.policy for group in fixed.spec.fleet.groups.values()} == {"fixed"}
    assert len(fixed.sources) == len(fixed.spec.fleet.groups)


def test_a_fleet_of_sessions_is_looked_for_where_whole_sessions_fill_the_server():
    """By the prompt alone it was from 657 devices downwards, each run drowned: nothing finished."""
    case = plan("autoregressive")
    problem = contest.whole(case, 1, case.fleet.limit_s)
    chosen = contest.choosing(case, problem, contest.choose(case, "own"), online=False)
    spec, sources = chosen.spec, chosen.sources
    knee = guess(spec, sources)
    busy = []
    for n_devices in (knee // 2, 2 * knee):
        fleet = replace(spec.fleet, n_devices=n_devices)
        found = sim.run(replace(spec, fleet=fleet, warmup_s=2.0, horizon_s=6.0), sources)
        busy.append(found.value("server_utilization"))
    assert busy[0] < 0.8 < 0.98 < busy[1]


def test_the_ratio_is_that_of_the_devices_and_its_ends_are_the_worst():
    fleet = {"method": "fleet", "n_star": 120, "n_star_lo": 110, "n_star_hi": 130}
    own = {"method": "own", "n_star": 100, "n_star_lo": 90, "n_star_hi": 105}
    (row, _) = search_fleet._compare([{"scenario": "x", "arms": [own, fleet]}])
    assert row["fleet_over_this"] == pytest.approx(1.2)
    assert row["fleet_over_this_lo"] == pytest.approx(110 / 105)
    assert row["fleet_over_this_hi"] == pytest.approx(130 / 90)
    none = {"method": "own", "n_star": 0, "n_star_lo": 0, "n_star_hi": 0}
    assert "fleet_over_this" not in search_fleet._compare([{"arms": [none, fleet]}])[0]


def test_the_command_tells_every_way_to_choose(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    rough = [f"budget.{key}={getattr(ROUGH, key)}" for key in vars(ROUGH) if key in (
        "half_width", "n_runs", "max_runs", "requests_per_run", "pilot_requests")]  # fmt: skip
    assert run(["search_fleet", 'fleets=["weak server"]', "workers=1", *rough]) == 0
    with Path("outputs/search_fleet/results.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert tuple(rows) == contest.ARMS
    for row in rows.values():
        assert int(row["n_star_lo"]) <= int(row["n_star"]) <= int(row["n_star_hi"])
        assert row["decision"]
    told = capfd.readouterr().out
    assert "Against the best of the others the fleet search" in told
    assert "of 1 fleets" in told
    assert run(["search_fleet", 'fleets=["heavy link"]']) == 2
    assert "unknown fleet 'heavy link'" in capfd.readouterr().err


def test_a_fleet_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"fleet\.limit_s must be > 0, got 0"):
        Fleet(devices={"raspberry_pi_4": 1}, limit_s=0)
    with pytest.raises(ValueError, match=r"fleet\.devices must have shares > 0, got \{\}"):
        Fleet(devices={}, limit_s=1.0)
    assert parse(ServerSpec, read("server", "xeon")).name == "xeon"
