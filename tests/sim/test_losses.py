"""Payloads that run out of retransmissions: by formula, in the simulator, and in a plan."""

import math

import pytest

import sim
from sim.medium.fading import arrival_share
from sim.planning import Budget, Goal, Refusal, capacity
from sim.planning.forecast.losses import arrivals, refuse_lost
from sim.radio.errors import expected_sends, frame_error_rate, residual_loss

SOURCE = sim.ConstantSource(device_s=1e-4, payload_bytes=150.0, server_s=1e-3)
P95 = Goal(column="latency_p95_s", limit=0.1)
BUDGET = Budget(half_width=0.1, n_runs=3, requests_per_run=1500.0, pilot_requests=500.0)


def system(**link):
    given = {"sharing": "fifo", "rate_bps": 1e6, "mtu_bytes": 64, "header_bytes": 10, **link}
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=4), link=sim.LinkSpec(**given), horizon_s=60.0, warmup_s=1.0
    )


def test_what_arrives_is_the_product_over_its_frames():
    """Two frames of 64 B and one of 22 B, each with 10 B of header, lost with any bit or whole."""
    spec = system(bit_error_rate=1e-3, frame_error_rate=0.1, max_retries=2).link
    likely = 1.0
    for size in (64, 64, 22):
        lost = 1.0 - 0.9 * (1.0 - float(frame_error_rate(1e-3, size + 10)))
        likely *= 1.0 - residual_loss(lost, 2)
    assert arrival_share(spec, 150.0) == pytest.approx(likely)
    assert arrival_share(system().link, 150.0) == 1.0
    for transport in ("erasure", "bit_error"):
        assert arrival_share(system(frame_error_rate=0.9, transport=transport).link, 150.0) == 1.0


@pytest.mark.parametrize("max_retries", [0, 1, 7])
def test_the_simulator_loses_and_sends_as_the_formulas_say(max_retries):
    """Of one frame: lost p^(m + 1), sent (1 - p^(m + 1)) / (1 - p) times, lost ones included."""
    spec = system(frame_error_rate=0.6, max_retries=max_retries, mtu_bytes=150)
    result = sim.run(spec, {"default": SOURCE})
    n = len(result.records["done_s"])
    gone = residual_loss(0.6, max_retries)
    error = 5.0 * math.sqrt(gone * (1.0 - gone) / n)
    assert result.value("dropped_share") == pytest.approx(gone, abs=error + 1.0 / n)
    once_s = 8.0 * 160.0 / 1e6
    sends = result.value("airtime_s_per_departure") / once_s
    spread = math.sqrt(0.6) / 0.4  # of a geometric number, which the truncated one stays below
    error = 5.0 * spread / math.sqrt(n) if max_retries else 1e-9
    assert sends == pytest.approx(expected_sends(0.6, max_retries), abs=error)


def test_a_plan_says_what_is_lost_before_it_plays_anything():
    spec = system(frame_error_rate=0.75)
    lost = 100.0 * (1.0 - (1.0 - 0.75**8) ** 3)

    def play(tasks):
        raise AssertionError("nothing has to be played")

    said = (
        f"even one device misses latency_p95_s <= 0.1: {lost:.3g} % of its requests get no answer"
    )
    with pytest.raises(Refusal, match=said):
        capacity(spec, {"default": SOURCE}, P95, play=play)
    refuse_lost(spec, {"default": SOURCE}, [Goal(column="latency_mean_s", limit=0.1)])
    refuse_lost(spec, {"default": SOURCE}, [Goal(column="latency_p50_s", limit=0.1)])
    refuse_lost(system(), {"default": SOURCE}, [P95])


def test_nothing_is_said_of_losses_that_come_in_bursts():
    fades = system(rate="mcs", fading="rayleigh", frame_error_rate=0.75, mtu_bytes=1400).link
    assert arrivals(fades, SOURCE) == []
    refuse_lost(system(frame_error_rate=0.75, rate="mcs", fading="rayleigh", mtu_bytes=1400),
                {"default": SOURCE}, [P95])  # fmt: skip


def test_what_arrives_damaged_loads_the_link_as_if_it_did_not():
    """The same N*, interval and all, at every rate; repeated until right far fewer fit."""
    once = [
        capacity(system(**link), {"default": SOURCE}, P95, budget=BUDGET)
        for link in (
            {"transport": "bit_error", "bit_error_rate": 1e-3},
            {"transport": "bit_error", "bit_error_rate": 0.1},
            {"transport": "erasure", "frame_error_rate": 0.5},
        )
    ]
    found = {(one.n_star, one.n_star_lo, one.n_star_hi) for one in once}
    assert len(found) == 1
    again = capacity(system(frame_error_rate=0.4), {"default": SOURCE}, P95, budget=BUDGET)
    assert again.n_star < 0.8 * once[0].n_star_lo
