"""Where arrays are, written down for compiled functions (sim.engine.tables)."""

from collections.abc import Sequence
from ctypes import addressof, c_char

import numpy as np


class Listed:
    """Three words for each array, its address, rows and columns, then `more` words. They stand at
    `address`, as long as this is kept.

    Raises:
        ValueError: rows that do not lie one behind the other.
    """

    def __init__(self, arrays: Sequence[np.ndarray], more: Sequence[int] = ()) -> None:
        self._arrays = list(arrays)
        words = np.array([_words(array) for array in arrays], np.int64)
        self._words = np.append(words, np.array(more, np.int64))
        self.address = _place(self._words)

    def renew(self, arrays: Sequence[np.ndarray]) -> None:
        """Write anew where those are that have taken the place of others."""
        for i, (array, old) in enumerate(zip(arrays, self._arrays, strict=True)):
            if array is not old:
                self._words[3 * i : 3 * i + 3] = _words(array)
                self._arrays[i] = array


def _words(array: np.ndarray) -> tuple[int, int, int]:
    if not array.flags.c_contiguous:
        raise ValueError("arrays must be C-contiguous, got one that is not")
    return _place(array), len(array), array.shape[1] if array.ndim > 1 else 0


def _place(array: np.ndarray) -> int:
    """Its address: by its buffer where it has one to write to, a third of what `.ctypes` takes."""
    if array.nbytes and array.flags.writeable:
        return addressof(c_char.from_buffer(array.data))
    return int(array.ctypes.data)
