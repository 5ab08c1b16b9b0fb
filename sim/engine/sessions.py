# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Sessions, step after step, and the server's memory that they fill: twins of Conversation and of
Memory. The step under way has the session's slot.
"""

import numpy as np

from sim.compiling import inner
from sim.engine import tables as t
from sim.engine.adaptive import choose, may_use, session_of
from sim.engine.devices import clear, compute, create, draw_row
from sim.engine.events import at_once
from sim.engine.layout import *
from sim.engine.records import book_step
from sim.engine.rooms import room

_UNLIMITED = 1 << 62


@room
def hold(p: int, d: int, place: int) -> int:
    """Conversation.handle, up to its first step: the session's slot, less one where it is dropped
    at once (below 0). `place`: of a recorded time the one that it comes at.
    """
    f, dn, qn, gn, g = t.f(p), t.dn(p), t.qn(p), t.gn(p), t.dn(p)[d, GROUP]
    talk, talk_n = t.talk(p), t.talk_n(p)
    u = draw_row(p, d)
    session = gn[g, ROW_0] + int(u * gn[g, N_ROWS])
    if t.sn(p)[ADAPTS] == 1:
        option = t.options(p)[choose(p, d, -1, 0)]
        session = int(option[O_ROW]) + int(u * option[O_ROWS])
    s = create(p, d)
    most = _UNLIMITED
    if gn[g, KIND] == REPLAYS:  # sizes.session_of
        asked = t.asked(p)
        if asked[place, A_SESSION] >= 0:
            session = asked[place, A_SESSION]
        most = asked[place, A_STEPS]
    talk[s, :] = 0.0
    talk_n[s, :] = 0
    talk[s, BORN] = f[NOW]
    talk[s, FIRST_START] = np.nan
    talk[s, WHICH] = u
    talk_n[s, SESSION] = session
    talk_n[s, LENGTH] = min(t.sessions(p)[session, F_STEPS], most)
    talk_n[s, MOST_STEPS] = most
    talk_n[s, STEP] = -1
    if gn[g, LIMIT] >= 0 and dn[d, IN_FLIGHT] >= gn[g, LIMIT]:
        qn[s, OUTCOME] = BUSY
        return int(-1 - s)
    dn[d, IN_FLIGHT] += 1
    return int(s if _admit(p, s) else -1 - s)


@inner
def _row(p: int, s: int, number: int) -> int:
    """The row of a session's step, as the source has it that it began with."""
    return int(_row_of(p, t.talk_n(p)[s, SESSION], number))


@inner
def _row_of(p: int, session: int, number: int) -> int:
    """The row of a step."""
    first = t.sessions(p)[session]
    return int(first[F_ROW] + min(number, first[F_ROWS] - 1))


@inner
def _chosen_row(p: int, s: int, number: int) -> int:
    """Conversation._talk: the row of a later step, from the source that a policy chooses for it."""
    d = t.qn(p)[s, DEVICE]
    rule = t.policies(p)[t.dn(p)[d, GROUP]]
    usable = 0
    for i in range(int(rule[N_OPTIONS])):
        usable += 1 if may_use(p, s, number, int(rule[OPTION_0]) + i) else 0
    if usable < 2:
        return int(_row(p, s, number))
    return int(_row_of(p, session_of(p, s, choose(p, d, s, number)), number))


@inner
def _limit(p: int, s: int, which: int) -> float:
    """One of the limits of a session's group."""
    return float(t.limits(p)[t.dn(p)[t.qn(p)[s, DEVICE], GROUP], which])


@inner
def _admit(p: int, s: int) -> bool:
    """Conversation._admit_and_talk: takes memory for the prompt, or waits for it; False: there is
    no room for it.
    """
    f, n, sf, sn, qn, rows = t.f(p), t.n(p), t.sf(p), t.sn(p), t.qn(p), t.rows(p)
    r = _row(p, s, 0)
    need = rows[r, R_ON_SERVER]
    fits = rows[r, R_ON_DEVICE] <= _limit(p, s, M_MEMORY) and need <= sf[MEMORY]
    if fits and n[MEMORY_FIRST] < 0 and need <= f[MEMORY_FREE]:  # Memory.take
        f[MEMORY_FREE] -= need
        t.talk(p)[s, SERVER_HELD] += need
        _begin_step(p, s, 0)
        return True
    if not fits or sn[REJECTS] == 1:
        qn[s, OUTCOME] = REJECTED
        return False
    qn[s, NEXT] = -1
    qn[s, PLACE_NOW] = FOR_MEMORY
    if n[MEMORY_FIRST] < 0:
        n[MEMORY_FIRST] = s
    else:
        qn[n[MEMORY_LAST], NEXT] = s
    n[MEMORY_LAST] = s
    return True


@room
def get_in(p: int, s: int) -> None:
    """Conversation._admit_and_talk, where it has waited for memory."""
    t.talk(p)[s, SERVER_HELD] += t.rows(p)[_row(p, s, 0), R_ON_SERVER]
    _begin_step(p, s, 0)


