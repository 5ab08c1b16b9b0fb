"""SLICER's chain (arXiv 2511.11608): filter, split, quantize each block at its own width, pack.

    x (n,) --> ATKF ----> keep (n,) ------------------------------------> positions
                 |
                 +--> |x| (K,) --> MS --> label (K,) -------------------> labels
                 |                  |
                 |                  +--> ABQ --> low, high, b of a block -> scales
                 |                        |
                 +--> sign (K,) ----------+---> level, b (+1) bits ------> values

The paper fixes the order of the stages and the knobs (sparsity, distortion, number of blocks,
asymmetry), not the formulas; every reading of ours is an option. `granularity="token"` runs the
three stages on every row of the last axis by itself, "tensor" once per chunk.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from codec.chains import slicer_chunk as sliced
from codec.chains.slicer_chunk import Bytes, Floats, Row
from codec.entropy import interleaved as streams
from codec.entropy import packing
from codec.stages import blocks, positions, quantize, sparsify
from codec.stages.positions import Mask
from codec.stream.base import CodecOptionError
from codec.stream.container import CODED, Chunk, Section
from codec.stream.fields import Writer
from codec.stream.frame import FloatCodec, Patch, require_choice, require_int, require_number
from codec.whole import slicer_decoder, slicer_encoder

_POSITIONS = ("auto", "csr", "bitmap", "gaps", "map", "entropy")


@dataclass(frozen=True, kw_only=True)
class Slicer(FloatCodec):
    """The chain above; defaults keep half of the elements, which suits rectified features.

    sparsity: share of elements dropped, 0..1 (below 1). asymmetry: lambda of ATKF.
    n_blocks: M. distortion: delta of ABQ, relative to `distortion_scale`.
    bits_min, bits_max: range of the widths, 1..12.
    filter_form: "weighted" or "budget". ties: "lowest" index first or "seeded" by `tie_seed`.
    block_rule: "cardinality", "width" or "lloyd". distortion_scale: "tensor", "rms" or "block".
    positions: "csr", "bitmap", "gaps" or "map" (entropy-coded), "auto" for the shorter of the first
    two, "entropy" for the shorter of the last two. entropy: "packed", or "rans" for values and
    labels, a table a block. granularity: "tensor" or "token".
    """

    sparsity: float = 0.5
    asymmetry: float = 1.0
    n_blocks: int = 4
    distortion: float = 0.01
    bits_min: int = 2
    bits_max: int = 8
    filter_form: str = "weighted"
    ties: str = "lowest"
    tie_seed: int = 0
    block_rule: str = "cardinality"
    distortion_scale: str = "tensor"
    positions: str = "auto"
    entropy: str = "packed"
    granularity: str = "tensor"

    name: ClassVar[str] = "slicer"
    chain_id: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("slicer", "sparsity", self.sparsity, 0, 1)
        if self.sparsity == 1:
            raise CodecOptionError("slicer.sparsity must be below 1, got 1")
        require_choice("slicer", "filter_form", self.filter_form, ("weighted", "budget"))
        top = 1.0 if self.filter_form == "budget" else 1e6
        require_number("slicer", "asymmetry", self.asymmetry, 0, top)
        require_int("slicer", "n_blocks", self.n_blocks, 1, blocks.MAX_BLOCKS)
        require_number("slicer", "distortion", self.distortion, 0)
        require_int("slicer", "bits_max", self.bits_max, 1, quantize.MAX_BITS)
        require_int("slicer", "bits_min", self.bits_min, 1, self.bits_max)
        require_choice("slicer", "ties", self.ties, ("lowest", "seeded"))
        require_int("slicer", "tie_seed", self.tie_seed, 0, 2**63 - 1)
        require_choice("slicer", "block_rule", self.block_rule, blocks.RULES)
        require_choice("slicer", "distortion_scale", self.distortion_scale, quantize.SCALES)
        require_choice("slicer", "positions", self.positions, _POSITIONS)
        require_choice("slicer", "entropy", self.entropy, ("packed", "rans"))
        require_choice("slicer", "granularity", self.granularity, ("tensor", "token"))

    def make_chunk(self, x: Floats, patch: Patch) -> Chunk:
        """In one piece under the options that it knows."""
        if not self._usual or (self.granularity == "token" and patch.rows > 1):
            return super().make_chunk(x, patch)
        knobs = slicer_encoder.Knobs(
            sparsify.budget(x.size, self.sparsity), self.asymmetry, self.n_blocks, self.distortion,
            self.bits_min, self.bits_max, self.distortion_scale, self.positions,
        )  # fmt: skip
        return Chunk(CODED, framed=slicer_encoder.encode(x, patch.rows, knobs).data)

    def decode_whole(self, data: Bytes, at: int, patch: Patch) -> Floats | None:
        """Under the usual options."""
        return slicer_decoder.decode(data, at, patch.size, patch.rows)

    @property
    def _usual(self) -> bool:
        """Whether `codec.whole` knows all options."""
        rules = (self.filter_form, self.ties, self.block_rule, self.entropy)
        known = rules == ("weighted", "lowest", "cardinality", "packed")
        return known and self.positions in slicer_encoder.POSITIONS

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Positions, labels, scales and values of a chunk, each bit-packed."""
        n_rows = patch.rows if self.granularity == "token" else 1
        rows = [self._row(part) for part in x.reshape(n_rows, -1)]
        keep = np.concatenate([row.keep for row in rows]).view(np.bool_)
        labels = np.concatenate([row.labels for row in rows])
        signed = any(row.signs.any() for row in rows)
        where, how = self._positions(keep.reshape(patch.rows, patch.cols), patch, labels.size)
        flags = (sliced.SIGNED if signed else 0) | (sliced.TOKEN if n_rows > 1 else 0) | how
        scales = Section("scales", sliced.pack_scales([row.blocks for row in rows]))
        if self.entropy == "rans":
            flags |= sliced.RANS
            owned = sliced.owned_values(rows, self.n_blocks, signed)
            coded = [scales, *streams.write([labels, *owned])]
        else:
            packed = packing.pack(labels, packing.width_for(self.n_blocks - 1))
            values = Section("values", sliced.pack_values(rows, self.n_blocks, signed))
            coded = [Section("labels", packed), scales, values]
        head = Writer().u8(flags).u8(self.n_blocks).varint(labels.size)
        return [Section("header", head.done()), Section("positions", where), *coded]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """Kept elements at their reconstructed levels, zeros elsewhere."""
        return sliced.read(sections, patch)

    def _row(self, x: Floats) -> Row:
        keep = self._keep(x)
        count = int(np.count_nonzero(keep))
        magnitudes, signs = np.empty(count + 1, np.float32), np.empty(count + 1, np.uint8)
        blocks.gather(x, keep, magnitudes, signs)
        magnitudes, signs = magnitudes[:count], signs[:count]
        labels = blocks.split(magnitudes, self.n_blocks, self.block_rule)
        fitted = quantize.fit(
            magnitudes,
            labels,
            self.n_blocks,
            distortion=self.distortion,
            bits_min=self.bits_min,
            bits_max=self.bits_max,
            scale=self.distortion_scale,
        )
        levels = quantize.levels(magnitudes, labels, fitted, self.bits_max)
        return Row(keep, labels, levels, signs, fitted)

    def _keep(self, x: Floats) -> Bytes:
        count = sparsify.budget(x.size, self.sparsity)
        seed = self.tie_seed if self.ties == "seeded" else None
        if self.filter_form == "budget":
            return sparsify.keep_budget(x, count, asymmetry=self.asymmetry, seed=seed)
        return sparsify.keep_weighted(x, count, asymmetry=self.asymmetry, seed=seed)

    def _positions(self, mask: Mask, patch: Patch, count: int) -> tuple[bytes, int]:
        """The coded mask and its flag: the rule asked for, or the shorter of two."""
        rule = self.positions
        if rule == "auto":
            csr = positions.csr_size(patch.rows, patch.cols, count)
            rule = "bitmap" if positions.bitmap_size(patch.rows, patch.cols) <= csr else "csr"
        if rule == "bitmap":
            return positions.encode_bitmap(mask), sliced.BITMAP
        if rule == "csr":
            return positions.encode_csr(mask), 0
        candidates = []
        if rule in ("gaps", "entropy"):
            candidates.append((positions.encode_gaps(mask), sliced.GAPS))
        if rule in ("map", "entropy"):
            candidates.append((positions.encode_map(mask, sliced.planes_of(patch)), sliced.MAP))
        return min(candidates, key=lambda coded: len(coded[0]))
