"""The break-even map: who is best by which measure, and which leads may be none."""

import pytest

from plots.sensitivity import WORDS, draw, overlap, rank


def row(method, value, spread=0.1, measure="latency_mean_s", **more):
    ends = {f"{measure}_lo_total": value - spread, f"{measure}_hi_total": value + spread}
    at = {"n_devices": 4, "device_over_server": 2.0, "rate_bps": 1e6}
    return {"method": method, measure: value, **ends, **at, **more}


def test_the_least_is_best_but_for_throughput():
    rows = [row("a", 2.0), row("b", 1.0), row("c", 3.0)]
    assert [r["method"] for r in rank(rows, "latency_mean_s")] == ["b", "a", "c"]
    fast = [row(name, value, measure="throughput_rps") for name, value in (("a", 2.0), ("b", 1.0))]
    assert [r["method"] for r in rank(fast, "throughput_rps")] == ["a", "b"]


def test_who_has_no_number_is_not_ranked():
    unknown = row("a", 1.0) | {"latency_mean_s": None}
    endless = row("b", 1.0) | {"latency_mean_s": float("nan")}
    assert [r["method"] for r in rank([unknown, endless, row("c", 9.0)], "latency_mean_s")] == ["c"]


@pytest.mark.parametrize(("spread", "wanted"), [(0.1, False), (0.6, True)])
def test_intervals_overlap_either_way_round(spread, wanted):
    one, other = row("a", 1.0, spread), row("b", 2.0, spread)
    assert overlap(one, other, "latency_mean_s") is wanted
    assert overlap(other, one, "latency_mean_s") is wanted
    assert overlap({**one, "latency_mean_s_hi_total": None}, other, "latency_mean_s")


@pytest.mark.parametrize("measure", WORDS)
def test_the_map_tells_by_what_factor_the_second_is_worse(measure):
    values = {"full device": 1.0, "split, ecsq": 1.5, "full server, raw": 4.0}
    rows = [row(name, value, measure=measure) for name, value in values.items()]
    figure = draw(rows, measure=measure)
    (text,) = (each.get_text() for each in figure.axes[0].texts)
    assert text == ("2.67" if measure == "throughput_rps" else "1.50")
    legend = figure.legends[0]
    assert WORDS[measure] in legend.get_title().get_text()
    winner = "full server, raw" if measure == "throughput_rps" else "full device"
    assert [label.get_text() for label in legend.get_texts()] == [winner]


def test_a_best_of_nothing_leads_without_end():
    rows = [row("full device", 0.0, 0.0), row("split, ecsq", 1.0)]
    assert draw(rows).axes[0].texts[0].get_text() == "inf"
