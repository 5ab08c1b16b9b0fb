"""Plain top-K: the largest magnitudes as float16, their positions as compressed sparse rows.

x (n,) --> |x| --> K largest --> values in float16 ----> values
                      |
                      +--------> row pointers, columns -> positions
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codec.stages import positions, sparsify
from codec.stages.scalar import Floats
from codec.stream import floats
from codec.stream.base import CodecOptionError, CorruptBitstreamError
from codec.stream.container import Section
from codec.stream.fields import Reader, Writer
from codec.stream.frame import FloatCodec, Patch, require_number, sections_of


@dataclass(frozen=True, kw_only=True)
class TopK(FloatCodec):
    """Keeps round((1 - sparsity) n) elements, the lowest index first among equals."""

    sparsity: float = 0.5

    name: ClassVar[str] = "topk"
    chain_id: ClassVar[int] = 11

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("topk", "sparsity", self.sparsity, 0, 1)
        if self.sparsity == 1:
            raise CodecOptionError("topk.sparsity must be below 1, got 1")

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Positions and values of what is kept."""
        budget = sparsify.budget(x.size, self.sparsity)
        keep = sparsify.keep_weighted(x, budget, asymmetry=1.0, seed=None).view(np.bool_)
        count = int(np.count_nonzero(keep))  # zeros are never kept
        values = floats.from_float32(np.ascontiguousarray(x[keep]), floats.FLOAT16)
        return [
            Section("header", Writer().varint(count).done()),
            Section("positions", positions.encode_csr(keep.reshape(patch.rows, patch.cols))),
            Section("values", values.tobytes()),
        ]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """Kept elements in their places, zeros elsewhere."""
        head, where, values = sections_of(sections, "header", "positions", "values")
        fields = Reader(head)
        count = fields.varint(patch.size)
        fields.end()
        keep = positions.decode_csr(where, patch.rows, patch.cols, count).reshape(-1)
        if len(values) != 2 * count:
            raise CorruptBitstreamError(f"{count} values do not take {len(values)} bytes")
        kept = floats.to_float32(np.frombuffer(values, dtype=np.float16).copy(), floats.FLOAT16)
        if count and not floats.look(kept).finite:
            raise CorruptBitstreamError("a tensor must be finite")
        out = np.zeros(patch.size, dtype=np.float32)
        out[keep] = kept
        return out
