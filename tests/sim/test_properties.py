"""Random systems: no request is lost, nothing runs backwards, one seed gives one result."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim
from sim.timeline import chrome_trace

WORKLOADS = st.builds(
    sim.WorkloadSpec,
    kind=st.sampled_from(["closed", "poisson", "gamma", "mmpp", "periodic"]),
    think_s=st.sampled_from([0.0, 0.01, 0.2]),
    rate_rps=st.sampled_from([1.0, 8.0, 25.0]),
    synchronised=st.booleans(),
    max_in_flight=st.sampled_from([None, 1, 3]),
    deadline_s=st.sampled_from([None, 0.05]),
)
LINKS = st.builds(
    sim.LinkSpec,
    sharing=st.sampled_from(["dedicated", "fifo", "ps", "weighted", "cellular"]),
    n_cells=st.sampled_from([1, 2]),
    rate_bps=st.sampled_from([1e6, 20e6]),
    downlink=st.sampled_from(["dedicated", "shared"]),
    rtt_s=st.sampled_from([0.0, 0.01]),
    frame_error_rate=st.sampled_from([0.0, 0.0, 0.2]),
    max_retries=st.sampled_from([1, 7]),
    transport=st.sampled_from(["exact", "erasure"]),
    outage_at_s=st.sampled_from([[], [0.7, 2.0]]),
    outage_length_s=st.just(0.4),
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
    fail_at_s=st.sampled_from([[], [1.1, 2.4]]),
    repair_s=st.just(0.3),
    on_failure=st.sampled_from(["retry", "lose"]),
) | st.builds(
    sim.ServerSpec, n_gpus=st.sampled_from([1, 3]), decode_on=st.sampled_from(["gpu", "cpu"])
)
CHURN = st.sampled_from([None, sim.ChurnSpec(mean_up_s=0.8, mean_down_s=0.4)])
FLEETS = st.builds(
    lambda n, churn: sim.FleetSpec(
        n_devices=n,
        groups={
            "one": sim.GroupSpec(churn=churn),
            "two": sim.GroupSpec(share=0.5, straggler_share=0.3, straggler_slowdown=3.0),
        },
    ),
    st.sampled_from([1, 3, 8]),
    CHURN,
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
        if name.endswith(("_wait_s", "_service_s", "network_s")):
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
    names = [n for n in result.estimates if n.endswith(("_wait_s", "_service_s", "network_s"))]
    if result.value("n_requests") and not result.records["retries"].any():
        total = sum(result.value(name) for name in names)
        np.testing.assert_allclose(total, result.value("latency_mean_s"), rtol=1e-6, atol=1e-9)


def test_timeline_is_a_chrome_trace():
    result = sim.run(sim.SystemSpec(horizon_s=2.0, warmup_s=0.0), {"default": SOURCES["two"]})
    trace = json.loads(json.dumps(chrome_trace(result.records, count=50)))
    bars = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    server = [event for event in bars if event["name"] == "server"]
    assert len(server) == 50
    assert all(event["dur"] > 0.0 for event in bars)
    assert server[0]["dur"] == 5000.0 or abs(server[0]["dur"] - 5000.0) < 1e-3
