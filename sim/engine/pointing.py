"""Where arrays are, written down for compiled functions (sim.engine.tables)."""

from collections.abc import Sequence
from ctypes import addressof, c_char

import numpy as np


def address(arrays: Sequence[np.ndarray], more: Sequence[int] = ()) -> tuple[np.ndarray, int]:
    """Three words for each array, its address, rows and columns, then `more` words, and the address
    of them all. Both they and the arrays have to be kept as long as it is used.

    Raises:
        ValueError: rows that do not lie one behind the other.
    """
    if not all(a.flags.c_contiguous for a in arrays):
        raise ValueError("arrays must be C-contiguous, got one that is not")
    words = [(_place(a), len(a), a.shape[1] if a.ndim > 1 else 0) for a in arrays]
    listed = np.append(np.array(words, np.int64), np.array(more, np.int64))
    return listed, _place(listed)


def _place(array: np.ndarray) -> int:
    """Its address: by its buffer where it has one to write to, a third of what `.ctypes` takes."""
    if array.nbytes and array.flags.writeable:
        return addressof(c_char.from_buffer(array.data))
    return int(array.ctypes.data)
