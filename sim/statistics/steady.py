"""One long correlated run: where its start-up ends."""

import numpy as np
from numpy.typing import ArrayLike


def mser5(values: ArrayLike, size: int = 5) -> int:
    """How many first observations to drop: MSER-5 (White, Cobb and Spratt 2000).

    Over batches of `size`, the cut d minimises sum_{i>d} (Y_i - mean_d)^2 / (n - d)^2. Cuts in the
    second half are not looked at (too few batches judge them); a run whose best cut lies at that
    limit has not settled.
    """
    sample = np.asarray(values, dtype=float)
    n_batches = sample.size // size
    if n_batches < 4:
        return 0
    batches = sample[: n_batches * size].reshape(n_batches, size).mean(axis=1)
    batches = batches - batches.mean()  # the sums of squares below keep their digits
    tail = np.cumsum(batches[::-1])[::-1]
    squares = np.cumsum(batches[::-1] ** 2)[::-1]
    left = np.arange(n_batches, 0, -1)
    error = (squares - tail**2 / left) / left**2
    return int(np.argmin(error[: n_batches // 2 + 1])) * size