@inner
def _begin_step(p: int, s: int, number: int) -> None:
    """Conversation._talk: a step with a birth of its own, but the first, which has the session's;
    Meter.begin_step.
    """
    n, qf, talk, talk_n, now = t.n(p), t.qf(p), t.talk(p), t.talk_n(p), t.f(p)[NOW]
    talk_n[s, STEP] = number
    talk_n[s, STEP_NUMBER] = n[STEPS_MADE]
    n[STEPS_MADE] += 1
    r = _row(p, s, number)
    if number > 0 and t.policies(p)[t.dn(p)[t.qn(p)[s, DEVICE], GROUP], BY_TOKEN] == 1.0:
        r = _chosen_row(p, s, number)
    clear(p, s, r)
    qf[s, CREATED] = now
    if number == 0:
        qf[s, CREATED] = talk[s, BORN]
        talk[s, ROOM_WAIT] = now - talk[s, BORN]
        talk[s, DEVICE_HELD] += t.rows(p)[r, R_ON_DEVICE]
    compute(p, s)


@room
def go_on(p: int, s: int) -> bool:
    """Conversation._talk, behind a step: whether another follows; else the session ends and gives
    its memory back.
    """
    qn, talk, talk_n = t.qn(p), t.talk(p), t.talk_n(p)
    number = talk_n[s, STEP]
    if number >= 0:
        book_step(p, s, ANSWERED if qn[s, OUTCOME] == 0 else qn[s, OUTCOME])
        if qn[s, OUTCOME] == 0 and not _ends(p, s, number) and _grows(p, s, number + 1):
            _begin_step(p, s, number + 1)
            return True
    _release(p, talk[s, SERVER_HELD])
    return False


@room
def break_off(p: int, s: int) -> None:
    """Conversation._play and _end, interrupted: the device leaves, wherever its session is."""
    n, qn, need = t.n(p), t.qn(p), t.rows(p)[_row(p, s, 0), R_ON_SERVER]
    if t.talk_n(p)[s, STEP] >= 0:
        book_step(p, s, HAS_LEFT)
    elif qn[s, PLACE_NOW] != FOR_MEMORY:  # Memory.forget: there is room, but it has not come in
        _release(p, need)
    else:
        before = n[MEMORY_FIRST]
        if before == s:
            n[MEMORY_FIRST] = qn[s, NEXT]
        else:
            while qn[before, NEXT] != s:
                before = qn[before, NEXT]
            qn[before, NEXT] = qn[s, NEXT]
            if n[MEMORY_LAST] == s:
                n[MEMORY_LAST] = before
        _release(p, 0.0)
    _release(p, t.talk(p)[s, SERVER_HELD])


@inner
def _release(p: int, n_bytes: float) -> None:
    """Memory.release."""
    t.f(p)[MEMORY_FREE] += n_bytes
    _serve_memory(p)


@inner
def _ends(p: int, s: int, number: int) -> bool:
    """Conversation._talk: whether a session is complete, or past a limit, behind a step."""
    talk_n, now = t.talk_n(p), t.f(p)[NOW]
    if number + 1 >= min(_limit(p, s, M_TOKENS), talk_n[s, LENGTH]):
        return True
    first = number == 0
    if now - t.qf(p)[s, CREATED] > _limit(p, s, M_FIRST if first else M_LATER):
        talk_n[s, ENDING] = AT_FIRST if first else AT_TOKEN
        return True
    if now - t.talk(p)[s, BORN] > _limit(p, s, M_SESSION):
        talk_n[s, ENDING] = AT_SESSION
        return True
    return False


@inner
def _grows(p: int, s: int, number: int) -> bool:
    """Conversation._talk: whether there is memory for a later step on either side."""
    f, talk, rows, r = t.f(p), t.talk(p), t.rows(p), _row(p, s, number)
    talk[s, DEVICE_HELD] += rows[r, R_ON_DEVICE]
    more = rows[r, R_ON_SERVER]
    grown = more <= f[MEMORY_FREE]  # Memory.grow
    if grown:
        f[MEMORY_FREE] -= more
        talk[s, SERVER_HELD] += more
    if grown and talk[s, DEVICE_HELD] <= _limit(p, s, M_MEMORY):
        return True
    t.talk_n(p)[s, ENDING] = OF_MEMORY
    return False


@inner
def _serve_memory(p: int) -> None:
    """Memory._serve: let those in who come first and find room."""
    f, n, qn, rows = t.f(p), t.n(p), t.qn(p), t.rows(p)
    while n[MEMORY_FIRST] >= 0:
        s = n[MEMORY_FIRST]
        need = rows[_row(p, s, 0), R_ON_SERVER]
        if need > f[MEMORY_FREE]:
            break
        n[MEMORY_FIRST] = qn[s, NEXT]
        f[MEMORY_FREE] -= need
        qn[s, PLACE_NOW] = UNDER_WAY
        at_once(p, (ON_ROOM << SHIFT) | s)
