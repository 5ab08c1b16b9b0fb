"""SALT in front of SemanticNN by configuration alone: over bit errors, as traffic, refused."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from profiles import schemes
from scenarios.__main__ import run

BOTH = ("scheme=salt", "scheme.closed=semanticnn", "codec=centres", "model.batches=[1]",
        "fleet.n_devices=4")  # fmt: skip


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as source:
        return list(csv.DictReader(source))


def test_the_shifted_user_is_answered_over_bit_errors_in_the_same_bytes(quick, capfd):
    axes = "sweep=['scheme.form=residual,none','link.bit_error_rate=0,0.1']"
    words = [*BOTH, "link.transport=bit_error", "link.rtt_s=0", axes, "name=both"]
    assert run(["simulate", *quick, *words]) == 0
    every = rows("both")
    assert {float(row["uplink_bytes_per_request"]) for row in every} == {12.0}
    assert {(row["scheme"], row["cut"], row["codec"]) for row in every} == {
        ("salt", "encoder", "centres")}  # fmt: skip
    right = [float(row["table_accuracy"]) for row in every]
    adapted, closed = right[:2], right[2:]
    for with_adapter, without in zip(adapted, closed, strict=True):
        assert with_adapter - without > 0.3
    assert adapted[1] > 0.8
    about = json.loads(Path("outputs/both/run.json").read_text())["provenance"]["scheme"]
    assert about["recipe"]["name"] == "salt-digits-rotated-residual-semantic"
    assert "rotated scikit-learn's digits" in " ".join(capfd.readouterr().out.split())


def test_it_runs_exactly_and_small_scenes_and_other_codecs_take_it_too(quick):
    words = ["scheme=salt", "scheme.closed=semanticnn", "model=scenes16", "model.batches=[1]",
             "model.samples=60", "model.repeats=1"]  # fmt: skip
    axis = 'sweep=["codec=centres,int8"]'
    assert run(["simulate", *words, "horizon_s=2", "warmup_s=0.5", axis, "name=small"]) == 0
    learned, whole = (float(row["uplink_bytes_per_request"]) for row in rows("small"))
    assert learned == 24 + 22  # eight symbols in three bytes; header and checksum
    assert whole == 64 + 28  # a byte for each symbol


def test_its_training_is_traffic_of_symbols_up_and_gradients_down(quick):
    trains = ("workload.adapt_rounds=50", "horizon_s=122", "warmup_s=120")
    assert run(["simulate", *quick, *BOTH, *trains, "name=learns"]) == 0
    (row,) = rows("learns")
    payload = float(row["uplink_bytes_per_request"])
    assert float(row["adapt_uplink_bytes_per_device"]) == pytest.approx(50 * 40 * payload)
    assert float(row["adapt_downlink_bytes_per_device"]) == 50 * 40 * 4 * 32  # 32 symbols
    assert float(row["adapt_accuracy"]) - float(row["adapt_accuracy_start"]) > 0.1


@pytest.mark.parametrize(("words", "said"), [
    (["cut=front"], "scheme salt: its device computes up to encoder, so cut must be one of"),
    (["scheme.threshold=0.7"], "scheme.threshold belongs to scheme.closed=early_exit, got"),
    (["scheme.goal=loss"], "scheme.closed=semanticnn has bit errors of its own, so scheme.goal"),
    (["scheme.goal=coloured"], "scheme.closed=semanticnn is shipped for scheme.goal=rotated"),
    (["scheme.closed=ladon"], "unknown scheme.closed 'ladon'"),
    (["link.transport=bit_error", "codec=ecsq"], "codec=ecsq writes payloads of variable length"),
])  # fmt: skip
def test_what_it_cannot_be_is_refused_in_a_line(quick, capfd, words, said):
    assert run(["simulate", *quick, *BOTH, *words]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_train_repeats_its_recipe(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    folder, name = Path("outputs/cache"), "salt-digits-rotated-residual-semantic"
    folder.mkdir(parents=True, exist_ok=True)
    shipped = schemes.create("salt", "digits", closed="semanticnn").provenance
    for suffix in ("npz", "json"):  # as if it had been trained here before
        digest = shipped["recipe_digest"]
        shutil.copy(schemes.SHIPPED / f"{name}.{suffix}", folder / f"{name}-{digest}.{suffix}")
    assert run(["train", "scheme=salt", "scheme.closed=semanticnn", "model=digits"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("salt on digits goal=rotated form=residual closed=semanticnn,")
    assert "without adapter 55.28 %" in said[0]
    assert said[0].split(": ")[1] == said[1].split(": ")[1]
