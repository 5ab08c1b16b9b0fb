"""`splitfleet profile`: what it writes, what it refuses; speeds are nobody's business here."""

import csv
import json
from pathlib import Path

import pytest

from profiles import ModelProfile
from scenarios.__main__ import run


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
def test_a_profile_is_stored_and_says_beforehand_how_long_it_takes(capsys):
    assert run(["profile", "model=digits", "batches=[1,3]", "budget_s=1", "hardware=cpu"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("digits: batch 1, 3, 7 rounds: about ")
    profile = ModelProfile.load("outputs/profile/digits-single.npz")
    assert profile.head.batches == (1, 3)
    with Path("outputs/profile/profile.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(profile.cuts)
    assert float(rows[-1]["head_s"]) == profile.head.seconds_at("output", batch=3)
    about = json.loads(Path("outputs/profile/run.json").read_text())
    assert about["digests"] == {"single": profile.digest}
    assert about["provenance"]["single"]["machine"]["threads"] == 1


@pytest.mark.usefixtures("here")
def test_language_has_prefill_and_decode_apart():
    words = ["profile", "model=bytellama", "batches=[1]", "budget_s=1", "name=lm", "hardware=cpu"]
    assert run(words) == 0
    prefill, decode = (
        ModelProfile.load(f"outputs/lm/bytellama-{phase}.npz") for phase in ("prefill", "decode")
    )
    assert prefill.head.new_tokens == (1, 16, 64, 256)
    assert decode.head.kv_lengths == (0, 64, 256, 1024)
    with Path("outputs/lm/profile.csv").open() as file:
        assert {row["phase"] for row in csv.DictReader(file)} == {"prefill", "decode"}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("threads=0", "threads must be > 0, got 0"),
        ("batches=[4,1]", "batches must ascend from 1 or above, got [4, 1]"),
        ("hardware=tpu", "unknown hardware 'tpu'"),
        ("model.weights=nowhere", "model 'digits' has no option 'weights'"),
    ],
)
def test_mistakes_are_one_line(word, said, capsys):
    assert run(["profile", "model=digits", word]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
