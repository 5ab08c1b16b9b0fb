"""Whole numbers under tables that both sides hold, one for every channel: a learned prior.

    x (channel, ...) --> round --> minus its centre --> rANS, its channel's table --> values
                                        |
                                        +--> beyond its table, escaped --> values

What a network with an entropy bottleneck sends. Its density of every channel has become integer
frequencies once, where it was trained (`codec.entropy.frequency_tables`), so that every machine
decodes what any other has encoded. They travel never: the stream names the calibration, four bytes.
On whole numbers the chain is exact; any others are rounded, half to even.

    header    id of the calibration, 4 | flags of the entropy coder, 1
    values    what the entropy coder wrote behind its flags; its fourth byte is left out where it
              is 0, as that of a short stream (the top of its state) is every other time
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from codec.entropy import coder as entropy
from codec.stages.calibration import Calibration
from codec.stream.base import (
    CorruptBitstreamError,
    MissingCalibrationError,
    UnsupportedInputError,
)
from codec.stream.container import Section
from codec.stream.frame import FloatCodec, Floats, Patch, sections_of

LARGEST = 1 << 23
"""Magnitude up to which float32 holds every whole number; larger ones are refused."""
_ID_BYTES = 4
_FOURTH = 3
_SHORT = 0x80
"""Flag beside those of the entropy coder: the fourth byte is left out."""

Contexts = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Prior(FloatCodec):
    """The chain above. `calibration`: the tables, one for each index of the first axis of a map
    (its `mean` their centres); without one nothing is encoded or decoded.
    """

    calibration: Calibration | None = None

    name: ClassVar[str] = "prior"
    chain_id: ClassVar[int] = 16

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """Nothing but the name of the tables and the numbers."""
        known = self._need_calibration()
        largest = float(np.abs(x).max())
        if largest > LARGEST:
            raise UnsupportedInputError(f"prior takes numbers up to {LARGEST}, got {largest:g}")
        features = _features(known, patch)
        symbols = np.rint(x).astype(np.int32) - _centres(known)[features]
        data = entropy.encode_mixed(symbols, _classes(known, features), known.tables, signed=True)
        flags, values = data[0], data[1:]
        if values[_FOURTH] == 0:
            flags, values = flags | _SHORT, values[:_FOURTH] + values[_FOURTH + 1 :]
        return [
            Section("header", known.id[:_ID_BYTES] + bytes([flags])),
            Section("values", values),
        ]

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """The whole numbers."""
        head, values = (bytes(part) for part in sections_of(sections, "header", "values"))
        if len(head) != _ID_BYTES + 1 or len(values) < _FOURTH:
            raise CorruptBitstreamError("a chunk under a prior must name its calibration")
        known = self._need_calibration()
        if head[:_ID_BYTES] != known.id[:_ID_BYTES]:
            raise MissingCalibrationError(
                f"the stream needs calibration {head[:_ID_BYTES].hex()}, got {known.id.hex()}"
            )
        if head[-1] & _SHORT:
            values = values[:_FOURTH] + b"\0" + values[_FOURTH:]
        elif values[_FOURTH:][:1] == b"\0":
            raise CorruptBitstreamError("a byte of zero that should have been left out")
        features = _features(known, patch)
        data = bytes([head[-1] & ~_SHORT]) + values
        symbols = entropy.decode_mixed(data, _classes(known, features), known.tables)
        numbers = symbols.astype(np.int64) + _centres(known)[features]
        if int(np.abs(numbers).max()) > LARGEST:
            raise CorruptBitstreamError(f"numbers under a prior must lie within {LARGEST}")
        return numbers.astype(np.float32)

    def _need_calibration(self) -> Calibration:
        if self.calibration is None or not self.calibration.tables:
            raise MissingCalibrationError(
                "prior needs a calibration with tables: the scheme whose bottleneck it encodes"
                " brings it, such as scheme=ladon"
            )
        return self.calibration


def _features(known: Calibration, patch: Patch) -> npt.NDArray[np.int64]:
    """Which feature of the calibration every element of a chunk is one of.

    Raises UnsupportedInputError for a tensor of other features.
    """
    shape, axis = patch.shape, known.axis
    if len(shape) < -axis or shape[axis] != known.size:
        raise UnsupportedInputError(
            f"the prior has {known.size} channels along axis {axis}, got {shape}"
        )
    inner = math.prod(shape[len(shape) + axis + 1 :])
    return np.arange(patch.start, patch.stop) // inner % known.size


def _classes(known: Calibration, features: npt.NDArray[np.int64]) -> Contexts:
    """The table of every element."""
    assert known.classes is not None
    return known.classes[features]


def _centres(known: Calibration) -> npt.NDArray[np.int32]:
    """The whole number that every feature's table has as its 0."""
    return np.rint(np.clip(known.mean, -LARGEST, LARGEST)).astype(np.int32)
