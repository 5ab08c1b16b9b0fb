"""The contract of every codec, and the family of errors it may raise."""

from collections.abc import Mapping
from typing import Any, Protocol

FORMAT_VERSION = 1
"""Version byte of every stream; a decoder reads the versions it knows and refuses others."""

PARTS = ("header", "values", "positions", "labels", "scales", "tables")
"""The parts of the byte ledger, in the order of their tags in the stream."""


class CodecError(ValueError):
    """Anything that a codec refuses."""


class UnknownCodecError(CodecError):
    """A codec name or an option name that does not exist; the message lists the nearest ones."""


class CodecOptionError(CodecError):
    """An option value outside its range; the message says what, got and allowed."""


class UnsupportedInputError(CodecError):
    """An array whose dtype, shape or size a codec does not take."""


class NonFiniteError(CodecError):
    """The input holds NaN or infinity and the codec was not told to clamp them."""


class CorruptBitstreamError(CodecError):
    """Bytes that are no valid stream: truncated, altered, hostile or of another version."""


class MissingCalibrationError(CodecError):
    """A stream refers to a basis or table by an id that the decoder was not given."""


class Codec(Protocol):
    """A named, configured way from a tensor to bytes and back.

    ``decode(encode(x))`` has the shape and dtype of ``x``; its values are as near as the codec's
    options make them. A codec holds no state: the same input gives the same bytes at every call.
    """

    @property
    def name(self) -> str:
        """Name in the registry, such as ``"slicer"``."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Every option with its value, defaults included."""

    @property
    def spec(self) -> str:
        """Stable text of name and options, such as ``"int8(axis=None)"``; usable as a key."""

    def encode(self, x: Any) -> bytes:
        """A self-describing stream. Raises ``CodecError`` for inputs that the codec refuses."""

    def decode(self, data: bytes) -> Any:
        """The array of a stream of this codec; raises ``CorruptBitstreamError`` if damaged."""
