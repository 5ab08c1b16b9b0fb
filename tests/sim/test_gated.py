"""Requests that a gate ends on the device: whole rows, and a server load of 1 - exit rate."""

import math

import numpy as np
import pytest

import sim
from sim.planning import Budget, Goal, Refusal, capacity
from sim.planning.forecast.demands import demands, sent_share
from sim.planning.forecast.neighbour import neighbour
from sim.planning.runs.pace import set_length
from sim.planning.search.inverse import inverse
from sim.sources.gated import GatedSource
from sim.sources.sessions import mean_steps
from sim.streams import Streams
from tests.sim.test_source import HEAD, source, table

N = 400


def early():
    return sim.TraceSource(table(), "output", "raw", HEAD, None)


def gated(ends):
    return GatedSource(early(), source(), ends)


def half(share):
    """The first of every so many end: the share is exact."""
    return [i < share * N for i in range(N)]


def test_a_row_is_that_of_the_way_it_takes():
    ends = half(0.25)
    made, late, soon = gated(ends), source(), early()
    for i, row in enumerate(made.rows):
        assert row == (soon.rows[i] if ends[i] else late.rows[i])
        assert row.is_sent is not ends[i]


def test_the_means_of_both_ways_with_their_shares_are_the_mean():
    made = gated(half(0.25))
    parts = mean_steps(made)
    assert [number for _, number in parts] == [0.75, 0.25]
    whole = np.sum([np.array(draw[1:7]) * number for draw, number in parts], axis=0)
    assert whole == pytest.approx(np.array(made.mean()[1:7]))
    assert len(mean_steps(gated(half(0.0)))) == 1


def test_a_bootstrap_draws_the_same_inputs_on_both_ways():
    made = gated(half(0.25))
    again = made.resample(np.random.default_rng(3))
    by_sample = {row.sample: row for row in made.rows}
    assert all(row == by_sample[row.sample] for row in again.rows)
    assert {row.sample for row in again.rows} < set(by_sample)
    twice = again.resample(np.random.default_rng(4))
    assert {row.sample for row in twice.rows} <= {row.sample for row in again.rows}


def test_other_machines_shift_both_ways():
    made = gated(half(0.5))
    assert [row.device_s for row in made.shift(sim.sources.source.Errors()).rows] == [
        row.device_s for row in made.rows
    ]


def test_ways_of_other_samples_are_refused():
    with pytest.raises(ValueError, match="same samples with a decision for each, got 400, 400"):
        gated([True])


def test_draws_are_whole_rows():
    made, stream = gated(half(0.5)), Streams(1).stream("rows")
    drawn = [made.draw(stream) for _ in range(50)]
    assert all(row in made.rows for row in drawn)
    assert made.batch_s([row for row in drawn if row.is_sent][:1]) == source().batch_s([drawn[0]])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75])
def test_server_load_is_proportional_to_1_minus_the_exit_rate(share):
    """Poisson requests, so that the rate does not depend on what the server does."""
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated"), horizon_s=200.0, warmup_s=10.0, replications=4,
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=4.0),
        fleet=sim.FleetSpec(n_devices=8),
    )  # fmt: skip
    result = sim.run(spec, {"default": gated(half(share))})
    alone = source().mean()
    full = 32.0 * (alone.server_s + alone.decode_s)
    n = 32.0 * 190.0
    reach = 4.0 * full * np.sqrt((1.0 - share) / n)  # Poisson thinned, four standard errors
    assert result.value("server_utilization") == pytest.approx((1.0 - share) * full, abs=reach)
    records = result.records
    assert np.isnan(records["link_end_s"]).mean() == pytest.approx(share, abs=0.03)


def test_what_ends_on_the_device_is_not_decoded_whatever_the_table_says():
    made = gated(half(0.5))
    late, soon = (draw for draw, _ in made.ways())
    assert min(late.decode_s, soon.decode_s) > 0.0
    spec = sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), horizon_s=9.0)
    load = demands(spec, {"default": made})
    assert load.server_s == pytest.approx(0.5 * (late.server_s + late.decode_s))


def test_what_is_foreseen_knows_that_some_never_reach_the_server():
    spec = sim.SystemSpec(link=sim.LinkSpec(sharing="ps", rtt_s=0.01), horizon_s=9.0)
    loads = [demands(spec, {"default": gated(half(share))}) for share in (0.0, 0.5)]
    assert loads[1].server_s == pytest.approx(0.5 * loads[0].server_s, rel=0.05)
    assert loads[1].network_s == pytest.approx(0.5 * loads[0].network_s)


def loops(n):
    """Devices that think for a second, ten times as long as the server takes for those it gets."""
    return sim.SystemSpec(
        link=sim.LinkSpec(sharing="dedicated"), workload=sim.WorkloadSpec(think_s=1.0),
        server=sim.ServerSpec(speed=0.2), fleet=sim.FleetSpec(n_devices=n), horizon_s=9.0,
    )  # fmt: skip


def test_a_plans_runs_are_long_enough_for_a_queue_that_few_requests_reach():
    """Beyond the knee no mean latency lies below N D - Z (Denning and Buzen 1978), at any share of
    requests that are sent; runs as long as where all are sent end before the queue is there.
    """
    sources = {"default": gated(half(0.9))}
    load = demands(loops(1), sources)
    n = math.floor(1.2 / (load.rate_rps * load.server_s))
    least_s = neighbour(loops(n), sources, n).least_s
    assert sent_share(sources) == pytest.approx(0.1)
    rate_rps = n / (1.0 + least_s)
    short, long = (
        sim.run(set_length(loops(n), 1.0, rate_rps, n, sent=sent), sources)
        for sent in (1.0, sent_share(sources))
    )
    assert short.value("latency_mean_s") < 0.8 * least_s
    reach_s = 4.0 * (1.0 + least_s) * math.sqrt(9.0 / long.value("n_requests"))  # of the share sent
    assert long.value("latency_mean_s") == pytest.approx(least_s, abs=reach_s)


def test_runs_are_as_long_as_ever_where_all_is_sent():
    assert sent_share({"default": source()}) == sent_share({"default": early()}) == 1.0
    plain = set_length(loops(10), 500.0, 5.0, 10)
    assert (plain.warmup_s, plain.horizon_s) == (30.0, 130.0)
    rare = set_length(loops(10), 500.0, 5.0, 10, sent=0.1)
    assert (rare.warmup_s, rare.horizon_s) == pytest.approx((600.0, 1100.0))


def test_a_plan_whose_runs_would_be_endless_says_so_before_one_is_played():
    def never(tasks):
        raise AssertionError("played")

    goal = Goal(column="latency_p95_s", limit=0.1)
    with pytest.raises(Refusal, match=r"0\.25 % of the requests are sent, so that a run in which"):
        capacity(loops(1), {"default": gated(half(0.9975))}, goal, play=never,
                 budget=Budget(max_requests=1e6))  # fmt: skip
    with pytest.raises(Refusal, match=r"60 such runs exceed plan\.max_requests=1e"):
        inverse(loops(1), {"default": gated(half(0.9975))}, [goal], 10_000, play=never,
                budget=Budget(n_runs=60, max_requests=1e6))  # fmt: skip
