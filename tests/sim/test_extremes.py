"""Random systems with extreme values: none hangs, none crashes, few end at the event budget.

A spec may be refused (ValueError, one line); anything else that is raised is a crash. The horizon
is chosen so that a moderate number of events is foreseen, so that rates of a million a second and
of one a fortnight are both played; runs that end by requests take what they take.
"""

import math
import random
import signal
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest

import sim
from sim.clock import EventBudgetError
from sim.planning.forecast.work import predict_work

MAX_EVENTS = 30_000
FORESEEN = 4_000.0
HANGS_S = 60
"""No run of so few events takes a second; one that takes a minute is caught in a loop."""

SECONDS = (0.0, 0.0, 1e-9, 1e-4, 0.01, 0.01, 0.1, 1.0, 1e3)
# a lossy link walks through every frame of a payload, whatever the budget of events
BYTES = (0.0, 1.0, 40.0, 1e3, 1e4, 1e5, 1e7, 1e9)
RATES = (1e-6, 1e-2, 1.0, 1.0, 10.0, 1e3, 1e6)
FLEETS = (1, 1, 2, 5, 20, 300, 2_000)


class Dice(random.Random):
    """Chooses values, the usual one more often than the extremes."""

    def one(self, *values):
        return self.choice(values)

    def rarely(self, usual, *extremes):
        return usual if self.random() < 0.7 else self.choice(extremes)


def workload(dice):
    kind = dice.one("closed", "closed", "poisson", "gamma", "mmpp", "periodic")
    rate = dice.choice(RATES)
    requests = dice.rarely(None, 1, 3, 20)
    return sim.WorkloadSpec(
        kind=kind,
        think_s=dice.one(0.0, 1e-9, 0.01, 0.1, 1.0, 1e4),
        think=dice.one("exponential", "constant"),
        start_spread_s=dice.rarely(0.0, 1e-9, 1e6),
        rate_rps=rate,
        gap_cv=dice.rarely(2.0, 1e-3, 5.0),
        burst_factor=dice.rarely(10.0, 1.0, 1e6),
        burst_share=dice.rarely(0.1, 1e-6, 1.0 - 1e-6),
        burst_s=dice.one(1e-9, 1e-3, 1.0, 1e9),
        synchronised=dice.one(False, True),
        jitter_s=dice.one(0.0, 0.5 / rate),
        max_in_flight=dice.rarely(None, 1, 100),
        deadline_s=dice.rarely(None, 5e-324, 1e-9, 0.1, 1e9),
        token_deadline_s=dice.rarely(None, 1e-9, 0.1),
        session_deadline_s=dice.rarely(None, 1e-9, 0.1),
        max_new_tokens=dice.rarely(None, 1, 10**6),
        requests=requests,
        until_all=requests is not None and dice.one(False, True),
    )


def link(dice):
    fades = dice.one(False, False, True)
    rate = dice.one("shannon", "mcs", "outage") if fades else dice.rarely("fixed", "shannon", "mcs")
    outages = dice.rarely([], [0.0], [1e-3, 5.0], [0.1])
    return sim.LinkSpec(
        sharing=dice.one("dedicated", "fifo", "ps", "weighted", "wifi", "cellular"),
        n_cells=dice.rarely(1, 3, 100),
        rate_bps=dice.one(1.0, 1e3, 1e6, 5e7, 1e12),
        downlink=dice.one("dedicated", "shared"),
        downlink_rate_bps=dice.rarely(None, 1e3, 1e9),
        mtu_bytes=dice.rarely(1500, 40, 10**9) if not fades else dice.one(1500, 40),
        header_bytes=dice.rarely(64, 0, 10**6) if not fades else dice.one(0, 64),
        frame_airtime_s=dice.one(1e-9, 1e-4, 1e-4, 1.0) if not fades else dice.one(1e-9, 1e-5),
        aggregation=dice.rarely(1, 64, 10**6),
        rtt_s=dice.one(0.0, 0.0, 1e-9, 0.02, 100.0),
        rate=rate,
        fading="rayleigh" if fades else "none",
        snr_db=dice.rarely(30.0, -50.0, 10.0, 100.0),
        snr_spread_db=dice.rarely(0.0, 3.0, 40.0),
        bandwidth_hz=2e7 if rate == "mcs" else dice.rarely(2e7, 1.0, 1e12),
        coherence_s=dice.one(2e-4, 0.05, 0.05, 1e3),
        outage=dice.one(1e-9, 0.05, 0.99),
        frame_error_rate=dice.rarely(0.0, 0.3, 0.99),
        bit_error_rate=dice.rarely(0.0, 1e-6, 0.5),
        transport=dice.one("exact", "exact", "erasure", "bit_error"),
        max_retries=dice.rarely(7, 0, 1000),
        contention=dice.one("ns3", "bianchi"),
        grant_s=dice.rarely(0.004, 0.0, 10.0),
        slot_s=dice.rarely(0.001, 1e-6, 1.0),
        outage_at_s=outages,
        outage_length_s=dice.one(1e-6, 0.5, 1e9) if len(outages) < 2 else dice.one(1e-6, 0.5),
    )


