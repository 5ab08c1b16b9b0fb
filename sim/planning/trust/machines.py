"""Machines: how far N* moves where seconds that nobody measured on a machine are off.

Each role's layers and codec are off by their own factor, known to its standard deviation. N* is
taken to move as the closed-form neighbour does: to the N at which its mean latency is what it is at
N* now. The four moves are independent, so that their logarithms add in squares; the interval is at
1.96 standard deviations, either side by itself.

Approximation: without a neighbour the N at which the slowest shared resource is always busy.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from scipy.stats import norm

from sim import SystemSpec
from sim.planning.forecast.demands import guess
from sim.planning.forecast.neighbour import neighbour
from sim.sources.source import Errors, Sources, log_errors, shift

_LEAST = 0.01
"""Errors below this move nothing that the runs' own interval does not."""
_MOST = 64.0


class Moved(NamedTuple):
    """N* at either end of the machines' errors, as factors on it, and the errors in words."""

    lo: float = 1.0
    hi: float = 1.0
    words: str = ""


def move(spec: SystemSpec, sources: Sources, n_star: int) -> Moved:
    """How far the capacity of a system moves with the errors of its machines."""
    known = [log_errors(source) for source in sources.values()]
    largest = Errors(*(max(each) for each in zip(*known, strict=True)))
    doubtful = {name: s for name, s in largest._asdict().items() if s >= _LEAST}
    if not doubtful or n_star < 1:
        return Moved()
    z = float(norm.ppf(0.5 + spec.confidence / 2))
    capacity = _capacity(spec, sources, n_star)
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


def _capacity(spec: SystemSpec, sources: Sources, n_star: int) -> Callable[[Errors], float]:
    """N by the errors of the machines: N* where there are none."""
    level = _latency(spec, sources, n_star)

    def by_latency(errors: Errors) -> float:
        off = {name: shift(source, errors) for name, source in sources.items()}
        return _cross(lambda n: _latency(spec, off, n) <= level, n_star)

    def by_load(errors: Errors) -> float:
        off = {name: shift(source, errors) for name, source in sources.items()}
        now, then = (guess(spec, each) for each in (sources, off))
        return n_star * then / now if now and then else float(n_star)

    return by_latency if math.isfinite(level) else by_load


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
