# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Requests come into being and leave: twins of Device, of the meter and of the workloads."""

import math

import numpy as np

from sim.compiling import hot, inner
from sim.engine import lists
from sim.engine import tables as t
from sim.engine.adaptive import choose
from sim.engine.events import at_once, schedule, timeout_at
from sim.engine.gaps import next_gap
from sim.engine.groups import kind_of, talks_of
from sim.engine.layout import *
from sim.engine.lists import draw
from sim.engine.records import book_session, keep
from sim.engine.rooms import room
from sim.philox import minus_log


@hot
def think(p: int, d: int) -> bool:
    """workload.closed_loop: whether a pause begins."""
    df, dn, sn, now, g = t.df(p), t.dn(p), t.sn(p), t.f(p)[NOW], t.dn(p)[d, GROUP]
    pause_s = t.gf(p)[g, MEAN]
    if pause_s <= 0.0:
        return False
    if t.gn(p)[g, KIND] == THINKS:
        k0, k1 = sn[REQUESTS_0], sn[REQUESTS_1]
        request = dn[d, GAPS]
        u, row_u = draw(k0, k1, request, d, sn[REPLICATION])
        df[d, ROW_U] = row_u if request == dn[d, COUNT] else -1.0
        pause_s *= minus_log(u)
    dn[d, GAPS] += 1
    dn[d, LIFE] = t.n(p)[ORDER]
    schedule(p, now + pause_s, (ON_THOUGHT << SHIFT) | d)
    return True


@inner
def wait_for_next(p: int, d: int) -> None:
    """workload.open_loop: the gap until a device's next request."""
    df, dn, n, sn, now = t.df(p), t.dn(p), t.n(p), t.sn(p), t.f(p)[NOW]
    request, g = dn[d, GAPS], dn[d, GROUP]
    dn[d, GAPS] += 1
    if t.gn(p)[g, KIND] == COMES:
        # NEXT_U came with the gap before; after a leave gaps and rows go on at different numbers
        df[d, ROW_U] = df[d, NEXT_U] if request == dn[d, COUNT] + 1 else -1.0
        u, df[d, NEXT_U] = draw(sn[REQUESTS_0], sn[REQUESTS_1], request, d, sn[REPLICATION])
        dn[d, LIFE] = n[ORDER]
        schedule(p, now + t.gf(p)[g, MEAN] * minus_log(u), (ON_ARRIVAL << SHIFT) | d)
        return
    wait_for_gap(p, d, request)


@room
def wait_for_gap(p: int, d: int, request: int) -> None:
    """workload.open_loop, where gaps are not drawn from the exponential distribution."""
    dn, n = t.dn(p), t.n(p)
    gap_s, turn = next_gap(p, d, request)
    if gap_s >= 0.0:
        turn = turn if turn > 0 else n[ORDER]
        code = (ON_ARRIVAL << SHIFT) | d
        dn[d, LIFE] = turn
        lists.schedule(n, t.at(p), t.key(p), t.f(p)[NOW] + gap_s, turn, code)
        n[ORDER] += 1


@inner
def begin_life(p: int, d: int) -> bool:
    """The workload of a device begins, or begins again; whether with a request at once."""
    df, dn, now, kind = t.df(p), t.dn(p), t.f(p)[NOW], kind_of(p, d)
    if kind >= COMES:
        if kind == BURSTS:
            dn[d, BURSTING] = -1
        elif kind == FRAMES:
            period_s = t.loads(p)[dn[d, GROUP], G_PERIOD]
            dn[d, FRAME] = math.ceil(now / period_s - df[d, OFFSET] - 1e-9)
        elif kind == REPLAYS and t.sn(p)[CHURNS] == 1:
            dn[d, NEXT_TIME] = t.crew(p)[d, FIRST_TIME]
        wait_for_next(p, d)
        return False
    if df[d, SPREAD] >= 0.0:
        dn[d, LIFE] = t.n(p)[ORDER]
        schedule(p, now + df[d, SPREAD], (ON_START << SHIFT) | d)
        return False
    return not think(p, d)


@inner
def _join_mates(p: int, d: int, s: int) -> None:
    """The youngest of a device's requests in flight."""
    crew, mates = t.crew(p), t.mates(p)
    last = crew[d, OPEN_LAST]
    mates[s, OLDER] = last
    mates[s, YOUNGER] = -1
    crew[d, OPEN_LAST] = s
    if last >= 0:
        mates[last, YOUNGER] = s
    else:
        crew[d, OPEN_FIRST] = s


@inner
def _leave_mates(p: int, d: int, s: int) -> None:
    """No longer one of a device's requests in flight."""
    crew, mates = t.crew(p), t.mates(p)
    older, younger = mates[s, OLDER], mates[s, YOUNGER]
    if older >= 0:
        mates[older, YOUNGER] = younger
    else:
        crew[d, OPEN_FIRST] = younger
    if younger >= 0:
        mates[younger, OLDER] = older
    else:
        crew[d, OPEN_LAST] = older


