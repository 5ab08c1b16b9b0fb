# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""What is kept of a request, of a session and of its steps: twins of Request.row and of
conversation._add.
"""

from typing import Any

import numpy as np

from sim.compiling import compiled, inner
from sim.engine import tables as t
from sim.engine.groups import talks_of
from sim.engine.layout import *
from sim.engine.rooms import room


@inner
def keep(p: int, kept: Any, s: int, outcome: int, done_s: float) -> None:
    """Request.row: the columns of sim.engine.layout.RECORDED, and RECORDED_TOO."""
    qf, qn, dn, rows = t.qf(p), t.qn(p), t.dn(p), t.rows(p)
    d, r = qn[s, DEVICE], qn[s, ROW]
    kept[0] = d
    kept[1] = dn[d, GROUP]
    kept[2] = outcome
    kept[3] = rows[r, R_SAMPLE]
    kept[4] = qf[s, CREATED]
    kept[5] = qf[s, DUE_AT]
    for i in range(D_START, S_END + 1):
        kept[6 + i - D_START] = qf[s, i]
    kept[12] = done_s
    kept[13] = rows[r, R_PAYLOAD]
    kept[14] = qf[s, AIR_BYTES]
    kept[15] = qf[s, SHARE]
    kept[16] = rows[r, R_CORRECT]
    for i in range(D_WAIT, NETWORK + 1):
        kept[17 + i - D_WAIT] = qf[s, i]
    if kept.shape[0] > 25:
        for i in range(A_WAIT, ERASED + 1):
            kept[25 + i - A_WAIT] = qf[s, i]
        kept[31] = qn[s, RESENT]
        kept[32] = qn[s, RETRIES]
        kept[33] = rows[r, R_CHOICE]
        kept[34:] = 0.0  # no session


@inner
def _keep_session(p: int, kept: Any, s: int, outcome: int, done_s: float) -> None:
    """Request.row of a session, which holds the sums over its steps."""
    talk, talk_n, dn, rows = t.talk(p), t.talk_n(p), t.dn(p), t.rows(p)
    d, r = t.qn(p)[s, DEVICE], t.sessions(p)[talk_n[s, SESSION], F_ROW]
    kept[:] = 0.0
    kept[0] = d
    kept[1] = dn[d, GROUP]
    kept[2] = outcome
    kept[3] = rows[r, R_SAMPLE]
    kept[4] = talk[s, BORN]
    kept[5] = t.qf(p)[s, DUE_AT]
    kept[6:12] = np.nan
    kept[6] = talk[s, FIRST_START]
    kept[12] = done_s
    kept[13] = talk[s, SUM_PAYLOAD]
    kept[14] = talk[s, SUM_AIR]
    kept[15] = talk[s, SUM_SHARE]
    kept[16] = rows[r, R_CORRECT]
    kept[19] = talk[s, SUM_AIRTIME]
    kept[31] = talk_n[s, SUM_RESENT]
    kept[32] = talk_n[s, SUM_RETRIES]
    kept[33] = rows[r, R_CHOICE]
    kept[34] = talk_n[s, TOKENS]
    kept[35] = talk_n[s, ENDING]


@room
def book_session(p: int, s: int, outcome: int) -> None:
    """A session as a whole, in the next row of those who have left."""
    kept = t.records(p)[t.n(p)[ROWS]]
    _keep_session(p, kept, s, outcome, t.f(p)[NOW])


@inner
def _keep_step(p: int, kept: Any, s: int, outcome: int, done_s: float) -> None:
    """The step of a session."""
    keep(p, kept, s, outcome, done_s)
    number = t.talk_n(p)[s, STEP]
    kept[34] = number
    kept[36] = t.talk(p)[s, ROOM_WAIT] if number == 0 else 0.0


@compiled
def watch(p: int, slots: np.ndarray, kept: np.ndarray) -> None:
    """Meter.in_flight: the rows of requests that are on their way."""
    for i in range(slots.shape[0]):
        s = slots[i]
        talks = talks_of(p, t.qn(p)[s, DEVICE]) == 1
        if talks:
            _keep_session(p, kept[i], s, t.talk_n(p)[s, SO_FAR], t.f(p)[NOW])
        else:
            keep(p, kept[i], s, t.qn(p)[s, OUTCOME], t.f(p)[NOW])


@compiled
def watch_steps(p: int, slots: np.ndarray, kept: np.ndarray) -> None:
    """Meter.steps_in_flight."""
    for i in range(slots.shape[0]):
        _keep_step(p, kept[i], slots[i], t.qn(p)[slots[i], OUTCOME], t.f(p)[NOW])


@inner
def book_step(p: int, s: int, outcome: int) -> None:
    """Meter.count_step and conversation._add: a step came to its end; a token was made where it
    came back.
    """
    n, qf, qn, talk, talk_n = t.n(p), t.qf(p), t.qn(p), t.talk(p), t.talk_n(p)
    _keep_step(p, t.steps(p)[n[STEPS]], s, outcome, t.f(p)[NOW])
    n[STEPS] += 1
    if talk_n[s, TOKENS] == 0:
        talk[s, FIRST_START] = qf[s, D_START]
    talk_n[s, TOKENS] += 1 if outcome == ANSWERED else 0
    talk[s, SUM_PAYLOAD] += t.rows(p)[qn[s, ROW], R_PAYLOAD]
    talk[s, SUM_AIR] += qf[s, AIR_BYTES]
    talk[s, SUM_AIRTIME] += qf[s, AIRTIME]
    talk[s, SUM_SHARE] += qf[s, SHARE]
    talk_n[s, SUM_RESENT] += qn[s, RESENT]
    talk_n[s, SUM_RETRIES] += qn[s, RETRIES]
    talk_n[s, SO_FAR] = outcome
