"""Every question meets every kind of system: what is built in one place combines by itself."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import splitfleet as sf
from profiles.tables.hardware import DeviceSpec, parse
from profiles.tables.split import Split
from scenarios.__main__ import run
from scenarios.systems.sheets import read
from scenarios.systems.system import System

SHORT = ("horizon_s=3", "warmup_s=0.5", "replications=2")
SESSIONS = ("model=bytellama", "cut=layers.1", "codec=ecsq", "session.n_tokens=4")
GROUPS = ("+experiment=mixed_fleet", "members.camera.codec=int8", "members.sensor.codec=ecsq")
GROUPS_OF = ("camera", "robot", "sensor")
SYSTEMS = {
    "split": ("cut=stage3", "codec=ecsq"),
    "groups": GROUPS,
    "alternatives": ("cut=stage3", "codec=ecsq", "alternatives=[stage2/int8]"),
    "by hand": ("request=by_hand", "request.server_s=0.004", "request.payload_bytes=2000"),
    "sessions": SESSIONS,
    "groups of sessions": (
        *SESSIONS, *GROUPS, *(f"members.{group}.cut=layers.1" for group in GROUPS_OF),
    ),
    "alternatives of sessions": (*SESSIONS, "alternatives=[layers.1/int8]"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(name):
    with Path(f"outputs/{name}/results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("system", SYSTEMS)
def test_simulate_plays_it_and_a_sweep_too(system):
    words = ["simulate", *SYSTEMS[system], *SHORT]
    assert run([*words, "fleet.n_devices=4", "name=one"]) == 0
    (one,) = rows("one")
    assert float(one["throughput_rps"]) > 0.0
    assert one["grade"] in "ABC"
    assert ("sessions" in system) == bool(one.get("ttft_s"))
    assert run([*words, "sweep=['fleet.n_devices=2,4']", "name=two"]) == 0
    few, same = rows("two")
    assert float(few["throughput_rps"]) < float(same["throughput_rps"])
    assert same == {**one, "point_id": same["point_id"]} or same["point_id"] == one["point_id"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_plan_answers_it(system):
    limit_s = 1.0 if "sessions" in system else 0.06
    status = run(
        ["plan", *SYSTEMS[system], f"slo.p95_s={limit_s}", "plan.half_width=0.3", "plan.n_runs=3",
         "plan.requests_per_run=300", "plan.pilot_requests=200", "workers=1", "server.speed=0.2",
         "plan.max_requests=1e6", "name=plan"]
    )  # fmt: skip
    assert status == 0
    found = json.loads(Path("outputs/plan/plan.json").read_text())
    assert found["n_star_lo"] <= found["n_star"] <= found["n_star_hi"]
    assert found["n_star"] > 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["request=by_hand"], "nothing to search with request: a request by hand has neither"),
        (GROUPS, "nothing to search with members: every group has its own"),
        (["alternatives=[output]"], "nothing to search with alternatives: devices choose"),
        (["trace=there.npz"], "nothing to search with trace: settings are chosen from tables"),
        (["codec=ecsq"], "without a scheme codec is not asked"),
    ],
)
def test_search_says_where_there_is_nothing_to_search(words, said, capsys):
    assert run(["search", "slo.mean_s=0.05", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_systems_parts_exclude_each_other():
    sheets = {"device": parse(DeviceSpec, read("device", "raspberry_pi_4"))}
    with pytest.raises(ValueError, match="takes one of request, members, alternatives"):
        System(**sheets, server=None, link=None, alternatives=["output"], members={"a": None})


def test_sessions_agree_with_the_figure_of_running_time(monkeypatch):
    """The same system in `fig2_runtime`: the same draws, so the same figures to the last bit."""
    text = ["text.n_tokens=4", "sweep=['fleet.n_devices=4']", "sessions=3", "replications=2"]
    assert run(["fig2_runtime", *text, "requests=2"]) == 0
    figure = next(
        row for row in rows("fig2_runtime")
        if row["panel"] == "bytellama, 4 tokens" and row["method"] == "split, ecsq"
    )  # fmt: skip
    words = ["model=bytellama", "cut=layers.1", "codec=ecsq", "session.n_tokens=4"]
    same = ["fleet.n_devices=4", "workload.requests=3", "replications=2"]
    setting = [f"{key}={figure[key]}" for key in ("device", "link", "server")]
    assert run(["simulate", *words, *same, *setting, "name=alone", *_workload()]) == 0
    (alone,) = rows("alone")
    for column in ("device_time_s", "latency_mean_s", "server_s_per_token", "table_accuracy"):
        assert float(alone[column]) == float(figure[column]), column


def _workload():
    """What conf/fig2_runtime.yaml says of the workload and the link, as overrides."""
    from omegaconf import OmegaConf

    import conf

    file = OmegaConf.load(Path(conf.__file__).parent / "fig2_runtime.yaml")
    said = [(group, file.get(group) or {}) for group in ("workload", "link")]
    return [
        f"{group}.{key}={value}"
        for group, keys in said for key, value in keys.items() if key != "requests"
    ]  # fmt: skip


def test_sessions_agree_with_search():
    """A searched decision, played by the case of the stored table and predicted by the search."""
    from scenarios.searching.options import tables

    known = tables("bytellama")
    words = ["model=bytellama", "slo.tpot_mean_s=0.02", "tokens=[16]", "fleet.n_devices=4"]
    assert run(["search", *words, "answers=1500", "replications=3"]) == 0
    decision = json.loads(Path("outputs/search/search.json").read_text())["decision"]
    split = Split(**decision["option"])
    assert str(split).endswith("16 tokens")
    device = parse(DeviceSpec, read("device", "raspberry_pi_zero_2w"))
    source = known.source(split, device, _server())
    steps = [step.server_s + step.decode_s for one in source.rows for step in one.steps[1:]]
    assert decision["simulated"]["server_s"] == pytest.approx(np.mean(steps), rel=0.15)
    assert decision["simulated"]["latency_s"][0] == pytest.approx(
        decision["predicted"]["latency_s"], rel=0.05
    )


def _server():
    from scenarios.systems.scenario import Server

    return parse(Server, read("server", "xeon"))


def test_a_split_is_written_as_alternatives_are_named():
    assert str(Split("stage3", "ecsq")) == "stage3/ecsq"
    assert str(Split("output", "ecsq")) == "output"
    assert str(Split("layers.1", "ecsq", 64)) == "layers.1/ecsq, 64 tokens"
    assert Split("layers.1", "ecsq", 64).steps == 64
    assert Split("output", "none", 64).steps == 1


def test_search_of_several_limits_is_a_row_each(capsys):
    assert run(["search", "-m", "slo.mean_s=0.02,0.001", "fleet.n_devices=4", "answers=0"]) == 1
    kept, refused = rows("search")
    assert float(kept["latency_mean_s"]) <= 0.02
    assert "slo.mean_s" in kept["binding"]
    assert (kept["slo.mean_s"], refused["slo.mean_s"]) == ("0.02", "0.001")
    assert "least relaxation" in refused["error"]
    assert Path(kept["folder"], "search.json").exists()


def test_a_codec_that_cannot_be_measured_fails_alone():
    """`klt_ecsq` needs a calibration; the other points of its sweep do not."""
    words = ["simulate", "model=digits", "model.samples=40", "model.repeats=1", *SHORT, "cut=stem"]
    assert run([*words, "sweep=['codec=klt_ecsq,int8']"]) == 1
    refused, played = rows("simulate")
    assert "calibration" in refused["error"]
    assert float(played["throughput_rps"]) > 0.0


def test_no_closed_form_is_near_devices_that_choose(capsys):
    """It once called a mean below its own lower bound good: it knew the first choice alone."""
    words = ["cut=stage3", "codec=ecsq", "alternatives=[stage2/int8,output]", "fleet.n_devices=4"]
    assert run(["simulate", *words, *SHORT]) == 0
    assert "no closed form is near" in capsys.readouterr().out
    (row,) = rows("simulate")
    assert "closed-form neighbour" in row["cautions"]


def test_a_device_that_cannot_hold_its_part_spoils_the_grade():
    """Llama-2-7B in bf16 takes 2 bytes a weight; a Jetson Orin Nano has 8.6 GB."""
    asked = {"device": "jetson_orin_nano", "server": "h100", "horizon_s": 20.0}
    row = sf.case("llama2_7b", "output", session=sf.session(n_tokens=2), **asked).simulate()
    assert row["grade"] == "D"
    said = r"memory: jetson_orin_nano has 8\.59 GB, its part takes 13\.5 GB"
    assert re.search(said, row["cautions"])
    part = sf.case("llama2_7b", "layers.3/ecsq", session=sf.session(n_tokens=2), **asked)
    assert "memory" not in part.simulate()["cautions"]
