"""`plan` on measured networks: a mixed fleet scaled as one, and a choice among cuts and codecs."""

import csv
import json
from pathlib import Path

import pytest

from scenarios.__main__ import run

SMALL = (
    "plan", "methods=few", "plan.requests_per_run=600", "plan.pilot_requests=300",
    "plan.n_runs=4", "plan.half_width=0.3", "workers=1", "slo.p95_s=0.3", "server.speed=0.15",
)  # fmt: skip


@pytest.mark.slow
def test_a_mixed_fleet_is_scaled_as_one(quick, capfd):
    groups = (
        "+fleet.groups={camera: {share: 3, workload: {kind: periodic, rate_rps: 8.0}},"
        " robot: {share: 2, workload: {kind: closed, think_s: 0.1}}}"
    )
    members = (
        "+members={camera: {device: raspberry_pi_4, codec: slicer, cut: stage2},"
        " robot: {device: raspberry_pi_4, codec: ecsq, cut: stage3}}"
    )
    line = [*SMALL[:1], *quick[:3], *SMALL[1:], groups, members, "name=mixed"]
    assert run(line) == 0
    plan = json.loads(Path("outputs/mixed/plan.json").read_text())
    assert plan["cut"] == "stage2+stage3"
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]
    assert plan["at_n_star"]["throughput_rps_camera"] > 0.0
    assert plan["at_n_star"]["throughput_rps_robot"] > 0.0
    assert "bottleneck: " in capfd.readouterr().out


@pytest.mark.slow
def test_a_mixed_fleet_with_two_regimes_is_planned_by_a_few_million_requests(tmp_path, monkeypatch):
    """The shipped experiment at 2 requests/s, on a server that is no bottleneck: some 6 million, of
    which most confirm the answer.
    """
    monkeypatch.chdir(tmp_path)
    line = ["plan", "+experiment=mixed_fleet", "workload=poisson", "workload.rate_rps=2"]
    assert run([*line, "slo.p95_s=0.12", "server=h200", "plan.max_requests=2e7"]) == 0
    plan = json.loads(Path("outputs/mixed_fleet/plan.json").read_text())
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"] < plan["two_regimes"]["above"]
    assert plan["grade"] == "D"
    assert plan["requests"] < 1.2e7


@pytest.mark.slow
def test_the_best_of_several_systems_is_named_with_the_others_in_the_table(quick, capfd):
    line = [
        *SMALL[:1],
        *quick[:3],
        *SMALL[1:],
        "plan.over=['cut=stage1,stage3',codec]",
        "name=best",
    ]
    assert run(line) == 0
    rows = list(csv.DictReader(Path("outputs/best/plan.csv").read_text().splitlines()))
    plan = json.loads(Path("outputs/best/plan.json").read_text())
    searched = [row for row in plan["choice"] if row["n_star"] is not None]
    assert {row["cut"] for row in searched} == {"stage1", "stage3"}
    assert plan["cut"] == max(searched, key=lambda row: row["n_star"])["cut"]
    assert all(row["fate"] for row in plan["choice"])
    assert any(row["pareto"] for row in searched)
    assert len(rows) == 1 + len(plan["choice"])
    assert "set aside by bounds" in capfd.readouterr().out
