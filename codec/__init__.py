"""Feature codecs: tensor to bytes and back."""

from codec.base import (
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

__all__ = [
    "FORMAT_VERSION",
    "Codec",
    "CodecError",
    "CodecOptionError",
    "CorruptBitstreamError",
    "MissingCalibrationError",
    "NonFiniteError",
    "UnknownCodecError",
    "UnsupportedInputError",
]
