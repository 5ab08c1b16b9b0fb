"""From a learned density to the integer tables that both sides of a link hold.

A channel's table is of k - c, k the whole numbers that are sent, c the one nearest to the density's
middle; numbers beyond it are escaped. It is made once, where the density was trained, and shipped:
a density that is evaluated anew on another machine may differ in its last digits, and one count of
difference would make a stream unreadable there.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

import codec
from codec.entropy import frequency_tables
from codec.stages.scalar import SENT
from profiles.schemes.bottleneck import Prior

PRECISION = 14
_TAIL = 2.0**-28
"""Probability beyond the last number that a table names: an escape costs five bytes at least."""
_WEIGHT = 2**30
_MOST = 400


def tables_of(prior: Prior) -> codec.Calibration:
    """The tables of every channel, for maps [channel, row, column]."""
    location = prior.location.detach().double().numpy()
    centres = np.rint(location)
    made = [_table(prior, channel, centre) for channel, centre in enumerate(centres)]
    return codec.Calibration(
        axis=-3,
        mean=centres.astype(np.float32),
        step=1.0,
        classes=np.arange(len(made), dtype=np.uint8),
        offsets=np.zeros((len(made), SENT), np.int8),
        tables=tuple(made),
    )


def _table(prior: Prior, channel: int, centre: float) -> frequency_tables.Table:
    chances = _chances(prior, channel, centre)
    named = _n_named(chances)
    counts = np.maximum(np.rint(_WEIGHT * chances[:named]), 1).astype(np.uint32)
    rest = max(1, round(_WEIGHT * max(0.0, 1.0 - float(chances[:named].sum()))))
    return frequency_tables.fit(counts, escapes=rest, precision=PRECISION)


def _chances(prior: Prior, channel: int, centre: float) -> NDArray[np.float64]:
    """Of centre + 0, -1, 1, -2, ...: the order in which signed numbers are folded."""
    folded = np.arange(2 * _MOST)
    numbers = centre + np.where(folded % 2, -(folded + 1) // 2, folded // 2)
    location = float(prior.location.detach()[channel])
    scale = math.exp(float(prior.log_scale.detach()[channel]))
    edges = torch.from_numpy((np.stack([numbers + 0.5, numbers - 0.5]) - location) / scale)
    upper, lower = torch.sigmoid(edges).numpy()
    return np.asarray(upper - lower)


def _n_named(chances: NDArray[np.float64]) -> int:
    """How many symbols leave no more than the tail to the escape."""
    left = 1.0 - np.cumsum(chances)
    return int(np.searchsorted(-left, -_TAIL)) + 1
