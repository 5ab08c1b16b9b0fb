"""What is read off plain loops: the columns of a request, wherever it is."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from sim.engine import layout as at
from sim.engine.loops import layout as mine
from sim.engine.loops.costs import Costs
from sim.engine.loops.state import State
from sim.engine.system import Arrays
from sim.measures.meters import Derived, Records, nothing
from sim.request import COLUMNS

_BACK = mine.SERVED + 1


class Reader:
    """Turns what is kept into the columns of `sim.request`, by Device's own arithmetic."""

    def __init__(self, system: Arrays, costs: Costs) -> None:
        self._costs = costs
        self._rows = system.rows[costs.row]
        self._deadline_s = system.gf[:, at.DEADLINE]
        self._before_s, self._half_s = float(system.sf[at.BEFORE]), float(system.sf[at.HALF_RTT])
        self._has_cores = system.sn[at.N_DECODERS] > 0

    def left(self, pieces: Sequence[np.ndarray]) -> Records:
        """Of requests that have left, rows [request, DEVICE to DONE] in pieces."""
        ends = np.cumsum([len(piece) for piece in pieces])
        kept = np.empty((mine.N_KEPT, ends[-1]))
        for piece, end in zip(pieces, ends, strict=True):
            kept[:, end - len(piece) : end] = piece.T
        return self._columns(kept, np.full(ends[-1], _BACK), at.ANSWERED)

    def in_flight(self, state: State, devices: np.ndarray) -> Records:
        """Of those of `devices`, in this order, now."""
        slots = state.loop_n[devices, mine.D_SLOT]
        kept = np.where(slots >= 0, state.slots[slots, : mine.N_KEPT].T, 0.0)
        whole = kept.view(np.int64)
        whole[mine.DEVICE], whole[mine.COST] = devices, state.loop_n[devices, mine.D_COST]
        kept[mine.CREATED], kept[mine.DONE] = state.loops[devices, mine.D_CREATED], state.now_s
        place = np.where(slots >= 0, state.slot_n[slots, mine.PLACE], mine.ON_DEVICE)
        return self._columns(kept, place, 0)

    def _columns(self, kept: np.ndarray, place: np.ndarray, outcome: int) -> Records:
        """Every column as it is asked for; what plain loops do not have is 0."""
        kept.flags.writeable = False  # some columns follow from others, whenever they are made
        whole = kept.view(np.int64)
        cost = whole[mine.COST]
        each, rows = self._costs.each, self._rows
        of = dict(zip(_NAMES, kept, strict=True))
        group = self._costs.group[each[cost, mine.KIND].astype(np.int64)]
        sent = each[cost, mine.N_ACCESSES] >= 0.0
        entered = sent & (place >= mine.AT_MEDIUM)
        carried = sent & (place > mine.AT_MEDIUM)
        decoded = np.zeros(len(cost), bool)
        if self._has_cores:
            decoded = carried & (place > mine.AT_CORES) & (each[cost, mine.DECODE_S] > 0.0)
        served, back = sent & (place >= mine.SERVED), sent & (place == _BACK)
        device_end_s = of["created_s"] + each[cost, mine.WORK_S]

        def link_wait_s() -> np.ndarray:
            waited_s = 0.0 + (of["link_end_s"] - (device_end_s + self._before_s) - of["alone_s"])
            return np.where(carried, waited_s, 0.0)

        def server_wait_s() -> np.ndarray:
            reached_s = np.where(decoded, of["core_end_s"], of["link_end_s"])
            return _passed(back, reached_s, of["server_start_s"])

        def network_s() -> np.ndarray:
            way_s = np.where(entered, self._half_s, 0.0)
            return np.asarray(way_s + np.where(back, each[cost, mine.AFTER_S], 0.0))

        makes: dict[str, Callable[[], np.ndarray]] = {
            "device": lambda: whole[mine.DEVICE].astype(float),
            "group": lambda: group.astype(float),
            "outcome": lambda: np.full(len(cost), float(outcome)),
            "sample": lambda: rows[cost, at.R_SAMPLE],
            "created_s": lambda: of["created_s"],
            "deadline_s": lambda: of["created_s"] + self._deadline_s[group],
            "device_start_s": lambda: of["created_s"],
            "device_end_s": lambda: device_end_s,
            "link_start_s": lambda: np.where(carried, of["link_start_s"], math.nan),
            "link_end_s": lambda: np.where(carried, of["link_end_s"], math.nan),
            "server_start_s": lambda: np.where(served, of["server_start_s"], math.nan),
            "server_end_s": lambda: np.where(served, of["server_end_s"], math.nan),
            "done_s": lambda: of["done_s"],
            "payload_bytes": lambda: rows[cost, at.R_PAYLOAD],
            "air_bytes": lambda: np.where(entered, rows[cost, at.R_AIR], 0.0),
            "server_share_s": lambda: np.where(served, of["share_s"], 0.0),
            "correct": lambda: rows[cost, at.R_CORRECT],
            "link_wait_s": link_wait_s,
            "airtime_s": lambda: np.where(carried, of["alone_s"], 0.0),
            "decoder_wait_s": lambda: _passed(decoded, of["link_end_s"], of["core_start_s"]),
            "decoder_service_s": lambda: _passed(decoded, of["core_start_s"], of["core_end_s"]),
            "server_wait_s": server_wait_s,
            "server_service_s": lambda: _passed(back, of["server_start_s"], of["server_end_s"]),
            "network_s": network_s,
        }
        none = nothing(len(cost))
        return Derived(COLUMNS, lambda name: makes[name]() if name in makes else none)


_NAMES = (
    "device", "cost", "created_s", "link_start_s", "alone_s", "link_end_s", "core_start_s",
    "core_end_s", "server_start_s", "server_end_s", "share_s", "done_s",
)  # fmt: skip


def _passed(where: np.ndarray, start_s: np.ndarray, end_s: np.ndarray) -> np.ndarray:
    """Seconds between two stamps, 0 where they are not known."""
    return np.where(where, 0.0 + (end_s - start_s), 0.0)
