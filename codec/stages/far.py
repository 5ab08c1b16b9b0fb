"""Elements that no grid holds: sent as they are, with the gaps between them."""

import numpy as np
import numpy.typing as npt

from codec.stages.scalar import TOP_LEVEL, Floats, Levels
from codec.stream.base import CorruptBitstreamError
from codec.stream.fields import Reader, Writer


def far_section(x: Floats, levels: Levels, n_far: int) -> bytes:
    """Gaps and values of what lies beyond the grid, empty if nothing does; its level becomes 0."""
    if n_far == 0:
        return b""
    where = np.flatnonzero(np.abs(levels) >= TOP_LEVEL)
    levels[where] = 0
    return pack_far(x, where)


def pack_far(x: Floats, where: npt.NDArray[np.int64]) -> bytes:
    """Elements `where` (rising) of x as they are: their number, the gaps between them, float32."""
    out = Writer().varint(where.size)
    for gap in np.diff(where, prepend=-1) - 1:
        out.varint(int(gap))
    return out.raw(x[where].astype("<f4").tobytes()).done()


def put_far(data: memoryview, out: Floats) -> None:
    """Write the far values into their places; CorruptBitstreamError where they have none."""
    fields = Reader(data)
    count = fields.varint(out.size)
    if count == 0 or count > fields.remaining:
        raise CorruptBitstreamError(f"{count} far values do not fit")
    where = np.cumsum([fields.varint(out.size) + 1 for _ in range(count)]) - 1
    values = np.frombuffer(fields.raw(4 * count), dtype="<f4")
    fields.end()
    if where[-1] >= out.size or not np.isfinite(values).all():
        raise CorruptBitstreamError("far values must be finite and lie in the chunk")
    out[where] = values
