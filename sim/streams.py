"""Random streams keyed by purpose and device, so that device i keeps its numbers when N changes.

One counter-based generator (Philox, Salmon et al. 2011) serves each purpose; its key comes from
the run's `SeedSequence`, and the upper words of its counter are the device's index. A stream
therefore costs a few words of memory, and two runs that differ in one setting share all others
(common random numbers).
"""

import math
import zlib
from statistics import NormalDist

import numpy as np

_FIRST_BLOCK = 4
_LARGEST_BLOCK = 256
_WORDS_PER_COUNT = 4
_STANDARD_NORMAL = NormalDist()


class Stream:
    """Uniform numbers of one device for one purpose, and the distributions made from them.

    The methods carry NumPy's names (`random`, `integers`, `exponential`, `normal`, `gamma`), so
    that a `numpy.random.Generator` may stand in. All but `gamma` use one uniform number per
    value by inversion, which keeps paired runs in step.
    """

    __slots__ = ("_block", "_counter", "_index", "_purpose", "_size")

    def __init__(self, purpose: "_Purpose", index: int) -> None:
        self._purpose = purpose
        self._index = index
        self._counter = 0
        self._size = _FIRST_BLOCK
        self._block: list[float] = []

    def random(self) -> float:
        """One uniform number in [0, 1)."""
        if not self._block:
            self._refill()
        return self._block.pop()

    def _refill(self) -> None:
        size = self._size
        self._block = self._purpose.block(self._index, self._counter, size)
        self._counter += size // _WORDS_PER_COUNT
        self._size = min(2 * size, _LARGEST_BLOCK)

    def integers(self, high: int) -> int:
        """One integer in [0, high)."""
        return int(self.random() * high)

    def exponential(self, scale: float = 1.0) -> float:
        """One exponential number with mean `scale`."""
        return -scale * math.log1p(-self.random())

    def normal(self, loc: float = 0.0, scale: float = 1.0) -> float:
        """One normal number with mean `loc` and standard deviation `scale`."""
        uniform = self.random()
        return loc + scale * _STANDARD_NORMAL.inv_cdf(uniform if uniform > 0.0 else 2.0**-54)

    def gamma(self, shape: float, scale: float = 1.0) -> float:
        """One gamma number with mean `shape * scale` (Marsaglia and Tsang 2000, by rejection)."""
        if shape < 1.0:
            boost = math.exp(math.log1p(-self.random()) / shape)
            return boost * self.gamma(shape + 1.0, scale)
        d = shape - 1.0 / 3.0
        c = 1.0 / math.sqrt(9.0 * d)
        while True:
            x = self.normal()
            v = (1.0 + c * x) ** 3
            if v <= 0.0:
                continue
            if math.log1p(-self.random()) < 0.5 * x * x + d - d * v + d * math.log(v):
                return scale * d * v


class _Purpose:
    """The generator of one purpose; `block` seats its counter at a device's place."""

    def __init__(self, key: np.ndarray) -> None:
        self._philox = np.random.Philox(key=key)
        self._generator = np.random.Generator(self._philox)
        self._state = self._philox.state
        self._counter: np.ndarray = self._state["state"]["counter"]

    def block(self, index: int, counter: int, size: int) -> list[float]:
        self._counter[0] = counter
        self._counter[1] = index
        self._state["buffer_pos"] = _WORDS_PER_COUNT
        self._philox.state = self._state
        numbers: list[float] = self._generator.random(size).tolist()
        return numbers


class Streams:
    """All streams of one run: `streams.stream("think", device)`.

    `seed` is the experiment's, `replication` numbers the independent repetitions of it.
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"seed must be >= 0, got {seed}")
        self._seed = seed
        self.replication = replication
        self._purposes: dict[str, _Purpose] = {}

    def _sequence(self, purpose: str) -> np.random.SeedSequence:
        key = (self.replication, zlib.crc32(purpose.encode()))
        return np.random.SeedSequence(self._seed, spawn_key=key)

    def stream(self, purpose: str, index: int = 0) -> Stream:
        """The stream of device `index` for `purpose`, always from its start."""
        if purpose not in self._purposes:
            key = self._sequence(purpose).generate_state(2, np.uint64)
            self._purposes[purpose] = _Purpose(key)
        return Stream(self._purposes[purpose], index)

    def generator(self, purpose: str) -> np.random.Generator:
        """A NumPy generator for vectorised work outside the event loop (bootstrap of rows)."""
        return np.random.default_rng(self._sequence(purpose))
