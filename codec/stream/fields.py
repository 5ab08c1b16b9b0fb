"""Small typed fields inside a stream: bytes, variable-length integers, floats, strings of bytes.

An integer takes one byte per seven bits, lowest first, the top bit saying that more follow. There
is exactly one spelling of every number, so that a stream has exactly one meaning.
"""

import struct

from codec.stream.base import CorruptBitstreamError

_MAX_VARINT_BYTES = 9


class Writer:
    """Collects fields in order; `bytes(writer.buffer)` is what a `Reader` reads back."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def u8(self, value: int) -> "Writer":
        """Append one byte."""
        self.buffer.append(value)
        return self

    def varint(self, value: int) -> "Writer":
        """Append a non-negative integer below 2**63."""
        if not 0 <= value < 1 << 63:
            raise ValueError(f"varint must lie in 0..2**63-1, got {value}")
        while value > 0x7F:
            self.buffer.append(0x80 | (value & 0x7F))
            value >>= 7
        self.buffer.append(value)
        return self

    def f32(self, value: float) -> "Writer":
        """Append a float32, little endian."""
        self.buffer += struct.pack("<f", value)
        return self

    def raw(self, data: bytes | memoryview) -> "Writer":
        """Append bytes as they are."""
        self.buffer += data
        return self

    def done(self) -> bytes:
        """Everything written so far."""
        return bytes(self.buffer)


class Reader:
    """Reads fields in order and never past the end: CorruptBitstreamError instead."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data)
        self.size = len(self.data)
        self.at = 0

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self.size - self.at

    def raw(self, size: int) -> memoryview:
        """The next `size` bytes, not copied."""
        if size < 0 or size > self.size - self.at:
            raise CorruptBitstreamError(
                f"stream ends early: {size} bytes wanted at offset {self.at}, {self.remaining} left"
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def u8(self, maximum: int = 255) -> int:
        """One byte, at most `maximum`."""
        at = self.at
        if at >= self.size:
            self.raw(1)
        self.at = at + 1
        byte = self.data[at]
        return byte if byte <= maximum else self._check_at_most(byte, maximum)

    def varint(self, maximum: int) -> int:
        """An integer in 0..maximum in its shortest spelling."""
        value = self.u8()
        if value < 0x80:
            return value if value <= maximum else self._check_at_most(value, maximum)
        value, self.at = 0, self.at - 1
        for i in range(_MAX_VARINT_BYTES):
            byte = self.u8()
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                if byte == 0 and i:
                    raise CorruptBitstreamError(f"padded integer before offset {self.at}")
                return self._check_at_most(value, maximum)
        raise CorruptBitstreamError(f"integer without end at offset {self.at}")

    def f32(self) -> float:
        """A finite float32."""
        value: float = struct.unpack("<f", self.raw(4))[0]
        if value != value or abs(value) == float("inf"):
            raise CorruptBitstreamError(f"non-finite number before offset {self.at}")
        return value

    def end(self) -> None:
        """Require that nothing is left."""
        if self.remaining:
            raise CorruptBitstreamError(f"{self.remaining} bytes follow the end")

    def _check_at_most(self, value: int, maximum: int) -> int:
        if value > maximum:
            raise CorruptBitstreamError(
                f"number before offset {self.at} must be <= {maximum}, got {value}"
            )
        return value
