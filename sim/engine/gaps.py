"""When open workloads make their requests: twins of sim/devices/workload.py and of the numbers that
a request's stream gives (sim/streams.py).
"""

import math
from typing import Any

from sim import philox
from sim.compiling import compiled, inner
from sim.engine import tables as t
from sim.engine.layout import (
    BURSTING,
    BURSTS,
    CLUSTERS,
    FRAME,
    FRAMES,
    G_EMPTY,
    G_JITTER,
    G_MEAN,
    G_ONCE,
    G_PERIOD,
    G_SCALE,
    G_SHAPE,
    G_SHARE,
    G_SYNC,
    GROUP,
    KIND,
    NEXT_TIME,
    NOW,
    OFFSET,
    REPLICATION,
    REQUESTS_0,
    REQUESTS_1,
    TIMES_END,
)
from sim.philox import minus_log

_AFTER_ALL = 1 << 62
_NEVER = -1.0


@inner
def next_gap(p: int, d: int, request: int) -> tuple[float, int]:
    """Seconds until a device's next request, none where it makes no more (below 0), and its place
    among those of the same instant: 0 in order, else behind all others by this number.
    """
    sn, df, dn, loads, times, now = t.sn(p), t.df(p), t.dn(p), t.loads(p), t.times(p), t.f(p)[NOW]
    k0, k1, replication = sn[REQUESTS_0], sn[REQUESTS_1], sn[REPLICATION]
    g = dn[d, GROUP]
    kind = t.gn(p)[g, KIND]
    if kind == CLUSTERS:  # gamma_gap
        shape = loads[g, G_SHAPE]
        return _gamma(k0, k1, request, d, replication, 0, shape, loads[g, G_SCALE])[0], 0
    if kind == BURSTS:
        return _mmpp_gap(d, request, sn, dn, loads[g]), 0
    if kind == FRAMES:  # periodic
        asked = 0
        due_s = (dn[d, FRAME] + df[d, OFFSET]) * loads[g, G_PERIOD]
        dn[d, FRAME] += 1
        if loads[g, G_JITTER] > 0.0:
            u = philox.number(k0, k1, request, d, replication, asked, 0)
            due_s += loads[g, G_JITTER] * u
            asked = 1
        gap_s = max(0.0, due_s - now)
        if loads[g, G_SYNC] == 0.0:
            return gap_s, 0
        turn = (1.0 + philox.number(k0, k1, request, d, replication, asked, 0)) - 1.0  # in_turn
        return gap_s, _AFTER_ALL + (int(turn * 4503599627370496.0) << 9)
    while dn[d, NEXT_TIME] < dn[d, TIMES_END]:  # replay
        time_s = times[dn[d, NEXT_TIME]]
        dn[d, NEXT_TIME] += 1
        if time_s >= now:
            return time_s - now, 0
    return _NEVER, 0


@inner
def _mmpp_gap(d: int, request: int, sn: Any, dn: Any, load: Any) -> float:
    """workload.mmpp_gap."""
    k0, k1, replication = sn[REQUESTS_0], sn[REQUESTS_1], sn[REPLICATION]
    asked = 0
    if dn[d, BURSTING] < 0:
        bursting = philox.number(k0, k1, request, d, replication, asked, 0) < load[G_SHARE]
        dn[d, BURSTING] = 1 if bursting else 0
        asked += 1
    here = dn[d, BURSTING]
    u = philox.number(k0, k1, request, d, replication, asked, 0)
    rounds = math.floor(-minus_log(u) / load[G_EMPTY])
    crosses = philox.number(k0, k1, request, d, replication, asked + 1, 0) >= load[G_ONCE + here]
    if crosses:
        dn[d, BURSTING] = 1 - here
    stays = rounds + 1 if crosses else rounds
    mean_s, other_s = load[G_MEAN + here], load[G_MEAN + 1 - here]
    first_s, asked = _stays_s(k0, k1, request, d, replication, asked + 2, rounds + 1, mean_s)
    then_s, _ = _stays_s(k0, k1, request, d, replication, asked, stays, other_s)
    return float(first_s + then_s)


