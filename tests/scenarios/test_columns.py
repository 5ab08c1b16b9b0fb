"""Columns: every swept key is one, what does not vary can be left out, no point is renamed."""

import csv
from pathlib import Path

import pytest

from scenarios.__main__ import run
from scenarios.sweep.columns import columns_of, spread, varying
from scenarios.sweep.play import Job, failing, play
from scenarios.sweep.store import Store

ROW = {"point_id": "a", "n_devices": 2, "seed": 0, "throughput_rps": 1.5, "zebra": 1}


def table(name):
    with (Path("outputs") / name / "results.csv").open() as file:
        return list(csv.DictReader(file))


def _job(n, swept):
    return Job(spec=n, digests={}, labels={"n": n}, evaluate=lambda: {"x": 1.0 * n}).at(swept)


def test_swept_keys_stand_between_the_labels_and_what_was_measured():
    rows = [{**ROW, "swept": {"server.speed": 2}}, {"point_id": "b", "swept": {"link.loss": 0.1}}]
    assert columns_of(rows) == [
        "point_id", "n_devices", "seed", "server.speed", "link.loss", "throughput_rps", "zebra",
    ]  # fmt: skip
    assert spread(rows[0]) == {**ROW, "server.speed": 2}


@pytest.mark.parametrize("key", ["fleet.n_devices", "n_devices", "device.name", "seed", "zebra"])
def test_a_key_that_a_column_tells_gets_no_second_one(key):
    row = {**ROW, "device": "phone", "swept": {key: 7}}
    assert columns_of([row]) == columns_of([{**ROW, "device": "phone"}])
    assert spread(row) == {**ROW, "device": "phone"}


def test_a_refused_point_is_told_by_the_columns_of_the_others():
    rows = [ROW, {"point_id": "b", "error": "no", "swept": {"fleet.n_devices": 0}}]
    assert columns_of(rows) == [*columns_of([ROW]), "error"]
    assert spread(rows[1])["n_devices"] == 0


def test_columns_that_are_the_same_in_every_row_can_be_left_out():
    swept = {"server.speed": 2}
    rows = [{**ROW, "swept": swept}, {**ROW, "point_id": "b", "zebra": 2, "swept": swept}]
    assert varying(rows) == ["point_id", "server.speed", "zebra"]
    assert varying(rows[:1]) == columns_of(rows[:1])


def test_a_column_that_only_some_rows_have_varies():
    assert varying([{**ROW, "warning": "w"}, ROW]) == ["point_id", "warning"]


def test_a_sweep_names_no_point(tmp_path):
    alone, swept = _job(1, {}), _job(1, {"server.speed": 2})
    assert alone.point_id == swept.point_id
    store = Store(tmp_path)
    play([alone], store)
    [row] = play([swept], store)
    assert row["swept"] == {"server.speed": 2}
    assert store.finished()[alone.point_id] == row, "a later reader sees the last request"
    [row] = play([alone], store)
    assert "swept" not in row


def test_the_same_point_twice_keeps_the_values_of_each(tmp_path):
    rows = play([_job(1, {"workers": 1}), _job(1, {"workers": 2})], Store(tmp_path))
    assert [row["swept"]["workers"] for row in rows] == [1, 2]


def test_a_failing_point_says_its_values(tmp_path):
    jobs = [_job(1, {"k": 1}), failing("no", {}).at({"k": 2})]
    assert [row["swept"] for row in play(jobs, Store(tmp_path))] == [{"k": 1}, {"k": 2}]


def test_inner_and_outer_sweeps_have_the_same_columns(quick):
    axes = ["server.speed=1,2", "link.rate_bps=1e6,1e7"]
    assert run(["simulate", *quick, f'sweep=["{axes[0]}","{axes[1]}"]', "name=in"]) == 0
    assert run(["simulate", *quick, "-m", *axes, "name=out"]) == 0
    assert run(["simulate", *quick, "-m", axes[1], f'sweep=["{axes[0]}"]', "name=mixed"]) == 0
    rows = table("in")
    values = [(row["server.speed"], float(row["link.rate_bps"])) for row in rows]
    assert values == [("1", 1e6), ("1", 1e7), ("2", 1e6), ("2", 1e7)]
    assert rows == table("out")
    by_id = {row["point_id"]: row for row in table("mixed")}
    assert [by_id[row["point_id"]] for row in rows] == rows


