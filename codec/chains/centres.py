"""Nearest of a few learned numbers, each sent as its place in their table.

    x --> place of the nearest centre --> log2(centres) bits per element --> values
          table, known on both sides --> the first bytes of its hash ------> header

A fixed length, no entropy code: a flipped bit changes one element. The table is what SemanticNN's
encoder learns (arXiv 2511.11038); by default the best levels for normal numbers of unit power.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from codec.entropy import packing
from codec.stream import floats
from codec.stream.base import CodecOptionError, CorruptBitstreamError, MissingCalibrationError
from codec.stream.container import Section
from codec.stream.frame import FloatCodec, Patch, sections_of
from codec.stream.tolerance import Fixed, elements_of

Floats = npt.NDArray[np.float32]

LLOYD_MAX = (-2.152, -1.344, -0.756, -0.2451, 0.2451, 0.756, 1.344, 2.152)
"""Eight levels of least squared error for normal numbers of unit power (Max 1960, table I)."""
ID_BYTES = 4
_MOST = 256


@dataclass(frozen=True, kw_only=True)
class Centres(FloatCodec):
    """The nearest entry of `table`: 2, 4, 8 .. 256 finite numbers, in the order of their bits."""

    table: tuple[float, ...] = LLOYD_MAX
    name: ClassVar[str] = "centres"
    chain_id: ClassVar[int] = 17

    def __post_init__(self) -> None:
        super().__post_init__()
        table = tuple(float(np.float32(each)) for each in self.table)
        if not 2 <= len(table) <= _MOST or len(table) & (len(table) - 1):
            raise CodecOptionError(
                f"centres.table must hold 2, 4, 8 .. {_MOST} numbers, got {len(table)}"
            )
        if not np.isfinite(table).all():
            raise CodecOptionError("centres.table must be finite, got NaN or infinity")
        object.__setattr__(self, "table", table)

    @property
    def bits(self) -> int:
        """Of a symbol."""
        return packing.width_for(len(self.table) - 1)

    @cached_property
    def id(self) -> bytes:
        """By which a stream names the table."""
        return hashlib.sha256(self._numbers.astype("<f4").tobytes()).digest()[:ID_BYTES]

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """So many bits per element, behind the table's name."""
        return [Section("header", self.id), Section("values", self._pack(x))]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """The centres that were named."""
        head, values = sections_of(sections, "header", "values")
        if len(head) != ID_BYTES:
            raise CorruptBitstreamError(f"a table's name takes {ID_BYTES} bytes, got {len(head)}")
        if bytes(head) != self.id:
            raise MissingCalibrationError(
                f"the stream needs the table {bytes(head).hex()}, this one is {self.id.hex()}:"
                " codec.create('centres', table=...) decodes it"
            )
        return self._unpack(bytes(values), patch.size)

    def encode_fixed(self, x: npt.NDArray[np.floating]) -> Fixed:
        """The symbols, nothing beside them."""
        flat = np.ascontiguousarray(x, dtype=np.float32).reshape(-1)
        finite = flat if np.isfinite(flat).all() else self.clamp(flat, floats.FLOAT32)
        return Fixed(b"", self._pack(finite))

    def decode_fixed(
        self, payload: Fixed, like: npt.NDArray[np.floating], missing: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.floating]:
        """The centres of what arrived; 0 for a symbol that is missing."""
        symbols = np.frombuffer(payload.symbols, np.uint8).copy()
        if used := like.size * self.bits % 8:
            symbols[-1] &= (1 << used) - 1  # padding may have been hit, too
        out = self._unpack(symbols.tobytes(), like.size)
        out[elements_of(missing, like.size, self.bits)] = 0
        return out.astype(like.dtype).reshape(like.shape)

    @property
    def _numbers(self) -> Floats:
        return np.array(self.table, np.float32)

    def _pack(self, x: Floats) -> bytes:
        """Of two centres as near the first in the table; what lies beyond all takes the last."""
        within = np.clip(x, self._numbers.min(), self._numbers.max())
        nearest = np.abs(within[:, None] - self._numbers).argmin(1)
        return packing.pack(nearest.astype(np.uint32), self.bits)

    def _unpack(self, data: bytes, size: int) -> Floats:
        places = packing.unpack_bytes(data, size, self.bits)
        return self._numbers[places]
