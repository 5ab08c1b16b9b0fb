"""Zstandard on float16: what a general-purpose compressor makes of features (extra `codecs`).

x (n,) --> float16 --> [ low bytes | high bytes ] --> zstd --> values
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from codec.stages.scalar import Floats
from codec.stream import floats
from codec.stream.base import CodecError, CorruptBitstreamError
from codec.stream.container import Section
from codec.stream.frame import FloatCodec, Patch, require_int, sections_of


@dataclass(frozen=True, kw_only=True)
class Zstd(FloatCodec):
    """level: zstd's, 1 (fast) to 19; bytes of like weight stand together ("shuffle")."""

    level: int = 3

    name: ClassVar[str] = "zstd"
    chain_id: ClassVar[int] = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        require_int("zstd", "level", self.level, 1, 19)

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """One frame, without zstd's own checksum: the container has one."""
        half = floats.from_float32(x, floats.FLOAT16).view(np.uint8).reshape(-1, 2)
        packed = _library().ZstdCompressor(level=self.level).compress(half.T.tobytes())
        return [Section("values", packed)]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """The numbers that were sent; nothing beyond their size is ever allocated."""
        (values,) = sections_of(sections, "values")
        library = _library()
        try:
            if library.frame_content_size(bytes(values)) != 2 * patch.size:
                raise CorruptBitstreamError(f"a zstd frame must hold {2 * patch.size} bytes")
            plain = library.ZstdDecompressor().decompress(
                bytes(values), max_output_size=2 * patch.size
            )
        except library.ZstdError as error:
            raise CorruptBitstreamError(f"zstd frame is damaged: {error}") from None
        if len(plain) != 2 * patch.size:
            raise CorruptBitstreamError(f"{patch.size} elements do not take {len(plain)} bytes")
        both = np.frombuffer(plain, dtype=np.uint8).reshape(2, -1)
        half = np.ascontiguousarray(both.T).view(np.float16).reshape(-1)
        x = floats.to_float32(half, floats.FLOAT16)
        if not floats.look(x).finite:
            raise CorruptBitstreamError("a tensor must be finite")
        return x


def _library() -> Any:
    try:
        import zstandard
    except ImportError:
        raise CodecError("zstd needs zstandard: pip install 'splitfleet[codecs]'") from None
    return zstandard
