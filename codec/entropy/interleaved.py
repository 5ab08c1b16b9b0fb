"""Several entropy-coded arrays as two sections: what their tables take, and what their symbols do.

tables:  for every array: varint bytes of the whole | varint bytes of its head | head
values:  the rest of every array, one after the other
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.entropy import coder as entropy
from codec.stream.container import Section
from codec.stream.fields import Reader, Writer

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


class Open:
    """Streams read one after the other, because the first ones tell how long the others are."""

    def __init__(self, tables: memoryview, values: memoryview) -> None:
        self._heads, self._bodies = Reader(tables), Reader(values)
        self._most = len(tables) + len(values)

    def next(self, count: int) -> Integers:
        """The next array, of this length."""
        size = self._heads.varint(self._most)
        head = self._heads.raw(self._heads.varint(size))
        return entropy.decode(bytes(head) + bytes(self._bodies.raw(size - len(head))), count)

    def rest(self, counts: Sequence[int]) -> list[Integers]:
        """All other arrays, of these lengths; nothing may follow them."""
        parts = [self.next(count) for count in counts]
        self._heads.end()
        self._bodies.end()
        return parts


def read(tables: memoryview, values: memoryview, counts: Sequence[int]) -> list[Integers]:
    """The arrays of these lengths; CorruptBitstreamError for anything that `write` did not."""
    return Open(tables, values).rest(counts)
