"""Scenes of 1, 2 or 4 handwritten digits in turn, 16 x 16, grey: some are easy, some are not.

Scene i has N_DIGITS[i % 3] digits; images, noise and digits are those of the members `scenes16`,
`scenes16x2` and `scenes16x4` of the family (`digit_scenes.py`), so that the four splits show
disjoint digits.
"""

import numpy as np
from numpy.typing import NDArray

from profiles.models.data import digit_scenes
from profiles.models.data.digit_scenes import EMPTY, Scenes

N_DIGITS = (1, 2, 4)
_MEMBERS = ("scenes16", "scenes16x2", "scenes16x4")


def samples(split: str, n: int, *, start: int = 0) -> Scenes:
    """Scenes `start` .. `start + n - 1` of a split, with `cells` for labels, and their maps.

    Raises:
        ValueError: an unknown split.
    """
    kind = n_digits_of(n, start=start)
    first, stop = start // len(_MEMBERS), -(-(start + n) // len(_MEMBERS))
    each = [
        digit_scenes.family(name).samples(split, stop - first, start=first) for name in _MEMBERS
    ]
    rows = np.arange(start, start + n) // len(_MEMBERS) - first
    which = np.searchsorted(N_DIGITS, kind), rows
    return Scenes(
        np.stack([one.inputs for one in each])[which],
        {"cells": np.stack([_cells(one) for one in each])[which]},
        np.stack([one.coverage for one in each])[which],
    )


def n_digits_of(n: int, *, start: int = 0) -> NDArray[np.int64]:
    """How many digits scenes `start` .. `start + n - 1` show."""
    return np.array(N_DIGITS)[np.arange(start, start + n) % len(N_DIGITS)]


def _cells(scenes: Scenes) -> NDArray[np.int64]:
    """The digit of each quarter, of scenes of one digit as well."""
    if "cells" in scenes.labels:
        return scenes.labels["cells"]
    cells = np.full((len(scenes.inputs), 4), EMPTY)
    cells[np.arange(len(cells)), scenes.labels["place"]] = scenes.labels["class"]
    return cells
