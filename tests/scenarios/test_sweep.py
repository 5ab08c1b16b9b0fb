"""Sweeps: the same rows by one process, by workers and by Hydra's launchers; nothing is lost."""

import csv
import dataclasses
import importlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from scenarios.__main__ import run

AXES = "fleet.n_devices=1,2,3,4"
SWEEP = f'sweep=["{AXES}","seed=0,1"]'


def text(name, file="results.csv"):
    return (Path("outputs") / name / file).read_text()


def table(name):
    with (Path("outputs") / name / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_workers_give_the_rows_of_one_process(quick):
    assert run(["simulate", *quick, SWEEP, "name=serial"]) == 0
    assert run(["simulate", *quick, SWEEP, "name=parallel", "workers=2"]) == 0
    assert text("serial") == text("parallel")


@pytest.mark.parametrize("launcher", ["joblib", pytest.param("processes", marks=pytest.mark.slow)])
def test_joblibs_launcher_gives_the_rows_of_the_inner_grid(quick, launcher):
    axes = ["fleet.n_devices=1,2", "seed=0,1"]
    inner = f'sweep=["{axes[0]}","{axes[1]}"]'
    assert run(["simulate", *quick, inner, "name=grid"]) == 0
    jobs = ["-m", *axes, f"hydra/launcher={launcher}", f"name={launcher}"]
    assert run(["simulate", *quick, *jobs]) == 0
    assert text("grid") == text(launcher)
    assert json.loads(text(launcher, "run.json"))["command"] == "simulate"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["submitit_local", "slurm_rehearsal", "ray", "ray_local"])
def test_other_launchers_give_the_rows_of_the_inner_grid(quick, launcher):
    _check_launcher(quick, launcher)


