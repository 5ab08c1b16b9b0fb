"""Link physics against closed forms, published figures and independent simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim import radio
from sim.radio import bianchi, slots
from sim.radio.contention import LONGEST_S, PHY_RATE_BPS, frames_sent


def test_shannon_with_a_gap():
    assert radio.shannon_rate_bps(0.0, 1e6) == pytest.approx(1e6)
    assert radio.shannon_rate_bps(13.0, 20e6, gap_db=3.0) == pytest.approx(
        radio.shannon_rate_bps(10.0, 20e6)
    )


def test_outage_rates_of_the_literature():
    # W = 10 MHz, mean ratio 10 dB: 1.38 Mb/s at 1 %, 10.4 Mb/s at 10 %
    assert radio.outage_rate_bps(0.01, 10.0, 10e6) == pytest.approx(1.38e6, rel=0.005)
    assert radio.outage_rate_bps(0.10, 10.0, 10e6) == pytest.approx(10.4e6, rel=0.005)
    with pytest.raises(ValueError, match="outage must be within"):
        radio.outage_rate_bps(0.0, 10.0, 10e6)


@pytest.mark.parametrize("outage", [0.01, 0.1, 0.5])
def test_the_outage_rate_fails_in_that_share_of_simulated_blocks(outage):
    rate = 20e6 * np.log2(1.0 + 10.0 * np.random.default_rng(1).exponential(size=400_000))
    low, high = stats.binom.interval(0.999, rate.size, outage)
    assert low <= np.count_nonzero(rate < radio.outage_rate_bps(outage, 10.0, 20e6)) <= high


@pytest.mark.parametrize(
    ("ber", "loss"), [(1e-6, 0.008), (1e-5, 0.079), (1e-4, 0.559), (1e-3, 0.9997)]
)
def test_frame_error_rate_of_a_kilobyte(ber, loss):
    assert radio.frame_error_rate(ber, 1024) == pytest.approx(loss, abs=0.0006)


def test_frame_error_rate_ends():
    assert radio.frame_error_rate([0.0, 1.0], 10).tolist() == [0.0, 1.0]


def test_arq_counts_are_those_of_the_geometric_law():
    sends = np.random.default_rng(3).geometric(0.7, 200_000)
    assert sends.mean() == pytest.approx(radio.expected_sends(0.3), rel=0.01)
    assert np.minimum(sends, 3).mean() == pytest.approx(radio.expected_sends(0.3, 2), rel=0.01)
    assert np.mean(sends > 3) == pytest.approx(radio.residual_loss(0.3, 2), rel=0.05)
    assert radio.expected_sends(1.0, 4) == 5.0
    assert radio.expected_sends(1.0) == math.inf
    with pytest.raises(ValueError, match="frame_error_rate must be within"):
        radio.expected_sends(1.1)


def test_mcs_rates_of_the_standard():
    # IEEE 802.11ax-2021, tables 27-79, 27-93 and 27-99 (one stream, 0.8 us guard), Mb/s
    published = {
        20e6: (8.6, 17.2, 25.8, 34.4, 51.6, 68.8, 77.4, 86.0, 103.2, 114.7, 129.0, 143.4),
        40e6: (17.2, 34.4, 51.6, 68.8, 103.2, 137.6, 154.9, 172.1, 206.5, 229.4, 258.1, 286.8),
        80e6: (36.0, 72.1, 108.1, 144.1, 216.2, 288.2, 324.3, 360.3, 432.4, 480.4, 540.4, 600.5),
    }
    for bandwidth, rates in published.items():
        ours = [radio.scheme_rate_bps(i, bandwidth) / 1e6 for i in range(12)]
        assert ours == pytest.approx(rates, abs=0.06)
    with pytest.raises(ValueError, match="bandwidth_hz must be 20e6, 40e6 or 80e6"):
        radio.scheme_rate_bps(0, 10e6)
    with pytest.raises(ValueError, match="mcs index must be within"):
        radio.scheme_rate_bps(12)


@given(st.floats(-50.0, 100.0))
def test_mcs_stays_below_shannon(snr_db):
    assert radio.mcs_rate_bps(snr_db) <= radio.shannon_rate_bps(snr_db, 20e6)


def test_mcs_choice_is_the_fastest_that_works():
    assert radio.best_scheme(8.9) is None
    assert radio.mcs_rate_bps(8.9) == 0.0
    assert [radio.best_scheme(radio.needed_snr_db(i)) for i in range(12)] == list(range(12))
    assert radio.best_scheme(22.0, margin_db=0.0) == 7


@pytest.mark.parametrize("n_stations", [2, 5, 10, 20, 40])
def test_bianchi_agrees_with_a_slot_simulation(n_stations):
    access = radio.Access()
    simulated = slots.play(n_stations, access, 5000, np.random.default_rng(n_stations))
    assert simulated.mean() == pytest.approx(bianchi.efficiency(n_stations, access), rel=0.006)


def test_bianchi_alone_is_deterministic():
    access = radio.Access()
    cycle_s = 7.5 * access.slot_s + access.success_s  # the mean of 0..15 idle slots, then a success
    assert bianchi.efficiency(1, access) == pytest.approx(access.payload_s / cycle_s)


def test_bianchi_fixed_point_solves_both_equations():
    for n in (2, 10, 100, 1000):
        tau, collision = bianchi.fixed_point(n, radio.Access())
        assert collision == pytest.approx(1.0 - (1.0 - tau) ** (n - 1), abs=1e-12)
    m, w, p = 6, 16, 0.3
    original = 2 * (1 - 2 * p) / ((1 - 2 * p) * (w + 1) + p * w * (1 - (2 * p) ** m))
    assert bianchi.transmit_probability(p, radio.Access()) == pytest.approx(original)


@pytest.mark.parametrize("name", sorted(radio.RATIO))
@pytest.mark.parametrize("frames", [1.0, 1.5, 4.0, 9.0, 34.0, 1e3])
def test_capacity_falls_with_contention(name, frames):
    values = [radio.RATIO[name](n, frames) for n in range(1, 400)]
    assert values[0] == 1.0
    assert all(0.0 < b <= a for a, b in itertools.pairwise(values))
    assert values[-1] < 0.8
    with pytest.raises(ValueError, match="n_active must be >= 1, got 0"):
        radio.RATIO[name](0, frames)


@pytest.mark.parametrize("point", radio.ns3_grid(), ids=lambda p: "{}x{}x{}".format(*p))
def test_every_ns3_run_is_met(point):
    """By the lone station's airtime and the ratio; 200-byte frames are in neither's making."""
    model = radio.ns3_goodput_bps(point.n_active, point.frames_per_access, point.frame_bytes)
    assert model == pytest.approx(point.goodput_bps, rel=0.05)


def test_a_number_of_frames_that_was_not_run_is_met_by_its_neighbours():
    """4 and 12 frames a time, up to 40 stations, from the curves on both sides of them alone."""
    curves = radio.ns3_curves()
    for below, left_out, above in zip(curves, curves[1:], curves[2:], strict=False):
        part = math.log(left_out.frames / below.frames) / math.log(above.frames / below.frames)
        for n, ratio in zip(left_out.n, left_out.ratio, strict=True):
            if n > 40:
                continue
            low, high = below.at(n), above.at(n)
            assert low + part * (high - low) == pytest.approx(ratio, rel=0.25)


def test_beyond_the_runs_bianchi_goes_on():
    ratio = radio.ns3_ratio(200, 4) / radio.ns3_ratio(80, 4)
    assert ratio == pytest.approx(radio.bianchi_ratio(200, 4) / radio.bianchi_ratio(80, 4))
    assert radio.bianchi_ratio(10**6, 4) == 1e-3
    assert 0.0 < radio.ns3_ratio(10**6, 4) < 1e-3


def test_the_runs_know_the_longest_ppdu_and_their_rate():
    """73.1 Mb/s is HE-MCS 7 at a guard interval of 3.2 us; 34 frames fill 5.484 ms."""
    assert radio.scheme_rate_bps(7, guard_s=3.2e-6) == pytest.approx(PHY_RATE_BPS)
    assert frames_sent(39) == frames_sent(math.inf) == 34
    assert 34 * 8 * 1472 / PHY_RATE_BPS < LONGEST_S < 35 * 8 * 1472 / PHY_RATE_BPS
    lone = [p for p in radio.ns3_grid() if p.n_active == 1]
    assert len(lone) == 5
    for point in lone:
        model = radio.lone_goodput_bps(point.frames_per_access, point.frame_bytes)
        assert model == pytest.approx(point.goodput_bps, rel=0.01)
