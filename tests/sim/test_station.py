import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simpy import Environment

from sim.medium.shared import SharedStation
from sim.medium.speeds import Speeds
from sim.station import FifoStation, PoolStation, QueuePool, QueueStation, timeout_at

JOBS = st.lists(
    st.tuples(st.floats(0.0, 2.0), st.floats(1e-6, 3.0), st.sampled_from([1.0, 2.0, 0.25])),
    min_size=1,
    max_size=25,
)


def visits(make, jobs, after_s=0.0):
    """(start, end, time of the event) of every job, in order of arrival."""
    env = Environment()
    station = make(env)
    seen = {}

    def visit(number, work_s, weight):
        start, end, _ = yield station.serve(work_s, after_s, weight)
        seen[number] = (start, end, env.now)

    def arrivals():
        for number, (gap, work_s, weight) in enumerate(jobs):
            yield env.timeout(gap)
            env.process(visit(number, work_s, weight))

    env.process(arrivals())
    env.run()
    return np.array([seen[number] for number in range(len(jobs))]), station


@given(JOBS, st.sampled_from([0.0, 0.01, 1.7]))
@settings(max_examples=150, deadline=None)
def test_arithmetic_and_explicit_fifo_agree_to_the_bit(jobs, after_s):
    arithmetic, one = visits(FifoStation, jobs, after_s)
    explicit, two = visits(QueueStation, jobs, after_s)
    pool, _ = visits(lambda env: PoolStation(env, 1), jobs, after_s)
    left, _ = visits(lambda env: QueuePool(env, 1), jobs, after_s)
    assert arithmetic.tobytes() == explicit.tobytes() == pool.tobytes() == left.tobytes()
    assert one.busy_s() == pytest.approx(two.busy_s(), rel=1e-9)


def naive_sharing(jobs, capacity):
    """Departures by stepping from event to event with O(n) work each."""
    arrivals = np.cumsum([gap for gap, _, _ in jobs])
    left = {}
    out = {}
    now, coming = 0.0, list(range(len(jobs)))
    while coming or left:
        weight = sum(jobs[i][2] for i in left)
        pace = capacity(len(left)) / weight if left else 0.0
        due = min((left[i] / jobs[i][2] / pace for i in left), default=np.inf)
        gap = arrivals[coming[0]] - now if coming else np.inf
        step = min(due, gap)
        for i in left:
            left[i] -= step * pace * jobs[i][2]
        now += step
        for i in [i for i in left if left[i] <= 1e-11]:
            out[i] = now
            del left[i]
        if gap <= due and coming:
            left[coming[0]] = jobs[coming[0]][1]
            coming.pop(0)
    return [out[i] for i in range(len(jobs))]


@given(JOBS, st.sampled_from([lambda n: 1.0, float, lambda n: 1.0 / n**0.5]))
@settings(max_examples=150, deadline=None)
def test_virtual_time_equals_the_naive_sharing(jobs, capacity):
    fast, _ = visits(lambda env: SharedStation(env, capacity), jobs)
    np.testing.assert_allclose(fast[:, 1], naive_sharing(jobs, capacity), rtol=1e-8, atol=1e-8)


def naive_speeds(jobs, changes, horizon_s=1e3, step_s=2e-3):
    """Departures and airtimes by small steps: every job has done a share of itself."""
    arrivals = np.cumsum([gap for gap, _, _, _ in jobs])
    done, airtime, out = np.zeros(len(jobs)), np.zeros(len(jobs)), {}
    now = 0.0
    while len(out) < len(jobs) and now < horizon_s:
        speed = next((s for at, s in reversed(changes) if at <= now + 1e-12), 1.0)
        here = [i for i in range(len(jobs)) if arrivals[i] <= now + 1e-12 and i not in out]
        if here and speed > 0.0:
            need = np.array([jobs[i][2] + (jobs[i][1] - jobs[i][2]) / speed for i in here])
            weight = np.array([jobs[i][3] for i in here])
            share = weight / weight.sum()
            for i, each, part in zip(here, need, share, strict=True):
                airtime[i] += part * step_s
                done[i] += part * step_s / each
                if done[i] >= 1.0:
                    out[i] = now + step_s
        now += step_s
    return np.array([out[i] for i in range(len(jobs))]), airtime


