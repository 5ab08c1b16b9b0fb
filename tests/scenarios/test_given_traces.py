"""`trace=FILE`: payloads of elsewhere, codec seconds carried by the anchor; or refused."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from profiles.predicting.codecs import Clock, codec_of
from profiles.shipping import shipped
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.trace import TraceTable
from scenarios.__main__ import run
from scenarios.systems import carrying, traces
from scenarios.systems.coders import coders
from scenarios.systems.measured import known_of
from scenarios.systems.sheets import read

FACTS = ModelProfile.load(shipped.DATA / "profiles" / "scenes-single-1.npz")
SHIPPED = TraceTable.load(shipped.DATA / "traces" / "scenes.npz")
OTHER = {**SHIPPED.provenance["machine"], "processor": "another", "cpus": 64}
SYSTEM = ("fleet.n_devices=2", "horizon_s=3", "warmup_s=0.5", "replications=3", "codec=ecsq")


def row(*words):
    assert run(["simulate", *SYSTEM, *words]) == 0
    with Path("outputs/simulate/results.csv").open() as file:
        (found,) = csv.DictReader(file)
    return found


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The shipped table as another machine of half the speed would have made it."""
    monkeypatch.chdir(tmp_path)
    columns = dict(SHIPPED.columns)
    for name in ("encode_s", "decode_s"):
        columns[name] = 2.0 * columns[name]
    anchor_s = 2.0 * FACTS.head.provenance["anchor_s"]
    about = {**SHIPPED.provenance, "machine": OTHER, "anchor_s": anchor_s}
    replace(SHIPPED, columns=columns, provenance=about).save("there.npz")
    return "there.npz"


def test_payloads_are_the_files_and_codec_seconds_come_by_the_anchor(elsewhere, capsys):
    home, given = row(), row(f"trace={elsewhere}")
    for column in ("uplink_bytes_per_request", "table_accuracy"):
        assert given[column] == home[column]
    for column in ("device_service_s", "server_service_s", "latency_mean_s"):
        assert float(given[column]) == pytest.approx(float(home[column]), rel=0.05)
    assert given["codec_machine"] == "raspberry_pi_4 scaled + xeon scaled"
    about = json.loads(Path("outputs/simulate/run.json").read_text())
    assert elsewhere in json.dumps(about["provenance"])
    capsys.readouterr()


def test_what_splitfleet_trace_writes_is_read_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ("model.samples=12", "model.repeats=1", "cut=[stage3]", "codec=ecsq")
    assert run(["trace", *small]) == 0
    table = TraceTable.load("outputs/trace/scenes.npz")
    assert table.provenance["anchor_s"] > 0
    found = row("trace=outputs/trace/scenes.npz", "server=this")
    payload = table.cell("payload_bytes", "stage3", "ecsq")
    low, high = payload.min(), payload.max()
    assert low <= float(found["uplink_bytes_per_request"]) <= high
    assert found["codec_machine"].endswith("this measured")
    decode_s = table.cell("decode_s", "stage3", "ecsq")
    assert float(found["server_service_s"]) > decode_s.min()


def test_a_machine_with_profile_and_trace_has_measured_codec_seconds():
    about = {**FACTS.tail.provenance, "machine": OTHER, "codec_anchor_s": 0.1}
    tail = replace(FACTS.tail, hardware="box", provenance=about)
    known = known_of(FACTS, (FACTS.head, FACTS.tail, tail))
    clock = Clock(machine="the machine of there.npz", anchor_s=0.3, host=OTHER)
    box = ServerSpec(name="box", title="mine")
    assert codec_of(box, known, clock, server=True)[:4] == (1.0, "measured", 0.0, "box")
    away = replace(clock, host={**OTHER, "cpus": 8})
    carried = codec_of(box, known, away, server=True)
    assert (carried.kind, carried.factor) == ("scaled", pytest.approx(0.1 / 0.3))
    slow = DeviceSpec(name="slow", title="slow", slowdown=4.0, sources={"slowdown": "stated"})
    home_s = FACTS.head.provenance["anchor_s"]
    assert codec_of(slow, known, away, server=False).factor == pytest.approx(4 * home_s / 0.3)
    bare = codec_of(slow, known, Clock(machine="xeon"), server=False)
    assert bare.factor == 4.0


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        ({}, ["model=digits", "cut=stage2"], "is of scenes; it must be of digits"),
        ({"model_digest": "0"}, [], "is of another scenes (digest 0, here"),
        ({"codec_version": 0}, [], "holds streams of version 0; it must be version 1"),
        ({}, ["codec.step=0.5"], "it must hold ecsq@feature as ecsq("),
        ({"codecs": {}}, [], "holds the settings ; it must hold"),
        ({}, ["live=true"], "is not read: live=true traces here"),
        ({}, ["model=llama2_7b", "cut=layers.16"], "takes payloads scaled from a smaller"),
    ],
)
def test_what_does_not_fit_is_one_line(change, words, said, elsewhere, capsys):
    table = TraceTable.load(elsewhere)
    replace(table, provenance={**table.provenance, **change}).save(elsewhere)
    assert run(["simulate", *SYSTEM, f"trace={elsewhere}", *words]) == 2
    told = capsys.readouterr().err.strip()
    assert said in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such"), (b"", "there.npz"), (b"cut,bytes\n", "there.npz")],
)
def test_no_table_is_one_line(content, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("there.npz").write_bytes(content)
    assert run(["simulate", *SYSTEM, "trace=there.npz"]) == 2
    told = capsys.readouterr().err.strip()
    assert said in told
    assert "\n" not in told


def test_generations_must_be_long_enough():
    table = SimpleNamespace(axes={"token": ()}, size=lambda _: 3)
    with pytest.raises(ValueError, match="holds generations of 3 tokens"):
        traces.check_tokens("x.npz", table, 4)
    with pytest.raises(ValueError, match="holds generations of 0 tokens"):
        traces.check_tokens("x.npz", SHIPPED, 4)


@pytest.mark.parametrize("name", ["scenes", "resnet34", "bytellama"])
def test_shipped_settings_are_those_of_today_and_say_how_their_seconds_came(name):
    table = TraceTable.load(shipped.DATA / "traces" / f"{name}.npz")
    known = {key.partition("@")[0]: spec for key, spec in table.provenance["codecs"].items()}
    plain = set(known) & {"raw16", "int8", "int4", "topk", "aiq", "tabq", "slicer", "ecsq"}
    assert {key: coders(read("codec", key))["feature"].spec for key in plain} == {
        key: known[key] for key in plain
    }
    said = carrying.scaled(table)
    assert {"int8", "int4", "tabq", "slicer", "ecsq"} <= set(said) <= set(table.settings)
    assert not {"raw8", "jpeg", "raw16", "topk", "aiq"} & set(said)
    assert all(one.kind == "scaled" for each in said.values() for one in each.values())
    ratios = table.provenance["seconds"]["ratios"]
    assert set(ratios) == set(said)
    assert all(0.0 < r <= 1.05 for at in ratios.values() for d in at.values() for r in d.values())
