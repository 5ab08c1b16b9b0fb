"""`splitfleet trace`: whole aligned rows, and one line for what cannot be traced."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from profiles.shipping import shipped
from profiles.tables.trace import TraceTable
from scenarios.__main__ import run

SMALL = ("model.samples=12", "model.repeats=1")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
def test_every_sample_stands_at_every_cut_and_setting(capsys):
    assert run(["trace", "model=digits", *SMALL, "codec=raw16", "cut=all"]) == 0
    table = TraceTable.load("outputs/trace/digits.npz")
    assert table.cuts == ("input", "stem", "stage1", "stage2", "stage3", "stage4", "output")
    assert not table.exists("input", "raw16")  # a codec of features
    for cut in table.cuts[1:]:
        assert table.cell("correct", cut, "raw16").shape == (12,)
        assert not np.isnan(table.cell("payload_bytes", cut, "raw16")).any()
    with Path("outputs/trace/trace.csv").open() as file:
        rows = {row["cut"]: row for row in csv.DictReader(file)}
    whole = table.cell("payload_bytes", "stage1", "raw16").mean()
    assert float(rows["stage1"]["payload_bytes"]) == whole
    about = json.loads(Path("outputs/trace/run.json").read_text())
    assert about["digests"]["trace"] == table.digest
    assert "digits, 12 samples" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_a_generation_is_traced_with_the_codec_inside():
    words = ["trace", "model=bytellama", "model.samples=2", "model.repeats=1", "codec=int8"]
    assert run([*words, "cut=layers.1", "new_tokens=3", "prompt_tokens=8"]) == 0
    table = TraceTable.load("outputs/trace/bytellama.npz")
    assert table.cuts == ("layers.1",)
    assert table.cell("payload_bytes", "layers.1", "int8").shape == (2, 3)
    assert (table.cell("kv_head_bytes", "layers.1", "int8")[1:] == 2 * 2 * 128 * 4).all()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cut=stge1"], "unknown cut 'stge1'; nearest: stage1"),
        (["model=bytellama", "codec=raw8"], "no codec of raw8 encodes hidden states"),
        (["new_tokens=0"], "new_tokens must be >= 1, got 0"),
    ],
)
def test_mistakes_are_one_line(words, said, capsys):
    assert run(["trace", *words]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


@pytest.mark.usefixtures("here")
def test_a_shipped_table_may_hold_more_settings_than_are_asked_for(monkeypatch, tmp_path):
    from profiles import models
    from profiles.tables.settings import samples_digest
    from scenarios.systems.coders import coders

    monkeypatch.setattr(shipped, "DATA", tmp_path)
    assert run(["trace", "model=digits", *SMALL, "+methods=few", "cut=[stem,output]"]) == 0
    (tmp_path / "traces").mkdir()
    Path("outputs/trace/digits.npz").rename(tmp_path / "traces" / "digits.npz")
    network, data = models.create("digits"), models.samples("digits", "test", 12)
    sent = (
        network,
        {"raw16": coders({"name": "raw16", "chain": "raw16"})},
        samples_digest(*data),
    )
    found = shipped.find(*sent, repeats=1)
    assert found is not None
    assert {"raw16", "slicer"} < set(found.settings)
    assert shipped.find(*sent, repeats=2) is None
    other = {"raw16": coders({"name": "raw16", "chain": "int4"})}
    assert shipped.find(network, other, sent[2], repeats=1) is None
