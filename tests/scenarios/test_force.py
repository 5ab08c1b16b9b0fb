"""Impossible work is refused before it begins, in one line, and played where someone insists."""

import csv
from pathlib import Path

import pytest

import splitfleet as sf
from scenarios.__main__ import run
from scenarios.commands.simulate import Config
from scenarios.shell.duration import say_duration
from scenarios.shell.schema import replace_all, write_whole
from scenarios.systems import case as cases
from scenarios.systems.case import identify
from sim.planning import Refusal
from sim.planning.forecast.work import Work

BY_HAND = ["request=by_hand", "request.server_s=0.004", "horizon_s=4", "replications=2"]
BY_HAND += ["warmup_s=1", "link=ideal"]
POISSON = ["workload=poisson", "workload.rate_rps=1e9"]
OPEN = {"link": "ideal", "workload": "poisson", "horizon_s": 4.0, "warmup_s": 1.0}
OPEN |= {"replications": 2}


def open_loop(**parts):
    return sf.case(request=sf.request(server_s=0.004), **{**OPEN, **parts})


def table(name):
    with Path(f"outputs/{name}/results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("words", [["fleet.n_devices=1e8"], POISSON, ["fleet.n_devices=100000000"]])
def test_the_command_line_asks_for_force_and_builds_nothing(words, quick, capfd, monkeypatch):
    monkeypatch.setattr("sim.system.build", None)
    assert run(["simulate", *BY_HAND, *words, "name=impossible"]) == 2
    (said,) = capfd.readouterr().err.splitlines()
    assert "events are foreseen in each of 2 runs, above max_events=20000000, about" in said
    assert said.endswith("or set force=true")


def test_in_a_sweep_it_is_a_row_and_the_others_are_played(quick):
    line = ["simulate", *BY_HAND, *POISSON[:1], 'sweep=["workload.rate_rps=1,1e9"]']
    assert run([*line, "name=half"]) == 1
    sound, refused = table("half")
    assert float(sound["throughput_rps"]) > 0.0
    assert "events are foreseen" in refused["error"]
    assert run(["simulate", "-m", *BY_HAND, "fleet.n_devices=2,1e8", "name=halves"]) == 1
    assert [bool(row["error"]) for row in table("halves")] == [False, True]


def test_a_dry_run_tells_the_reason_and_the_time_without_playing_it(quick, capfd, monkeypatch):
    sizes = 'sweep=["fleet.n_devices=1,2,4,1e8"]'
    assert run(["simulate", *BY_HAND, sizes, "name=rehearsed", "dry_run=true"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert sum("events are foreseen" in line for line in lines) == 1
    assert lines[-1].startswith("4 points, 0 finished, 4 to run, about ")
    assert lines[-1].endswith(" min with workers=1")


def test_force_plays_it_until_its_budget_of_events(quick, capfd):
    line = ["simulate", *BY_HAND, "fleet.n_devices=20", "max_events=1000", "name=forced"]
    assert run(line) == 2
    assert "above max_events=1000, about" in capfd.readouterr().err
    assert run([*line, "force=true"]) == 2
    (said,) = capfd.readouterr().err.splitlines()
    assert "max_events=1000 events are used up at" in said
    assert run([*line, "force=true", 'sweep=["server.speed=1,2"]']) == 2  # no point was sound
    (said,) = capfd.readouterr().err.splitlines()
    assert "max_events=1000 events are used up at" in said


def test_neither_force_nor_the_budget_names_a_point(quick):
    assert {"force", "max_events"}.isdisjoint(identify(open_loop().config))


def test_figures_ask_too(quick, capfd):
    assert run(["fig1_server_load", "fleet.n_devices=1e8", "name=drawn"]) == 2
    assert "events are foreseen" in capfd.readouterr().err


def test_a_plan_and_a_search_refuse_a_run_beyond_its_events(quick, capfd):
    assert run(["plan", *BY_HAND[:2], "slo.p95_s=0.1", "plan.n_devices=1e8", "workers=1"]) == 2
    assert "events are foreseen in a run at N = 100000000, above" in capfd.readouterr().err
    assert run(["search", "slo.mean_s=10", "fleet.n_devices=1e8"]) == 2
    assert "fleet.n_devices must be <= max_events=20000000" in capfd.readouterr().err
    with pytest.raises(Refusal, match="events are foreseen in a run at N ="):
        open_loop(max_events=500).plan(p95_s=0.1)


def test_the_door_asks_for_force(monkeypatch):
    with pytest.raises(ValueError, match=r"events are foreseen .* or set force=true"):
        open_loop(n_devices=1e8).simulate()
    grid = open_loop().sweep({"workload.rate_rps": [1.0, 1e9]})
    assert ["error" in row for row in grid] == [False, True]
    monkeypatch.setattr(cases, "_PATIENCE_S", 0.0)
    with pytest.raises(ValueError, match="on one core; lower"):
        open_loop().simulate()
    assert open_loop().simulate(force=True)["throughput_rps"] > 0.0
    assert ["error" in row for row in open_loop().sweep(n_devices=[1, 2], force=True)] == [
        False
    ] * 2
    built = open_loop().built
    assert sf.play(built.spec, dict(built.sources), force=True)["throughput_rps"] > 0.0


def test_ten_minutes_are_where_patience_ends():
    assert cases.refuse_work(Work(events=1e6, run_s=30.0, runs=20), 10**7) == ""
    assert "about 10 min in all on one core" in cases.refuse_work(Work(1e6, 31.0, 20), 10**7)
    assert "in its run, above max_events=999999" in cases.refuse_work(Work(1e6, 1.0, 1), 999_999)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.5, "0.5 s"), (600, "10 min"), (9000, "2.5 h"), (8e5, "9 days"), (1e12, "3.2e+04 years")],
)
def test_durations_are_short(seconds, said):
    assert say_duration(seconds) == said


def test_whole_numbers_may_be_written_with_an_exponent(quick, capfd):
    words = ["fleet.n_devices=1e3,2.5E1", "server.speed=1e3", "replications=1e1", "seed=1.5e0"]
    written = ["fleet.n_devices=1000,25", "server.speed=1e3", "replications=10", "seed=1.5e0"]
    assert write_whole(Config, [*words, "--help"]) == [*written, "--help"]
    config = open_loop().config
    assert replace_all(config, {"fleet.n_devices": 1e3}).fleet.n_devices == 1000
    with pytest.raises(ValueError, match=r"must be a whole number, got 1\.5"):
        replace_all(config, {"fleet.n_devices": 1.5})
    with pytest.raises(ValueError, match=r"must be a whole number, got 2\.5"):
        open_loop(n_devices=2.5)
    assert run(["simulate", *BY_HAND, "fleet.n_devices=1.5e0", "name=part"]) == 2
    assert "fleet.n_devices must be of type integer, got '1.5'" in capfd.readouterr().err
