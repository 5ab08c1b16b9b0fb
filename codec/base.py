"""The errors of the codec library; all of them are ValueErrors."""


class CodecError(ValueError):
    """Anything that codec raises on purpose."""


class CorruptBitstreamError(CodecError):
    """The bytes are not what an encoder of this library writes."""


class NonFiniteError(CodecError):
    """The tensor holds a NaN or an infinity."""


class UnknownCodecError(CodecError):
    """No codec or option has this name."""
