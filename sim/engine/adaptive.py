# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Which of its sources a device uses, and when it changes its mind: twins of sim/devices/policy.py
and sim/devices/adaptive.py. A policy of one's own is SimPy's.
"""

import math

from sim.compiling import inner
from sim.engine import tables as t
from sim.engine.layout import *
from sim.engine.rooms import room
from sim.engine.server import wait_hint_s


@inner
def _latency_s(p: int, d: int, o: int) -> float:
    """Cost.latency_s of an option."""
    options, minds = t.options(p), t.minds(p)
    device_s = options[o, O_DEVICE] * t.df(p)[d, SLOWDOWN]
    if options[o, O_REMOTE] == 0.0:
        return float(device_s)
    away_s = minds[d, WAIT_SEEN] + options[o, O_SERVER]
    payload_bytes = options[o, O_PAYLOAD]
    if payload_bytes > 0.0:
        away_s += 8.0 * payload_bytes / minds[d, RATE_SEEN] + 2.0 * t.sf(p)[HALF_RTT]
    return float(device_s + away_s)


@inner
def session_of(p: int, s: int, o: int) -> int:
    """A session in flight as an option has it: of one draw for all, so that their rows agree."""
    option = t.options(p)[o]
    return int(option[O_ROW]) + int(t.talk(p)[s, WHICH] * option[O_ROWS])


@inner
def may_use(p: int, s: int, number: int, o: int) -> bool:
    """Conversation._talk: whether a session's step may come from an option, whose caches are where
    the session's are and which has so many steps; a new request (s < 0) from any.
    """
    if s < 0:
        return True
    rows, sessions, talk_n = t.rows(p), t.sessions(p), t.talk_n(p)
    own, other = sessions[talk_n[s, SESSION]], sessions[session_of(p, s, o)]
    same = rows[own[F_ROW], R_KEY] == rows[other[F_ROW], R_KEY]
    return bool(same and number < min(other[F_STEPS], talk_n[s, MOST_STEPS]))


@inner
def _best(p: int, d: int, held: int, margin: float, s: int, number: int) -> int:
    """Fastest.best, Search.best: the number of an option."""
    rule, options = t.policies(p)[t.dn(p)[d, GROUP]], t.options(p)
    fastest, least, fastest_s, least_s, least_late_s = -1, -1, math.inf, math.inf, math.inf
    spared_s = (1.0 - margin) * rule[WITHIN]
    for i in range(int(rule[N_OPTIONS])):
        o = int(rule[OPTION_0]) + i
        if not may_use(p, s, number, o):
            continue
        late_s = _latency_s(p, d, o)
        if fastest < 0 or late_s < fastest_s:
            fastest, fastest_s = i, late_s
        if late_s <= (rule[WITHIN] if i == held else spared_s):
            server_s = options[o, O_SERVER]
            if least < 0 or server_s < least_s or (server_s == least_s and late_s < least_late_s):
                least, least_s, least_late_s = i, server_s, late_s
    return least if rule[RULE] == SEARCHES and least >= 0 else fastest


@inner
def _save_share(held: float, other: float) -> float:
    """policy._save_share."""
    return 1.0 - other / held if held > 0.0 else 0.0


@inner
def _reconsider(p: int, d: int, s: int, number: int) -> None:
    """Adaptive._reconsider: change over to a better source once it has been better for long."""
    rule, options, mind, now = (
        t.policies(p)[t.dn(p)[d, GROUP]], t.options(p), t.minds(p)[d], t.f(p)[NOW],
    )  # fmt: skip
    first, held = int(rule[OPTION_0]), int(mind[HELD])
    held_s = _latency_s(p, d, first + held)
    urgent = rule[RULE] == SEARCHES and held_s > rule[WITHIN]
    best = _best(p, d, held, rule[MARGIN], s, number)
    other_s = _latency_s(p, d, first + best)
    if rule[RULE] != SEARCHES or urgent:
        gain = _save_share(held_s, other_s)
    elif other_s > rule[WITHIN]:
        gain = 0.0
    else:
        gain = _save_share(options[first + held, O_SERVER], options[first + best, O_SERVER])
    if best == held or gain <= (0.0 if urgent else rule[MARGIN]):
        mind[BETTER_SINCE] = math.inf
        return
    mind[BETTER_SINCE] = min(mind[BETTER_SINCE], now)
    if urgent or now - mind[BETTER_SINCE] >= mind[DWELL]:
        mind[HELD] = best
        mind[N_CHANGED] += 1.0
        mind[BETTER_SINCE] = math.inf


@room
def choose(p: int, d: int, s: int, number: int) -> int:
    """Adaptive.choose: the source in use, or a probe; the option. Of a new request (s < 0), or of
    the step of a session, which may not come from all.
    """
    rule, options, mind, now = (
        t.policies(p)[t.dn(p)[d, GROUP]], t.options(p), t.minds(p)[d], t.f(p)[NOW],
    )  # fmt: skip
    first = int(rule[OPTION_0])
    if rule[RULE] == TAKES_FIRST:
        return first
    if not math.isnan(mind[RATE_SEEN]):
        _reconsider(p, d, s, number)
    chosen = first + int(mind[HELD])
    if not may_use(p, s, number, chosen):
        chosen = first + _best(p, d, -1, 0.0, s, number)
    if options[chosen, O_PAYLOAD] > 0.0:
        mind[SENT_AT] = now
    elif (
        rule[PROBE] >= 0.0
        and may_use(p, s, number, first + int(rule[PROBE]))
        and now - mind[SENT_AT] >= rule[PROBE_AFTER]
    ):
        mind[SENT_AT] = now
        mind[N_PROBED] += 1.0
        return first + int(rule[PROBE])
    return chosen


@room
def observe(p: int, s: int) -> None:
    """Device._observe: the rate of this transfer and the server's hint, with the answer."""
    qf, d, now = t.qf(p), t.qn(p)[s, DEVICE], t.f(p)[NOW]
    rule, mind = t.policies(p)[t.dn(p)[d, GROUP]], t.minds(p)[d]
    if rule[RULE] == TAKES_FIRST:
        return
    payload_bytes = t.rows(p)[t.qn(p)[s, ROW], R_PAYLOAD]
    if payload_bytes > 0.0 and qf[s, L_END] > qf[s, L_START]:
        share = rule[SMOOTHING]
        if not math.isnan(rule[FADES_IN]):  # adaptive.weight
            age_s = now - mind[RATE_AT]
            share = 1.0 - (1.0 - rule[SMOOTHING]) * math.exp(-age_s / rule[FADES_IN])
        bit_s = (qf[s, L_END] - qf[s, L_START]) / (8.0 * payload_bytes)
        old = 1.0 / mind[RATE_SEEN]
        mind[RATE_SEEN] = 1.0 / (bit_s if math.isnan(old) else old + share * (bit_s - old))
        mind[RATE_AT] = now
    mind[WAIT_SEEN] = wait_hint_s(p)