@inner
def _stays_s(
    k0: int, k1: int, request: int, d: int, replication: int, asked: int, number: int,
    mean_s: float,
) -> tuple[float, int]:  # fmt: skip
    """workload._stays_s, and how many numbers the request has used with it."""
    if number == 0:
        return 0.0, asked
    if number == 1:
        u = philox.number(k0, k1, request, d, replication, asked, 0)
        return mean_s * minus_log(u), asked + 1
    found, asked = _gamma(k0, k1, request, d, replication, asked, float(number), mean_s)
    return found, asked


@inner
def _gamma(
    k0: int, k1: int, request: int, d: int, replication: int, asked: int, shape: float,
    scale: float,
) -> tuple[float, int]:  # fmt: skip
    """Stream.gamma, and how many numbers the request has used with it."""
    boost = 1.0
    boosted = shape < 1.0
    if boosted:
        u = philox.number(k0, k1, request, d, replication, asked, 0)
        boost = math.exp(-minus_log(u) / shape)
        asked += 1
        shape = shape + 1.0
    d0 = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d0)
    while True:
        x = quantile(philox.number(k0, k1, request, d, replication, asked, 0))
        asked += 1
        v = math.pow(1.0 + c * x, 3.0)
        if v <= 0.0:
            continue
        u = philox.number(k0, k1, request, d, replication, asked, 0)
        asked += 1
        if -minus_log(u) < 0.5 * x * x + d0 - d0 * v + d0 * math.log(v):
            found = scale * d0 * v
            return (boost * found if boosted else found), asked


@compiled
def quantile(u: float) -> float:
    """Stream.normal of mean 0 and deviation 1: as `statistics.NormalDist.inv_cdf` has it (Wichura
    1988, algorithm AS 241).
    """
    p = u if u > 0.0 else 5.551115123125783e-17
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = (((((((2509.0809287301226727 * r + 33430.575583588128105) * r
                    + 67265.770927008700853) * r + 45921.953931549871457) * r
                  + 13731.693765509461125) * r + 1971.5909503065514427) * r
                + 133.14166789178437745) * r + 3.3871328727963666080) * q  # fmt: skip
        den = (((((((5226.4952788528545610 * r + 28729.085735721942674) * r
                    + 39307.895800092710610) * r + 21213.794301586595867) * r
                  + 5394.1960214247511077) * r + 687.18700749205790830) * r
                + 42.313330701600911252) * r + 1.0)  # fmt: skip
        return float(num / den)
    r = math.sqrt(-math.log(p if q <= 0.0 else 1.0 - p))
    if r <= 5.0:
        r = r - 1.6
        num = (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r
                    + 0.241780725177450611770) * r + 1.27045825245236838258) * r
                  + 3.64784832476320460504) * r + 5.76949722146069140550) * r
                + 4.63033784615654529590) * r + 1.42343711074968357734)  # fmt: skip
        den = (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r
                    + 0.0151986665636164571966) * r + 0.148103976427480074590) * r
                  + 0.689767334985100004550) * r + 1.67638483018380384940) * r
                + 2.05319162663775882187) * r + 1.0)  # fmt: skip
    else:
        r = r - 5.0
        num = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                    + 1.24266094738807843860e-3) * r + 0.0265321895265761230930) * r
                  + 0.296560571828504891230) * r + 1.78482653991729133580) * r
                + 5.46378491116411436990) * r + 6.65790464350110377720)  # fmt: skip
        den = (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r
                    + 1.84631831751005468180e-5) * r + 7.86869131145613259100e-4) * r
                  + 0.0148753612908506148525) * r + 0.136929880922735805310) * r
                + 0.599832206555887937690) * r + 1.0)  # fmt: skip
    x = num / den
    return float(-x if q < 0.0 else x)
