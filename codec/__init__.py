"""Feature codecs: tensor to bytes and back.

chain = codec.create("slicer", sparsity=0.5)
data = chain.encode(x)                          # numpy or torch; fp32, fp16 or bf16
y = codec.decode(data)                          # shape and dtype of x
codec.ledger(data)                              # bytes by part, adding up to len(data)
"""

from codec.chains.registry import create, decode, ledger, names
from codec.fitting import calibrate
from codec.stages.calibration import Calibration
from codec.stream.base import (
    FORMAT_VERSION,
    Codec,
    CodecError,
    CodecOptionError,
    CorruptBitstreamError,
    MissingCalibrationError,
    NonFiniteError,
    UnknownCodecError,
    UnsupportedInputError,
)
from codec.stream.revision import revision

__all__ = [
    "FORMAT_VERSION",
    "Calibration",
    "Codec",
    "CodecError",
    "CodecOptionError",
    "CorruptBitstreamError",
    "MissingCalibrationError",
    "NonFiniteError",
    "UnknownCodecError",
    "UnsupportedInputError",
    "calibrate",
    "create",
    "decode",
    "ledger",
    "names",
    "revision",
]
