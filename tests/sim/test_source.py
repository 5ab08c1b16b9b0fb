import math
from dataclasses import replace

import numpy as np
import pytest

import sim
from profiles.tables.channels import channel_column
from profiles.tables.cost import CostSurface
from profiles.tables.trace import Column, TraceTable
from sim.sources.source import Factor
from sim.streams import Streams

CUTS = ("input", "stage1", "output")


def table(n=400, seed=0):
    """Payloads, codec seconds and answers drawn at random; nothing at (output, slicer)."""
    rng = np.random.default_rng(seed)
    payload = rng.uniform(500, 5000, (n, 3, 2))
    payload[:, 2, 0] = 0.0
    seconds = rng.uniform(0.0, 1e-4, (n, 3, 2))
    correct = (payload < 4000).astype(float)
    for array in (payload, seconds, correct):
        array[:, 2, 1] = np.nan
    dims = ("sample", "cut", "setting")
    return TraceTable(
        model="toy",
        cuts=CUTS,
        settings=("raw", "slicer"),
        sample_ids=np.arange(100, 100 + n),
        columns={
            "payload_bytes": payload,
            "encode_s": seconds,
            "decode_s": seconds,
            "correct": correct,
            "answer_bytes": np.full(n, 8.0),
        },
        schema={
            "payload_bytes": Column(unit="B", dims=dims),
            "encode_s": Column(unit="s", dims=dims),
            "decode_s": Column(unit="s", dims=dims),
            "correct": Column(unit="1", dims=dims),
            "answer_bytes": Column(unit="B", dims=("sample",)),
        },
    )


def surface(part, seconds):
    per_batch = np.asarray(seconds)[:, None, None, None] * np.array([1.0, 4.0])[:, None, None]
    return CostSurface(part=part, hardware="here", cuts=CUTS, seconds=per_batch, batches=(1, 8))


HEAD, TAIL = surface("head", [0.0, 0.010, 0.020]), surface("tail", [0.006, 0.003, 0.0])


def source(cut="stage1", setting="slicer"):
    return sim.TraceSource(table(), cut, setting, HEAD, TAIL, encode=Factor(2.0), decode=Factor())


def test_rows_stay_whole():
    traced, rows = table(), source().rows
    assert len(rows) == 400
    for place in (0, 17, 399):
        draw = rows[place]
        payload = traced.columns["payload_bytes"][place, 1, 1]
        encode_s = traced.columns["encode_s"][place, 1, 1]
        expected = sim.Draw(
            100 + place, 0.010 + 2 * encode_s, payload, encode_s, 0.003, 8.0, float(payload < 4000)
        )
        assert draw == pytest.approx(expected)


def test_batch_seconds_come_from_the_surface():
    rows = source().rows
    assert source().batch_s(rows[:1]) == pytest.approx(0.003)
    assert source().batch_s(rows[:8]) == pytest.approx(0.012)
    with pytest.raises(ValueError, match="batch"):
        source().batch_s(rows[:9])


def test_all_on_the_device_touches_neither_link_nor_server():
    result = sim.run(
        sim.SystemSpec(link=sim.LinkSpec(sharing="ps")), {"default": source("output", "raw")}
    )
    assert result.value("link_utilization") == result.value("server_utilization") == 0.0
    assert result.value("throughput_rps") == pytest.approx(1 / 0.0201, rel=0.01)


def test_a_combination_that_was_not_traced_is_refused():
    with pytest.raises(ValueError, match="no rows at cut 'output', setting 'slicer'"):
        source("output", "slicer")


def test_resampled_rows_come_from_the_table_and_paired_sources_share_them():
    raw, slicer = source("stage1", "raw"), source("stage1", "slicer")
    first = [row.sample for row in raw.resample(Streams(4).generator("bootstrap")).rows]
    second = [row.sample for row in slicer.resample(Streams(4).generator("bootstrap")).rows]
    assert first == second
    assert 200 < len(set(first)) < 300


def test_the_total_interval_holds_the_tables_own_error():
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="ps"),
        fleet=sim.FleetSpec(n_devices=4),
        horizon_s=15.0,
        warmup_s=1.0,
        replications=12,
    )
    estimate = sim.replicate(spec, {"default": source()})["accuracy"]
    share = float(np.mean([row.correct for row in source().rows]))
    table_error = math.sqrt(share * (1 - share) / 400)
    assert estimate.lo < share < estimate.hi
    half = (estimate.hi_total - estimate.lo_total) / 2
    assert 0.5 * 2.2 * table_error < half < 2.0 * 2.2 * table_error
    assert estimate.hi - estimate.lo < half


def over_channels():
    """The table above over a clean channel and one that spoils every other sample and takes twice
    the bytes.
    """
    plain = table()
    clean, size = plain.columns["correct"], plain.columns["payload_bytes"]
    spoilt = clean * (np.arange(len(clean)) % 2)[:, None, None]
    over = {"correct_over": [clean, spoilt], "payload_bytes_over": [size, 2 * size]}
    return replace(
        plain,
        columns={**plain.columns, **{name: np.stack(both, 3) for name, both in over.items()}},
        schema={
            **plain.schema,
            **{n: channel_column(n.removesuffix("_over"), plain.schema) for n in over},
        },
        axes={"channel": ("clean", "ber=1e-3")},
    )


def test_bytes_and_answers_are_those_over_the_named_channel():
    known = over_channels()
    how = {"encode": Factor(), "decode": Factor()}
    rows = {
        name: sim.TraceSource(known, "stage1", "slicer", HEAD, TAIL, channel=name, **how).rows
        for name in (None, "clean", "ber=1e-3")
    }
    assert rows[None] == rows["clean"]
    for place, (clean, spoilt) in enumerate(zip(rows["clean"], rows["ber=1e-3"], strict=True)):
        assert spoilt.correct == clean.correct * (place % 2)
        assert spoilt.payload_bytes == 2 * clean.payload_bytes
        assert spoilt._replace(correct=0, payload_bytes=0) == clean._replace(
            correct=0, payload_bytes=0
        )
    with pytest.raises(ValueError, match=r"the trace has \(clean, ber=1e-3\), got 'ber=1'"):
        sim.TraceSource(known, "stage1", "slicer", HEAD, TAIL, channel="ber=1", **how)
    with pytest.raises(ValueError, match=r"the trace has \(none\), got 'clean'"):
        sim.TraceSource(table(), "stage1", "slicer", HEAD, TAIL, channel="clean", **how)