def test_no_column_comes_where_nothing_is_swept_or_a_column_tells_it(quick):
    assert run(["simulate", *quick, "name=alone"]) == 0
    sweep = 'sweep=["fleet.n_devices=1","cut=stage3","link=wifi","model=digits","seed=0"]'
    assert run(["simulate", *quick, sweep, "name=told"]) == 0
    assert table("alone") == table("told")


def test_constant_columns_are_left_out_on_request(quick, capfd):
    sweep = ['sweep=["server.speed=1,2"]', "columns=varying"]
    assert run(["simulate", *quick, *sweep, "name=short"]) == 0
    heading, *lines = [line.split() for line in capfd.readouterr().out.splitlines()[:3]]
    assert heading[:2] == ["server.speed", "requests/s"]
    assert not {"N", "system"} & set(heading)
    assert [line[0] for line in lines] == ["1", "2"]
    first = table("short")[0]
    assert list(first)[:2] == ["point_id", "server.speed"]
    assert "server_utilization" in first
    assert not {"n_devices", "model", "seed"} & set(first)
    assert run(["simulate", *quick, "-m", "server.speed=1,2", "columns=varying", "name=many"]) == 0
    assert list(table("many")[0]) == list(first)
    folders = ["outputs/short", "outputs/many"]
    assert run(["collect", *folders, "columns=varying", "name=gathered"]) == 0
    assert list(table("gathered")[0])[:2] == ["point_id", "server.speed"]
    assert {row["run"] for row in table("gathered")} == set(folders)


def test_the_screen_tells_every_swept_key_that_differs_and_the_system_does_not(quick, capfd):
    sweep = 'sweep=["link=wifi,ethernet","cut=stage2,stage3","seed=3"]'
    assert run(["simulate", *quick, sweep, "name=links"]) == 0
    heading, *lines = [line.split() for line in capfd.readouterr().out.splitlines()[:5]]
    assert heading[:3] == ["link", "N", "system"]
    assert [line[0] for line in lines] == ["wifi", "wifi", "ethernet", "ethernet"]


@pytest.mark.parametrize("command", ["simulate", "collect"])
def test_another_choice_of_columns_is_a_mistake(quick, capfd, command):
    assert run([command, *(quick if command == "simulate" else ()), "columns=few"]) == 2
    assert "columns must be one of all, varying, got 'few'" in capfd.readouterr().err


def test_a_job_that_fails_while_it_runs_is_counted_once(quick, capfd):
    Path("good.csv").write_text("time_s\n0.1\n0.6\n1.1\n1.6\n")
    line = ["simulate", *quick, "workload.kind=replay", "name=missing"]
    assert run([*line, "-m", "workload.replay_csv=good.csv,missing.csv"]) == 1
    printed = capfd.readouterr().err.splitlines()
    assert printed[-1] == "2 points, 1 failed: outputs/missing/results.csv"
    assert [line for line in printed if line.startswith("splitfleet: workload.replay_csv=missing")]
    good, missing = table("missing")
    assert not good["error"]
    assert missing["workload.replay_csv"] == "missing.csv"
    assert missing["method"] == good["method"]


def test_a_job_that_is_refused_is_named_by_what_was_swept(quick, capfd):
    line = ["simulate", *quick, "-m", "server.speed=1,0", "fleet.n_devices=1", "name=refused"]
    assert run(line) == 1
    assert "splitfleet: server.speed=0: server.speed must be > 0" in capfd.readouterr().err
    assert [row["server.speed"] for row in table("refused")] == ["1", "0"]