@pytest.mark.slow
def test_a_cluster_of_ray_that_runs_already_gives_the_rows_of_the_inner_grid(quick, monkeypatch):
    pytest.importorskip("ray", reason="ray is not installed; see docs/clusters.md")
    program = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--port=0"]
    words = ["--num-cpus=2", "--include-dashboard=false", "--block"]
    with tempfile.TemporaryDirectory(prefix="ray") as own, Path("ray.log").open("w+") as log:
        monkeypatch.setenv("RAY_TMPDIR", own)  # no other cluster's; short, for the names of sockets
        head = subprocess.Popen([*program, *words], cwd="/", stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while "--block" not in Path("ray.log").read_text():  # its last words before it waits
                assert time.monotonic() < deadline
                assert head.poll() is None, Path("ray.log").read_text()
                time.sleep(0.2)
            _check_launcher(quick, "ray_cluster")
        finally:
            head.terminate()
            head.wait(timeout=60)


def _check_launcher(quick, launcher):
    plugin = "ray" if launcher.startswith("ray") else "submitit"
    for module in (plugin, f"hydra_plugins.hydra_{plugin}_launcher"):
        pytest.importorskip(module, reason=f"{module} is not installed; see docs/clusters.md")
    line = [sys.executable, "-m", "scenarios", "simulate", *quick]
    axes = ["fleet.n_devices=1,0,2", "server.speed=2,4"]
    inner = [*line, f'sweep=["{axes[0]}","{axes[1]}"]', "name=grid2"]
    assert subprocess.run(inner, capture_output=True).returncode == 1  # no fleet is empty
    jobs = ["-m", *axes, f"hydra/launcher={launcher}", f"name={launcher}"]
    made = subprocess.run([*line, *jobs], capture_output=True, text=True, timeout=300)
    assert made.returncode == 1, made.stderr
    assert "6 points, 2 failed" in made.stderr, made.stderr
    assert sound("grid2") == sound(launcher)


def sound(name):
    """The rows without the names of those that failed, which tell an inner grid from an outer."""
    rows = table(name)
    for row in rows:
        if row.pop("error"):
            row["point_id"] = row["method"] = "refused"
    return rows


@pytest.mark.parametrize("mark", ["MISSING", "_FIELD", "_FIELD_CLASSVAR"])
def test_the_marks_of_a_schema_stay_themselves_when_a_launcher_sends_them(mark):
    """dataclasses compares them by identity: a copy of _FIELD is no field, in a fresh process."""
    importlib.import_module("scenarios.shell.schema")  # which tells pickle
    own = getattr(dataclasses, mark)
    assert pickle.loads(pickle.dumps(own)) is own


def test_every_launcher_file_extends_its_plugin():
    from omegaconf import OmegaConf

    import conf

    files = sorted((Path(conf.__file__).parent / "hydra/launcher").glob("*.yaml"))
    assert {path.stem: OmegaConf.load(path)["defaults"][0] for path in files} == {
        "processes": "joblib",
        "ray_cluster": "ray",
        "ray_local": "ray",
        "slurm": "submitit_slurm",
        "slurm_rehearsal": "submitit_local",
    }
    for path in files:
        words = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert f"hydra/launcher={path.stem}" in words


def hear_interrupts() -> None:
    """A shell starts what it puts in the background with interrupts ignored, and that is handed
    on.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_goes_on_where_it_stopped(quick, how):
    name, seeds = how.name.lower(), ",".join(map(str, range(24)))
    line = ["simulate", *quick, f'sweep=["seed={seeds}"]', "fleet.n_devices=20"]
    line += ["horizon_s=4"]
    assert run([*line, "name=whole"]) == 0
    rows = Path(f"outputs/{name}/rows.jsonl")
    command = [sys.executable, "-m", "scenarios", *line, f"name={name}"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=hear_interrupts,
    )
    deadline = time.monotonic() + 60
    while not (rows.exists() and rows.read_bytes().count(b"\n") >= 2):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, how)
    assert process.wait(timeout=60) in (130, -how)
    kept = rows.read_text().splitlines()
    assert all(json.loads(row)["throughput_rps"] > 0 for row in kept), "a torn row"
    assert 2 <= len(kept) < 24
    assert run([*line, f"name={name}"]) == 0
    assert rows.read_text().splitlines()[: len(kept)] == kept
    assert len(rows.read_text().splitlines()) == 24
    assert text(name) == text("whole")


def test_a_failing_point_is_a_row_and_the_others_are_played(quick):
    assert run(["simulate", *quick, 'sweep=["fleet.n_devices=2,0"]', "name=one-fails"]) == 1
    sound, refused = table("one-fails")
    assert float(sound["throughput_rps"]) > 0
    assert not sound["error"]
    assert "fleet.n_devices must be >= 1, got 0" in refused["error"]
    assert run(["simulate", *quick, 'sweep=["cut=stage3,stage9"]', "name=no-cut"]) == 1
    assert "unknown cut 'stage9'" in table("no-cut")[1]["error"]


def test_a_misspelt_axis_is_a_mistake_and_no_row(quick, capfd):
    assert run(["simulate", *quick, 'sweep=["fleet.n_device=1,2"]', "name=misspelt"]) == 2
    assert "unknown field 'fleet.n_device'; nearest: fleet.n_devices" in capfd.readouterr().err


def test_a_dry_run_prints_points_and_time_and_runs_none(quick, capfd):
    assert run(["simulate", *quick, SWEEP, "name=dry", "dry_run=true"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert sum(line.startswith("to run") for line in lines) == 8
    assert lines[-1].startswith("8 points, 0 finished, 8 to run, about ")
    assert not Path("outputs/dry/rows.jsonl").exists()


def test_collect_builds_one_table_of_many_runs(quick, capfd):
    for name, n in (("many/first", 1), ("many/second", 2)):
        line = ["simulate", *quick, f"fleet.n_devices={n}", f"name={name.replace('/', '-')}"]
        assert run(line) == 0
    Path("outputs/many-second/results.csv").unlink()  # as if it had been interrupted
    folders = ["outputs/many-first", "outputs/many-second"]
    assert run(["collect", *folders, "name=together"]) == 0
    rows = table("together")
    assert [row["run"] for row in rows] == folders
    assert [row["n_devices"] for row in rows] == ["1", "2"]
    assert run(["collect", "nowhere"]) == 2
    assert "folder 'nowhere' does not exist" in capfd.readouterr().err


def test_parquet_holds_the_same_table(quick):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    assert run(["simulate", *quick, 'sweep=["fleet.n_devices=2,0"]', "name=both"]) == 1
    found = parquet.read_table("outputs/both/results.parquet").to_pylist()
    assert list(found[0]) == list(table("both")[0])
    assert found[0]["throughput_rps"] == float(table("both")[0]["throughput_rps"])


def test_another_replay_file_is_another_point(quick):
    file = Path("times.csv")
    line = ["simulate", *quick, "workload.kind=replay", f"workload.replay_csv={file.resolve()}"]
    ids = []
    for times in ("0.1\n0.6\n1.1\n1.6\n", "0.2\n0.7\n1.2\n1.7\n"):
        file.write_text(f"time_s\n{times}")
        assert run([*line, "name=replayed"]) == 0
        ids.append(table("replayed")[0]["point_id"])
    assert ids[0] != ids[1]
