"""Requests that a gate ends on the device: whole rows, and a server load of 1 - exit rate."""

import numpy as np
import pytest

import sim
from sim.planning.forecast.demands import demands
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


def test_what_is_foreseen_knows_that_some_never_reach_the_server():
    spec = sim.SystemSpec(link=sim.LinkSpec(sharing="ps", rtt_s=0.01), horizon_s=9.0)
    loads = [demands(spec, {"default": gated(half(share))}) for share in (0.0, 0.5)]
    assert loads[1].server_s == pytest.approx(0.5 * loads[0].server_s, rel=0.05)
    assert loads[1].network_s == pytest.approx(0.5 * loads[0].network_s)
