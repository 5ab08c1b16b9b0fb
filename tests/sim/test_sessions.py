import math

import numpy as np
import pytest

import sim
from profiles.tables.cost import CostSurface
from profiles.tables.trace import Column, TraceTable
from sim.planning.forecast.demands import guess, parts
from sim.planning.runs.levers import fewer_bits
from sim.sources.sessions import mean_request, mean_steps, steps_of

FREE = sim.LinkSpec(sharing="dedicated", rate_bps=8e6, header_bytes=0)
PROMPT = sim.Draw(0, 0.05, 4000.0, 0.0, 0.02, 4.0, math.nan, 20, 0)
TOKEN = sim.Draw(0, 0.004, 200.0, 0.0, 0.002, 4.0, math.nan, 1, 20)


def sessions(n_tokens=10, **fields):
    fields = {"device_token_bytes": 100.0, "server_token_bytes": 50.0, **fields}
    return {
        "default": sim.ConstantSessions(prompt=PROMPT, token=TOKEN, n_tokens=n_tokens, **fields)
    }


def run(source, n_devices=1, server=None, memory_bytes=None, link=FREE, horizon_s=20.0, **workload):
    group = sim.GroupSpec(memory_bytes=memory_bytes)
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices, groups={"default": group}),
        workload=sim.WorkloadSpec(**{"think_s": 0.1, "think": "constant", **workload}),
        link=link,
        server=server or sim.ServerSpec(),
        horizon_s=horizon_s,
        warmup_s=0.0,
    )
    return sim.run(spec, source)


def test_one_session_is_the_sum_of_its_steps():
    result = run(sessions())
    down_s = 4 / 1e6
    ttft_s = 0.05 + 0.004 + 0.02 + down_s
    tpot_s = 0.004 + 200 / 1e6 + 0.002 + down_s
    assert result.value("ttft_s") == pytest.approx(ttft_s, rel=1e-9)
    assert result.value("tpot_s") == pytest.approx(tpot_s, rel=1e-9)
    assert result.value("latency_mean_s") == pytest.approx(ttft_s + 9 * tpot_s, rel=1e-9)
    assert result.value("uplink_bits_per_token") == 1600.0
    assert result.value("bits_per_token_cv") == 0.0
    assert result.value("server_s_per_request") == pytest.approx(0.02 + 9 * 0.002)
    assert result.value("uplink_bytes_per_request") == 4000 + 9 * 200
    assert set(result.records["tokens"]) == {10.0}
    assert result.value("device_service_s") == pytest.approx((0.05 + 9 * 0.004) / 10)
    assert result.failed_checks == ()


@pytest.mark.parametrize(
    ("fields", "ending", "tokens"),
    [
        ({"memory_bytes": 2450.0}, 1.0, 5.0),
        ({"server": sim.ServerSpec(session_memory_bytes=1149.0)}, 1.0, 3.0),
        ({"ttft_deadline_s": 0.05}, 2.0, 1.0),
        ({"token_deadline_s": 0.005}, 3.0, 2.0),  # the first token may take longer
        ({"session_deadline_s": 0.09}, 4.0, 4.0),
        ({"max_new_tokens": 7}, 0.0, 7.0),
        ({}, 0.0, 10.0),
    ],
)
def test_sessions_end_early_at_their_limits(fields, ending, tokens):
    result = run(sessions(), **fields)
    assert set(result.records["ending"]) == {ending}
    assert set(result.records["tokens"]) == {tokens}


@pytest.mark.parametrize("admission", ["wait", "reject"])
def test_server_memory_admits_two_sessions_at_a_time(admission):
    server = sim.ServerSpec(
        discipline="continuous", max_batch=8, session_memory_bytes=2999.0, admission=admission
    )
    result = run(sessions(), n_devices=4, server=server)
    began = np.sort(result.steps["device_start_s"][result.steps["tokens"] == 0])
    ends = np.sort(result.records["done_s"][result.records["outcome"] == 1.0])
    together = [np.sum(began <= t) - np.sum(ends <= t) for t in began]
    assert max(together) == 2
    assert result.failed_checks == ()
    if admission == "wait":
        assert result.value("dropped_share") == 0.0
    else:
        assert result.value("dropped_share") > 0.1
    hopeless = run(sessions(), server=sim.ServerSpec(session_memory_bytes=999.0))
    assert hopeless.value("dropped_share") == 1.0


def test_continuous_batching_shares_iterations():
    batched = sessions(n_tokens=50, batch_slope_s=0.0001)
    shared = sim.ServerSpec(discipline="continuous", max_batch=16)
    one = run(sessions(n_tokens=50), n_devices=12)
    many = run(batched, n_devices=12, server=shared)
    assert many.value("server_s_per_token") < 0.6 * one.value("server_s_per_token")
    assert many.value("tokens_per_s") > 1.3 * one.value("tokens_per_s")


def test_terminating_sessions_and_airtime_per_token():
    link = sim.LinkSpec(
        sharing="ps", rate_bps=86e6, mtu_bytes=1400, header_bytes=66, frame_airtime_s=1.7e-4
    )
    result = run(sessions(), link=link, requests=3)
    assert result.value("device_time_s") == pytest.approx(
        3 * (0.1 + result.value("latency_mean_s")), rel=1e-9
    )
    airtime_s = result.steps["airtime_s"][1]
    assert airtime_s == pytest.approx(1.7e-4 + 8 * 266 / 86e6)
    saved = (1.7e-4 + 8 * (2000 + 2 * 66) / 86e6 + 1.7e-4) / airtime_s
    assert saved < 3.0