SLOWED_JOBS = st.lists(
    st.tuples(
        st.integers(0, 300).map(lambda k: k * 2e-3),
        st.floats(0.3, 1.0),
        st.floats(0.0, 0.3),
        st.sampled_from([1.0, 2.0]),
    ),
    min_size=1,
    max_size=5,
)
CHANGES = st.lists(st.sampled_from([0.0, 0.3, 0.5, 2.0]), min_size=1, max_size=4)


@given(SLOWED_JOBS, CHANGES)
@settings(max_examples=25, deadline=None)
def test_sharing_at_changing_speeds_equals_small_steps(jobs, factors):
    """What is fixed keeps its length, what is left goes on, and airtime is what each job had."""
    changes = [(0.2 + 0.4 * k, factor) for k, factor in enumerate([*factors, 1.0])]
    env = Environment()
    station = SharedStation(env)
    seen = {}

    def vary():
        for at_s, factor in changes:
            yield env.timeout(at_s - env.now)
            station.set_speed(factor)

    def visit(number, at_s, work_s, fixed_s, weight):
        yield env.timeout(at_s)
        event = station.serve(work_s, 0.0, weight, fixed_s)
        _, seen[number], airtime[number] = yield event

    airtime = {}
    env.process(vary())
    arrivals = np.cumsum([gap for gap, _, _, _ in jobs])
    for number, (at_s, (_, work_s, fixed_s, weight)) in enumerate(zip(arrivals, jobs, strict=True)):
        env.process(visit(number, at_s, work_s, fixed_s, weight))
    env.run()
    ends, shares = naive_speeds(jobs, changes)
    np.testing.assert_allclose([seen[i] for i in range(len(jobs))], ends, atol=0.03)
    np.testing.assert_allclose([airtime[i] for i in range(len(jobs))], shares, atol=0.03)


@given(st.floats(0.0, 5.0), st.floats(0.1, 3.0), st.floats(0.0, 1.0), CHANGES)
@settings(max_examples=100, deadline=None)
def test_work_alone_ends_when_a_station_says_so(start_s, work_s, fixed_share, factors):
    changes = [(0.5 + 0.7 * k, factor) for k, factor in enumerate([*factors, 1.5])]
    env = Environment()
    station = QueueStation(env)
    ends = []

    def vary():
        for at_s, factor in changes:
            yield env.timeout(at_s - env.now)
            station.set_speed(factor)

    def visit():
        yield env.timeout(start_s)
        ends.append((yield station.serve(work_s, 0.0, 1.0, fixed_share * work_s)))

    env.process(vary())
    env.process(visit())
    env.run()
    speeds = Speeds(iter(changes))
    _, end_s, alone_s = ends[0]
    assert speeds.end_s(start_s, work_s, fixed_share * work_s) == pytest.approx(end_s)
    assert end_s - start_s - speeds.silence_s(start_s, end_s) == pytest.approx(alone_s)


@pytest.mark.parametrize("make", [QueueStation, SharedStation])
def test_who_leaves_last_has_had_what_it_had(make):
    env = Environment()
    station = make(env)
    alone = station.serve(10.0)
    env.run(until=3.0)
    assert station.cancel(alone) == pytest.approx(3.0)
    assert station.cancel(alone) == 0.0


@pytest.mark.parametrize("make", [QueueStation, SharedStation])
def test_silence_stretches_and_cancelling_frees(make):
    env = Environment()
    station = make(env)
    first, second = station.serve(1.0), station.serve(4.0)
    ends = []
    first.callbacks.append(lambda event: ends.append("first"))
    second.callbacks.append(lambda event: ends.append(env.now))
    env.run(until=0.25)
    station.set_speed(0.0)
    env.run(until=10.25)
    station.set_speed(1.0)
    station.cancel(first)
    station.cancel(env.event())
    env.run()
    done_by_then = 0.0 if make is QueueStation else 0.125
    assert ends == [pytest.approx(10.25 + 4.0 - done_by_then)]
    assert station.busy_s() == pytest.approx(0.25 + 4.0 - done_by_then)


