"""Workloads: generators that decide when a device makes its requests.

A workload is a function of (env, device, spec, stream) that yields pauses; `device.handle()` is
one request. Registry at the end.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from simpy import Environment, Event
from simpy.events import NORMAL

from sim.devices.device import Device, Steps
from sim.devices.replay import replay
from sim.places import phase
from sim.sources.training import Rounds
from sim.specs import GroupSpec, WorkloadSpec
from sim.streams import RequestStream, Stream


def closed_loop(
    env: Environment, device: Device, spec: WorkloadSpec, stream: RequestStream
) -> Steps:
    """Think, make one request, wait for its answer, again."""
    mean_s = spec.think_s
    constant = spec.think == "constant"
    if spec.start_spread_s > 0.0:
        yield env.timeout(phase(device.index) * spec.start_spread_s)
    while True:
        stream.advance()
        if mean_s > 0.0:
            yield env.timeout(mean_s if constant else stream.exponential(mean_s))
        began_s = env.now
        yield from device.handle()
        if mean_s == 0.0 and env.now == began_s:
            raise ValueError("workload.think_s must be > 0 for a request that takes no time, got 0")


def open_loop(gap: Callable[[WorkloadSpec, Stream], Callable[[], float]]) -> "Workload":
    """A workload whose requests come after independent gaps, whatever happens to them."""

    def life(env: Environment, device: Device, spec: WorkloadSpec, stream: RequestStream) -> Steps:
        next_gap = gap(spec, stream)
        while True:
            stream.advance()
            yield env.timeout(next_gap())
            device.spawn(device.handle())

    return life


def poisson_gap(spec: WorkloadSpec, stream: Stream) -> Callable[[], float]:
    """Exponential gaps."""
    mean_s = 1.0 / spec.rate_rps
    return lambda: stream.exponential(mean_s)


def gamma_gap(spec: WorkloadSpec, stream: Stream) -> Callable[[], float]:
    """Gamma gaps with mean 1 / rate and coefficient of variation `gap_cv`."""
    shape = 1.0 / spec.gap_cv**2
    scale_s = 1.0 / (spec.rate_rps * shape)
    return lambda: stream.gamma(shape, scale_s)


class MmppLaw(NamedTuple):
    """What the gaps of `mmpp_gap` are drawn by: the share of time in bursts; the logarithm of the
    probability of a whole round without an arrival; of both states the mean time until something
    happens, and the probability that of a last round the first stay brings the arrival.
    """

    share: float
    log_empty: float
    means_s: tuple[float, ...]
    at_once: tuple[float, ...]


def mmpp_law(spec: WorkloadSpec) -> MmppLaw:
    """The law of a workload's gaps."""
    share, factor = spec.burst_share, spec.burst_factor
    calm_rps = spec.rate_rps / (1.0 - share + share * factor)
    rates = (calm_rps, calm_rps * factor)
    leaving = (share / (spec.burst_s * (1.0 - share)), 1.0 / spec.burst_s)
    means_s = tuple(1.0 / (r + q) for r, q in zip(rates, leaving, strict=True))
    wins = tuple(r * mean_s for r, mean_s in zip(rates, means_s, strict=True))
    losses = tuple(q * mean_s for q, mean_s in zip(leaving, means_s, strict=True))
    log_empty = math.fsum(
        math.log1p(-win) if win < 0.5 else math.log(loss)
        for win, loss in zip(wins, losses, strict=True)
    )
    at_once = tuple(win / -math.expm1(log_empty) for win in wins)
    return MmppLaw(share, log_empty, means_s, at_once)