def test_sessions_survive_failures_and_leaving():
    server = sim.ServerSpec(fail_at_s=[1.0, 1.5], repair_s=0.2, session_memory_bytes=4000.0)
    group = sim.GroupSpec(churn=sim.ChurnSpec(mean_up_s=1.0, mean_down_s=0.5))
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="ps"),
        fleet=sim.FleetSpec(n_devices=5, groups={"default": group}),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=2.0),
        server=server,
        warmup_s=0.0,
        horizon_s=30.0,
    )
    result = sim.run(spec, sessions())
    assert np.sum(result.records["outcome"] == 5.0) > 5
    assert result.failed_checks == ()
    last = result.records["created_s"][result.records["outcome"] == 1.0].max()
    assert last > 25.0


def test_sessions_come_from_tables_with_a_token_dimension():
    cuts = ("stage1",)
    payload = np.array([[500.0, 50.0, 60.0], [400.0, 40.0, 0.0]])[:, None, None, :]
    dims = ("sample", "cut", "setting", "token")
    table = TraceTable(
        model="tiny",
        cuts=cuts,
        settings=("slicer",),
        sample_ids=np.array([3, 4]),
        columns={
            "payload_bytes": payload,
            "encode_s": payload * 1e-6,
            "decode_s": payload * 1e-7,
            "correct": np.array([[[1.0]], [[0.0]]]),
            "answer_bytes": np.array([2.0, 2.0]),
            "prompt_tokens": np.array([8.0, 6.0]),
            "n_tokens": np.array([3.0, 2.0]),
        },
        schema={
            "payload_bytes": Column(unit="B", dims=dims),
            "encode_s": Column(unit="s", dims=dims),
            "decode_s": Column(unit="s", dims=dims),
            "correct": Column(unit="1", dims=dims[:3]),
            "answer_bytes": Column(unit="B", dims=("sample",)),
            "prompt_tokens": Column(unit="1", dims=("sample",)),
            "n_tokens": Column(unit="1", dims=("sample",)),
        },
        axes={"token": ("0", "1", "2")},
    )
    seconds = np.arange(1, 9, dtype=float).reshape(1, 2, 2, 2) * 1e-3
    axes = {"batches": (1, 4), "new_tokens": (1, 8), "kv_lengths": (0, 16)}
    head = CostSurface(part="head", hardware="here", cuts=cuts, seconds=seconds, **axes)
    tail = CostSurface(part="tail", hardware="here", cuts=cuts, seconds=seconds, **axes)
    source = sim.TraceSessions(
        table, "stage1", "slicer", head, tail, device_token_bytes=16.0, server_token_bytes=8.0
    )
    long, short = source.rows
    assert [len(long.steps), len(short.steps)] == [3, 2]
    step = long.steps[2]
    assert step[:9] == pytest.approx(
        (
            3,
            head.seconds_at("stage1", 1, 1, 9) + 6e-5,
            60.0,
            6e-6,
            tail.seconds_at("stage1", 1, 1, 9),
            2.0,
            1.0,
            1,
            9,
        )
    )
    assert long.server_bytes == (64.0, 8.0, 8.0)
    both = source.batch_s([long.steps[1], long.steps[2]])
    assert both == pytest.approx(tail.seconds_at("stage1", 2, 1, 8.5))
    result = run({"default": source}, n_devices=2)
    assert 0.3 < result.value("accuracy") < 0.7
    assert len(source.resample(np.random.default_rng(0)).rows) == 2


def test_a_prompt_beyond_the_device_memory_is_rejected_not_answered():
    result = run(sessions(), memory_bytes=1.0, horizon_s=1.0)
    assert result.value("n_requests") == 0.0
    assert result.value("dropped_share") == 1.0


def test_a_group_chooses_among_sessions_or_among_requests():
    group = sim.GroupSpec(alternatives=["plain"], policy="fastest")
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="ps"), fleet=sim.FleetSpec(groups={"default": group})
    )
    with pytest.raises(ValueError, match="must choose among requests or among sessions"):
        sim.run(spec, {**sessions(), "plain": sim.ConstantSource(server_s=0.01)})


def test_a_whole_session_is_what_the_planner_counts():
    """Its demands are those of all its steps, its first guess the number that fills the server."""
    (source,) = sessions(n_tokens=10).values()
    assert steps_of(source) == 10.0
    assert mean_steps(source) == [(PROMPT, 1.0), (TOKEN, 9.0)]
    assert mean_request(source).server_s == pytest.approx(0.02 + 9 * 0.002)
    assert mean_request(source).payload_bytes == pytest.approx(4000 + 9 * 200)
    alone = run({"default": source})
    spec = alone.spec
    (part,) = parts(spec, {"default": source})
    assert part.demands.server_s == pytest.approx(alone.value("server_s_per_request"))
    assert part.demands.alone_s == pytest.approx(alone.value("latency_mean_s"), rel=0.02)
    knee = guess(spec, {"default": source})
    runs = [run({"default": source}, n, think="exponential") for n in (knee // 2, 3 * knee)]
    busy = [each.value("server_utilization") for each in runs]
    assert busy[0] < 0.7 < 0.98 < busy[1]


def test_fewer_bits_leave_a_session_a_session():
    """A lever that forgot the tokens said that a hundredth fewer bits serve 26 devices more."""
    source = sessions(n_tokens=10)
    spec = run(source).spec
    _, lighter = fewer_bits(spec, source, 2.0)
    before, after = run(source), run(lighter)
    assert set(after.records["tokens"]) == {10.0}
    assert after.value("uplink_bits_per_token") == before.value("uplink_bits_per_token") / 2
    server_s = before.value("server_s_per_request")
    assert after.value("server_s_per_request") == pytest.approx(server_s)
    assert source["default"].rows[0].steps[0].payload_bytes == 4000.0  # the source is as it was
