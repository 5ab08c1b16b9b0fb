"""`simulate` end to end, on real features of the digits network."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.__main__ import run
from scenarios.shell import forks

SWEEP = 'sweep=["fleet.n_devices=1,2,3"]'


def table(name):
    with (Path("outputs") / name / "results.csv").open() as file:
        return list(csv.DictReader(file))


def without(row, *keys):
    return {key: value for key, value in row.items() if key not in keys}


def test_a_point_has_the_tidy_columns_and_its_provenance(quick, capfd):
    assert run(["simulate", *quick, "fleet.n_devices=2", "name=point"]) == 0
    assert "95 % interval" in capfd.readouterr().out
    (row,) = table("point")
    for column in ("throughput_rps", "server_utilization", "latency_mean_s"):
        low, total = (float(row[f"{column}{end}"]) for end in ("_lo", "_lo_total"))
        assert total <= low
        assert float(row[f"{column}_lo"]) <= float(row[column]) <= float(row[f"{column}_hi"])
    assert (row["n_devices"], row["cut"], row["codec"]) == ("2", "stage3", "slicer")
    assert float(row["throughput_rps_lo"]) <= float(row["throughput_bound_rps"])
    made = json.loads(Path("outputs/point/run.json").read_text())
    assert made["provenance"]["head_seconds"]["kind"] == "scaled"
    assert made["provenance"]["tail_seconds"]["kind"] == "measured"
    assert made["config"]["fleet"]["n_devices"] == 2


def test_a_run_says_how_far_to_believe_it(quick, capfd):
    """Two devices are near their closed form; a server whose queue only grows is not to be used."""
    assert run(["simulate", *quick, "fleet.n_devices=2", "name=sound"]) == 0
    said = capfd.readouterr().out
    (row,) = table("sound")
    assert row["grade"] in "BC"  # device seconds are scaled
    assert "scaled or modelled numbers: " in row["cautions"]
    assert f"grade {row['grade']}: use it" in said
    assert "closed-form neighbour" in said
    overload = ["workload=poisson", "workload.rate_rps=400", "server.speed=0.01", "link=ideal"]
    assert run(["simulate", *quick, *overload, "fleet.n_devices=2", "name=overload"]) == 0
    (row,) = table("overload")
    assert row["grade"] == "D"
    assert "steady state: saturated" in row["cautions"]
    assert "grade D: do not use it" in capfd.readouterr().out


def test_the_same_seed_gives_the_same_bytes_in_one_process_and_in_two(quick):
    line = ["simulate", *quick, SWEEP, "name=same"]
    tables = []
    for _ in range(2):
        shutil.rmtree("outputs/same", ignore_errors=True)
        assert run(line) == 0
        tables.append(Path("outputs/same/results.csv").read_bytes())
    shutil.rmtree("outputs/same")
    subprocess.run([sys.executable, "-m", "scenarios", *line], check=True, capture_output=True)
    tables.append(Path("outputs/same/results.csv").read_bytes())
    assert tables[0] == tables[1] == tables[2]
    assert run([*line, "seed=5"]) == 0
    assert Path("outputs/same/results.csv").read_bytes() != tables[0]


def test_workers_share_the_runs_of_a_single_point(quick, monkeypatch):
    """After the first of each set, for which everything is loaded."""
    shared, play = [], forks.play

    def watched(tasks, workers, done):
        shared.append((len(tasks), workers))
        return play(tasks, workers, done)

    monkeypatch.setattr(forks, "play", watched)
    monkeypatch.setattr(forks, "can_fork", lambda: sys.platform == "linux")
    for workers in (1, 2):
        words = [*quick, "fleet.n_devices=3", f"workers={workers}", f"name=alone{workers}"]
        assert run(["simulate", *words]) == 0
    assert shared == ([(2, 2), (2, 2)] if sys.platform == "linux" else [])
    one, two = (Path(f"outputs/alone{n}/results.csv").read_bytes() for n in (1, 2))
    assert one == two


def test_a_multirun_gives_the_rows_of_the_inner_grid(quick):
    assert run(["simulate", *quick, SWEEP, "name=inner"]) == 0
    assert run(["simulate", "-m", *quick, "fleet.n_devices=1,2,3", "name=outer"]) == 0
    assert table("inner") == table("outer")


def test_an_axis_on_the_command_line_leaves_the_inner_grid(quick):
    assert run(["simulate", *quick, SWEEP, "fleet.n_devices=2", "name=typed"]) == 0
    assert [row["n_devices"] for row in table("typed")] == ["2"]


def test_a_group_may_be_an_axis(quick):
    sweep = 'sweep=["link=wifi,ideal"]'
    assert run(["simulate", *quick, sweep, "name=links"]) == 0
    assert [row["link"] for row in table("links")] == ["wifi", "ideal"]


def test_a_refused_point_of_a_multirun_is_a_row_with_its_error(quick):
    assert run(["simulate", "-m", *quick, "fleet.n_devices=0,1", "name=partly"]) == 1
    first, second = table("partly")
    assert "fleet.n_devices must be >= 1, got 0" in first["error"]
    assert not second["error"]
    assert float(second["throughput_rps"]) > 0


def test_finished_points_are_not_run_again(quick, monkeypatch):
    line = ["simulate", *quick, "name=resumed"]
    assert run(line) == 0
    before = table("resumed")
    import scenarios.systems.case

    monkeypatch.setattr(scenarios.systems.case, "replicate", None)  # would raise if it were called
    assert run(line) == 0
    assert table("resumed") == before


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("cut=stage9", "unknown cut 'stage9'; nearest: stage"),
        ("cut=input", "cut=input sends raw images, which codec slicer does not encode"),
        ("codec.chain=slcer", "unknown codec 'slcer'; nearest: slicer"),
        ("codec.sparsity=1.5", "slicer.sparsity must lie in 0..1, got 1.5"),
        ("model.name=dogs", "unknown model 'dogs'"),
    ],
)
def test_mistakes_that_only_measuring_can_find(quick, wrong, expected, capfd):
    assert run(["simulate", *quick, wrong, "name=wrong"]) == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert expected in error


def test_unlike_groups_play_on_their_own_boards_cuts_and_codecs(quick):
    line = ["simulate", "+experiment=mixed_fleet", *quick, "name=mixed", "timeline=true"]
    assert run(line) == 0
    (row,) = table("mixed")
    assert row["cut"] == "stage2+stage3+stage1"
    assert row["codec"] == "slicer+ecsq+slicer_strong"
    assert row["device"] == "raspberry_pi_4+raspberry_pi_zero_2w"
    assert {"latency_p95_s_camera", "latency_p95_s_robot", "latency_p95_s_sensor"} <= set(row)
    trace = json.loads(Path("outputs/mixed/timeline.json").read_text())
    bars = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert {"device", "uplink", "server"} <= {bar["name"] for bar in bars}
    assert all(bar["dur"] > 0.0 for bar in bars)
    with Path("outputs/mixed/load.csv").open() as file:
        loads = list(csv.DictReader(file))
    assert len(loads) == 100
    load = sum(float(row["server_load"]) for row in loads) / 100
    assert 0.0 < load < 1.0
    assert all(float(row["in_system"]) >= 0.0 for row in loads)
    wrong = "members.robot.device=raspbery_pi_4"
    assert run([*line, wrong]) == 2


def test_devices_choose_among_alternatives_on_the_command_line(quick, capfd):
    slow = ["link=wifi_slow", "link.rate_bps=2e4", "fleet.n_devices=2", "horizon_s=8"]
    line = ["simulate", *quick, *slow, "name=ways"]
    assert run([*line, "alternatives=[stage2/ecsq,output]", "policy=fastest"]) == 0
    (row,) = table("ways")
    assert row["method"] == "fastest: stage3/slicer, stage2/ecsq, output"
    assert float(row["decision_changes_per_minute"]) >= 0.0
    assert float(row["uplink_bytes_per_request"]) == 0.0  # at 20 kb/s all is done on the device
    assert run(line) == 0
    (fixed,) = table("ways")
    assert float(row["latency_mean_s"]) < 0.5 * float(fixed["latency_mean_s"])
    for wrong, expected in (
        ("stage2", "alternatives must be CUT/CODEC or output, got 'stage2'"),
        ("stage2/ecq", "unknown codec 'ecq'; nearest: ecsq"),
        ("stage3/slicer", "got stage3/slicer twice"),
    ):
        assert run([*line, f"alternatives=[{wrong}]"]) == 2
        assert expected in capfd.readouterr().err
