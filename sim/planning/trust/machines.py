"""Machines: how far N* moves where seconds that nobody measured on a machine are off.

Each role's layers and codec are off by their own factor, known to its standard deviation. The
limited latency is taken to exceed what a request takes alone by as many times the neighbour's mean
wait as it does at N*; N* moves to where that meets the limit again. The four moves are
independent, so that their logarithms add in squares; the interval is at 1.96 standard deviations,
either side by itself.

Approximation: where no closed form is near, what is limited is no latency, or N* is where runs
collapse far below the limit, N* moves as the N at which the slowest shared resource is always busy.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from scipy.special import ndtri

from sim import SystemSpec
from sim.planning.forecast.bounds import bound
from sim.planning.forecast.demands import demands, guess
from sim.planning.forecast.neighbour import neighbour
from sim.planning.limits.goal import Goal
from sim.sources.source import Errors, Sources, log_errors, shift

_LEAST = 0.01
"""Errors below this move nothing that the runs' own interval does not."""
_MOST = 64.0


class Moved(NamedTuple):
    """N* at either end of the machines' errors, as factors on it, and the errors in words."""

    lo: float = 1.0
    hi: float = 1.0
    words: str = ""


def move(
    spec: SystemSpec, sources: Sources, goal: Goal, n_star: int, *, crosses: bool = True
) -> Moved:
    """How far the capacity of a system moves with the errors of its machines; `crosses`: N* is
    where the figure meets its limit, not where runs collapse.
    """
    known = [log_errors(source) for source in sources.values()]
    largest = Errors(*(max(each) for each in zip(*known, strict=True)))
    doubtful = {name: s for name, s in largest._asdict().items() if s >= _LEAST}
    if not doubtful or n_star < 1:
        return Moved()
    z = float(ndtri(0.5 + spec.confidence / 2))
    capacity = _capacity(spec, sources, goal, n_star, crosses=crosses)
    logs = {
        (name, sign): math.log(max(capacity(Errors(**{name: sign * z})), 1e-9) / n_star)
        for name in doubtful
        for sign in (-1, 1)
    }
    down = math.hypot(*(min(0.0, *_both(logs, name)) for name in doubtful))
    up = math.hypot(*(max(0.0, *_both(logs, name)) for name in doubtful))
    words = ", ".join(f"{_WORDS[name]} x/: {math.exp(s):.2f}" for name, s in doubtful.items())
    return Moved(math.exp(-down), math.exp(up), words)


_WORDS = {
    "head": "the device's layers",
    "tail": "the server's layers",
    "encode": "encoding",
    "decode": "decoding",
}


def _both(logs: dict[tuple[str, int], float], name: str) -> tuple[float, float]:
    return logs[name, -1], logs[name, 1]


def _capacity(
    spec: SystemSpec, sources: Sources, goal: Goal, n_star: int, *, crosses: bool
) -> Callable[[Errors], float]:
    """N by the errors of the machines: N* where there are none."""

    def off(errors: Errors) -> Sources:
        return {name: shift(source, errors) for name, source in sources.items()}

    def by_load(errors: Errors) -> float:
        now, then = (guess(spec, each) for each in (sources, off(errors)))
        return n_star * then / now if now and then else float(n_star)

    mean_s, alone_s = _latency(spec, sources, n_star), _alone(spec, sources)
    if not crosses or not goal.column.startswith("latency") or not math.isfinite(mean_s):
        return by_load
    times = (goal.limit - alone_s) / max(mean_s - alone_s, 1e-9 * goal.limit)

    def by_latency(errors: Errors) -> float:
        then = off(errors)
        slack_s = goal.limit - _alone(spec, then)

        def holds(n: int) -> bool:
            return times * (_latency(spec, then, n) - _alone(spec, then)) <= slack_s

        return min(_cross(holds, n_star), max(n_star, bound(spec, then, [goal])))

    return by_latency if times > 0.0 else by_load


def _alone(spec: SystemSpec, sources: Sources) -> float:
    """Seconds of a request that meets nobody; infinite where nobody can tell."""
    load = demands(spec, sources)
    return math.inf if load is None else load.alone_s


def _latency(spec: SystemSpec, sources: Sources, n: int) -> float:
    """The neighbour's mean latency; infinite where there is none or a queue grows."""
    sized = replace(spec, fleet=replace(spec.fleet, n_devices=n))
    near = neighbour(sized, sources, n)
    return math.inf if near is None or math.isnan(near.latency_s) else near.latency_s


def _cross(holds: Callable[[int], bool], start: int) -> float:
    """The largest N at which something holds that fails beyond; 0 where it never does."""
    if holds(start):
        below, above = start, 2 * start
        while holds(above) and above < _MOST * start:
            below, above = above, 2 * above
    else:
        below, above = 0, start
    while above - below > max(1, below // 200):
        middle = (below + above) // 2
        below, above = (middle, above) if holds(middle) else (below, middle)
    return float(below)
