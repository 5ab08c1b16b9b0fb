"""Uniform draws that are a pure function of a key and an index, computed for many at once.

SplitMix64 (Steele, Lea, Flood 2014) over a counter: no state, the same on every numpy version,
so that sample 17 of a split is the same image whether it is drawn alone or among thousands.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def uniforms(key: str, indices: NDArray[np.int64], n_draws: int) -> NDArray[np.float64]:
    """`n_draws` numbers in [0, 1) for each index: [index, draw]."""
    start = np.uint64(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little"))
    rows = _mix(start + _STEP * (indices.astype(np.uint64) + np.uint64(1)))
    draws = np.arange(1, n_draws + 1, dtype=np.uint64)
    bits = _mix(rows[:, None] + _STEP * draws[None, :])
    unit: NDArray[np.float64] = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return unit


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))
