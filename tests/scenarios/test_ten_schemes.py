"""`scheme=NAME` answers for all ten systems, on simulate, on plan, and in a script."""

import csv
import json
from pathlib import Path

import pytest

import splitfleet as sf
from profiles import schemes
from scenarios.__main__ import run

TEN = {
    "slicer": ("digits", "slicer"),
    "rans": ("digits", "aiq"),
    "semanticnn": ("digits", "centres"),
    "salt": ("digits", "int8"),
    "ladon": ("scenes16", "prior"),
    "predefined_sparsity": ("digits", "int8"),
    "mtl_split": ("scenes16", "int8"),
    "navisplit": ("scenes16", "fixed8"),
    "sc2": ("scenes16", "prior"),
    "nasc": ("digits", "int8"),
}
"""Data, and the codec: that which a scheme brings, int8 where it brings none."""
NARROW = ("link=ideal", "link.sharing=ps", "link.rate_bps=3e6", "link.header_bytes=2000",
          "workload.kind=poisson", "workload.rate_rps=10", "plan.requests_per_run=400",
          "plan.pilot_requests=150", "plan.n_runs=3", "workers=1", "plan.half_width=0.5",
          "slo.mean_s=1")  # fmt: skip
"""A link that a few devices fill, whatever they compute, and a short search."""
BROUGHT = ("slicer", "aiq", "centres", "prior", "fixed8")


def words(name, quick):
    """The command line of a scheme on its data."""
    model, codec = TEN[name]
    small = [one for one in quick if not one.startswith(("model=", "replications"))]
    return [*small, f"model={model}", f"scheme={name}", "model.batches=[1]",
            *([] if codec in BROUGHT else [f"codec={codec}"])]  # fmt: skip


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TEN)
def test_every_system_is_simulated_and_planned_by_its_name(name, quick):
    """Under its own codec, with bytes, answers and an interval of N*."""
    given = [*words(name, quick), f"name=ten_{name}"]
    assert run(["simulate", *given, "replications=3", "fleet.n_devices=2"]) == 0
    (row,) = rows(f"ten_{name}")
    assert (row["scheme"], row["model"], row["codec"]) == (name, *TEN[name])
    assert float(row["uplink_bytes_per_request"]) > 0.0
    assert float(row["table_accuracy"]) > 0.6  # of ten classes
    assert run(["plan", *NARROW, *given]) == 0
    plan = json.loads(Path(f"outputs/ten_{name}/plan.json").read_text())
    assert 1 <= plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]
    assert (plan["scheme"], plan["codec"]) == (name, TEN[name][1])


def cells(case):
    """Bytes and answers of every sample where a case cuts, under its codec."""
    labels, table = case.built.labels, case.measured.table
    at = (labels["cut"], labels["codec"])
    return [table.cell(column, *at).tolist() for column in ("payload_bytes", "correct")]


@pytest.mark.parametrize(("name", "codec"), [("slicer", "slicer"), ("rans", "aiq")])
def test_a_system_that_is_a_codec_is_the_split_under_it(name, codec, workplace, monkeypatch):
    """The same bytes and answers as by the codec's name; under any other one it is `split`."""
    monkeypatch.chdir(workplace)
    small = sf.model("digits", samples=40, repeats=1, batches=[1])
    mine, split = sf.case(small, scheme=name), sf.case(small, f"stage3/{codec}")
    other = sf.case(small, "stage3/int8", scheme=name)
    said = [one.built.labels["scheme"] for one in (mine, split, other)]
    assert said == [name, "split", "split"]
    assert cells(mine) == cells(split) != cells(other)


@pytest.mark.parametrize("model", ["digits", "scenes16"])
def test_predefined_sparsity_is_early_exit_without_its_exit(model, workplace, monkeypatch):
    """The same answers and bytes as where none is sure enough, no exit head on the device, and
    cuts before it.
    """
    monkeypatch.chdir(workplace)
    small = sf.model(model, samples=40, repeats=1, batches=[1])
    never = sf.scheme("early_exit", threshold=1.0)
    each = [sf.case(small, scheme=one) for one in ("predefined_sparsity", never)]
    alone, gated = (one.built for one in each)
    assert alone.labels["cut"] == gated.labels["cut"]
    assert cells(each[0]) == cells(each[1])
    assert "exit_share" not in alone.quality
    head = schemes.create("early_exit", model).gate.early.module.whole.exit_head
    state = [each.numel() for name, each in head.state_dict().items() if "num_batches" not in name]
    assert gated.encoder_bits - alone.encoder_bits == 32 * sum(state)
    whole = sf.case(small, ("input", "raw8"), scheme="predefined_sparsity")
    if model == "scenes16":
        assert whole.built.encoder_bits == 0.0
        with pytest.raises(ValueError, match="its device computes up to stage1"):
            _ = whole.change(scheme=never).measured


@pytest.mark.parametrize(("scheme", "model", "chain"), [
    ("rans", "scenes", "aiq"), ("slicer", "scenes", "slicer"), ("ladon", "scenes16", "prior"),
    ("sc2", "scenes16", "prior"), ("semanticnn", "scenes", "centres"),
    ("navisplit", "scenes16mixed", "slicer"), ("nasc", "scenes", "slicer"),
])  # fmt: skip
def test_in_a_script_a_scheme_brings_its_data_and_codec_too(scheme, model, chain):
    for chosen in (scheme, sf.scheme(scheme)):
        config = sf.case(scheme=chosen).config
        assert (config.model.name, config.codec["chain"]) == (model, chain)
    named = sf.case("digits", "stage2/int8", scheme=scheme).config
    assert (named.model.name, named.cut, named.codec["name"]) == ("digits", "stage2", "int8")


def test_a_cut_alone_takes_the_codec_that_the_scheme_brings():
    assert sf.case("scenes", "stage2", scheme="rans").config.codec["chain"] == "aiq"
    assert sf.case("scenes", "stage2/slicer_strong", scheme="slicer").config.cut == "stage2"
    with pytest.raises(ValueError, match="split must be CUT/CODEC"):
        sf.case("scenes", "stage2", scheme="nasc")


def test_a_script_sweeps_systems_by_their_names(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    small = sf.model("digits", samples=40, repeats=1, batches=[1])
    case = sf.case(small, horizon_s=2.0, warmup_s=0.5, replications=2)
    swept = case.sweep(scheme=["split", "slicer", "rans", "semanticnn", "predefined_sparsity"])
    assert [row.get("error") for row in swept] == [None] * 5
    assert [row["codec"] for row in swept] == ["slicer", "slicer", "aiq", "centres", "slicer"]
    assert len({row["uplink_bytes_per_request"] for row in swept}) == 4