@pytest.mark.parametrize("make", [PoolStation, QueuePool])
def test_pool_serves_c_at_once(make):
    ends, station = visits(lambda env: make(env, 2), [(0.0, 3.0, 1.0)] * 3)
    assert ends[:, 1].tolist() == [3.0, 3.0, 6.0]
    assert station.busy_s() == pytest.approx(4.5)


@given(JOBS, st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_both_pools_agree_to_the_bit(jobs, n_servers):
    arithmetic, _ = visits(lambda env: PoolStation(env, n_servers), jobs)
    explicit, _ = visits(lambda env: QueuePool(env, n_servers), jobs)
    assert arithmetic.tobytes() == explicit.tobytes()


def test_who_leaves_a_pool_waiting_makes_room_and_who_is_served_does_not():
    env = Environment()
    pool = QueuePool(env, 1)
    ends = {}
    visits_ = {name: pool.serve(1.0) for name in ("served", "gone", "next")}
    for name, event in visits_.items():
        event.callbacks.append(lambda event, name=name: ends.setdefault(name, env.now))
    pool.cancel(visits_["gone"])
    pool.cancel(visits_["served"])
    env.run()
    assert ends == {"served": 1.0, "next": 2.0}
    assert pool.busy_s() == pytest.approx(1.0 * 2.0)


@given(st.floats(0.0, 1e3), st.floats(0.0, 1e6))
def test_timeouts_hit_their_time_to_the_bit(now, ahead):
    env = Environment(initial_time=now)
    due = now + ahead
    timeout_at(env, due)
    env.run()
    assert env.now == due


def test_the_virtual_clock_does_a_logarithmic_number_of_events():
    env = Environment()
    station = SharedStation(env)
    for number in range(2000):
        station.serve(1.0 + 1e-3 * number)
    steps = 0
    while env.peek() < float("inf"):
        env.step()
        steps += 1
    assert steps <= 2 * 2000 + 5


class Tag(float):
    """A number that counts how often it is compared."""

    compared = 0

    def __truediv__(self, other):
        return Tag(float(self) / other)

    def __radd__(self, other):
        return Tag(other + float(self))

    def __lt__(self, other):
        Tag.compared += 1
        return float(self) < float(other)

    def __eq__(self, other):
        Tag.compared += 1
        return float(self) == float(other)

    __hash__ = float.__hash__


def cost_per_visit(n_active, n_visits):
    """Comparisons and executed lines of the station per visit while `n_active` jobs are there."""
    env = Environment()
    station = SharedStation(env)
    generator = np.random.default_rng(n_active)
    sizes = generator.exponential(size=n_active + n_visits).tolist()
    left = []

    def again(event):
        left.append(env.now)
        station.serve(Tag(sizes.pop())).callbacks.append(again)

    for _ in range(n_active):
        station.serve(Tag(sizes.pop())).callbacks.append(again)
    lines = 0

    def trace(frame, kind, argument):
        nonlocal lines
        if not frame.f_code.co_filename.endswith("shared.py"):
            return None
        lines += kind == "line"
        return trace

    Tag.compared = 0
    sys.settrace(trace)
    while len(left) < n_visits:
        env.step()
    sys.settrace(None)
    return Tag.compared / n_visits, lines / n_visits


def test_processor_sharing_costs_log_n():
    """A hundred times as many transfers: a few comparisons more per visit, not one line more."""
    costs = {n: cost_per_visit(n, 2000) for n in (100, 1000, 10_000)}
    for n, (compared, lines) in costs.items():
        assert compared < 3.0 * math.log2(n) + 10.0, (n, compared)
        assert lines == pytest.approx(costs[100][1], rel=0.1)
    assert costs[10_000][0] < 2.2 * costs[100][0]
