"""A station is a radio: its own queue, equal accesses, contention by who has something to send."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simpy import Environment

import sim
from sim import theory
from sim.medium.contended import ContendedMedium
from sim.medium.own import OwnQueue
from sim.medium.shared import SharedStation
from sim.radio import Access, ns3_ratio, slots
from sim.radio.contention import access_of
from sim.station import QueueStation

ISSUE = sim.LinkSpec(
    sharing="wifi", rate_bps=86e6, mtu_bytes=1400, header_bytes=66, frame_airtime_s=32.1e-6
)
SHIPPED = sim.LinkSpec(
    sharing="wifi", rate_bps=73.125e6, mtu_bytes=1400, header_bytes=72, frame_airtime_s=214.1e-6,
    aggregation=39, access_limit_s=5.484e-3,
)  # fmt: skip


def poisson(link, rate, n=1, groups=None, horizon_s=200.0, **fields):
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n, groups=groups or {}),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=rate),
        link=link, warmup_s=0.0, horizon_s=horizon_s, **fields,
    )  # fmt: skip


def run(spec, **costs):
    return sim.run(spec, {"default": sim.ConstantSource(**costs)})


def play(arrivals, capacity=lambda n, frames: 1.0, draws=(), changes=(), leavers=()):
    """(start, end, alone) of transfers (station, time, work, fixed, accesses), and the medium."""
    env = Environment()
    medium = ContendedMedium(env, capacity)
    given_draws = iter(draws)
    medium.draw = lambda: next(given_draws, 0.0)
    radios = {station: medium.radio() for station, *_ in arrivals}
    seen, cut = {}, {}

    def visit(number, station, at_s, work_s, fixed_s, accesses):
        yield env.timeout(at_s)
        event = radios[station].send(work_s, fixed_s, accesses, 1.0)
        if number in dict(leavers):
            yield env.timeout(dict(leavers)[number] - env.now)
            cut[number] = radios[station].cancel(event)
        else:
            seen[number] = yield event

    def vary():
        for at_s, speed in changes:
            yield env.timeout(at_s - env.now)
            medium.set_speed(speed)

    env.process(vary())
    for number, arrival in enumerate(arrivals):
        env.process(visit(number, *arrival))
    env.run()
    return seen, cut, medium


# what a station is


def test_one_open_loop_device_is_one_station_with_a_queue():
    """Offered load 0.6 in accesses of 1.49 ms: M/D/1, 2.6 ms; each transfer a station: 20 s."""
    airtime_s = 9 * 32.1e-6 + 8 * (12_288 + 9 * 66) / 86e6
    result = run(poisson(ISSUE, 0.6 / airtime_s), payload_bytes=12_288)
    assert theory.md1_response_s(0.6 / airtime_s, airtime_s) == pytest.approx(2.6e-3, rel=0.01)
    assert result.value("latency_mean_s") == pytest.approx(2.6e-3, rel=0.02)
    assert result.value("link_wait_s") == pytest.approx(2.6e-3 - airtime_s, rel=0.05)
    assert not result.saturated


def test_all_answers_are_one_station():
    """20 devices whose answers fill six tenths of the cell: two or three stations contend."""
    link = sim.LinkSpec(**({"sharing": "ps"} | {**vars(SHIPPED), "downlink": "shared"}))
    down_s = 214.1e-6 + 8 * (12_288 + 9 * 72) / 73.125e6
    result = run(
        poisson(link, 0.6 / down_s / 20, 20), server_s=1e-5, payload_bytes=64, answer_bytes=12_288
    )
    assert not result.saturated
    assert result.value("answer_wait_s") < 12e-3
    assert result.failed_checks == ()
    # were every answer a station, 20 of them would carry 0.56 of what one does: less than comes
    assert ns3_ratio(20, 9) < 0.6 + 0.6 * 0.22 / 1.63
    assert result.value("link_utilization") < 0.95


def test_the_access_point_gets_its_access_like_any_other_station():
    """Answers for four devices against one that always sends: an access each in turn."""
    link = sim.LinkSpec(**({"sharing": "ps"} | {**vars(SHIPPED), "downlink": "shared"}))
    groups = {"up": sim.GroupSpec(), "down": sim.GroupSpec(share=4.0)}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=5, groups=groups), workload=sim.WorkloadSpec(think_s=0.0),
        link=link, warmup_s=0.0, horizon_s=30.0,
    )  # fmt: skip
    sources = {
        "up": sim.ConstantSource(payload_bytes=12_000),
        "down": sim.ConstantSource(server_s=1e-9, answer_bytes=12_000),
    }
    n_up, n_down = np.bincount(sim.run(spec, sources).records["group"].astype(int))
    assert n_up > 3000
    assert abs(n_up - n_down) < 4 * math.sqrt(n_up + n_down)


@pytest.mark.parametrize("sharing", ["wifi", "cellular"])
def test_transfers_of_a_device_leave_in_order(sharing):
    """Also where frames are lost and a payload goes out in several runs."""
    link = sim.LinkSpec(
        sharing=sharing,
        rate_bps=5e6,
        frame_airtime_s=1e-4,
        frame_error_rate=0.3,
        grant_s=0.0,
        max_retries=60,
    )
    result = run(poisson(link, 60.0, horizon_s=30.0), payload_bytes=6000)
    records = result.records
    order = np.argsort(records["created_s"], kind="stable")
    assert np.all(np.diff(records["link_end_s"][order]) > 0.0)
    assert np.all(records["link_start_s"][order][1:] >= records["link_end_s"][order][:-1] - 1e-12)
    assert result.value("link_wait_s") > 1e-3
    assert result.value("link_resend_s") > 1e-3
    total_s = sum(result.value(f"link_{part}_s") for part in ("wait", "service", "resend"))
    mean_s = np.mean(records["link_end_s"] - records["device_end_s"])
    assert total_s == pytest.approx(mean_s, rel=1e-9)


def test_a_device_that_leaves_frees_the_queue_of_its_lossy_radio():
    churn = sim.ChurnSpec(mean_up_s=0.5, mean_down_s=0.1)
    link = sim.LinkSpec(sharing="wifi", rate_bps=5e6, frame_airtime_s=1e-4, frame_error_rate=0.3)
    groups = {"default": sim.GroupSpec(churn=churn)}
    result = run(poisson(link, 60.0, 2, groups, horizon_s=60.0), payload_bytes=6000)
    assert np.count_nonzero(result.records["outcome"] == sim.request.LEFT) > 50
    assert result.value("latency_p99_s") < 2.0
    assert result.failed_checks == ()


@pytest.mark.parametrize("n", [1, 3])
def test_a_cellular_device_is_one_user(n):
    """Alone it is M/D/1 in whole slots; transfers that share would wait twice as long."""
    link = sim.LinkSpec(
        sharing="cellular", rate_bps=8e6, header_bytes=0, slot_s=1e-3, grant_s=0.0, n_cells=n
    )
    result = run(poisson(link, 300.0, n, horizon_s=100.0), payload_bytes=1500)
    wait_s = theory.md1_response_s(300.0, 2e-3) - 2e-3
    assert result.value("link_wait_s") == pytest.approx(wait_s, rel=0.05)
    assert result.value("link_service_s") == pytest.approx(2e-3)


# equal accesses


def test_a_small_frame_waits_for_the_access_on_the_air():
    """A neighbour's A-MPDU of 5.5 ms has just begun: the frame waits for its end, not 0.48 ms."""
    seen, _, _ = play([(0, 0.0, 5.5e-3, 0.0, 1), (1, 1e-6, 3.7e-4, 0.0, 1)])
    assert seen[0] == pytest.approx((0.0, 5.5e-3, 5.5e-3))
    assert seen[1] == pytest.approx((1e-6, 5.5e-3 + 3.7e-4, 3.7e-4))


