"""Roles: whose seconds a device or a server takes, held against hand calculations."""

from dataclasses import replace

import numpy as np
import pytest

from profiles import CostSurface, Cut, DeviceSpec, Layer, ModelProfile, ServerSpec
from profiles.predicting import ways
from profiles.predicting.codecs import Clock, codec_of
from profiles.predicting.roles import Known, seconds_of

CUTS = ("input", "middle", "output")
PEAKS = {"processor": "gpu", "peak_fp16_flops": 1e12, "memory_bandwidth_bytes_per_s": 1e11}
SAID = dict.fromkeys(
    ("peak_fp16_flops", "memory_bandwidth_bytes_per_s", "slowdown", "anchor_s", "codec_anchor_s"),
    "a sheet",
)


def sheet(name, kind=ServerSpec, **fields):
    return kind(name=name, title=name, sources=SAID, **fields)


def surface(part, hardware, whole, **fields):
    batches = fields.get("batches", (1,))
    head = np.outer([0.0, 0.25, 1.0], np.asarray(whole))[:, :, None, None]
    assert head.shape[1] == len(batches)
    seconds = head if part == "head" else head[-1:] - head
    return CostSurface(part=part, hardware=hardware, cuts=CUTS, seconds=seconds, **fields)


def known(*others):
    said = {"kind": "measured", "anchor_s": 0.1}
    sides = [surface(part, "core", [4.0], provenance=said) for part in ("head", "tail")]
    layers = [
        Layer(name=n, flops=f, weight_bytes=0, activation_bytes=a, kernels=0, seconds=1.0)
        for n, f, a in (("middle", 1e9, 0.0), ("output", 0.0, 1e8))
    ]
    cuts = [Cut(name=n, shape=(4,), dtype="float32", head_flops=0, tail_flops=0) for n in CUTS]
    facts = ModelProfile(model="net", hardware="core", cuts=tuple(cuts), layers=tuple(layers),
                         head=sides[0], tail=sides[1])  # fmt: skip
    return Known(facts=facts, surfaces=(*sides, *others), sheets={"card": sheet("card", **PEAKS)})


def on_card(whole=(1.0, 2.0), **fields):
    how = {"batches": (1, 8), "precision": "fp16", "mode": "graph"} | fields
    return surface("tail", "card", whole, provenance={"kind": "measured"}, **how)


def test_a_machine_takes_its_own_table_fastest_mode_first():
    eager = on_card((3.0, 4.0), mode="eager")
    found = seconds_of(sheet("card", **PEAKS), "tail", known(eager, on_card()))
    assert (found.mode, found.seconds_at("input", batch=8)) == ("graph", 2.0)
    assert (found.provenance["kind"], found.provenance["way"]) == ("measured", "measured")
    asked = seconds_of(sheet("card", **PEAKS, mode="eager"), "tail", known(eager, on_card()))
    assert asked.seconds_at("input") == 3.0


def test_a_way_of_running_that_was_not_measured_is_refused_with_those_that_were():
    with pytest.raises(ValueError, match=r"measured with net as fp16 graph, not as precision=fp32"):
        seconds_of(sheet("card", **PEAKS, precision="fp32"), "tail", known(on_card()))


def test_a_stated_slowdown_wins_and_has_no_error():
    found = seconds_of(sheet("board", slowdown=3.0, anchor_s=9.0), "head", known())
    assert found.seconds_at("output") == 12.0
    assert (found.provenance["kind"], found.log_error) == ("scaled", 0.0)


def test_the_anchor_divides_the_published_by_the_measured_time_and_carries_its_error():
    found = seconds_of(sheet("board", anchor_s=0.3), "head", known())
    assert found.seconds_at("output") == pytest.approx(12.0)
    assert "ResNet-18 in 0.3 s (a sheet) over 0.1 s on core" in found.provenance["source"]
    assert found.log_error == ways.known()["anchor", "cpu"].sigma


def test_an_anchor_of_a_gpu_says_nothing_of_batches():
    board = sheet("board", processor="gpu", anchor_s=0.3)
    assert seconds_of(board, "tail", known()).batches == (1,)


def test_a_roofline_from_a_measured_gpu_is_the_ratio_of_both():
    """The part behind the middle moves bytes alone: half the bandwidth, twice the seconds."""
    half = {**PEAKS, "memory_bandwidth_bytes_per_s": 5e10}
    found = seconds_of(sheet("other", **half), "tail", known(on_card()))
    assert found.seconds_at("middle", batch=8) == pytest.approx(2 * 0.75 * 2.0)
    assert found.provenance["kind"] == "scaled"
    assert found.log_error == ways.known()[ways.CALIBRATED, "gpu"].sigma


