"""`splitfleet channel`: both transports at every rate, against plain runs and closed forms."""

import csv
from pathlib import Path

import pytest

from scenarios.__main__ import run
from sim.radio.errors import expected_sends, frame_error_rate, residual_loss

FIXED = "early_exit(threshold=1.0)/int8"
ENTROPY = "early_exit(threshold=1.0)/ecsq"
LEARNED = "semanticnn/centres"
LINK = ("link=wifi", "link.rtt_s=0", "link.mtu_bytes=1400")
DIGITS = ("model=digits", "model.samples=40", "model.repeats=1")
PACE = ("plan.max_requests=2e4", "span_s=24", "cycles=2", "warmup_s=0.2", "replications=5",
         "fleet.n_devices=4")  # fmt: skip
ACCESS_S, HEADER_BYTES, RATE_BPS = 214.1e-6, 72, 73.125e6


def rows_of(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def drawn(workplace):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        ways = f"ways=['{FIXED}','{ENTROPY}','{LEARNED}']"
        rates = ["bit_error_rates=[0,5e-4,0.1]", "loss_rates=[0,0.5]", "least_right=0.5"]
        assert run(["channel", *DIGITS, *LINK, *PACE, ways, *rates, "name=both"]) == 0
        yield rows_of("both")


def at(rows, way, axis, rate, *, exact):
    (row,) = (
        row for row in rows
        if (row["way"], row["axis"]) == (way, axis) and row["error_rate"]
        and float(row["error_rate"]) == rate and (row["transport"] == "exact") == exact
    )  # fmt: skip
    return row


@pytest.mark.parametrize("way", [FIXED, LEARNED, ENTROPY])
def test_without_errors_it_is_the_plain_run(drawn, way):
    codec = way.split("/")[1]
    scheme = ["semanticnn"] if way == LEARNED else ["early_exit", "scheme.threshold=1.0"]
    words = [
        f"scheme={scheme[0]}",
        *scheme[1:],
        f"codec={codec}",
        "horizon_s=2",
        "warmup_s=0.5",
        "name=plain",
    ]
    assert run(["simulate", *DIGITS, *LINK, *words]) == 0
    (plain,) = rows_of("plain")
    for axis in ("bit_error_rate", "frame_error_rate"):
        for exact in (True, *([] if way == ENTROPY else [False])):
            row = at(drawn, way, axis, 0.0, exact=exact)
            for end in ("", "_lo", "_hi"):
                wanted = float(plain[f"table_accuracy{end}"])
                assert float(row[f"right_share{end}"]) == pytest.approx(wanted)


def test_exact_transport_takes_the_airtime_that_the_truncated_formula_says(drawn):
    """Sent (1 - p^8) / (1 - p) times, each an access of the medium and the bytes; none is split."""
    for way in (FIXED, LEARNED):
        for axis, rate in (("bit_error_rate", 5e-4), ("frame_error_rate", 0.5)):
            row = at(drawn, way, axis, rate, exact=True)
            frame_bytes = float(row["payload_bytes"]) + HEADER_BYTES
            lost = float(frame_error_rate(rate, frame_bytes)) if "bit" in axis else rate
            once_s = ACCESS_S + 8.0 * frame_bytes / RATE_BPS
            wanted_s = expected_sends(lost, 7) * once_s
            low, high = (float(row[f"airtime_s_per_departure_{end}"]) for end in ("lo", "hi"))
            slack = 0.5 * (high - low)
            assert low - slack <= wanted_s <= high + slack
            gone = residual_loss(lost, 7)
            right = float(row["table_accuracy"]) * (1.0 - gone)
            assert float(row["right_share"]) == pytest.approx(right)
            assert (
                0.9 < float(row["right_share_lo"]) / (1.0 - gone) < 1.0
            )  # of forty that are right
            assert float(row["dropped_share"]) == pytest.approx(gone, abs=0.01)
            once = at(drawn, way, axis, rate, exact=False)
            sent_bytes = float(once["payload_bytes"]) + HEADER_BYTES
            assert float(once["airtime_s_per_departure"]) == pytest.approx(
                ACCESS_S + 8.0 * sent_bytes / RATE_BPS
            )


def test_a_payload_of_fixed_length_stays_as_long_as_it_is(drawn):
    """What has nothing to protect to the byte; a range of 8 B is sent as often as it must be."""
    rates = (0.0, 5e-4, 0.1)
    sizes = {
        way: [float(at(drawn, way, "bit_error_rate", rate, exact=False)["payload_bytes"])
              for rate in rates]
        for way in (FIXED, LEARNED)
    }  # fmt: skip
    assert sizes[LEARNED] == [12.0, 12.0, 12.0]
    assert sizes[FIXED] == [40.0 + 8 * copies for copies in (1, 3, 17)]
    spread = {row["payload_bytes_std"] for row in drawn if row["way"] in sizes}
    assert spread == {"0.0"}


def test_damage_costs_answers_and_repeating_costs_airtime(drawn):
    for way in (FIXED, LEARNED):
        clean, damaged = (
            float(at(drawn, way, "bit_error_rate", rate, exact=False)["right_share"])
            for rate in (0.0, 0.1)
        )
        assert damaged < clean
    row = at(drawn, FIXED, "bit_error_rate", 0.1, exact=True)
    assert float(row["right_share"]) == pytest.approx(0.0, abs=1e-9)
    eight_s = 8.0 * (ACCESS_S + 8.0 * (float(row["payload_bytes"]) + HEADER_BYTES) / RATE_BPS)
    assert float(row["airtime_s_per_departure"]) == pytest.approx(eight_s, rel=1e-6)
    assert row["n_star"] == "0"
    assert "below least_right" in row["why"]


def test_what_must_arrive_right_says_why_it_is_not_delivered_damaged(drawn):
    left = [row for row in drawn if row["fate"]]
    assert {(row["way"], row["axis"], row["transport"]) for row in left} == {
        (ENTROPY, "bit_error_rate", "bit_error"), (ENTROPY, "frame_error_rate", "erasure"),
    }  # fmt: skip
    for row in left:
        assert row["fate"].startswith("codec=ecsq writes payloads of variable length")
        assert f"link.transport=exact, got {row['transport']}" in row["fate"]
        assert not row["right_share"]


def test_what_loads_the_link_alike_has_one_number_of_devices(drawn):
    """Whatever it is: what is not searched because too few answers are right has 0."""
    fits = {}
    for row in drawn:
        if row["way"] == LEARNED and row["transport"] != "exact" and row["n_star"] != "0":
            fits.setdefault(row["load"], set()).add((row["n_star"], row["why"]))
    assert list(fits) == ["once, 12 B"]
    assert len(fits["once, 12 B"]) == 1
    assert all(row["n_star"] or row["why"] for row in drawn if not row["fate"])


@pytest.mark.parametrize(("words", "said"), [
    (["ways=[]"], "channel needs ways=[SCHEME/CODEC, ...], got none"),
    (["ways=[nasc/]"], "ways must be SCHEME, SCHEME/CODEC or SCHEME/CODEC/CUT each"),
    (["ways=['sc2(method=cr_bq/int8']"], "ways must be SCHEME, SCHEME/CODEC"),
    (["ways=['sc2(method)/int8']"], "ways must have options as in sc2(method=cr_bq, width=3)"),
    (["ways=['sc2(method=)/int8']"], "scheme.method"),
    (["ways=[nasc/int8,nasc/int8]"], "ways must differ, got 'nasc/int8' twice"),
    (["ways=[nasc/int3]"], "int3"),
    (["ways=[nasc/int8]", "codec=int4"], "ways say scheme, codec and cut; leave out codec="),
    (["bit_error_rates=[0.1,0.01]"], "bit_error_rates must ascend, got 0.1, 0.01"),
    (["bit_error_rates=[0.7]"], "bit_error_rates must be within [0, 0.5], got 0.7"),
    (["loss_rates=[1.0]"], "loss_rates must be within [0, 0.99], got 1"),
    (["bit_error_rates=[]", "loss_rates=[]"], "channel needs bit_error_rates=[...] or loss_rates"),
    (["link.bit_error_rate=0.1"], "leave link.bit_error_rate at 0.0, got 0.1"),
    (["link.transport=erasure"], "leave link.transport at exact, got erasure"),
    (["link.rate=shannon", "link.fading=rayleigh"], "leave link.fading at none, got rayleigh"),
    (["slo.p95_s=null"], "slo must limit the latency"),
    (["least_right=80"], "least_right must be within [0, 1], got 80"),
])  # fmt: skip
def test_what_makes_no_figure_is_refused_in_a_line(words, said, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert run(["channel", *words]) == 2
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("splitfleet: ")]
    assert said in told[-1]
    assert "Traceback" not in told[-1]