def test_a_sporadic_frame_waits_for_half_an_access_and_the_contests_it_loses():
    """Against one that always sends: a/2, and one lost contest on average at probability 1/2."""
    groups = {
        "bulk": sim.GroupSpec(workload=sim.WorkloadSpec(think_s=0.0)),
        "small": sim.GroupSpec(),
    }
    spec = poisson(SHIPPED, 5.0, 2, groups, horizon_s=500.0)
    sources = {
        "bulk": sim.ConstantSource(payload_bytes=34 * 1400),
        "small": sim.ConstantSource(payload_bytes=200),
    }
    records = sim.run(spec, sources).records
    waits_s = records["link_wait_s"][records["group"] == 1]
    long_s = 214.1e-6 + 8 * 34 * 1472 / 73.125e6
    short_s = 214.1e-6 + 8 * 272 / 73.125e6
    expected_s = long_s / 2 + long_s / ns3_ratio(2, 34) + short_s * (1 / ns3_ratio(2, 1) - 1)
    error_s = waits_s.std() / math.sqrt(len(waits_s))
    assert waits_s.mean() == pytest.approx(expected_s, abs=4 * error_s)
    assert 6e-3 < expected_s < 10e-3


def test_accesses_are_equal_whatever_their_length():
    """One frame against 34, and against 34 at a tenth of the rate, which go out by threes."""
    groups = {name: sim.GroupSpec() for name in ("long", "short")}
    groups["slow"] = sim.GroupSpec(rate_bps=7.3125e6)
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=4, groups=groups), workload=sim.WorkloadSpec(think_s=0.0),
        link=SHIPPED, warmup_s=0.0, horizon_s=60.0,
    )  # fmt: skip
    sources = {
        "long": sim.ConstantSource(payload_bytes=34 * 1400),
        "short": sim.ConstantSource(payload_bytes=1400),
        "slow": sim.ConstantSource(payload_bytes=34 * 1400),
    }
    n_long, n_short, n_other, n_slow = np.bincount(
        sim.run(spec, sources).records["device"].astype(int)
    )
    accesses = [n_long, n_short, n_other, n_slow * math.ceil(34 / 3)]
    assert min(accesses) > 1500
    for other in accesses[1:]:
        assert abs(other - accesses[0]) < 4 * math.sqrt(other + accesses[0]) + 12


