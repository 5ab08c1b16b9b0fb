"""The two photographs that scikit-learn ships (china.jpg, flower.jpg; 427 x 640 x 3, uint8)."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images


@cache
def photographs() -> NDArray[np.uint8]:
    """Both photographs, [photograph, row, column, channel]; read-only."""
    images: NDArray[np.uint8] = np.stack([np.asarray(i) for i in load_sample_images().images])
    images.flags.writeable = False
    return images


def crops(unit: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Square crops placed by `unit` [crop, 3] (photograph, row, column, each in [0, 1)).

    Returns [crop, size, size, 3].
    """
    sources = photographs()
    which, top, left = (
        (unit[:, i] * n).astype(np.int64)
        for i, n in enumerate((2, sources.shape[1] - size + 1, sources.shape[2] - size + 1))
    )
    span = np.arange(size)
    rows, columns = top[:, None] + span, left[:, None] + span
    cut: NDArray[np.uint8] = sources[which[:, None, None], rows[:, :, None], columns[:, None, :]]
    return cut
