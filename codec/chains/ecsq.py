"""Entropy-coded scalar quantization: the strong baseline that keeps every element and its order.

    x (n,) --> scale --> |x| / step --> fine bins --> thresholds, centroids -----> scales
                             |                             |
                             |                             v
                             +---------------------> levels (n,) --> dense rANS --> values, tables
                             |
                             +--> beyond the grid -----------------------------> positions

No positions and no labels: zeros are symbols like others, and rANS gives each the bits that it is
worth. Four coders: one table sent with the chunk (order0), nine contexts from causal neighbours
(context; for maps, where large values cluster), a mix of contexts that learn as they go (adaptive;
the fewest bits, at 60 to 130 ns an element: `codec.entropy.adaptive`), or tables that both sides
hold (static, see `codec.stages.calibration`). The grid is that of `codec.stages.scalar`.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from codec.chains import level_sections, static
from codec.entropy import coder as entropy
from codec.stages import scalar
from codec.stages.calibration import ID_BYTES, Calibration
from codec.stages.far import far_section, put_far
from codec.stages.scalar import SENT, Floats
from codec.stream.base import CodecOptionError, CorruptBitstreamError, MissingCalibrationError
from codec.stream.container import CODED, Chunk, Section
from codec.stream.fields import Reader
from codec.stream.frame import (
    Bytes,
    FloatCodec,
    Patch,
    require_choice,
    require_number,
    sections_of,
)
from codec.whole import ecsq_decoder, ecsq_encoder

CODERS = ("auto", "order0", "context", "adaptive", "static")
DEFAULT_RDOQ = 0.1155
"""2 ln 2 / 12: at high rate the slope of distortion over rate, in steps squared per bit."""
_STATIC = 2
_FAR = level_sections.FAR


@dataclass(frozen=True, kw_only=True)
class Ecsq(FloatCodec):
    """The chain above.

    step: width of a cell, in root mean squares of the chunk; 0.35 gives a relative L2 error of
    about 0.1. rdoq: weight of a bit against a squared step, 0 for plain rounding. coder: "order0",
    "context", "adaptive" (or one of these two where it is shorter), "static" for the step and the
    tables of a calibration, or "auto": static where there is a calibration with tables, else
    contexts where a probe of the chunk gains 2 % by them.
    """

    step: float = 0.35
    rdoq: float = DEFAULT_RDOQ
    coder: str = "auto"
    calibration: Calibration | None = None

    name: ClassVar[str] = "ecsq"
    chain_id: ClassVar[int] = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("ecsq", "step", self.step, 1e-4, 100)
        require_number("ecsq", "rdoq", self.rdoq, 0, 1)
        require_choice("ecsq", "coder", self.coder, CODERS)
        known = self.calibration is not None and bool(self.calibration.tables)
        if self.coder == "static" and not known:
            raise CodecOptionError("ecsq.coder=static needs a calibration with tables")

    def make_chunk(self, x: Floats, patch: Patch) -> Chunk:
        """In one piece where the chunk has a table of its own and no far values."""
        staged = self._known is not None or self.coder == "adaptive"
        made = None if staged else ecsq_encoder.mark(x, self.step, self.rdoq)
        if made is None:
            return super().make_chunk(x, patch)
        if self.coder != "order0":
            marks = made.marks.reshape(patch.planes)
            probe = level_sections.probe(marks)
            if self.coder == "context" or (
                probe.size and level_sections.clusters(ecsq_encoder.levels_of(made, probe))
            ):
                levels = ecsq_encoder.levels_of(made, marks)
                sections = level_sections.make(levels, made.step, made.offsets, b"", "context")
                return Chunk(CODED, tuple(sections))
        return Chunk(CODED, framed=ecsq_encoder.emit(made).data)

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Scales, far values, and the levels of all elements under the chosen coder."""
        if self._known is not None:
            return self._encode_static(x, patch, self._known)
        step = _storable(self.step * scalar.scale_of(x))
        bins, counts, n_far = scalar.bin_chunk(x, step)
        grid = scalar.fit(counts, self.rdoq, _sign_bits(x))
        levels = scalar.levels(x, bins, grid.table)
        far = far_section(x, levels, n_far)
        levels = levels.reshape(patch.planes)
        coder = level_sections.choose(levels) if self.coder == "auto" else self.coder
        return level_sections.make(levels, step, grid.offsets, far, coder)

    def decode_whole(self, data: Bytes, at: int, patch: Patch) -> Floats | None:
        """Where the chunk has a table of its own and no far values."""
        return ecsq_decoder.decode(data, at, patch.size)

    @property
    def _known(self) -> Calibration | None:
        """The calibration whose tables are used, if any."""
        known = self.calibration
        used = known is not None and known.tables and self.coder in ("auto", "static")
        return known if used else None

    def _encode_static(self, x: Floats, patch: Patch, known: Calibration) -> list[Section]:
        """Nothing but the id of the calibration and the levels."""
        owners = static.classes_of(known, patch)
        levels, n_far = static.levels(x, owners, known, self._tables)
        far = far_section(x, levels, n_far)
        data = entropy.encode_mixed(levels, owners, known.tables, signed=True)
        return [
            Section("header", bytes([_STATIC | (_FAR if far else 0)]) + known.id),
            *([Section("positions", far)] if far else []),
            Section("values", data),
        ]

    @cached_property
    def _tables(self) -> npt.NDArray[np.uint16]:
        """Level of every fine bin under each class's table: (class, BINS)."""
        assert self.calibration is not None
        return static.decisions(self.calibration, self.rdoq)

    def _decode_static(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        middle = ("positions",) if len(sections) == 3 else ()
        head, *far, values = sections_of(sections, "header", *middle, "values")
        if len(head) != 1 + ID_BYTES or bool(head[0] & _FAR) != bool(far):
            raise CorruptBitstreamError("a static chunk must name its calibration")
        if self.calibration is None or not self.calibration.tables:
            raise MissingCalibrationError(
                f"the stream needs calibration {bytes(head[1:]).hex()}: pass calibration="
            )
        self.calibration.require(bytes(head[1:]))
        owners = static.classes_of(self.calibration, patch)
        levels = entropy.decode_mixed(values, owners, self.calibration.tables)
        out = static.reconstruct(levels, owners, self.calibration)
        if far:
            put_far(far[0], out)
        return out

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """Every level at its centroid."""
        if sections and bytes(sections[0].data[:1]) in (b"\x02", b"\x12"):
            return self._decode_static(sections, patch)
        scales, far, levels = level_sections.read(sections, patch.planes)
        step, offsets = read_scales(scales)
        out = scalar.reconstruct(levels, step, offsets)
        if far is not None:
            put_far(far, out)
        return out


def read_scales(data: memoryview) -> tuple[float, npt.NDArray[np.int8]]:
    """Step and centroid offsets; CorruptBitstreamError for a step that is not positive."""
    fields = Reader(data)
    step, offsets = fields.f32(), np.frombuffer(fields.raw(SENT), dtype=np.int8)
    fields.end()
    if step <= 0:
        raise CorruptBitstreamError(f"step must be positive, got {step:g}")
    return step, offsets


def _storable(step: float) -> float:
    """The step as the stream holds it: a normal, positive float32."""
    info = np.finfo(np.float32)
    return float(np.float32(min(max(step, float(info.tiny)), float(info.max) / 4)))


def _sign_bits(x: Floats) -> float:
    """Bits that a sign is worth: 0 after a rectifier, 1 where both are as frequent."""
    share = float((x < 0).sum()) / max(float((x != 0).sum()), 1.0)
    if share in (0.0, 1.0):
        return 0.0
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)
