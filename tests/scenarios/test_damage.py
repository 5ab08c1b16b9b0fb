"""`link.transport` on the commands: damaged payloads once over the air, exact ones until right."""

import csv
import json
from pathlib import Path

import pytest

from scenarios.__main__ import run
from sim.radio.errors import expected_sends, frame_error_rate, residual_loss

LOSSY = ("codec=int8", "model.batches=[1]", "fleet.n_devices=4", "link.rtt_s=0")
EXIT = ("scheme=early_exit", "scheme.threshold=1.0")


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


def played(quick, name, *words):
    assert run(["simulate", *quick, *LOSSY, *words, f"name={name}"]) == 0
    return rows(name)


def test_a_payload_goes_once_over_the_air_and_is_answered_worse(quick):
    axes = "sweep=['link.bit_error_rate=0,0.01,0.2']"
    every = played(quick, "flips", *EXIT, "link.transport=bit_error", axes)
    sent = [float(row["uplink_bytes_per_request"]) for row in every]
    assert sent == [40 + 8 * copies for copies in (1, 5, 39)]
    assert {float(row["resent_frames_per_request"]) for row in every} == {0.0}
    right = [float(row["table_accuracy"]) for row in every]
    assert right[0] > 0.9
    assert right[0] >= right[1] > right[2] + 0.2
    for row, mean in zip(every, right, strict=True):
        low, high = float(row["accuracy_lo_total"]), float(row["accuracy_hi_total"])
        assert low - 0.02 <= mean <= high + 0.02
        assert "not known" not in row.get("warning", "")


def test_exact_payloads_are_sent_as_often_as_the_formula_says(quick):
    """The same link, whose frames of payload, its stream's header and 72 B are lost with any bit;
    what runs out of retransmissions is dropped and has no answer.
    """
    axes = "sweep=['link.bit_error_rate=0.0001,0.0005']"
    every = played(quick, "repeats", *EXIT, axes, "horizon_s=6", "replications=5")
    for row in every:
        frame_bytes = float(row["uplink_bytes_per_request"]) + 72
        lost = float(frame_error_rate(float(row["link.bit_error_rate"]), frame_bytes))
        gone = residual_loss(lost, 7)  # after 8 sends: those have no answer and do not count
        resent = (expected_sends(lost, 7) - 8 * gone) / (1 - gone) - 1
        low, high = (float(row[f"resent_frames_per_request_{end}"]) for end in ("lo", "hi"))
        slack = 0.5 * (high - low)
        assert low - slack <= resent <= high + slack
    assert float(every[0]["table_accuracy"]) == float(every[1]["table_accuracy"])


def test_every_segment_repeats_the_range_and_half_of_them_are_lost(quick):
    words = ("link.transport=erasure", "link.mtu_bytes=18", "link.frame_error_rate=0.5")
    (row,) = played(quick, "segments", *EXIT, *words)
    assert float(row["uplink_bytes_per_request"]) == 40 + 4 * 8  # 10 B of symbols a segment
    assert 0.1 < float(row["table_accuracy"]) < 0.9


def test_a_plain_network_and_exits_over_such_a_link(quick):
    words = ("link.transport=bit_error", "link.bit_error_rate=0.2")
    (plain,) = played(quick, "plain", "cut=stage3", *words)
    assert 0.0 < float(plain["table_accuracy"]) < 1.0
    (gated,) = played(quick, "gated", "scheme=early_exit", "scheme.threshold=0.97", *words)
    (never,) = played(quick, "never", *EXIT, *words)
    assert 0.0 < float(gated["exit_share"]) < 1.0
    assert float(gated["table_accuracy"]) > float(never["table_accuracy"])
    assert plain["point_id"] != gated["point_id"]


@pytest.mark.parametrize(("words", "said"), [
    (["codec=slicer", "link.transport=bit_error"],
     "codec=slicer writes payloads of variable length, of which one wrong bit or missing segment"
     " spoils the rest, so it needs link.transport=exact, got bit_error; fixed-length ones are"
     " centres, int4, int8, raw16, raw32, raw8"),
    (["scheme=early_exit", "codec=ecsq", "link.transport=erasure"],
     "codec=ecsq writes payloads of variable length"),
    (["codec=int8", "link.transport=erasure", "link.rate=shannon", "link.fading=rayleigh"],
     "damages bits and frames independently"),
    (["codec=int8", "link.transport=erasure", "link.mtu_bytes=8"],
     "a segment must hold more than the 8 B that each repeats, got 8 B"),
    (["codec=int8", "transport=there.py:make"], "link.transport=exact repeats until all is right"),
    (["codec=int8", "link.transport=erasure", "transport=bursts"],
     "transport must be FILE.py:FUNCTION, got 'bursts'"),
])  # fmt: skip
def test_what_cannot_arrive_damaged_is_refused_in_a_line(quick, capfd, words, said):
    assert run(["simulate", *quick, *words]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_a_sweep_plays_what_it_can_and_says_why_not_the_rest(quick):
    axes = "sweep=['codec=int8,slicer']"
    assert run(["simulate", *quick, "link.transport=erasure", axes, "name=both"]) == 1
    sound, refused = rows("both")
    assert sound["codec"] == "int8"
    assert not sound["error"]
    assert "variable length" in refused["error"]


def test_provenance_says_how_often_a_payload_was_damaged(quick):
    played(quick, "told", *EXIT, "link.transport=bit_error", "link.bit_error_rate=0.01")
    about = json.loads(Path("outputs/told/run.json").read_text())["provenance"]["payloads"]
    assert about["channels"] == {"kind": "measured", "draws": 8, "seed": 0}
