"""What is read off a run: counters, and those who are on their way."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from sim.engine import layout as at
from sim.engine import records
from sim.engine.state import State
from sim.engine.system import Arrays
from sim.measures.meters import Records, Snapshot, nothing
from sim.request import COLUMNS


class Places(Protocol):
    """What both kernels keep of the server and the medium, named as in sim.engine.tables."""

    f: np.ndarray
    cf: np.ndarray
    cn: np.ndarray
    gpus: np.ndarray
    cores: np.ndarray
    batch_n: np.ndarray
    batch_at: np.ndarray

    @property
    def now_s(self) -> float:
        """How far it has been played."""

    @property
    def decoding_s(self) -> np.ndarray:
        """Since when each core that is busy has been, where they are held one by one."""


def read_counters(system: Arrays, state: State) -> Snapshot:
    """All counters at this instant (System.snapshot)."""
    f, n, now = state.f, state.n, state.now_s
    busy_s = system.df[:, at.P_WORK] - np.maximum(0.0, system.df[:, at.P_FREE] - now)
    return Snapshot(
        time_s=now,
        n_arrived=int(n[at.ARRIVED]),
        n_left=int(n[at.LEFT]),
        arrival_sum_s=float(f[at.ARRIVAL_SUM]),
        left_sum_s=float(f[at.LEFT_SUM]),
        **busy(system.sn, state, busy_s)._asdict(),
        present_s=_present_s(system, state),
        n_changes=int(system.minds[:, at.N_CHANGED].sum()),
        n_probes=int(system.minds[:, at.N_PROBED].sum()),
    )


class Busy(NamedTuple):
    """The counters of what has been busy, named as in Snapshot."""

    server_busy_s: float
    decoder_busy_s: float
    link_busy_s: float
    device_busy_s: float
    device0_busy_s: float


def busy(sn: np.ndarray, state: Places, devices_s: np.ndarray) -> Busy:
    """All of them; `devices_s`: how long each device's processor was."""
    return Busy(
        _server_busy_s(sn, state), _decoder_busy_s(sn, state), _link_busy_s(sn, state),
        math.fsum(devices_s) / len(devices_s), float(devices_s[0]),
    )  # fmt: skip


def _server_busy_s(sn: np.ndarray, state: Places) -> float:
    f, now, n_gpus = state.f, state.now_s, int(sn[at.N_GPUS])
    if sn[at.SERVER] != at.PLAIN:
        running = math.fsum(
            now - start for start, n in zip(state.batch_at, state.batch_n, strict=True) if n
        )
        return float((f[at.GPU_BUSY] + running) / n_gpus)
    if n_gpus == 1:
        return float(f[at.GPU_WORK] - max(0.0, f[at.GPU_FREE] - now))
    ahead = math.fsum(max(0.0, free - now) for free in state.gpus)
    return float((f[at.GPU_WORK] - ahead) / n_gpus)


def _decoder_busy_s(sn: np.ndarray, state: Places) -> float:
    f, now, workers = state.f, state.now_s, int(sn[at.N_DECODERS])
    if workers == 0:
        return math.nan
    if sn[at.SERVER] == at.PLAIN:
        ahead = math.fsum(max(0.0, free - now) for free in state.cores)
        return float((f[at.DECODER_WORK] - ahead) / workers)
    running = math.fsum(now - start for start in state.decoding_s)
    return float((f[at.DECODER_BUSY] + running) / workers)


def _link_busy_s(sn: np.ndarray, state: Places) -> float:
    now, cf, cn = state.now_s, state.cf, state.cn
    if sn[at.LINK] == at.FIFO_LINK:
        seconds = cf[:, at.C_WORK] - np.maximum(0.0, cf[:, at.C_FREE] - now)
    else:
        flowing = (cn[:, at.FLOWS] > 0) & (cn[:, at.SILENT] == 0)
        shared = sn[at.LINK] in (at.SHARED_LINK, at.SCHEDULED_LINK)
        runs = flowing if shared else cn[:, at.TIMER] >= 0
        seconds = cf[:, at.C_BUSY] + np.where(runs, now - cf[:, at.SINCE], 0.0)
    return math.fsum(seconds) / len(seconds)


def _present_s(system: Arrays, state: State) -> tuple[float, ...]:
    there_s, since_s = system.stays.T
    there_s = there_s + np.maximum(0.0, state.now_s - since_s)
    there_s = np.broadcast_to(there_s, len(system.dn))
    chosen = (there_s[system.dn[:, at.GROUP] == number] for number in range(len(system.groups)))
    return tuple(added(each) for each in chosen)


def added(values: np.ndarray, before: float = 0.0) -> float:
    """The sum of numbers added one after another to what was there before."""
    every = np.empty(len(values) + 1)
    every[0], every[1:] = before, values
    return float(np.add.accumulate(every)[-1])


def in_flight(system: Arrays, state: State) -> np.ndarray:
    """A row for every request in flight, in the order in which they came."""
    slots = _slots(state)
    slots = slots[np.argsort(state.qn[slots, at.NUMBER], kind="stable")]
    rows = np.empty((len(slots), system.n_columns))
    records.watch(state.p, slots, rows)
    return rows


def steps_in_flight(system: Arrays, state: State) -> np.ndarray:
    """A row for every step of a session in flight, in the order in which they began."""
    slots = _slots(state)
    slots = slots[system.gn[system.dn[state.qn[slots, at.DEVICE], at.GROUP], at.TALKS] == 1]
    slots = slots[state.talk_n[slots, at.STEP] >= 0]
    slots = slots[np.argsort(state.talk_n[slots, at.STEP_NUMBER], kind="stable")]
    rows = np.empty((len(slots), system.n_columns))
    records.watch_steps(state.p, slots, rows)
    return rows


def _slots(state: State) -> np.ndarray:
    """Those of all requests in flight."""
    return np.flatnonzero(state.qn[:, at.PLACE_NOW] != at.GONE)


def named(pieces: Sequence[np.ndarray]) -> Records:
    """Rows [request, column], in pieces, as all the columns of a book, a copy."""
    names = (*at.RECORDED, *at.RECORDED_TOO, *at.RECORDED_OF_SESSIONS)[: pieces[0].shape[1]]
    ends = np.cumsum([len(piece) for piece in pieces])
    table = np.empty((len(names), ends[-1]))
    for piece, end in zip(pieces, ends, strict=True):
        table[:, end - len(piece) : end] = piece.T
    return dict.fromkeys(COLUMNS, nothing(ends[-1])) | dict(zip(names, table, strict=True))
