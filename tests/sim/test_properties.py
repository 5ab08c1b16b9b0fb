"""Random systems: no request is lost, nothing runs backwards, one seed gives one result."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim
from sim.measures.columns import STAGES, passages
from sim.measures.timeline import chrome_trace

REPLAY = Path(__file__).parent / "golden" / "arrivals.csv"
WORKLOADS = st.builds(
    sim.WorkloadSpec,
    kind=st.sampled_from(["closed", "poisson", "gamma", "mmpp", "periodic", "replay"]),
    replay_csv=st.just(str(REPLAY)),
    think_s=st.sampled_from([0.0, 0.01, 0.2]),
    rate_rps=st.sampled_from([1.0, 8.0, 25.0]),
    synchronised=st.booleans(),
    max_in_flight=st.sampled_from([None, 1, 3]),
    deadline_s=st.sampled_from([None, 0.05]),
)
TALKS = st.builds(
    sim.WorkloadSpec,
    kind=st.sampled_from(["closed", "poisson"]),
    think_s=st.sampled_from([0.05, 0.5]),
    rate_rps=st.sampled_from([0.5, 4.0]),
    ttft_deadline_s=st.sampled_from([None, 0.05]),
    token_deadline_s=st.sampled_from([None, 0.03]),
    session_deadline_s=st.sampled_from([None, 0.2]),
    max_new_tokens=st.sampled_from([None, 4]),
)
LINKS = st.builds(
    sim.LinkSpec,
    sharing=st.sampled_from(["dedicated", "fifo", "ps", "weighted", "cellular", "wifi"]),
    contention=st.sampled_from(["ns3", "bianchi"]),
    frame_airtime_s=st.sampled_from([1e-5, 1e-4]),
    aggregation=st.sampled_from([1, 8]),
    n_cells=st.sampled_from([1, 2]),
    rate_bps=st.sampled_from([1e6, 20e6]),
    downlink=st.sampled_from(["dedicated", "shared"]),
    rtt_s=st.sampled_from([0.0, 0.01]),
    frame_error_rate=st.sampled_from([0.0, 0.0, 0.2]),
    bit_error_rate=st.sampled_from([0.0, 0.0, 1e-6]),
    max_retries=st.sampled_from([1, 7]),
    transport=st.sampled_from(["exact", "erasure", "bit_error"]),
    outage_at_s=st.sampled_from([[], [0.7, 2.0]]),
    outage_length_s=st.just(0.4),
) | st.builds(
    sim.LinkSpec,
    sharing=st.sampled_from(["dedicated", "fifo", "ps", "cellular", "wifi"]),
    frame_airtime_s=st.just(1e-5),
    rate=st.sampled_from(["shannon", "mcs", "outage"]),
    fading=st.just("rayleigh"),
    snr_db=st.sampled_from([12.0, 25.0]),
    snr_spread_db=st.sampled_from([0.0, 2.0]),
    coherence_s=st.sampled_from([0.02, 0.2]),
    transport=st.sampled_from(["exact", "erasure", "bit_error"]),
    outage=st.sampled_from([0.01, 0.2]),
)
SERVERS = st.builds(
    sim.ServerSpec,
    discipline=st.sampled_from(["take_all", "dynamic", "edf", "continuous"]),
    n_gpus=st.sampled_from([1, 2]),
    max_batch=st.sampled_from([1, 4]),
    max_wait_s=st.sampled_from([0.0, 0.02]),
    queue_limit=st.sampled_from([None, 2]),
    drop_expired=st.booleans(),
    decode_on=st.sampled_from(["gpu", "cpu"]),
    session_memory_bytes=st.sampled_from([None, 900.0, 3000.0]),
    admission=st.sampled_from(["wait", "reject"]),
    fail_at_s=st.sampled_from([[], [1.1, 2.4]]),
    repair_s=st.just(0.3),
    on_failure=st.sampled_from(["retry", "lose"]),
) | st.builds(
    sim.ServerSpec, n_gpus=st.sampled_from([1, 3]), decode_on=st.sampled_from(["gpu", "cpu"])
)
CHURN = st.sampled_from([None, sim.ChurnSpec(mean_up_s=0.8, mean_down_s=0.4)])
CHOICES = st.sampled_from(
    [
        {},
        {"alternatives": ["local"], "policy": "fastest"},
        {"alternatives": ["local"], "policy": "search", "adapt": sim.AdaptSpec(limit_s=0.1)},
        {
            "alternatives": ["local"],
            "policy": "fastest",
            "adapt": sim.AdaptSpec(margin=0.1, dwell_s=0.1, probe_s=0.5),
        },
    ]
)
FLEETS = st.builds(
    lambda n, churn, choice, talk, memory_bytes: sim.FleetSpec(
        n_devices=n,
        groups={
            "one": sim.GroupSpec(churn=churn),
            "two": sim.GroupSpec(share=0.5, straggler_share=0.3, straggler_slowdown=3.0, **choice),
            "talk": sim.GroupSpec(share=0.3, churn=churn, workload=talk, memory_bytes=memory_bytes),
        },
    ),
    st.sampled_from([1, 3, 8]),
    CHURN,
    CHOICES,
    TALKS,
    st.sampled_from([None, 1.0, 2500.0]),
)
SPECS = st.builds(
    sim.SystemSpec,
    fleet=FLEETS,
    workload=WORKLOADS,
    link=LINKS,
    server=SERVERS,
    horizon_s=st.just(4.0),
    warmup_s=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 3),
)
SOURCES = {
    "one": sim.RandomSource(
        device_s=0.005,
        payload_bytes=lambda stream: 200.0 + stream.exponential(3000.0),
        server_s=lambda stream: stream.exponential(0.01),
    ),
    "two": sim.ConstantSource(
        device_s=0.01, payload_bytes=1500, decode_s=0.001, server_s=0.004, answer_bytes=20
    ),
    "local": sim.ConstantSource(device_s=0.03),
    "talk": sim.ConstantSessions(
        prompt=sim.Draw(0, 0.02, 4000.0, 0.001, 0.01, 4.0, math.nan, 20, 0),
        token=sim.Draw(0, 0.002, 300.0, 0.0005, 0.002, 4.0, math.nan, 1, 20),
        n_tokens=8,
        device_token_bytes=100.0,
        server_token_bytes=50.0,
        batch_slope_s=0.0002,
    ),
}
STAMPS = ("created_s", "device_start_s", "device_end_s", "link_start_s", "link_end_s")
STAMPS = (*STAMPS, "server_start_s", "server_end_s", "done_s")


@given(SPECS)
@settings(max_examples=60, deadline=None)
def test_random_systems_obey_the_laws(spec):
    obeys_the_laws(spec)


@pytest.mark.slow
@given(SPECS)
@settings(max_examples=4000, deadline=None)
def test_many_random_systems_obey_the_laws(spec):
    obeys_the_laws(spec)


def obeys_the_laws(spec):
    result = sim.run(spec, SOURCES)
    assert result.failed_checks == (), result.checks
    for name in ("server_utilization", "device_utilization"):
        assert -1e-9 <= result.value(name) <= 1.0 + 1e-9
    assert -1e-9 <= result.value("link_utilization") <= 1.0 + 1e-9
    records = result.records
    done = records["outcome"] == 1.0
    stamps = np.array([records[name][done] for name in STAMPS])
    first = records["retries"][done] == 0
    for row in stamps.T[first]:
        passed = row[~np.isnan(row)]
        assert np.all(np.diff(passed) >= 0.0), row
    assert np.all(np.diff(records["done_s"]) >= 0.0)
    for name, estimate in result.estimates.items():
        if name.removesuffix("_slowest") in STAGES:
            assert not estimate.mean < -1e-9, name


@given(SPECS)
@settings(max_examples=12, deadline=None)
def test_one_seed_gives_one_result(spec):
    first, second = sim.run(spec, SOURCES), sim.run(spec, SOURCES)
    for name, column in first.records.items():
        assert column.tobytes() == second.records[name].tobytes()
    assert repr(first.estimates) == repr(second.estimates)


@given(SPECS)
@settings(max_examples=12, deadline=None)
def test_stages_add_up_to_the_latency(spec):
    result = sim.run(spec, SOURCES)
    every = passages(result.records, result.steps)
    done = (every["outcome"] == 1.0) & (every["done_s"] > spec.warmup_s)
    if done.any():
        total = sum(result.value(name) for name in STAGES)
        latency_s = (every["done_s"] - every["created_s"])[done]
        np.testing.assert_allclose(total, np.mean(latency_s), rtol=1e-6, atol=1e-9)


def test_timeline_is_a_chrome_trace():
    result = sim.run(
        sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), horizon_s=2.0, warmup_s=0.0),
        {"default": SOURCES["two"]},
    )
    trace = json.loads(json.dumps(chrome_trace(result.records, count=50)))
    bars = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    server = [event for event in bars if event["name"] == "server"]
    assert len(server) == 50
    assert all(event["dur"] > 0.0 for event in bars)
    assert server[0]["dur"] == 5000.0 or abs(server[0]["dur"] - 5000.0) < 1e-3
