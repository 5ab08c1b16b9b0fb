"""scikit-learn's 1,797 handwritten digits (8 x 8, values 0-16) and their division into splits."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from profiles.models.data.draws import uniforms

SPLITS = ("train", "calibration", "test")
N_FOLDS = 5


class Samples(NamedTuple):
    """Inputs [sample, ...] and labels [sample]."""

    inputs: NDArray[np.uint8]
    labels: NDArray[np.int64]


@cache
def handwriting() -> Samples:
    """All digits in scikit-learn's order; read-only."""
    bunch = load_digits()
    every = Samples(bunch.images.astype(np.uint8), bunch.target.astype(np.int64))
    for array in every:
        array.flags.writeable = False
    return every


def check_split(split: str) -> None:
    """Raise ValueError for a name that is no split."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")


def shuffle() -> NDArray[np.int64]:
    """The numbers of all digits in a fixed random order."""
    n = len(handwriting().labels)
    order: NDArray[np.int64] = np.argsort(uniforms("handwriting", np.arange(n), 1)[:, 0])
    return order


def fold_members(split: str, fold: int) -> NDArray[np.int64]:
    """Numbers of the digits of `split` in one of five folds for cross-fitting.

    The five test splits partition the 1,797 digits; of the rest a tenth of all calibrates.
    Raises ValueError for an unknown split or fold.
    """
    check_split(split)
    if fold not in range(N_FOLDS):
        raise ValueError(f"digits.fold must be in 0..{N_FOLDS - 1}, got {fold!r}")
    order = shuffle()
    rank = np.arange(len(order))
    test = rank % N_FOLDS == fold
    calibration = rank % (2 * N_FOLDS) == (fold + 1) % N_FOLDS
    chosen = {"test": test, "calibration": calibration, "train": ~(test | calibration)}
    members: NDArray[np.int64] = order[chosen[split]]
    return members
