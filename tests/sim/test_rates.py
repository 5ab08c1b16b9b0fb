"""Rate traces: how they end, where a run begins in them, and what a result says of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.medium.rates import read
from sim.medium.speeds import Speeds, speeds

SOURCE = {"default": sim.ConstantSource(payload_bytes=1000, server_s=1e-4)}


def link(tmp_path, text, **fields):
    path = tmp_path / "trace.csv"
    path.write_text("time_s,factor\n" + text)
    return sim.LinkSpec(sharing="fifo", rate_bps=8e6, header_bytes=0, rate_csv=str(path), **fields)


def spec(medium, **fields):
    return sim.SystemSpec(
        workload=sim.WorkloadSpec(kind="periodic", rate_rps=10.0),
        link=medium,
        **{"warmup_s": 0.0, "horizon_s": 40.0, **fields},
    )


def test_a_trace_ends_a_step_after_its_last_row_or_where_it_says(tmp_path):
    assert read(link(tmp_path, "5,1\n6,0.5\n7,1\n").rate_csv).length_s == 3.0
    ended = read(link(tmp_path, "0,1\n4,0.5\n10,\n").rate_csv)
    assert (ended.times_s, ended.factors, ended.length_s) == ((0.0, 4.0), (1.0, 0.5), 10.0)


def test_a_short_trace_is_repeated_unless_it_is_to_be_held(tmp_path):
    medium = link(tmp_path, "0,1\n5,0.1\n10,\n")
    times = [(0.0, 1.0), (5.0, 0.1), (10.0, 1.0), (15.0, 0.1), (20.0, 1.0)]
    assert speeds(medium).until(21.0) == times
    assert list(speeds(replace(medium, trace_end="hold")).changes()) == times[:2]
    again, held = (
        sim.run(spec(replace(medium, trace_end=end)), SOURCE) for end in ("repeat", "hold")
    )
    assert np.mean(again.records["airtime_s"] > 5e-3) == pytest.approx(0.5, abs=0.02)
    assert np.mean(held.records["airtime_s"] > 5e-3) == pytest.approx(35 / 40, abs=0.02)


def test_a_result_says_how_much_of_the_trace_it_played(tmp_path):
    medium = link(tmp_path, "0,1\n5,0.1\n10,\n")
    whole = sim.run(spec(medium), SOURCE)
    assert whole.value("trace_played_share") == 1.0
    assert whole.value("trace_factor_mean") == pytest.approx(0.55)
    part = sim.run(spec(medium, horizon_s=8.0, warmup_s=4.0), SOURCE)
    assert part.value("trace_played_share") == pytest.approx(0.4)
    assert part.value("trace_factor_mean") == pytest.approx((1.0 + 3 * 0.1) / 4.0)
    plain = sim.run(spec(sim.LinkSpec(sharing="fifo")), SOURCE)
    assert "trace_played_share" not in plain.estimates


def test_every_replication_begins_elsewhere_and_the_first_at_the_start(tmp_path):
    rows = "".join(f"{k},{1.0 if k < 50 else 0.25}\n" for k in range(100))
    medium = link(tmp_path, rows)
    runs = [sim.run(spec(medium, horizon_s=20.0), SOURCE, replication=r) for r in range(12)]
    means = [run.value("trace_factor_mean") for run in runs]
    assert means[0] == 1.0
    assert len({round(mean, 6) for mean in means}) > 3
    alike = sim.run(spec(medium, horizon_s=20.0), SOURCE, replication=5)
    assert alike.records["done_s"].tobytes() == runs[5].records["done_s"].tobytes()


def test_a_trace_that_must_not_end_is_long_enough_or_refused(tmp_path):
    medium = link(tmp_path, "0,1\n30,0.5\n60,\n", trace_end="refuse")
    for replication in range(5):
        result = sim.run(spec(medium), SOURCE, replication=replication)
        assert result.value("trace_played_share") == pytest.approx(40 / 60)
    with pytest.raises(ValueError, match="as long as horizon_s=100, got 60 s"):
        sim.run(spec(medium, horizon_s=100.0), SOURCE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must hold rows, got a header alone"),
        ("0,0\n1,0\n", "a value above 0, got silence alone"),
        ("0,1\n0,1\n", "line 3: time_s must be above 0, the time before, got '0'"),
        ("0,-1\n1,1\n", r"line 2: factor must be a number within \[0, 1e\+06\], got '-1'"),
        ("0,x\n", "line 2: factor must be a number .*, got 'x'"),
        ("0,nan\n", "line 2: factor must be a number .*, got 'nan'"),
        ("0,1\n1,\n2,1\n", "line 3: factor must be a number .*, got ''"),
    ],
)
def test_a_bad_trace_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(ValueError, match=said) as caught:
        speeds(link(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_silence_at_the_end_may_be_repeated_but_not_held(tmp_path):
    medium = link(tmp_path, "0,1\n5,0\n6,\n")
    assert speeds(medium).silence_s(0.0, 18.0) == pytest.approx(3.0)
    with pytest.raises(ValueError, match="for ever"):
        speeds(replace(medium, trace_end="hold"))


@given(
    st.lists(st.sampled_from([0.0, 0.5, 2.0]), min_size=1, max_size=5).filter(any),
    st.lists(st.integers(0, 60), max_size=3, unique=True),
    st.floats(0.0, 0.99),
)
def test_outages_silence_a_repeated_trace(tmp_path_factory, factors, outages, luck):
    """Against looking at every tenth of a second."""
    folder = tmp_path_factory.getbasetemp()
    rows = "".join(f"{k},{factor}\n" for k, factor in enumerate(factors))
    windows = sorted(outages)
    medium = link(folder, rows, outage_at_s=windows, outage_length_s=1.0)
    trace = read(medium.rate_csv)

    def speed(time_s):
        if any(start <= time_s < start + 1.0 for start in windows):
            return 0.0
        return factors[int((time_s + luck * trace.length_s) % trace.length_s)]

    played = speeds(medium, luck)
    times = np.arange(0.05, 60.0, 0.1)
    changes = played.until(61.0)
    for time_s in times[::7]:
        at = max(k for k, (start, _) in enumerate(changes) if start <= time_s)
        near = (time_s + luck * trace.length_s) % 1.0
        if 0.01 < near < 0.99:
            assert changes[at][1] == speed(time_s)
    silent = np.mean([speed(time_s) == 0.0 for time_s in times])
    assert played.silence_s(0.0, 60.0) / 60.0 == pytest.approx(silent, abs=0.02)
    mean = np.mean([speed(time_s) for time_s in times])
    assert played.mean(0.0, 60.0) == pytest.approx(mean, abs=0.05)


def test_changes_are_made_as_far_as_they_are_looked_at(tmp_path):
    medium = link(tmp_path, "0,1\n1,0.5\n")
    played = speeds(medium)
    assert isinstance(played, Speeds)
    assert len(played.until(1e4)) == 10_001
