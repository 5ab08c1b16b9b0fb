"""Codec settings for networks with random weights, which can lose no accuracy.

Their codec is set to the relative L2 error of the crossing tensor at which a trained network of
the same kind of task loses one percentage point.
"""

import numpy as np

from profiles.tables.quality import drops
from profiles.tables.trace import TraceTable


class TooMildError(ValueError):
    """No traced setting loses as much as is asked for: the cut bears more than was traced."""


def find_tolerance(table: TraceTable, cut: str, loss: float = 0.01) -> float:
    """The mean relative L2 error at which a trained network loses `loss` of its accuracy at `cut`.

    Drops are made to rise with the error (pool adjacent violators would give the same here: the
    running maximum), then interpolated linearly.

    Raises:
        TooMildError: no traced setting loses as much, so that the answer would be an extrapolation.
        ValueError: every setting loses more, likewise.
    """
    here = [drop for drop in drops(table) if drop.cut == cut]
    errors = np.array([float(table.cell("relative_l2", cut, d.setting).mean()) for d in here])
    return interpolate_tolerance(errors, np.array([drop.drop.mean for drop in here]), loss, cut)


def interpolate_tolerance(errors: np.ndarray, lost: np.ndarray, loss: float, cut: str) -> float:
    """The error at which `loss` is lost, from errors [setting] and what each loses [setting]."""
    order = np.argsort(errors)
    lost = np.maximum.accumulate(np.maximum(0.0, lost[order]))
    if lost[-1] < loss:
        raise TooMildError(
            f"at cut {cut!r} no traced setting loses {100 * loss:g} pp, the worst"
            f" {100 * lost[-1]:.2f} pp; trace a harder one"
        )
    if lost[0] > loss:
        raise ValueError(
            f"at cut {cut!r} even the mildest traced setting loses {100 * lost[0]:.2f} pp, more"
            f" than {100 * loss:g} pp; trace a milder one"
        )
    after = int(np.searchsorted(lost, loss))
    if after == 0:
        return float(errors[order[0]])
    left, right = order[after - 1], order[after]
    weight = (loss - lost[after - 1]) / (lost[after] - lost[after - 1])
    return float((1 - weight) * errors[left] + weight * errors[right])