def server(dice):
    discipline = dice.one("fifo", "fifo", "take_all", "dynamic", "edf", "continuous")
    fails = dice.rarely("never", "at", "after")
    return sim.ServerSpec(
        discipline=discipline,
        n_gpus=dice.rarely(1, 4, 1000),
        speed=dice.one(1e-6, 1.0, 1.0, 1e6),
        max_batch=1 if discipline == "fifo" else dice.one(1, 8, 10**6),
        max_wait_s=dice.one(0.0, 1e-9, 0.05, 1e9),
        max_batch_tokens=dice.one(1, 2048),
        queue_limit=dice.rarely(None, 0, 5),
        drop_expired=dice.one(False, False, True),
        decode_on=dice.one("gpu", "cpu"),
        cpu_workers=dice.one(1, 100),
        session_memory_bytes=dice.rarely(None, 0.0, 300.0, 1e6),
        admission=dice.one("wait", "reject"),
        fail_at_s=[1e-3, 3.0] if fails == "at" else [],
        mean_up_s=dice.one(0.01, 1.0, 1e6) if fails == "after" else None,
        repair_s=dice.one(1e-3, 0.5, 2.9) if fails == "at" else dice.one(1e-3, 1.0, 1e9),
        on_failure=dice.one("retry", "lose"),
    )


def group(dice, others):
    churn = dice.rarely(
        None,
        sim.ChurnSpec(mean_up_s=0.002, mean_down_s=0.002),
        sim.ChurnSpec(mean_up_s=1.0, mean_down_s=1e6),
        sim.ChurnSpec(join_s=0.5, leave_s=0.5 + 1e-9),
        sim.ChurnSpec(join_s=1e9),
    )
    choosing = bool(others) and dice.random() < 0.3
    return sim.GroupSpec(
        alternatives=others if choosing else [],
        policy=dice.one("fastest", "search") if choosing else "fixed",
        adapt=sim.AdaptSpec(
            limit_s=dice.one(None, 1e-9, 0.1),
            margin=dice.one(0.0, 0.99),
            dwell_s=dice.one(0.0, 1e-9, 1.0),
            dwell_spread=dice.one(0.0, 1.0),
            probe_s=dice.one(None, 1e-9, 1.0),
            memory_s=dice.one(None, 1e-9, 1e9),
            per=dice.one("request", "token"),
        ),
        share=dice.one(1e-9, 1.0, 1e9),
        slowdown=dice.one(1e-9, 1.0, 1e6),
        straggler_share=dice.one(0.0, 1.0),
        straggler_slowdown=dice.one(1.0, 100.0),
        memory_bytes=dice.rarely(None, 0.0, 500.0),
        churn=churn,
    )


def source(dice, sizes):
    costs = {name: dice.choice(SECONDS) for name in ("device_s", "decode_s", "server_s")}
    size, answer = dice.choice(sizes), dice.one(0.0, 4.0, 1e6)
    kind = dice.one("constant", "constant", "exponential", "sessions")
    if kind == "exponential":
        return sim.ExponentialSource(
            server_s=max(costs["server_s"], 1e-9), device_s=costs["device_s"]
        )
    if kind == "constant":
        slope = dice.one(None, 0.0, 1e-6)
        return sim.ConstantSource(
            payload_bytes=size, answer_bytes=answer, batch_slope_s=slope, **costs
        )
    prompt = sim.Draw(0, costs["device_s"], size, costs["decode_s"], 0.01, answer, math.nan, 20, 0)
    token = sim.Draw(0, 1e-4, min(size, 1e4), 0.0, costs["server_s"], 4.0, math.nan, 1, 20)
    return sim.ConstantSessions(
        prompt=prompt, token=token, n_tokens=dice.one(1, 5, 200), server_token_bytes=10.0,
        device_token_bytes=10.0,
    )  # fmt: skip


