"""`scheme=semanticnn` on the commands: the same bytes at every rate, beside exact transport."""

import csv
import json
from pathlib import Path

import pytest

from scenarios.__main__ import run
from sim.radio.errors import expected_sends, frame_error_rate, residual_loss

SEMANTIC = ("scheme=semanticnn", "model.batches=[1]")
LINK = ("fleet.n_devices=4", "link.rtt_s=0")


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


def test_its_bytes_are_the_same_at_every_bit_error_rate_and_once_on_the_air(quick, capfd):
    axes = "sweep=['link.bit_error_rate=0,0.01,0.1']"
    words = [*SEMANTIC, *LINK, "link.transport=bit_error", axes, "name=semantic"]
    assert run(["simulate", *quick, *words]) == 0
    every = rows("semantic")
    assert {float(row["uplink_bytes_per_request"]) for row in every} == {12.0}
    assert {float(row["resent_frames_per_request"]) for row in every} == {0.0}
    assert {(row["scheme"], row["cut"], row["codec"]) for row in every} == {
        ("semanticnn", "encoder", "centres")}  # fmt: skip
    right = [float(row["table_accuracy"]) for row in every]
    assert right[2] > 0.85
    for row in every:
        assert float(row["accuracy_lo_total"]) < float(row["table_accuracy"]) + 0.02
        assert float(row["throughput_rps_lo"]) <= float(row["throughput_rps"])
    assert "trained here on scikit-learn's digits" in " ".join(capfd.readouterr().out.split())
    about = json.loads(Path("outputs/semantic/run.json").read_text())["provenance"]["scheme"]
    assert about["recipe"]["name"] == "semanticnn-digits-usual"


def test_exact_transport_sends_it_as_often_as_the_formula_says(quick):
    words = ["link.bit_error_rate=0.001", "horizon_s=6", "replications=5", "name=exact"]
    assert run(["simulate", *quick, *SEMANTIC, *LINK, *words]) == 0
    (row,) = rows("exact")
    frame_bytes = float(row["uplink_bytes_per_request"]) + 72
    lost = float(frame_error_rate(0.001, frame_bytes))
    gone = residual_loss(lost, 7)
    resent = (expected_sends(lost, 7) - 8 * gone) / (1 - gone) - 1
    low, high = (float(row[f"resent_frames_per_request_{end}"]) for end in ("lo", "hi"))
    slack = 0.5 * (high - low)
    assert low - slack <= resent <= high + slack
    assert resent > 0.5


@pytest.mark.slow
def test_what_the_decoder_is_told_can_be_what_the_link_has(quick):
    words = ["link.transport=bit_error", "link.bit_error_rate=0.1", *LINK, "name=told",
             "scheme.told=${link.bit_error_rate}"]  # fmt: skip
    assert run(["simulate", *quick, *SEMANTIC, *words]) == 0
    about = json.loads(Path("outputs/told/run.json").read_text())["provenance"]["scheme"]
    assert about["options"]["told"] == 0.1
    assert about["recipe"]["name"] == "semanticnn-digits-told"


def test_a_plan_has_intervals_and_provenance(planned, quick):
    plan = planned("planned_semantic", [*SEMANTIC, *quick])
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]
    assert plan["provenance"]["scheme"]["name"] == "semanticnn"


@pytest.mark.parametrize(("words", "said"), [
    (["scheme.noise=false", "scheme.augment=false"],
     "scheme semanticnn on digits has no weights for noise=false, augment=false; it has them for"
     " the usual codec; told=true; noise=false; augment=false; compensate=true"),
    (["cut=front"], "scheme semanticnn: its device computes up to encoder"),
    (["link.transport=bit_error", "codec=ecsq"], "codec=ecsq writes payloads of variable length"),
])  # fmt: skip
def test_what_it_cannot_be_is_refused_in_a_line(quick, capfd, words, said):
    assert run(["simulate", *quick, *SEMANTIC, *words]) == 2
    assert said in " ".join(capfd.readouterr().err.split())
