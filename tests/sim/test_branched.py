"""Requests that take one of several branches: whole rows, and a tail for each branch of a batch."""

import numpy as np
import pytest

import sim
from sim.engine.choice import refusal
from sim.planning.runs.levers import Lighter
from sim.sources.branched import BranchedSource
from sim.sources.gated import GatedSource
from sim.sources.source import Factor
from sim.streams import Streams
from tests.sim.test_source import HEAD, source, surface, table

N = 400
PICKS = [i % 4 != 0 for i in range(N)]
"""A quarter takes way 0, three quarters way 1."""


def slower(factor):
    """The same samples through a head that takes more and in a tail that takes `factor` as long."""
    tail = surface("tail", [factor * seconds for seconds in (0.006, 0.003, 0.0)])
    coders = {"encode": Factor(2.0), "decode": Factor()}
    return sim.TraceSource(table(), "stage1", "slicer", HEAD.plus(0.25), tail, **coders)


def branched():
    return BranchedSource([source(), slower(3.0)], PICKS)


def test_a_row_is_that_of_the_branch_that_its_sample_takes():
    made, ways = branched(), [source(), slower(3.0)]
    for i, row in enumerate(made.rows):
        assert row == ways[PICKS[i]].rows[i]
    assert ways[1].rows[0].device_s == pytest.approx(ways[0].rows[0].device_s + 0.25)


def test_a_batch_is_one_execution_of_every_branch_in_it():
    made = branched()
    few, many = ([row for i, row in enumerate(made.rows) if PICKS[i] is k] for k in (False, True))
    fast, slow = source(), slower(3.0)
    for n, m in ((1, 0), (2, 0), (0, 2), (1, 1), (2, 2)):
        wanted = sum(
            way.rows[0].server_s if size == 1 else way.batch_s(way.rows[:1] * size)
            for way, size in ((fast, n), (slow, m)) if size
        )  # fmt: skip
        assert made.batch_s([*few[:n], *many[:m]]) == pytest.approx(wanted, rel=1e-12)


def test_a_batch_of_average_requests_takes_the_mean_over_random_batches():
    made, draw = branched(), np.random.default_rng(0)
    for size in (1, 2, 4):
        drawn = [
            made.batch_s([made.rows[i] for i in draw.integers(N, size=size)]) for _ in range(800)
        ]
        reach = 4.0 * np.std(drawn) / np.sqrt(len(drawn))
        assert made.batch_s([made.mean()] * size) == pytest.approx(np.mean(drawn), abs=reach)


def test_a_bootstrap_leaves_inputs_in_their_branches():
    made = branched()
    by_sample = {row.sample: row for row in made.rows}
    again = made.resample(np.random.default_rng(3)).resample(np.random.default_rng(4))
    assert len({row.sample for row in again.rows}) < 0.6 * N
    assert all(row == by_sample[row.sample] for row in again.rows)


def test_a_gate_that_ends_stands_before_one_that_picks():
    ends = [i < N // 2 for i in range(N)]
    early = sim.TraceSource(table(), "output", "raw", HEAD, None)
    made, late = GatedSource(early, branched(), ends), branched()
    for i, row in enumerate(made.rows):
        assert row == (early.rows[i] if ends[i] else late.rows[i])
    went = [row for i, row in enumerate(made.rows) if not ends[i]]
    assert made.batch_s(went[:4]) == late.batch_s(went[:4])
    (sent, share), _ = made.ways()
    assert share == 0.5
    assert late.batch_s([sent]) == pytest.approx(late.batch_s([late.mean()]), rel=0.05)
    shifted = made.shift(sim.sources.source.Errors()).resample(np.random.default_rng(0))
    assert len(shifted.rows) == N


def played(server, source, engine="auto"):
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated"), horizon_s=25.0, warmup_s=5.0, replications=2,
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=3.0), server=server,
        fleet=sim.FleetSpec(n_devices=8), engine=engine,
    )  # fmt: skip
    return sim.run(spec, {"default": source})


def test_without_batches_both_engines_play_the_same_requests():
    plain = sim.ServerSpec()
    fast, slow = (played(plain, branched(), engine) for engine in ("compiled", "simpy"))
    assert fast.value("latency_mean_s") == pytest.approx(slow.value("latency_mean_s"), rel=1e-9)


@pytest.mark.parametrize("wrap", [
    lambda made: made,
    lambda made: Lighter(made, 0.5),
    lambda made: GatedSource(
        sim.TraceSource(table(), "output", "raw", HEAD, None), made, [False] * N
    ),
])  # fmt: skip
def test_batches_of_several_branches_are_played_request_by_request(wrap):
    server = sim.ServerSpec(discipline="take_all", max_batch=4)
    spec = sim.SystemSpec(link=sim.LinkSpec(sharing="dedicated"), server=server)
    assert refusal(spec, {"default": wrap(branched())}) == "batches of several branches"
    assert refusal(spec, {"default": source()}) == ""


def test_server_load_is_that_of_the_branches_by_their_shares():
    made = branched()
    result = played(sim.ServerSpec(), made)
    mean = made.mean()
    full = 24.0 * (mean.server_s + mean.decode_s)
    spread = np.std([row.server_s + row.decode_s for row in made.rows])
    n = 24.0 * 20.0 * 2
    reach = 4.0 * 24.0 * np.hypot(mean.server_s + mean.decode_s, spread) / np.sqrt(n)
    assert result.value("server_utilization") == pytest.approx(full, abs=reach)


def test_draws_are_whole_rows():
    made, stream = branched(), Streams(1).stream("rows")
    assert all(made.draw(stream) in made.rows for _ in range(50))


@pytest.mark.parametrize(("ways", "picks", "said"), [
    (1, [0], "same samples with a pick for each, got 400 samples and 1 picks"),
    (2, [2] * N, r"picks must be in 0\.\.1, got \[2\]"),
])  # fmt: skip
def test_what_is_no_choice_is_refused(ways, picks, said):
    with pytest.raises(ValueError, match=said):
        BranchedSource([source()] * ways, picks)
