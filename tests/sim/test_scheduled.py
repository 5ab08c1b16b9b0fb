"""A scheduler's gain by who is there: closed forms for two users of unlike ratios."""

import math

import pytest
from scipy.special import exp1
from simpy import Environment

import sim
from sim.medium.scheduled import ScheduledStation
from sim.radio.diversity import Diversity

FADES = sim.LinkSpec(
    sharing="cellular", rate="shannon", fading="rayleigh", gap_db=0.0, bandwidth_hz=1e6,
    header_bytes=0, mtu_bytes=100, coherence_s=0.1, slot_s=1e-6, grant_s=0.0,
)  # fmt: skip


def mean_log(snr: float) -> float:
    """E[ln(1 + snr g)] = e^(1/snr) E1(1/snr), g exponential (Tse and Viswanath 2005, 5.4)."""
    return math.exp(1.0 / snr) * float(exp1(1.0 / snr))


def mean_log_of_two(snr: float) -> float:
    """E[ln(1 + snr max(g, h))]: the larger of two has the density 2 e^-g - 2 e^-2g."""
    return 2.0 * mean_log(snr) - mean_log(0.5 * snr)


def gain_of_two(snr_db: float) -> float:
    snr = 10.0 ** (snr_db / 10.0)
    return mean_log_of_two(snr) / mean_log(snr)


def shannon(snr_db: float) -> Diversity:
    return Diversity(lambda gain: math.log1p(10.0 ** (snr_db / 10.0) * gain))


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 10.0, 20.0, 30.0])
def test_the_gain_of_two_users_is_the_closed_form(snr_db: float) -> None:
    assert shannon(snr_db).gain(1) == 1.0
    assert shannon(snr_db).gain(2) == pytest.approx(gain_of_two(snr_db), rel=1e-5)


def test_the_gain_grows_with_users_to_64_and_is_harmonic_at_low_ratios() -> None:
    gains = [shannon(10.0).gain(n) for n in (1, 2, 4, 16, 64, 65)]
    assert gains[:5] == sorted(set(gains[:5]))
    assert gains[4] == gains[5]
    assert shannon(-40.0).gain(4) == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4, rel=1e-3)


def test_the_gain_is_that_of_the_rates_law() -> None:
    """One scheme that needs g > 1: of two users one gets through more often."""
    through = math.exp(-1.0)
    expected = (1.0 - (1.0 - through) ** 2) / through
    assert Diversity(lambda gain: float(gain > 1.0)).gain(2) == pytest.approx(expected, rel=3e-3)
    assert Diversity(lambda gain: 5.0).gain(9) == pytest.approx(1.0)


def play(arrivals: list[tuple[int, float]], users: list[float], speeds=()) -> list[float]:
    """End of transfers (user, seconds alone), all of which begin at once; users by their dB."""
    env = Environment()
    cell = ScheduledStation(env, FADES)
    places = [cell.user(snr_db) for snr_db in users]
    ends = [math.nan] * len(arrivals)

    def visit(number: int, user: int, work_s: float):
        ends[number] = (yield places[user].serve(work_s))[1]

    def vary():
        for at_s, speed in speeds:
            yield env.timeout(at_s - env.now)
            cell.set_speed(speed)

    for number, arrival in enumerate(arrivals):
        env.process(visit(number, *arrival))
    env.process(vary())
    env.run()
    assert cell.busy_s() == pytest.approx(max(ends) - sum(0.5 for _, s in speeds if s == 0.0))
    return ends


@pytest.mark.parametrize(("near_db", "far_db"), [(20.0, 0.0), (30.0, -5.0), (10.0, 10.0)])
def test_each_of_two_transfers_progresses_by_its_own_users_ratio(
    near_db: float, far_db: float
) -> None:
    first_s = 0.010 * 2.0 / gain_of_two(near_db)
    done_s = first_s * gain_of_two(far_db) / 2.0  # of the other's 20 ms, which goes on alone
    ends = play([(0, 0.010), (1, 0.020)], [near_db, far_db])
    assert ends == pytest.approx([first_s, first_s + 0.020 - done_s], rel=1e-5)


def test_a_user_with_a_transfer_each_way_is_counted_once() -> None:
    """Payload and answer share its slots and bring it nothing; a second user brings both some."""
    assert play([(0, 0.010), (0, 0.010)], [0.0, 0.0]) == pytest.approx([0.020, 0.020])
    gain = gain_of_two(0.0)
    ends = play([(0, 0.010), (0, 0.010), (1, 0.010)], [0.0, 0.0])
    assert ends == pytest.approx([0.030 / gain] * 3, rel=1e-5)


def test_speed_and_silence_are_everybodys() -> None:
    silent = play([(0, 0.010), (1, 0.020)], [20.0, 0.0], speeds=[(0.004, 0.0), (0.504, 1.0)])
    plain = play([(0, 0.010), (1, 0.020)], [20.0, 0.0])
    assert silent == pytest.approx([0.5 + end for end in plain])
    slow = play([(0, 0.010), (1, 0.020)], [20.0, 0.0], speeds=[(0.0, 0.5)])
    assert slow == pytest.approx([2.0 * end for end in plain])


def test_who_is_taken_out_leaves_the_other_alone() -> None:
    env = Environment()
    cell = ScheduledStation(env, FADES)
    near, far = cell.user(20.0), cell.user(0.0)
    gone, stays = near.serve(1.0), far.serve(0.020)
    env.run(until=0.010)
    assert near.cancel(gone) == pytest.approx(0.010 * gain_of_two(20.0) / 2.0, rel=1e-5)
    assert near.cancel(gone) == 0.0
    _, end_s, alone_s = env.run(until=stays)
    assert alone_s == pytest.approx(0.020)
    assert end_s == pytest.approx(0.030 - 0.010 * gain_of_two(0.0) / 2.0, rel=1e-5)


def test_groups_of_unlike_ratios_get_what_their_own_channels_carry() -> None:
    """Two loops without a pause: each sends half of the time, W E[log2(1 + s max(g, h))] then."""
    groups = {"near": sim.GroupSpec(snr_db=20.0), "far": sim.GroupSpec(snr_db=0.0)}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups=groups),
        workload=sim.WorkloadSpec(think_s=0.0),
        link=FADES,
        warmup_s=0.0,
        horizon_s=600.0,
    )
    source = sim.ConstantSource(payload_bytes=1e6, server_s=1e-9)
    records = sim.run(spec, dict.fromkeys(groups, source)).records
    for number, snr_db in enumerate((20.0, 0.0)):
        ends_s = records["link_end_s"][records["group"] == number]
        sent_bps = 8e6 * len(ends_s) / ends_s.max()
        expected_bps = 0.5e6 * mean_log_of_two(10.0 ** (snr_db / 10.0)) / math.log(2.0)
        assert sent_bps == pytest.approx(expected_bps, rel=0.03)