@hot
def draw_row(p: int, d: int) -> float:
    """The uniform number of which row a device's next request is."""
    sn, df, dn = t.sn(p), t.df(p), t.dn(p)
    u = df[d, ROW_U]
    df[d, ROW_U] = -1.0
    if u < 0.0:  # not drawn together with the pause
        _, u = draw(sn[REQUESTS_0], sn[REQUESTS_1], dn[d, COUNT], d, sn[REPLICATION])
    return float(u)


@hot
def create(p: int, d: int) -> int:
    """Device.create: a new request, known to the meter; its slot."""
    f, n, df, dn, qf, qn = t.f(p), t.n(p), t.df(p), t.dn(p), t.qf(p), t.qn(p)
    now = f[NOW]
    df[d, BEGAN] = now
    dn[d, COUNT] += 1
    s = n[FREE]
    n[FREE] = qn[s, NEXT]
    qn[s, PLACE_NOW] = UNDER_WAY
    qf[s, CREATED] = now
    qf[s, DUE_AT] = now + t.gf(p)[dn[d, GROUP], DEADLINE]
    qn[s, OUTCOME] = 0
    qn[s, DEVICE] = d
    qn[s, NUMBER] = n[MADE]
    n[MADE] += 1
    n[ARRIVED] += 1
    if t.sn(p)[CHURNS] == 1:
        _join_mates(p, d, s)
    f[ARRIVAL_SUM] += now
    return int(s)


@hot
def clear(p: int, s: int, r: int) -> None:
    """Request.__init__: a request of row `r` that has not passed anything yet."""
    qf, qn = t.qf(p), t.qn(p)
    for i in range(D_START, S_END + 1):
        qf[s, i] = np.nan
    for i in range(SHARE, N_BOOKED):
        qf[s, i] = 0.0
    qn[s, RESENT] = 0
    qn[s, RETRIES] = 0
    qn[s, ROW] = r
    qf[s, SERVICE] = t.rows(p)[r, R_SERVER]


@hot
def compute(p: int, s: int) -> None:
    """Device.step, up to its processor."""
    sf, df, qf, rows = t.sf(p), t.df(p), t.qf(p), t.rows(p)
    now, d, r = t.f(p)[NOW], t.qn(p)[s, DEVICE], t.qn(p)[s, ROW]
    work_s = rows[r, R_DEVICE] * df[d, SLOWDOWN]  # FifoStation.serve
    free = df[d, P_FREE]
    start = free if free > now else now
    end = start + work_s
    qf[s, ENTERED] = now
    qf[s, D_START] = start
    qf[s, D_END] = end
    df[d, P_FREE] = end
    df[d, P_WORK] += work_s
    after_s = sf[BEFORE] if rows[r, R_SENT] != 0.0 else 0.0
    timeout_at(p, end + after_s, (ON_DEVICE << SHIFT) | s)


@hot
def handle(p: int, d: int) -> int:
    """Device.handle, up to its processor: the request's slot, less one where it is dropped at once
    (below 0).
    """
    dn, gn, g, u = t.dn(p), t.gn(p), t.dn(p)[d, GROUP], draw_row(p, d)
    r = gn[g, ROW_0] + int(u * gn[g, N_ROWS])
    if t.sn(p)[ADAPTS] == 1:
        option = t.options(p)[choose(p, d, -1, 0)]
        r = int(option[O_ROW]) + int(u * option[O_ROWS])
    s = create(p, d)
    clear(p, s, r)
    mean_s = t.rows(p)[r, R_MEAN]
    if mean_s > 0.0:  # ExponentialSource.draw
        t.qf(p)[s, SERVICE] = mean_s * minus_log(u)
    if gn[g, LIMIT] >= 0 and dn[d, IN_FLIGHT] >= gn[g, LIMIT]:
        t.qn(p)[s, OUTCOME] = BUSY
        return int(-1 - s)
    dn[d, IN_FLIGHT] += 1
    compute(p, s)
    return int(s)


@hot
def depart(p: int, s: int, outcome: int) -> None:
    """Meter.count_departure."""
    f, n, dn = t.f(p), t.n(p), t.dn(p)
    now, d, target = f[NOW], t.qn(p)[s, DEVICE], t.sn(p)[TARGET]
    n[LEFT] += 1
    f[LEFT_SUM] += now
    if talks_of(p, d) == 1:
        book_session(p, s, outcome)
    else:
        keep(p, t.records(p)[n[ROWS]], s, outcome, now)
    n[ROWS] += 1
    if t.sn(p)[CHURNS] == 1:
        _leave_mates(p, d, s)
    if target < 0:
        return
    dn[d, BEHIND] += 1
    if dn[d, BEHIND] == target:
        if d == 0:
            f[TARGET_AT] = now
            at_once(p, np.int64(ON_TARGET) << SHIFT)
        n[UNREADY] -= 1
        if n[UNREADY] == 0:
            f[ALL_AT] = now
            at_once(p, np.int64(ON_ALL) << SHIFT)
