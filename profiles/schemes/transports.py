"""Transports: what of a payload arrives where the link does not repeat until it is right.

    payload = side | symbols             codec/stream/tolerance.py

    exact        the codec's own stream with its checksum; lost frames are sent again
    bit_errors   side, side, ..., side | symbols      every bit flipped with the same probability;
                 an odd number of copies, the majority of each bit counts: the header is protected
    erasure      side | symbols 0,  side | symbols 1, ...      segments, one a frame, each lost or
                 whole; what arrives knows its place by the frame's own header

Only codecs that tolerate damage are carried by the last two: of fixed length, without an entropy
code, read symbol by symbol. Bits and frames are damaged independently, as `sim/radio/errors.py`
has it: a raw or weakly coded link, without the forward error correction of Wi-Fi and cellular.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

import codec
from codec.stream.tolerance import Fixed, Tolerant
from profiles.schemes.own import make_own

Flags = NDArray[np.bool_]

HEADER_RISK = 1e-3
"""Probability that any bit of a protected header is wrong after the vote, at most."""
_MOST_COPIES = 999


class Arrival(NamedTuple):
    """What has arrived: a payload, and of every byte of its symbols whether it is missing."""

    payload: Fixed
    missing: Flags


@runtime_checkable
class Transport(Protocol):
    """Carries a payload that may be damaged; frozen, with values that name it."""

    @property
    def label(self) -> str:
        """What it is, with its rates: the name of its channel in a trace table."""

    def sent_bytes(self, payload: Fixed) -> int:
        """Bytes of the payload on the air, protection included, the frames' headers not.

        Raises:
            ValueError: it cannot be carried.
        """

    def carry(self, payload: Fixed, draw: np.random.Generator) -> Arrival:
        """One payload's way, damaged by `draw` alone."""


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """Segments that are lost or arrive whole.

    `loss_rate`: of a frame whatever its length; `bit_error_rate`: a frame of L bytes with its
    `header_bytes` is lost with any bit, 1 - (1 - loss) (1 - BER)^(8 L); `segment_bytes`: of a
    frame's payload, the copy of the side in it included.

    Raises:
        ValueError: a rate outside 0..1, a segment of no bytes.
    """

    loss_rate: float
    segment_bytes: int
    bit_error_rate: float = 0.0
    header_bytes: int = 0

    def __post_init__(self) -> None:
        _check_rates(loss_rate=self.loss_rate, bit_error_rate=self.bit_error_rate)
        if self.segment_bytes < 1:
            raise ValueError(f"segment_bytes must be >= 1, got {self.segment_bytes}")

    @property
    def label(self) -> str:
        """Losses, and what a segment is."""
        bits = f" ber {self.bit_error_rate:g}" if self.bit_error_rate else ""
        header = f" with {self.header_bytes} B" if self.bit_error_rate else ""
        return f"erasure {self.loss_rate:g}{bits}, segments of {self.segment_bytes} B{header}"

    def sent_bytes(self, payload: Fixed) -> int:
        """The symbols, and the side in every segment."""
        return len(payload.symbols) + len(self._sizes(payload)) * len(payload.side)

    def carry(self, payload: Fixed, draw: np.random.Generator) -> Arrival:
        """The symbols of lost segments are missing; the side arrives with any segment."""
        sizes = self._sizes(payload)
        frames = sizes + len(payload.side) + self.header_bytes
        through = (1.0 - self.loss_rate) * (1.0 - self.bit_error_rate) ** (8.0 * frames)
        missing = np.repeat(draw.random(len(sizes)) >= through, sizes)
        symbols = np.frombuffer(payload.symbols, np.uint8) * ~missing
        return Arrival(Fixed(payload.side, symbols.tobytes()), missing)

    def _sizes(self, payload: Fixed) -> NDArray[np.int64]:
        """Bytes of symbols in every segment."""
        room = self.segment_bytes - len(payload.side)
        if room < 1:
            raise ValueError(
                f"a segment must hold more than the {len(payload.side)} B that each repeats, got"
                f" {self.segment_bytes} B"
            )
        starts = np.arange(0, max(1, len(payload.symbols)), room)
        return np.diff(np.append(starts, len(payload.symbols)))


