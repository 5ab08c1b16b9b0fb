"""Several entropy-coded arrays as two sections: what their tables take, and what their symbols do.

tables:  for every array: varint bytes of the whole | varint bytes of its head | head
values:  the rest of every array, one after the other
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec import entropy
from codec.container import Section
from codec.fields import Reader, Writer

Integers = npt.NDArray[np.int32]


def write(arrays: Sequence[npt.NDArray[np.integer]]) -> tuple[Section, Section]:
    """Sections `tables` and `values`; every array gets the shortest of the in-band coders."""
    tables, values = Writer(), Writer()
    for array in arrays:
        data = entropy.encode(np.ascontiguousarray(array, dtype=np.int32), "auto")
        head = 1 + entropy.table_size(data)
        tables.varint(len(data)).varint(head).raw(data[:head])
        values.raw(data[head:])
    return Section("tables", tables.done()), Section("values", values.done())


def read(tables: memoryview, values: memoryview, counts: Sequence[int]) -> list[Integers]:
    """The arrays of these lengths; CorruptBitstreamError for anything that `write` did not."""
    heads, bodies = Reader(tables), Reader(values)
    found = []
    for count in counts:
        size = heads.varint(len(tables) + len(values))
        head = heads.raw(heads.varint(size))
        found.append(entropy.decode(bytes(head) + bytes(bodies.raw(size - len(head))), count))
    heads.end()
    bodies.end()
    return found
