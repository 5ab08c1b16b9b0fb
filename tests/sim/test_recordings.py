"""Recordings of rates: right by readers of their own, whatever is wrong with a file in one line."""

import math
from collections import defaultdict
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.medium.rates import fastest, read, say_trace
from sim.medium.speeds import speeds

RATES = st.integers(0, 5000)


def put(folder, content):
    path = folder / "trace.csv"
    path.write_text(content)
    return str(path)


def played(path, layout="auto", **fields):
    """The rates in bit/s that a link plays, with their times, and the length of the file."""
    spec = sim.LinkSpec(
        sharing="ps", rate_bps=7e6, rate_csv=path, rate_format=layout, trace_end="hold", **fields
    )
    changes = np.array(list(speeds(spec).changes()))
    return changes[:, 0], changes[:, 1] * 7e6, read(path, layout).length_s


def bits_until(times_s, rates_bps, end_s):
    ends = np.minimum([*times_s[1:], math.inf], end_s)
    return float(np.sum(rates_bps * np.maximum(0.0, ends - times_s)))


@given(st.lists(st.integers(0, 60), min_size=2, max_size=300).filter(lambda gaps: gaps[-1] > 0))
def test_mahimahi_delivers_its_packets_when_it_says(tmp_path_factory, gaps):
    """Until the end of every tenth of a second all packets that were due, and no more."""
    told = np.cumsum(gaps)
    path = put(tmp_path_factory.getbasetemp(), "".join(f"{time}\n" for time in told))
    if told[-1] > 100 and not np.any(told > told[-1] // 100 * 100):
        return  # the link would be held in silence
    times, rates, length_s = played(path, "mahimahi")
    assert length_s == pytest.approx(told[-1] / 1000)
    for end in [*range(100, int(told[-1]), 100), int(told[-1])]:
        assert bits_until(times, rates, end / 1000) == pytest.approx(12_032 * np.sum(told <= end))


@given(st.lists(st.tuples(st.integers(0, 3), RATES), min_size=2, max_size=40))
def test_irish_seconds_have_the_mean_of_their_rows(tmp_path_factory, rows):
    start, seconds, by_second = datetime(2020, 2, 14, 23, 59, 50), 0, defaultdict(list)
    lines = ["Timestamp,CellID,DL_bitrate,UL_bitrate"]
    for gap, rate in rows:
        seconds += gap
        by_second[seconds].append(1e3 * rate)
        moment = start + timedelta(seconds=seconds)
        lines.append(f"{moment:%Y.%m.%d_%H.%M.%S},1,{10 * rate},{rate}")
    means = {second: np.mean(each) for second, each in by_second.items()}
    if not list(means.values())[-1]:
        return  # the link would be held in silence
    path = put(tmp_path_factory.getbasetemp(), "\n".join(lines))
    times, rates, _ = played(path)
    first = min(means)
    assert times == pytest.approx([second - first for second in means])
    assert rates == pytest.approx(list(means.values()))


@given(
    steps=st.lists(st.floats(0.1, 5.0), min_size=1, max_size=20),
    start_s=st.sampled_from([0.0, 3.5, 1_600_000_000.0]),
    layout=st.sampled_from(["pensieve", "rate_mbps", "rate_kbps", "throughput_kbps", "rate_bps"]),
    data=st.data(),
)
def test_rates_are_played_in_bits_a_second(tmp_path_factory, steps, start_s, layout, data):
    rates = data.draw(st.lists(st.integers(1, 9), min_size=len(steps), max_size=len(steps)))
    times = [start_s + t for t in [0.0, *np.cumsum(steps)[:-1]]]
    heading = "" if layout == "pensieve" else f"time_s\t{layout}\n"
    unit = {"pensieve": 1, "rate_mbps": 1, "rate_bps": 1e6}.get(layout, 1e3)
    rows = "".join(f"{float(t)!r}\t{unit * rate}\n" for t, rate in zip(times, rates, strict=True))
    found, bps, _ = played(put(tmp_path_factory.getbasetemp(), heading + rows))
    assert found == pytest.approx(np.array(times) - start_s, abs=1e-6)
    assert bps == pytest.approx(1e6 * np.array(rates))


DEFECTS = ["nan", "inf", "-1", "", "x", "1,5", "1e999", "1e-300", "5;1", "0x2", '"', "\x00", "1e7"]


@given(
    rates=st.lists(st.integers(1, 3), min_size=2, max_size=6),
    row=st.integers(0, 5),
    column=st.integers(0, 1),
    defect=st.sampled_from([*DEFECTS, "gone", "twice", "swapped"]),
)
def test_a_defect_is_said_in_one_line_and_never_played(
    tmp_path_factory, rates, row, column, defect
):
    """Unless the file stays a table: then what is played is what stands there."""
    cells = [[str(2 * k), str(rate)] for k, rate in enumerate(rates)]
    row %= len(cells)
    if defect == "gone":
        del cells[row][column]
    elif defect == "twice":
        cells.insert(row, list(cells[row]))
    elif defect == "swapped":
        cells[0], cells[row] = cells[row], cells[0]
    else:
        cells[row][column] = defect
    path = put(
        tmp_path_factory.getbasetemp(),
        "time_s,factor\n" + "".join(",".join(each) + "\n" for each in cells),
    )
    said = ""
    try:
        spec = sim.LinkSpec(sharing="ps", rate_csv=path, trace_end="hold")
        changes = list(speeds(spec).changes())
    except ValueError as error:
        said = str(error)
    assert "\n" not in said
    if said:
        assert path in said
        return
    last = len(cells) - 1 if not cells[-1][1] else len(cells)
    start = float(cells[0][0])
    assert changes == [(float(t) - start, float(factor)) for t, factor in cells[:last]]


@pytest.mark.parametrize("factor", ["1e-8", "0.001", "3"])
def test_a_run_ends_however_slow_the_link_is(tmp_path, factor):
    path = put(tmp_path, f"time_s,factor\n0,1\n1,{factor}\n2,0\n3,{factor}\n")
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="fifo", rate_bps=1e6, rate_csv=path),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=5.0),
        horizon_s=30.0,
    )
    result = sim.run(spec, {"default": sim.ConstantSource(payload_bytes=5000, server_s=0.01)})
    assert result.failed_checks == ()
    assert 0.0 < result.value("trace_factor_mean") < 3.0


