"""Waits of an open Wi-Fi cell: stations win accesses, and the fewer get through the more there are.

In units of an access alone: requests come with rate `load`, k of them are present, and an access
that begins then lasts 1 / c(k). Two limits are solved. A request of one access: the chain embedded
at the accesses' beginnings, k -> k - 1 + Poisson(load / c(k)), by balance across every cut (M/D/1
at c = 1). A request of very many: processor sharing, P(k) ~ prod load / c(j), whatever the sizes.
A request of K accesses in T transfers waits T times the one and K - T times the other, per access.

Approximations: k requests of S stations come from S (1 - (1 - 1 / S)^k) of them, which contend; at
most 160 requests of one access are under way, 512 of many.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import gammainc

from sim.radio.contention import RATIO
from sim.search.airtime import FRAMES, STATES
from sim.search.problem import Floats

_LEVELS = 160
_POINTS = 48


class Table(NamedTuple):
    """Offered loads, and there the wait per access (of requests of one, and of many) and the busy
    share of the medium.
    """

    load: Floats
    one: Floats
    many: Floats
    busy: Floats


@lru_cache(maxsize=64)
def tables(contention: str, stations: int) -> tuple[Table, ...]:
    """One for each of `FRAMES` per access; a load at the end of a table has no steady state."""
    return tuple(_solve(RATIO[contention], frames, stations) for frames in FRAMES)


def _solve(ratio: Callable[[int, float], float], frames: float, stations: int) -> Table:
    present = np.arange(1.0, STATES + 1.0)
    active = stations * -np.expm1(present * np.log1p(-1.0 / stations)) if stations > 1 else 1.0
    known = np.array([ratio(n, frames) for n in range(1, min(stations, STATES) + 1)])
    carried = np.interp(
        np.broadcast_to(active, present.shape), np.arange(1.0, len(known) + 1), known
    )
    limit = 0.999 * float(known[-1])
    load = limit * (1.0 - np.linspace(1.0, 0.0, _POINTS) ** 2)
    one, busy = _take_turns(load, carried[:_LEVELS])
    return Table(load, one, _share(load, carried), busy)


def _take_turns(load: Floats, carried: Floats) -> tuple[Floats, Floats]:
    """Wait per access and busy share, [load], of requests of one access each."""
    levels = len(carried)
    length = 1.0 / carried
    comers = np.maximum(load, 1e-9)[:, None] * length
    tails = gammainc(np.arange(1.0, levels + 1.0), comers[:, :, None])  # P(>= m come), m from 1
    begins = np.zeros_like(comers)
    begins[:, 0] = 1.0
    for level in range(1, levels):
        below = np.arange(level)
        up = (begins[:, :level] * tails[:, below, level - below]).sum(axis=1)
        begins[:, level] = up * np.exp(comers[:, level])
        begins[:, : level + 1] /= begins[:, : level + 1].sum(axis=1, keepdims=True)
    sent = begins @ length
    cycle = sent + begins[:, 0] * np.exp(-comers[:, 0]) / np.maximum(load, 1e-9)
    held = begins @ (np.arange(1.0, levels + 1.0) * length) + 0.5 * load * (begins @ length**2)
    return np.maximum(0.0, held - 1.0), sent / cycle


def _share(load: Floats, carried: Floats) -> Floats:
    """Residence over airtime less 1, [load], under processor sharing."""
    logs = np.log(np.maximum(load, 1e-12))[:, None] - np.log(carried)[None, :]
    weights = np.cumsum(np.concatenate([np.zeros((len(load), 1)), logs], axis=1), axis=1)
    states = np.exp(weights - weights.max(axis=1, keepdims=True))
    present = states @ np.arange(len(carried) + 1.0) / states.sum(axis=1)
    stretch = np.where(load > 1e-9, present / np.maximum(load, 1e-12), 1.0)
    return np.asarray(stretch - 1.0)