@dataclass(frozen=True, kw_only=True)
class BitErrors:
    """Bits of the symbols flipped, each with probability `rate`; the side is protected.

    The side is sent `copies(...)` times, the fewest (odd) at which the vote leaves it wrong with a
    probability of at most `HEADER_RISK`; Approximation: it then counts as right. `frames`: what
    loses whole frames besides.

    Raises:
        ValueError: a rate outside 0..0.5.
    """

    rate: float
    frames: Erasure | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 0.5:
            raise ValueError(f"bit_error_rate must be in 0..0.5, got {self.rate:g}")

    @property
    def label(self) -> str:
        """The rate, and what loses frames."""
        frames = f", {self.frames.label}" if self.frames is not None else ""
        return f"bit_errors {self.rate:g}{frames}"

    def copies(self, side_bytes: int) -> int:
        """How often a side of so many bytes is sent.

        Raises:
            ValueError: no reasonable number of copies protects it.
        """
        return _copies(side_bytes, self.rate)

    def sent_bytes(self, payload: Fixed) -> int:
        """The symbols, and every copy of the side."""
        protected = len(payload.side) * self.copies(len(payload.side))
        if self.frames is None:
            return protected + len(payload.symbols)
        return self.frames.sent_bytes(Fixed(b"\0" * protected, payload.symbols))

    def carry(self, payload: Fixed, draw: np.random.Generator) -> Arrival:
        """Every bit of the symbols on its own; the side as it was."""
        way = self._lose(payload, draw)
        bits = draw.random(8 * len(payload.symbols)) < self.rate
        flipped = np.frombuffer(way.payload.symbols, np.uint8) ^ np.packbits(bits)
        symbols = (flipped * ~way.missing).astype(np.uint8)
        return Arrival(Fixed(payload.side, symbols.tobytes()), way.missing)

    def _lose(self, payload: Fixed, draw: np.random.Generator) -> Arrival:
        if self.frames is None:
            return Arrival(payload, np.zeros(len(payload.symbols), bool))
        protected = len(payload.side) * self.copies(len(payload.side))
        return self.frames.carry(Fixed(b"\0" * protected, payload.symbols), draw)


@cache
def _copies(side_bytes: int, rate: float) -> int:
    every = np.arange(1, _MOST_COPIES + 1, 2)
    safe = every[8 * side_bytes * binom.sf(every // 2, every, rate) <= HEADER_RISK]
    if not len(safe):
        raise ValueError(
            f"{_MOST_COPIES} copies do not protect a header of {side_bytes} B at a bit error rate"
            f" of {rate:g}"
        )
    return int(safe[0])


def transport_of(link: Any, own: str = "") -> Transport | None:
    """What a link (`sim.LinkSpec`) does to payloads; None where they arrive exactly.

    A segment is a frame of `mtu_bytes`, so that what is lost here is what the simulator loses.
    `own`: FILE.py:FUNCTION of a transport of the user, which takes the link and makes one.

    Raises:
        ValueError: losses that are not independent from frame to frame, or a file that makes no
            transport.
    """
    if link.transport == "exact":
        return None
    if own:
        made: Transport = make_own("transport", own, Transport, link)
        return made
    if link.rate == "outage" or link.fading != "none":
        raise ValueError(
            f"link.transport={link.transport} damages bits and frames independently, got"
            f" link.rate={link.rate}, link.fading={link.fading}; link.transport=exact plays those"
        )
    lost, wrong = link.frame_error_rate, link.wrong_bits
    if link.transport == "erasure":
        return Erasure(
            loss_rate=lost, bit_error_rate=wrong, segment_bytes=link.mtu_bytes,
            header_bytes=int(link.header_bytes),
        )  # fmt: skip
    frames = Erasure(loss_rate=lost, segment_bytes=link.mtu_bytes) if lost else None
    return BitErrors(rate=wrong, frames=frames)


def name_way(way: Transport) -> str:
    """A transport and the code that it is: what was traced over it is that of this name."""
    return f"{type(way).__module__}: {way.label}"


def check_tolerant(name: str, chosen: Any, transport: str) -> Tolerant:
    """The codec, if it reads damaged payloads.

    Raises:
        ValueError: it does not, and why.
    """
    if isinstance(chosen, Tolerant):
        return chosen
    raise ValueError(
        f"codec={name} writes payloads of variable length, of which one wrong bit or missing"
        f" segment spoils the rest, so it needs link.transport=exact, got {transport};"
        f" fixed-length ones are {', '.join(tolerant())}"
    )


def tolerant() -> tuple[str, ...]:
    """The chains that read damaged payloads."""
    return tuple(name for name in codec.names() if isinstance(codec.create(name), Tolerant))


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"{name} must be in 0..1, got {rate:g}")
