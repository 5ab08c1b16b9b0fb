"""Sessions as numbers: what the compiled engine needs of them (sim/sources/sessions.py)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sim.devices.arrivals import arrivals
from sim.engine import layout as at
from sim.engine.rows import Rows, Whose
from sim.places import groups_of
from sim.sources.sessions import ConstantSessions, Session, TraceSessions
from sim.sources.sizes import Size, SizedSessions
from sim.sources.source import Source, sessions_of
from sim.specs import GroupSpec, SystemSpec, WorkloadSpec

_LAWS: dict[Callable[..., Any], int] = {
    ConstantSessions.batch_s: at.STEPS_ALIKE, SizedSessions.batch_s: at.STEPS_SIZED,
    TraceSessions.batch_s: at.STEPS_TIMED,
}  # fmt: skip


def knows(source: Source) -> bool:
    """Whether a source is one of sessions whose rows and batches are known beforehand."""
    return sessions_of(source) is not None and type(source).batch_s in _LAWS


class Talks:
    """The sessions of a system, whose steps are rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._sessions: list[tuple[int, int, int]] = []

    def add(self, sessions: Sequence[Session], whose: Whose) -> int:
        """Append sessions; the number of the first. Steps at the end that are alike are one row."""
        first = len(self._sessions)
        for session in sessions:
            steps = list(zip(*session, strict=True))
            n = len(steps)
            while n > 1 and steps[n - 2] == steps[-1]:
                n -= 1
            n_bytes = [(on_device, on_server) for _, on_device, on_server in steps[:n]]
            row = self._rows.add(session.steps[:n], whose, n_bytes)
            self._sessions.append((row, n, len(steps)))
        return first

    def table(self) -> np.ndarray:
        """All of them [session, F_...]."""
        return np.array(self._sessions or [(0, 0, 0)], np.int64)


def limits(group: GroupSpec, workload: WorkloadSpec) -> list[float]:
    """Where a group's sessions end (Conversation)."""
    given = (
        workload.max_new_tokens, workload.ttft_deadline_s, workload.token_deadline_s,
        workload.session_deadline_s, group.memory_bytes,
    )  # fmt: skip
    return [math.inf if limit is None else float(limit) for limit in given]


def set_asked(
    spec: SystemSpec,
    sources: Sequence[tuple[Source, Whose]],
    dn: np.ndarray,
    n_times: int,
    talks: Talks,
) -> np.ndarray:
    """Of every recorded time the session that it asks for, and of how many steps
    (sizes.session_of); `sources`: of every group that which it uses.
    """
    asked = np.full((max(1, n_times), at.N_ASKED), -1)
    asked[:, at.A_STEPS] = np.iinfo(np.int64).max
    for number, group in enumerate(groups_of(spec).values()):
        load, (source, whose) = group.workload or spec.workload, sources[number]
        if load.kind != "replay" or sessions_of(source) is None:
            continue
        found, known = arrivals(load, len(dn)), dict[Size, int]()
        last_s = math.inf if spec.workload.requests is not None else spec.horizon_s
        for index in np.flatnonzero(dn[:, at.GROUP] == number).tolist():
            sizes = zip(found.times_s.get(index, ()), found.sizes.get(index, ()), strict=False)
            for place, (time_s, size) in enumerate(sizes, int(dn[index, at.NEXT_TIME])):
                if not isinstance(source, SizedSessions):
                    asked[place, at.A_STEPS] = size.new_tokens
                elif time_s <= last_s:
                    if size not in known:
                        known[size] = talks.add([source.session_of(size)], whose)
                    asked[place, at.A_SESSION] = known[size]
    return asked


def batches(sources: Sequence[Source], most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What batches of up to `most` steps take: of every source the law and its numbers [source,
    I_...]; KV lengths of all surfaces [knot], and seconds of so many decode steps at each [knot,
    number], NaN where the surface ends before.
    """
    laws = np.zeros((len(sources), at.N_ITERATION))
    knots: list[float] = []
    together: list[list[float]] = []
    for number, source in enumerate(sources):
        laws[number, at.I_LAW] = _LAWS.get(type(source).batch_s, at.BY_NUMBER)
        laws[number, at.I_KNOT] = len(knots)
        if isinstance(source, TraceSessions):
            lengths = source.kv_lengths
            laws[number, at.I_KNOTS] = len(lengths)
            knots += lengths
            seconds = [_steps_s(source, size) for size in range(most + 1)]
            together += [list(column) for column in zip(*seconds, strict=True)]
        elif isinstance(source, ConstantSessions):
            laws[number, at.I_SLOPE] = source.batch_slope_s
        if isinstance(source, SizedSessions):
            laws[number, at.I_RATIO] = source.batch_ratio
    shape = (len(knots) or 1, most + 1)
    return laws, np.array(knots or [0.0], float), np.array(together or np.zeros(shape), float)


def _steps_s(source: TraceSessions, size: int) -> Sequence[float]:
    try:
        return source.steps_s(size) if size else [0.0] * len(source.kv_lengths)
    except ValueError:  # raised when such a batch is to be served
        return [math.nan] * len(source.kv_lengths)
