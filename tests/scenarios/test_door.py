"""The door: a system in a script is simulated, planned and swept as on the command line."""

import builtins
import csv
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import sim
import splitfleet as sf
from scenarios.__main__ import run

ROOT = Path(sf.__file__).parent
QUICK = {"horizon_s": 4.0, "warmup_s": 1.0, "replications": 2}
SEARCH = {"requests_per_run": 400, "pilot_requests": 400, "n_runs": 4, "half_width": 0.2}
HEAVY = ("torch", "hydra", "omegaconf", "matplotlib", "transformers", "pandas")
BOARDS = {
    "camera": {"device": "raspberry_pi_4", "codec": "slicer", "cut": "stage2"},
    "robot": {"device": "raspberry_pi_zero_2w", "codec": "ecsq", "cut": "stage3"},
}


def by_hand(**parts):
    costs = sf.request(server_s=0.004)
    chosen = {"link": "ideal", "workload": "poisson", **QUICK, **parts}
    return sf.case(request=costs, **chosen)


def own(**parts):
    source = sim.ConstantSource(server_s=0.004)
    return sf.case(sources=source, link="ideal", workload="poisson", **{**QUICK, **parts})


def groups():
    return sf.case(groups={"camera": {"share": 2}, "robot": {}}, members=BOARDS, **QUICK)


def adaptive():
    return sf.case("scenes", "stage3/ecsq", alternatives=["output"], policy="fastest", **QUICK)


def sessions():
    asked = sf.session(n_tokens=8)
    return sf.case("bytellama", "layers.1/int8", session=asked, **{**QUICK, "horizon_s": 8.0})


KINDS = [sf.case, groups, adaptive, sessions, by_hand, own]


def test_the_import_loads_nothing_heavy():
    probe = f"import sys, splitfleet; print([n for n in {HEAVY} if n in sys.modules])"
    made = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True)
    assert made.stdout.strip() == "[]", made.stderr