def mmpp_gap(spec: WorkloadSpec, stream: Stream) -> Callable[[], float]:
    """Markov-modulated Poisson gaps: two states, rates chosen so that the mean rate holds.

    rate_calm (1 - p + p f) = rate, with p = burst_share, f = burst_factor; calm periods last
    burst_s (1 - p) / p on average. Starts calm or in a burst with the stationary probability.

    From a state with arrival rate r and leaving rate q an arrival comes first with r / (r + q), and
    whichever comes first comes after an exponential time of rate r + q. So the number of whole
    rounds through both states without an arrival is geometric, and the seconds of k stays in a
    state are a gamma number: a gap costs the same however many bursts it holds.
    """
    share, log_empty, means_s, at_once = mmpp_law(spec)
    bursting = -1

    def next_gap() -> float:
        nonlocal bursting
        if bursting < 0:
            bursting = int(stream.random() < share)
        here, there = bursting, 1 - bursting
        rounds = math.floor(-stream.exponential() / log_empty)
        crosses = stream.random() >= at_once[here]
        if crosses:
            bursting = there
        stays = rounds + 1 if crosses else rounds
        return _stays_s(stream, rounds + 1, means_s[here]) + _stays_s(stream, stays, means_s[there])

    return next_gap


def _stays_s(stream: Stream, number: int, mean_s: float) -> float:
    """Seconds of so many exponential stays together."""
    if number < 2:
        return stream.exponential(mean_s) if number else 0.0
    return stream.gamma(number, mean_s)


def in_turn(env: Environment, delay_s: float, turn: float) -> Event:
    """An event after a delay; of those at one instant the least `turn` in [0, 1) comes first."""
    event = env.event()
    event._ok, event._value = True, None
    env.schedule(event, priority=NORMAL + turn, delay=delay_s)  # type: ignore[arg-type]
    return event


def periodic(env: Environment, device: Device, spec: WorkloadSpec, stream: RequestStream) -> Steps:
    """A camera: frame k is taken at (k + phase) * period, late by a jitter that does not add up.

    Cameras that fire together queue up in random order, drawn anew for every frame.
    """
    period_s = 1.0 / spec.rate_rps
    offset = 0.0 if spec.synchronised else phase(device.index)
    frame = math.ceil(env.now / period_s - offset - 1e-9)
    while True:
        stream.advance()
        due_s = (frame + offset) * period_s
        if spec.jitter_s > 0.0:
            due_s += spec.jitter_s * stream.random()
        if spec.synchronised:
            yield in_turn(env, max(0.0, due_s - env.now), stream.random())
        else:
            yield env.timeout(max(0.0, due_s - env.now))
        device.spawn(device.handle())
        frame += 1


def life(
    env: Environment,
    device: Device,
    spec: WorkloadSpec,
    stream: RequestStream,
    rounds: Rounds | None = None,
) -> Steps:
    """Training, if there is any, and requests from then on."""
    if rounds is not None:
        yield from device.learn(rounds, spec.adapt_rounds)
    yield from WORKLOADS[spec.kind](env, device, spec, stream)


def presence(
    env: Environment,
    device: Device,
    spec: WorkloadSpec,
    stream: RequestStream,
    group: GroupSpec,
    stays: Stream,
    rounds: Rounds | None = None,
) -> Steps:
    """Joining, leaving, restarting: the workload runs while the device is there; `stays` says for
    how long it is and is not.
    """
    churn = group.churn
    assert churn is not None
    if churn.join_s > 0.0:
        yield env.timeout(churn.join_s)
    while True:
        device.join()
        device.spawn(life(env, device, spec, stream, rounds))
        if churn.mean_up_s is not None:
            yield env.timeout(stays.exponential(churn.mean_up_s))
            device.leave()
            yield env.timeout(stays.exponential(churn.mean_down_s))
        elif churn.leave_s is not None and env.now < churn.leave_s:
            yield env.timeout(churn.leave_s - env.now)
            device.leave()
            if churn.back_s is None:
                return
            yield env.timeout(churn.back_s - env.now)
        else:
            return


Workload = Callable[[Environment, Device, WorkloadSpec, RequestStream], Steps]

WORKLOADS: dict[str, Workload] = {
    "closed": closed_loop,
    "gamma": open_loop(gamma_gap),
    "mmpp": open_loop(mmpp_gap),
    "periodic": periodic,
    "poisson": open_loop(poisson_gap),
    "replay": replay,
}