def test_frames_fit_into_the_longest_access():
    assert SHIPPED.frames_per_access(73.125e6) == 34
    assert SHIPPED.frames_per_access(7.3125e6) == 3
    assert SHIPPED.frames_per_access(1e5) == 1
    assert sim.LinkSpec(sharing="ps", aggregation=39).frames_per_access(1e5) == 39
    with pytest.raises(ValueError, match=r"link.access_limit_s must be > 0"):
        sim.LinkSpec(sharing="ps", access_limit_s=0.0)


# the medium itself


def test_one_alone_goes_on_until_somebody_comes():
    """Five accesses of 1 s; at 2.3 s another comes, wins at 3 s and takes 1 / 0.8 s."""
    arrivals = [(0, 0.0, 5.0, 0.0, 5), (1, 2.3, 1.0, 0.0, 1)]
    seen, _, medium = play(arrivals, lambda n, frames: 0.8 if n == 2 else 1.0, draws=[0.99])
    assert seen[1] == pytest.approx((2.3, 4.25, 1.0))
    assert seen[0] == pytest.approx((0.0, 6.25, 5.0))
    assert medium.busy_s() == pytest.approx(6.25)


def test_who_comes_at_the_same_instant_contends():
    """Three at once: none of them gets the medium as if alone."""
    arrivals = [(i, 1.0, 1.0, 0.0, 1) for i in range(3)]
    capacity = {1: 1.0, 2: 0.5, 3: 0.25}
    seen, _, _ = play(arrivals, lambda n, frames: capacity[n], draws=[0.0, 0.9, 0.0])
    ends = sorted(end for _, end, _ in seen.values())
    assert ends == pytest.approx([5.0, 7.0, 8.0])
    assert seen[2][1] == pytest.approx(5.0)


def test_who_leaves_frees_the_air_and_has_had_its_airtime():
    arrivals = [(0, 0.0, 4.0, 0.0, 1), (0, 0.5, 1.0, 0.0, 1), (1, 0.6, 1.0, 0.0, 1)]
    seen, cut, medium = play(arrivals, draws=[0.99], leavers=[(0, 1.5)])
    assert cut == {0: pytest.approx(1.5)}
    assert seen[2] == pytest.approx((0.6, 2.5, 1.0))
    assert seen[1] == pytest.approx((1.5, 3.5, 1.0))
    assert medium.busy_s() == pytest.approx(3.5)
    seen, cut, _ = play(arrivals, leavers=[(1, 1.0), (2, 2.0)])
    assert cut == {1: 0.0, 2: 0.0}
    assert seen == {0: pytest.approx((0.0, 4.0, 4.0))}