def system(number):
    """The `number`-th system: the same on every machine. None where its spec is refused."""
    dice = Dice(number)
    names = dice.one(["one"], ["one"], ["one", "two"])
    try:
        medium = link(dice)
        sources = {name: source(dice, BYTES if medium.plain else BYTES[:6]) for name in names}
        spec = sim.SystemSpec(
            fleet=sim.FleetSpec(
                n_devices=dice.choice(FLEETS),
                groups={name: group(dice, rivals(name, sources)) for name in names},
            ),
            workload=workload(dice),
            link=medium,
            server=server(dice),
            horizon_s=1.0,
            warmup_s=0.0,
            max_events=MAX_EVENTS,
            seed=dice.one(0, 2**63),
        )
        if predict_work(spec, sources).events > MAX_EVENTS and dice.random() < 0.9:
            endless = {"requests": None, "until_all": False}  # some go on and end at the budget
            spec = replace(spec, workload=replace(spec.workload, **endless))
        horizon_s = choose_horizon_s(spec, sources)
    except ValueError:
        return None
    warmup_s = dice.one(0.0, 0.3 * horizon_s)
    return replace(spec, horizon_s=horizon_s, warmup_s=warmup_s), sources


def rivals(name, sources):
    """What devices of a group may choose instead: requests, or sessions, with known means."""
    talks = {key: hasattr(each, "session") for key, each in sources.items()}
    if any(isinstance(each, sim.RandomSource) for each in sources.values()):
        return []
    return [key for key in sources if key != name and talks[key] == talks[name]]


def choose_horizon_s(spec, sources):
    """Of a hundred nanoseconds to months, the longest for which no more events are foreseen."""
    low, high = -7.0, 7.0
    for _ in range(20):
        middle = 0.5 * (low + high)
        events = predict_work(replace(spec, horizon_s=10.0**middle), sources).events
        more = events - 2.0 * spec.fleet.n_devices < FORESEEN
        low, high = (middle, high) if more else (low, middle)
    return 10.0**low


@contextmanager
def alarm(number):
    """Fail where a run takes a minute."""

    def ring(*_):
        raise AssertionError(f"system {number} hangs: {system(number)}")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(HANGS_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def play(number):
    """How one system ends: refused, budget or played."""
    made = system(number)
    if made is None:
        return "refused"
    try:
        with alarm(number):
            sim.run(*made)
    except ValueError as error:
        one_line, spent = "\n" not in str(error), isinstance(error, EventBudgetError)
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"system {number} crashes: {made}") from error
    else:
        return "played"
    assert one_line, number
    return "budget" if spent else "refused"


def test_thirty_extreme_systems_end():
    ends = Counter(map(play, range(30)))
    assert ends["budget"] <= 5, ends  # of 3 % in the long run
    assert ends["played"] > 15, ends


@pytest.mark.slow
def test_two_thousand_extreme_systems_end():
    ends = Counter(map(play, range(2_000)))
    assert ends["budget"] < 0.05 * 2_000, ends
    assert ends["played"] > 0.75 * 2_000, ends


def test_every_extreme_occurs():
    """The dice show every choice, so that what is left out is left out on purpose."""
    specs = [made[0] for made in map(system, range(250)) if made is not None]
    loads, links = [spec.workload for spec in specs], [spec.link for spec in specs]
    groups = [group for spec in specs for group in spec.fleet.groups.values()]
    assert {load.rate_rps for load in loads} == set(RATES)
    assert {spec.fleet.n_devices for spec in specs} == set(FLEETS)
    assert {0.0, 1e-9} <= {load.think_s for load in loads}
    assert {1e-9, 1e9} <= {load.burst_s for load in loads if load.kind == "mmpp"}
    assert {5e-324, 1e9} <= {load.deadline_s for load in loads}
    assert sum(load.requests is not None for load in loads) > 20
    assert {-50.0, 100.0} <= {link.snr_db for link in links if link.rate != "fixed"}
    assert 1e9 in {link.outage_length_s for link in links if link.outage_at_s}
    assert 2e-4 in {link.coherence_s for link in links if link.fading != "none"}
    assert 0 in {spec.server.queue_limit for spec in specs}
    assert 1e9 in {s.server.max_wait_s for s in specs if s.server.discipline == "dynamic"}
    assert {0.002, 1.0} <= {group.churn.mean_up_s for group in groups if group.churn is not None}
