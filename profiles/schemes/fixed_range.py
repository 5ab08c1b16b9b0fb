"""Eight bits a number between fixed ends: no range is sent, and no number takes more than a byte.

    first byte     [ level of the first number, 8 - h bits | branch, h bits ]
    others         level, 8 bits              level = round((2**bits - 1) (x - low) / (high - low))

Where the server does not know which of n branches a payload is of, h = ceil(log2 n) bits say so,
and the first number makes do with what is left of its byte; otherwise h = 0. Numbers outside the
ends are clipped. How many there are follows from the branch; the link's frames carry the checksum.
NaviSplit (arXiv 2406.13086) has one range for all numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.stream.base import PARTS, CorruptBitstreamError, UnsupportedInputError

LEVELS = 255
_MOST_BRANCHES = 16


@dataclass(frozen=True, kw_only=True)
class FixedRange:
    """A codec of `size` numbers between `low` and `high`, those of branch `branch` of `n_branches`.

    Raises:
        ValueError: ends that do not rise, no numbers, a branch that there is not.
    """

    size: int
    low: float
    high: float
    branch: int = 0
    n_branches: int = 1

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"fixed8.high must be above low = {self.low:g}, got {self.high:g}")
        if self.size < 1:
            raise ValueError(f"fixed8.size must be >= 1, got {self.size}")
        if not 1 <= self.n_branches <= _MOST_BRANCHES:
            raise ValueError(
                f"fixed8.n_branches must be in 1..{_MOST_BRANCHES}, got {self.n_branches}"
            )
        if not 0 <= self.branch < self.n_branches:
            raise ValueError(
                f"fixed8.branch must be in 0..{self.n_branches - 1}, got {self.branch}"
            )

    name = "fixed8"

    @property
    def options(self) -> Mapping[str, Any]:
        """Every option with its value."""
        names = ("size", "low", "high", "branch", "n_branches")
        return {name: getattr(self, name) for name in names}

    @property
    def spec(self) -> str:
        """Name and options."""
        return f"fixed8({','.join(f'{k}={v!r}' for k, v in sorted(self.options.items()))})"

    @property
    def header_bits(self) -> int:
        """Bits that say which branch it is."""
        return (self.n_branches - 1).bit_length()

    def encode(self, x: np.ndarray) -> bytes:
        """The levels, the branch in the lowest bits of the first byte.

        Raises:
            UnsupportedInputError: not so many finite numbers.
        """
        if x.size != self.size or not np.isfinite(x).all():
            raise UnsupportedInputError(
                f"fixed8 takes {self.size} finite numbers, got shape {x.shape}"
            )
        unit = (np.asarray(x, np.float64).ravel() - self.low) / (self.high - self.low)
        levels = np.rint(self._tops * np.clip(unit, 0.0, 1.0)).astype(np.uint8)
        levels[0] = levels[0] << self.header_bits | self.branch
        return levels.tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        """The numbers (size,), float32.

        Raises:
            CorruptBitstreamError: another length, or another branch.
        """
        levels = np.frombuffer(data, np.uint8).astype(np.float64)
        if len(data) != self.size or data[0] % (1 << self.header_bits) != self.branch:
            raise CorruptBitstreamError(f"no {self.spec}: {data[:8].hex()}, {len(data)} bytes")
        levels[0] = data[0] >> self.header_bits
        return (self.low + levels * ((self.high - self.low) / self._tops)).astype(np.float32)

    def ledger(self, data: bytes) -> dict[str, int]:
        """Bytes by what they are for; the byte that numbers share with the branch is theirs."""
        return {**dict.fromkeys(PARTS, 0), "values": len(data)}

    @property
    def _tops(self) -> NDArray[np.float64]:
        """The highest level of every number."""
        tops = np.full(self.size, float(LEVELS))
        tops[0] = LEVELS >> self.header_bits
        return tops