TRANSFERS = st.lists(
    st.tuples(st.integers(0, 2), st.floats(0.0, 2.0), st.floats(0.1, 3.0), st.floats(0.0, 1.0),
              st.integers(1, 4)),
    min_size=1, max_size=12,
)  # fmt: skip
SPEEDS = st.lists(
    st.tuples(st.floats(0.05, 1.5), st.sampled_from([0.0, 0.3, 0.5, 2.0])), max_size=5
)


def timetable(transfers, speeds):
    """Transfers and changes of speed at times that ascend; the last speed is above 0."""
    times = np.cumsum([gap for _, gap, *_ in transfers])
    arrivals = [
        (station, float(at), work, share * work, accesses)
        for at, (station, _, work, share, accesses) in zip(times, transfers, strict=True)
    ]
    at_s = np.cumsum([gap for gap, _ in speeds]).tolist()
    changes = [(at, speed) for at, (_, speed) in zip(at_s, speeds, strict=True)]
    return arrivals, [*changes, (at_s[-1] + 1.0, 1.0)] if changes else []


def queued(arrivals, changes, leavers=()):
    """The same through one first-come-first-served server."""
    env = Environment()
    station = QueueStation(env)
    seen, cut = {}, {}

    def visit(number, at_s, work_s, fixed_s):
        yield env.timeout(at_s)
        event = station.serve(work_s, fixed_s=fixed_s)
        if number in dict(leavers):
            yield env.timeout(dict(leavers)[number] - env.now)
            cut[number] = station.cancel(event)
        else:
            seen[number] = yield event

    def vary():
        for at_s, speed in changes:
            yield env.timeout(at_s - env.now)
            station.set_speed(speed)

    env.process(vary())
    for number, (_, at_s, work_s, fixed_s, _) in enumerate(arrivals):
        env.process(visit(number, at_s, work_s, fixed_s))
    env.run()
    return seen, cut, station


@given(TRANSFERS, SPEEDS, st.integers(0, 11), st.floats(0.0, 3.0))
@settings(max_examples=150, deadline=None)
def test_a_radio_alone_is_a_queue(transfers, speeds, leaver, after_s):
    """At any speeds, and where one leaves: first come, first served, nobody waits for itself."""
    arrivals, changes = timetable([(0, *rest) for _, *rest in transfers], speeds)
    leaver %= len(arrivals)
    leavers = [(leaver, arrivals[leaver][1] + after_s)]
    mine, cut, medium = play(arrivals, changes=changes, leavers=leavers)
    theirs, also_cut, station = queued(arrivals, changes, leavers)
    assert cut == pytest.approx(also_cut, rel=1e-9, abs=1e-9)
    assert mine.keys() == theirs.keys()
    for number, (_, end_s, alone_s) in theirs.items():
        assert mine[number][1:] == pytest.approx((end_s, alone_s), rel=1e-9)
    assert medium.busy_s() == pytest.approx(station.busy_s(), rel=1e-9)


@pytest.mark.parametrize("changes", [(), ((2.0, 2.0),), ((2.0, 0.0), (3.0, 1.0))])
def test_who_comes_as_a_turn_ends_finds_it_ended(changes):
    """The second station's timer, and a change of speed, stand before the end of the first turn."""
    mine, _, medium = play([(0, 0.0, 2.0, 0.0, 2), (1, 2.0, 4.0, 0.0, 2)], changes=changes)
    silence_s, seconds = (1.0, 4.0) if len(changes) == 2 else (0.0, 2.0 if changes else 4.0)
    assert mine[0] == pytest.approx((0.0, 2.0, 2.0))
    assert mine[1][1:] == pytest.approx((2.0 + silence_s + seconds, seconds))
    assert medium.busy_s() == pytest.approx(2.0 + seconds)


