"""What every request of a plain loop costs, for all devices of a kind: a group's, as fast ones."""

from typing import NamedTuple

import numpy as np

from sim.engine import layout as at
from sim.engine.loops import layout as mine
from sim.engine.system import Arrays


class Costs(NamedTuple):
    """Tables by the columns of sim.engine.loops.layout: of requests `each` and `shared`, of
    devices `kinds`, and the kind of every device; of every cost its row in the system, of every
    kind its group; of every size of accesses its frames and how many share an access.
    """

    each: np.ndarray
    shared: np.ndarray
    kinds: np.ndarray
    kind_of: np.ndarray
    row: np.ndarray
    group: np.ndarray
    sizes: list[tuple[int, int]]


def costs_of(system: Arrays) -> Costs:
    """All of a system's, by the arithmetic of Device.step, Channel.send and Link.answer_s."""
    kind_of = np.zeros(len(system.dn), np.int64)
    each, rows = list[np.ndarray](), list[np.ndarray]()
    kinds, groups = list[list[float]](), list[int]()
    sizes = dict[tuple[int, int], int]()
    for number in system.present:
        own = system.dn[:, at.GROUP] == number
        for slowdown in np.unique(system.df[own, at.SLOWDOWN]).tolist():
            kind_of[own & (system.df[:, at.SLOWDOWN] == slowdown)] = len(kinds)
            first, many = system.gn[number, [at.ROW_0, at.N_ROWS]].tolist()
            kinds.append(_kind(system, number, sum(len(each) for each in rows), many))
            rows.append(np.arange(first, first + many))
            found = _costs(system, system.rows[first : first + many], number, sizes)
            found[:, mine.WORK_S] *= slowdown
            found[:, mine.KIND] = len(groups)
            each.append(found)
            groups.append(number)
    row = np.concatenate(rows)
    copied = at.R_PAYLOAD if system.sn[at.ON_GPU] else at.R_TENSOR
    shared = np.ascontiguousarray(system.rows[row][:, [copied, at.R_SOURCE]])
    return Costs(
        np.concatenate(each), shared, np.array(kinds), kind_of, row, np.array(groups), list(sizes)
    )


def _kind(system: Arrays, number: int, first: int, many: int) -> list[float]:
    """A group's pauses, weight and costs."""
    gf, draws = system.gf[number], system.gn[number, at.KIND] == at.THINKS
    return [gf[at.MEAN], float(draws), gf[at.WEIGHT], first, many]


def _costs(
    system: Arrays, rows: np.ndarray, number: int, sizes: dict[tuple[int, int], int]
) -> np.ndarray:
    """What rows cost a group's devices, on a processor of its own speed; new sizes are noted."""
    sf, way = system.sf, system.ways[number]
    found = np.zeros((len(rows), mine.N_COST))
    found[:, mine.WORK_S], found[:, mine.DECODE_S] = rows[:, at.R_DEVICE], rows[:, at.R_DECODE]
    together, accesses = int(way[at.TOGETHER]), rows[:, at.R_FRAMES] // way[at.TOGETHER]
    accesses += rows[:, at.R_FRAMES] % way[at.TOGETHER] > 0.0
    fixed_s = accesses * sf[at.FRAME_AIRTIME]
    found[:, mine.AIR_S] = fixed_s + rows[:, at.R_AIR] * way[at.BYTE_S]
    if system.sn[at.LINK] == at.CONTENDED_LINK:
        found[:, mine.AIR_S] /= accesses
    found[:, mine.ALONE_S] = rows[:, at.R_ALONE]
    back = -(-rows[:, at.R_DOWN_FRAMES] // way[at.DOWN_TOGETHER])
    answer_s = back * sf[at.FRAME_AIRTIME] + rows[:, at.R_DOWN_AIR] * way[at.DOWN_BYTE_S]
    answer_s[rows[:, at.R_ANSWER] <= 0.0] = 0.0
    found[:, mine.AFTER_S] = answer_s + sf[at.HALF_RTT]
    found[:, mine.N_ACCESSES] = np.where(rows[:, at.R_SENT] != 0.0, accesses, -1.0)
    frames, places = np.unique(rows[:, at.R_FRAMES].astype(int), return_inverse=True)
    known = [sizes.setdefault((n, together), len(sizes)) for n in frames.tolist()]
    found[:, mine.SIZE] = np.array(known)[places]
    return found