def test_a_case_simulates_to_the_row_of_the_command(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    words = ["codec=ecsq", "fleet.n_devices=5", "link.rate_bps=5e7", "name=door"]
    assert run(["simulate", *words, *(f"{name}={value}" for name, value in QUICK.items())]) == 0
    with open(workplace / "outputs" / "door" / "results.csv") as file:
        (told,) = csv.DictReader(file)
    link = sf.link("wifi", rate_bps=5e7)
    row = sf.case("scenes", "stage3/ecsq", link=link, n_devices=5, **QUICK).simulate()
    assert len(row) > 100
    for name, value in row.items():
        known = value is not None and not (isinstance(value, float) and math.isnan(value))
        assert told[name] == (str(value) if known else ""), name


def test_a_case_plans_to_the_answer_of_the_command(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    words = ["request=by_hand", "request.server_s=0.004", "link=ideal", "workload=poisson"]
    search = [f"plan.{name}={value}" for name, value in SEARCH.items()]
    assert run(["plan", *words, *search, "slo.p95_s=0.05", "name=door_plan"]) == 0
    told = json.loads((workplace / "outputs" / "door_plan" / "plan.json").read_text())
    case = sf.case(request=sf.request(server_s=0.004), link="ideal", workload="poisson")
    answer = case.plan(p95_s=0.05, **SEARCH)
    assert sorted({*told} - {"elapsed_s"}) == sorted(answer)
    assert told["curve"] == answer["curve"]
    assert [told[f"n_star{end}"] for end in ("", "_lo", "_hi")] == [
        answer[f"n_star{end}"] for end in ("", "_lo", "_hi")
    ]
    assert repr(answer).startswith(f"Answer({told['n_star']} devices [")


def test_the_inverse_names_what_is_enough():
    answer = by_hand().plan(p95_s=0.05, n_devices=80, **SEARCH)
    assert repr(answer).startswith("Answer(80 devices need server speed 1.")
    assert "or GPUs 2" in repr(answer)


@pytest.mark.parametrize("make", KINDS)
def test_every_kind_of_system_is_simulated_and_swept(make, workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    case = make().change(n_devices=3, **QUICK)
    row = case.simulate()
    assert row["n_devices"] == 3
    assert row["throughput_rps"] > 0.0
    low, high = row.interval("throughput_rps")
    assert low <= row["throughput_rps"] <= high
    table = case.sweep({"fleet.n_devices": [3, 0]}, seed=[0])
    assert table[0]["latency_mean_s"] == row["latency_mean_s"]
    assert "n_devices must be >= 1" in table[1]["error"]
    assert repr(table) == "Sweep(2 points over fleet.n_devices, seed, 1 failed)"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("make", "p95_s"), [(own, 0.05), (sessions, 0.5)])
def test_other_kinds_of_systems_are_planned(make, p95_s, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    answer = make().plan(p95_s=p95_s, **SEARCH)
    assert answer["n_star_lo"] <= answer["n_star"] <= answer["n_star_hi"]
    assert answer["binding"] == "server"


def test_own_sources_are_those_that_groups_name():
    fast, slow = sim.ConstantSource(server_s=0.001), sim.ConstantSource(device_s=0.01)
    fleet = sim.FleetSpec(n_devices=2, groups={"a": sim.GroupSpec(source="fast"),
                                               "slow": sim.GroupSpec()})  # fmt: skip
    spec = sim.SystemSpec(fleet=fleet, link=sim.LinkSpec(sharing="dedicated", rtt_s=0.0), **QUICK)
    row = sf.play(spec, {"fast": fast, "slow": slow})
    assert row["latency_mean_s_a"] < row["latency_mean_s_slow"]
    assert math.isnan(row["device_energy_j_per_request"])
    with pytest.raises(ValueError, match="unknown source 'slow'; allowed: fast"):
        sf.play(spec, {"fast": fast})
    with pytest.raises(ValueError, match="a system takes sources or request, got both"):
        sf.case(sources=fast, request=sf.request()).simulate()


def test_a_network_measured_here_is_measured_once(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    case = sf.case(sf.model("digits", samples=40, repeats=1), "stage1/int8", **QUICK)
    first = case.simulate()
    assert case.change(n_devices=2).measured is case.measured
    assert case.simulate()["latency_mean_s"] == first["latency_mean_s"]


def test_a_big_network_is_timed_on_one_gpu_and_scaled_to_others_by_their_memory():
    asked = {"session": sf.session(n_tokens=4), "device": "jetson_agx_orin", **QUICK}
    case = sf.case("llama2_7b", "layers.0/int8", **asked)
    measured, scaled = case.sweep(server=["h100", "a100"])
    assert measured["server_machine"] == "h100 measured, graph bf16"
    assert scaled["server_machine"] == "a100 scaled from h100, graph bf16"
    ratio = scaled["server_s_per_request"] / measured["server_s_per_request"]
    assert 3350 / 2039 < ratio < 989.4 / 312  # decoding by bandwidth, the prompt by peak rates


MISTAKES = {
    "unknown link 'wfi'; nearest: wifi": lambda: sf.link("wfi"),
    "unknown field of link 'rtt'; nearest: rtt_s": lambda: sf.link("wifi", rtt=0.1),
    "unknown field of device 'speeed'": lambda: sf.device("raspberry_pi_4", speeed=2),
    "unknown field of session 'n_token'; nearest: n_tokens": lambda: sf.session(n_token=8),
    "unknown field of request 'server'; nearest: server_s": lambda: sf.request(server=0.1),
    "unknown field of groups.a 'shar'; nearest: share": lambda: sf.case(groups={"a": {"shar": 1}}),
    "unknown model 'scens'; nearest: scenes": lambda: sf.case("scens"),
    "unknown codec 'ecs'; nearest: ecsq": lambda: sf.case("scenes", "stage3/ecs"),
    "unknown option of ecsq 'stp'; nearest: step": lambda: sf.case(
        "scenes", ("stage3", sf.codec("ecsq", stp=0.2))
    ).simulate(),
    "unknown cut 'stage9'; nearest: stage4": lambda: sf.case("scenes", "stage9/ecsq").simulate(),
    "unknown part of a case 'n_device'; nearest: n_devices": lambda: sf.case(n_device=3),
    "unknown part of a case 'n_divices'": lambda: by_hand().sweep(n_divices=[1]),
    "unknown field 'server.sped'; nearest: server.speed": lambda: by_hand().sweep(
        {"server.sped": [1]}
    ),
    "n_devices must be a list of values to sweep over, got 5": lambda: by_hand().sweep(n_devices=5),
    "unknown limit or field of plan 'p95'; nearest: p95_s": lambda: by_hand().plan(p95=0.1),
    "over is for the command line": lambda: by_hand().plan(p95_s=0.1, over=["cut"]),
    "slo must limit the latency": lambda: by_hand().plan(),
    "split must be CUT/CODEC, output, or a pair": lambda: sf.case("scenes", "stage3"),
    "link must be a name, or what splitfleet.link gives, got 5": lambda: sf.case(link=5),
    "alternatives must be a list": lambda: sf.case(alternatives="output"),
    "members.a needs device": lambda: sf.case(members={"a": {"cut": "stage3"}}),
    "groups must be a dict by name": lambda: sf.case(groups=["a"]),
    "sources must be a source or a dict": lambda: sf.case(sources=3),
    "group must be codec, device, link, model": lambda: sf.names("devices"),
    "fleet.n_devices must be a number, got 'four'": lambda: sf.case(n_devices="four"),
    "seed must be a number, got 'a'": lambda: sf.case(seed="a"),
    "slo.p95_s must be a number, got 'x'": lambda: by_hand().plan(p95_s="x"),
    "plan.half_width must be a number, got 'x'": lambda: by_hand().plan(p95_s=1, half_width="x"),
    "alternatives must be a list of CUT/CODEC or output": lambda: sf.case(alternatives=[3]),
    "raspberry_pi_4.slowdown must be > 0, got x": lambda: sf.device("raspberry_pi_4", slowdown="x"),
    "unknown option of ecsq 'stepp'; nearest: step": lambda: sf.codec("ecsq", stepp=1),
    "unknown cut 'stage3' (the default); bytellama has input, layers.0": lambda: sf.case(
        "bytellama"
    ).simulate(),
    "a system takes sources or split, got both": lambda: own(split="output").simulate(),
    "session.n_tokens must be >= 1, got 0": lambda: sf.session(n_tokens=0),
    "policy must be one of fastest": lambda: sf.case(policy="fast"),
    "a sweep needs an axis": lambda: by_hand().sweep(),
    "n_devices must be a list of values to sweep over, got []": lambda: by_hand().sweep(
        n_devices=[]
    ),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_is_one_line(said):
    with pytest.raises(ValueError, match=re.escape(said)) as mistake:
        MISTAKES[said]()
    assert "\n" not in str(mistake.value)


def test_a_network_that_generates_runs_whole_on_the_server(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    asked = sf.session(prompt_tokens=16, n_tokens=4, n_prompts=2, traced_tokens=4, repeats=1)
    row = sf.case("bytellama", "input/raw32", session=asked, **QUICK).simulate()
    assert row["throughput_rps"] > 0.0


def test_a_plan_without_an_answer_is_refused():
    with pytest.raises(sf.Refusal, match="even one device misses latency_p95_s"):
        by_hand().plan(p95_s=0.001, **SEARCH)
    with pytest.raises(AttributeError, match="has no attribute 'refusal'"):
        _ = sf.refusal


def test_a_column_that_is_not_there_is_named_with_the_nearest():
    row = by_hand().simulate()
    with pytest.raises(KeyError, match="unknown column 'latency_p95'; nearest: latency_p95_s"):
        row["latency_p95"]
    with pytest.raises(KeyError, match="column n_devices has no interval"):
        row.interval("n_devices")


def test_a_state_is_said_in_one_line():
    case = by_hand(n_devices=7)
    assert repr(case) == "Case(server_s=0.004: 7 devices over ideal, seed 0)"
    assert repr(own()).startswith("Case(sources of your own: 1 devices over ideal")
    assert repr(sf.case("scenes", "stage3/ecsq", n_devices=50)) == (
        "Case(scenes stage3/ecsq: 50 x raspberry_pi_4 -> wifi -> xeon, seed 0)"
    )
    assert "fastest of stage3/ecsq, output" in repr(adaptive())
    assert "stage2/slicer + stage3/ecsq: 1 x camera (raspberry_pi_4) + robot" in repr(groups())
    assert repr(case.simulate()).startswith("Result(7 devices: ")
    for thing in (case.built, case.measured, own().measured, sf.case().measured,
                  sessions().measured):  # fmt: skip
        assert len(repr(thing)) < 200, thing
        assert "\n" not in repr(thing)


def test_a_saturated_system_has_no_latency_to_show():
    row = by_hand(n_devices=300).simulate()
    assert "p95 without bound" in repr(row)


def test_frames_need_pandas_and_say_so(monkeypatch):
    whole = builtins.__import__

    def without(name, *rest):
        if name == "pandas":
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="to_pandas needs pandas: pip install pandas"):
        by_hand().simulate().to_pandas()


def test_frames_hold_what_rows_hold():
    pytest.importorskip("pandas")
    table = by_hand().sweep(n_devices=[2, 4])
    frame = table.to_pandas()
    assert list(frame["n_devices"]) == [2, 4]
    assert frame["latency_p95_s"][1] == table[1]["latency_p95_s"]
    assert len(table[0].to_pandas()) == 1
    curve = by_hand().plan(p95_s=0.05, **SEARCH).to_pandas()
    assert {"n", "value", "lo", "hi"} <= {*curve.columns}


def test_specs_of_sim_are_parts_of_a_case():
    server = sim.ServerSpec(max_batch=4, discipline="take_all")
    case = by_hand(link=sim.LinkSpec(sharing="ps", rate_bps=1e6), server=server)
    assert case.config.link.rate_bps == 1e6
    assert case.config.server.max_batch == 4
    assert case.built.spec.link == replace(case.config.link)