@given(TRANSFERS, SPEEDS, st.lists(st.floats(0.0, 0.999), max_size=60))
@settings(max_examples=150, deadline=None)
def test_without_loss_nobody_idles_and_no_airtime_is_lost(transfers, speeds, draws):
    """At capacity 1 any order of accesses keeps the air as busy as one queue does at speed 1; and
    at any speeds each transfer has its airtime between its ends.
    """
    arrivals, changes = timetable(transfers, [])
    mine, _, medium = play(arrivals, draws=draws)
    theirs, _, station = queued(arrivals, changes)
    assert medium.busy_s() == pytest.approx(station.busy_s(), rel=1e-9)
    last_s = max(end_s for _, end_s, _ in theirs.values())
    assert max(end_s for _, end_s, _ in mine.values()) == pytest.approx(last_s, rel=1e-9)
    arrivals, changes = timetable(transfers, speeds)
    mine, _, medium = play(arrivals, draws=draws, changes=changes)
    assert len(mine) == len(arrivals)
    for start_s, end_s, alone_s in mine.values():
        assert end_s - start_s >= alone_s * (1.0 - 1e-9)
    total_s = math.fsum(alone_s for *_, alone_s in mine.values())
    assert medium.busy_s() == pytest.approx(total_s, rel=1e-9)


@pytest.mark.parametrize(("n", "load", "near"), [(5, 0.3, 0.1), (5, 0.6, 0.1), (20, 0.5, 0.1)])
def test_waits_are_those_of_backoff_counters_played_slot_by_slot(n, load, near):
    """9 frames an access; sharing by transfers would give half as much again and more."""
    access = access_of(9)
    alone_s = access.success_s + 7.5 * access.slot_s
    rate = load / alone_s / n
    played_s = slots.queue(n, rate, access, 30_000, np.random.default_rng(1))
    link = sim.LinkSpec(
        sharing="wifi", contention="bianchi", rate_bps=Access().rate_bps, mtu_bytes=1400,
        header_bytes=72, frame_airtime_s=alone_s - 8 * 9 * 1472 / Access().rate_bps, aggregation=39,
    )  # fmt: skip
    result = run(poisson(link, rate, n, horizon_s=30_000 / rate / n), payload_bytes=9 * 1400)
    assert result.value("latency_mean_s") == pytest.approx(played_s.mean(), rel=near)
    assert result.value("latency_p95_s") == pytest.approx(np.quantile(played_s, 0.95), rel=near)


# a queue of one's own before a medium that transfers share


@given(TRANSFERS, SPEEDS, st.integers(0, 11), st.floats(0.0, 3.0))
@settings(max_examples=100, deadline=None)
def test_an_own_queue_before_an_ideal_medium_is_a_queue(transfers, speeds, leaver, after_s):
    arrivals, changes = timetable(transfers, speeds)
    leaver %= len(arrivals)
    leavers = [(leaver, arrivals[leaver][1] + after_s)]
    env = Environment()
    own = OwnQueue(env, SharedStation(env))
    seen = {}

    def visit(number, at_s, work_s, fixed_s):
        yield env.timeout(at_s)
        event = own.serve(work_s, 0.0 if number % 2 else 0.25, 1.0, fixed_s)
        if number == leaver:
            yield env.timeout(after_s)
            own.cancel(event)
        else:
            _, end_s, alone_s = yield event
            seen[number] = (end_s, alone_s)
            assert env.now == pytest.approx(end_s + (0.0 if number % 2 else 0.25))

    def vary():
        for at_s, speed in changes:
            yield env.timeout(at_s - env.now)
            own.set_speed(speed)

    env.process(vary())
    for number, (_, at_s, work_s, fixed_s, _) in enumerate(arrivals):
        env.process(visit(number, at_s, work_s, fixed_s))
    env.run()
    theirs, _, station = queued(arrivals, changes, leavers)
    for number, (_, end_s, alone_s) in theirs.items():
        assert seen[number] == pytest.approx((end_s, alone_s), rel=1e-9)
    assert own.busy_s() == pytest.approx(station.busy_s(), rel=1e-9)