def test_what_was_read_is_said_with_its_unit(tmp_path):
    rows = "".join(f"{0.6 * k:.1f}\t{2.9 if k % 2 else 3.0}\n" for k in range(258))
    spec = sim.LinkSpec(sharing="ps", rate_csv=put(tmp_path, rows))
    said = say_trace(spec, 600.0)
    assert said.endswith(
        "Pensieve, mean 2.95 Mbit/s over 154.8 s, repeated 4 times; instead of link.rate_bps"
    )
    assert "of which 60 s are played" in say_trace(spec, 60.0)
    assert fastest(spec) * spec.rate_bps == pytest.approx(3e6)
    slow = sim.LinkSpec(sharing="ps", rate_csv=put(tmp_path, "time_s,rate_kbps\n1e9,20\n"))
    assert "mean 20 kbit/s over 1 s, its times counted from 1000000000 s" in say_trace(slow, None)


def test_a_rate_for_factors_is_refused(tmp_path):
    path = put(tmp_path, "time_s,factor\n0,1\n")
    with pytest.raises(ValueError, match=r"needs rates in link\.rate_csv, got factors"):
        speeds(sim.LinkSpec(sharing="ps", rate_csv=path, trace_rate_bps=1e6))


def test_steps_too_short_to_be_seconds_are_refused(tmp_path):
    rows = "".join(f"{1e-9 * k:g},1\n" for k in range(9))
    with pytest.raises(ValueError, match="time_s must be in seconds, 1e-06 apart or more"):
        read(put(tmp_path, f"time_s,factor\n{rows}"))


@pytest.mark.parametrize(
    ("content", "layout", "said"),
    [
        ("1\n2.5\n", "mahimahi", r"line 2: millisecond must be a whole number .*, got '2\.5'"),
        ("0\n0\n", "mahimahi", "line 2: millisecond must be above 0 in the last line"),
        ("1\n2 3\n", "mahimahi", "line 2: millisecond must be a whole number .*, got '2 3'"),
        ("1,2\n3,4\n", "mahimahi", r"line 1: must have 1 cells \(millisecond\), got 2"),
        ("0 1\n1\n", "pensieve", r"line 2: must have 2 cells \(time_s, rate_mbps\), got 1"),
        ("0 1\n1 nan\n", "auto", "line 2: rate_mbps must be a number .*, got 'nan'"),
        ("# s Mbit/s\n0 1\n1 1\n", "auto", "has no header"),
        ("1 2 3\n", "auto", "has no header"),
        ("time_s,rate_mbps\n0,1e-10\n", "auto", "rate_mbps must be 0, or >= 1e-09, got '1e-10'"),
        ("time_s,rate_mbps\n0,1\n", "rate_kbps", "needs a column rate_kbps, got time_s, rate_mbps"),
        ("a,b\n0,1\n", "irish_5g", "needs a column timestamp, got a, b"),
    ],
)
def test_a_recording_of_another_layout_is_refused(tmp_path, content, layout, said):
    with pytest.raises(ValueError, match=said):
        read(put(tmp_path, content), layout)


def test_a_format_may_be_named_where_nothing_shows_it(tmp_path):
    bare = put(tmp_path, "0,1000\n4,500\n")
    assert played(bare, "rate_kbps")[1] == pytest.approx([1e6, 5e5])
    assert played(bare, "pensieve")[1] == pytest.approx([1e9, 5e8])
