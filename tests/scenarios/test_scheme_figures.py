"""`scheme=NAME` on figures, sweeps and the door: what nobody planned together runs."""

import csv
from pathlib import Path

import pytest

import splitfleet as sf
from scenarios.__main__ import run

SMALL = ("methods=few", "model.samples=30", "model.repeats=1", "replications=2", "span_s=1",
         "cycles=2", "warmup_s=0.2")  # fmt: skip


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("command", "words"), [
    ("splits", ["sent=raw8", "requests=3", 'sweep=["fleet.n_devices=2"]']),
    ("links", ["shown=[]", 'sweep=["link=wifi,lte","fleet.n_devices=4"]']),
    ("fig1_server_load", ['sweep=["fleet.n_devices=1,4"]']),
])  # fmt: skip
def test_a_figure_draws_a_scheme_where_it_is_one(command, words, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    given = ["model=digits", "scheme=early_exit", *SMALL, *words, "name=of_scheme"]
    assert run([command, *given]) == 0
    every = rows("of_scheme")
    assert {row["scheme"] for row in every} == {"early_exit"}
    cuts = {row["cut"] for row in every}
    assert "layer1" in cuts
    assert cuts <= {"layer1", "layer2", "output"}  # before the exit it would be another system


@pytest.mark.parametrize(("scheme", "model", "own", "cut"), [
    ("ladon", "scenes16", "prior", "encoder"), ("rans", "digits", "aiq", "stage3"),
])  # fmt: skip
def test_a_figure_compares_the_codec_that_a_scheme_brings(
    scheme, model, own, cut, workplace, monkeypatch
):
    """Beside its methods; of a scheme that is a codec that line alone goes by its name."""
    monkeypatch.chdir(workplace)
    sweep = 'sweep=["link=wifi","fleet.n_devices=2"]'
    given = [f"model={model}", f"scheme={scheme}", *SMALL, "shown=[]", sweep, "name=brought"]
    assert run(["links", *given]) == 0
    within = {row["codec"]: row for row in rows("brought") if row["cut"] == cut}
    assert set(within) == {"raw16", "slicer", "ecsq", own}
    others = {row["scheme"] for name, row in within.items() if name != own}
    assert within[own]["scheme"] == scheme
    assert others == {"split" if scheme == "rans" else scheme}


def test_a_figure_of_codecs_takes_no_scheme_that_reads_none_of_them(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    assert run(["links", "scheme=navisplit", *SMALL, "name=none"]) == 2
    assert "reads none but its own (fixed8)" in " ".join(capfd.readouterr().err.split())


def test_a_sweep_over_schemes_tells_which_one_cannot_be(quick):
    axis = 'sweep=["scheme=split,early_exit,mtl_split"]'
    assert run(["simulate", *quick, axis, "codec=raw32", "name=swept"]) == 1
    by_scheme = {row["scheme"]: row for row in rows("swept")}
    assert by_scheme["early_exit"]["cut"] == "layer1"
    assert by_scheme["split"]["cut"] == "stage3"
    assert "is trained for model" in by_scheme["mtl_split"]["error"]


def test_the_door_sweeps_schemes_over_links_that_damage_payloads(workplace, monkeypatch):
    """Exits, a fixed-length codec and flipped bits: nobody planned them together."""
    monkeypatch.chdir(workplace)
    model = sf.model("digits", samples=40, repeats=1, batches=[1])
    flips = sf.link("wifi", transport="bit_error", bit_error_rate=0.1)
    case = sf.case(model, ("layer1", "int8"), scheme=sf.scheme("early_exit", threshold=1.0),
                   horizon_s=2.0, warmup_s=0.5, replications=2)  # fmt: skip
    right = case.simulate()["table_accuracy"]
    damaged = case.change(link=flips)
    never = damaged.simulate()["table_accuracy"]
    always = damaged.change(scheme=sf.scheme("early_exit", threshold=0.0)).simulate()
    assert never < right
    assert never < always["table_accuracy"]  # what ends on the device is not damaged
    swept = case.sweep(scheme=["early_exit", "split"])
    assert [row.get("error") is None for row in swept] == [True, False]