def test_the_roofline_alone_is_modelled_and_the_least_wrong_way_is_taken():
    board = sheet("other", **PEAKS, anchor_s=0.3)
    found = seconds_of(board, "tail", known())
    assert (found.provenance["kind"], found.provenance["way"]) == ("modelled", ways.ROOFLINE)
    one = ways.efficiency()
    moved = 1e8 / 2 / (one.memory * 1e11)  # half-precision bytes
    assert found.seconds_at("middle") == pytest.approx(moved)
    assert ways.log_error(ways.ROOFLINE, "gpu") < ways.log_error(ways.ANCHOR, "gpu")


def test_a_sheet_that_nothing_leads_to_is_refused():
    with pytest.raises(ValueError, match="chip states neither slowdown nor anchor_s nor a GPU's"):
        seconds_of(sheet("chip"), "head", known())


def test_a_gpu_decodes_on_its_hosts_cores():
    card = sheet("card", **PEAKS, codec_anchor_s=0.05, anchor_s=7.0)
    found = codec_of(card, known(on_card()), Clock(machine="core"), server=True)
    assert (found.factor, found.kind) == (pytest.approx(0.5), "scaled")
    bare = codec_of(sheet("card", **PEAKS), known(on_card()), Clock(machine="core"), server=True)
    assert (bare.factor, bare.kind) == (1.0, "assumed")
    assert codec_of(sheet("core"), known(), Clock(machine="core"), server=True).kind == "measured"
    pi = codec_of(
        sheet("pi", DeviceSpec, anchor_s=0.2), known(), Clock(machine="core"), server=False
    )
    assert pi.factor == pytest.approx(2.0)


def test_a_profile_tells_how_fast_the_core_beside_its_card_is():
    said = {"kind": "measured", "codec_anchor_s": 0.025}
    own = known(replace(on_card(), provenance=said))
    bare = codec_of(sheet("card", **PEAKS), own, Clock(machine="core"), server=True)
    assert (bare.factor, bare.kind) == (pytest.approx(0.25), "scaled")
    assert "measured with its profile" in bare.source
    stated = {**PEAKS, "codec_anchor_s": 0.05}
    assert codec_of(sheet("card", **stated), own, Clock(machine="core"), server=True).factor == 0.5
    given = sheet("card", profile="box.npz", **stated)
    assert codec_of(given, own, Clock(machine="core"), server=True).factor == pytest.approx(0.25)


def test_seconds_as_they_might_be_spread_by_the_errors_of_their_points():
    exact = on_card()
    rng = np.random.default_rng(1)
    assert exact.resample(rng) is exact
    noisy = replace(exact, errors=np.full(exact.seconds.shape, 0.02))
    logs = [np.log(noisy.resample(rng).seconds_at("input")) for _ in range(4000)]
    assert np.std(logs) == pytest.approx(0.02, rel=0.05)
    assert np.mean(logs) == pytest.approx(0.0, abs=0.002)


def test_a_machine_that_is_off_moves_all_points_alike():
    off = replace(on_card(), provenance={"kind": "scaled", "log_error": 0.3})
    moved = off.shift(2.0).seconds[:2] / off.seconds[:2]
    assert moved.ravel() == pytest.approx(np.full(4, np.exp(0.6)))
    assert on_card().shift(2.0).seconds_at("input") == 1.0
    drifted = replace(on_card(), provenance={"kind": "measured", "anchor_drift": 0.1})
    assert drifted.log_error == pytest.approx(np.log(1.1) / np.sqrt(6))


def test_few_comparisons_widen_the_error_of_one_more():
    two, many = (ways.Way(way="w", processor="gpu", n=n, log_error=0.1) for n in (2, 10_000))
    assert two.sigma == pytest.approx(0.1 * np.sqrt(1.5) * 4.30265 / 1.959964, rel=1e-5)
    assert many.sigma == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("asked", [{"precision": "fp32"}, {"mode": "eager"}])
def test_a_roofline_does_not_stand_for_what_it_was_not_fitted_to(asked):
    other = sheet("other", **PEAKS, **asked)
    with pytest.raises(ValueError, match=r"nobody timed net \(single\) on other"):
        seconds_of(other, "tail", known(on_card()))


def test_eager_tokens_are_bound_by_launches_and_carry_nothing():
    """Memory rates scale what reads weights; an eager step of a small network does not."""
    graph = known(on_card((1.0,), batches=(1,)))
    decode = replace(graph, facts=replace(graph.facts, phase="decode"))
    half = {**PEAKS, "memory_bandwidth_bytes_per_s": 5e10}
    assert seconds_of(sheet("other", **half), "tail", decode).seconds_at("input") == 2.0
    eager = replace(decode, surfaces=tuple(replace(s, mode="eager") for s in decode.surfaces))
    with pytest.raises(ValueError, match=r"nobody timed net \(decode\) on other"):
        seconds_of(sheet("other", **half), "tail", eager)
