"""Random streams keyed by purpose and device, so that device i keeps its numbers when N changes.

Every number has a place of its own (sim/philox.py): the key is made of the seed and the purpose,
the counter of the request, the device and the replication. So request k of device i pauses as long
and draws the same row whatever the others do, however many numbers another request needed, and
whatever else the runs differ in (common random numbers).
"""

import math
import zlib
from statistics import NormalDist

import numpy as np

_FIRST_BLOCK = 4
_LARGEST_BLOCK = 256
_LARGEST_SEED = 2**64 - 1
_STANDARD_NORMAL = NormalDist()
_BOTH_LANES = 2
REQUESTS = "requests"
PAUSES, ROWS = 0, 1  # lanes of a request's call


class Stream:
    """Uniform numbers of one device for one purpose, in a row, and what is made from them.

    The methods carry NumPy's names (`random`, `integers`, `exponential`, `normal`, `gamma`), so
    that a `numpy.random.Generator` may stand in. All but `gamma` use one uniform number per
    value by inversion, which keeps paired runs in step.
    """

    __slots__ = ("_block", "_first", "_index", "_place", "_purpose", "_size")

    def __init__(self, purpose: "_Purpose", index: int) -> None:
        self._purpose = purpose
        self._index = index
        self._first = 0
        self._place = 0
        self._size = _FIRST_BLOCK
        self._block: list[float] = []

    def random(self) -> float:
        """One uniform number in [0, 1)."""
        place = self._place
        if place == len(self._block):
            self._refill(_BOTH_LANES, self._size // 2)
            place = 0
        self._place = place + 1
        return self._block[place]

    def _refill(self, lane: int, calls: int) -> None:
        """The next block, of so many calls."""
        self._block = self._purpose.block(self._first, self._index, self._size, lane)
        self._first += calls
        self._place = 0
        self._size = min(2 * self._size, _LARGEST_BLOCK)

    def integers(self, high: int) -> int:
        """One integer in [0, high)."""
        return int(self.random() * high)

    def exponential(self, scale: float = 1.0) -> float:
        """One exponential number with mean `scale`."""
        return scale * float(self._purpose.minus_log(self.random()))

    def normal(self, loc: float = 0.0, scale: float = 1.0) -> float:
        """One normal number with mean `loc` and standard deviation `scale`."""
        uniform = self.random()
        return loc + scale * _STANDARD_NORMAL.inv_cdf(uniform if uniform > 0.0 else 2.0**-54)

    def gamma(self, shape: float, scale: float = 1.0) -> float:
        """One gamma number with mean `shape * scale` (Marsaglia and Tsang 2000, by rejection)."""
        if shape < 1.0:
            boost = math.exp(-self.exponential() / shape)
            return boost * self.gamma(shape + 1.0, scale)
        d = shape - 1.0 / 3.0
        c = 1.0 / math.sqrt(9.0 * d)
        while True:
            x = self.normal()
            v = (1.0 + c * x) ** 3
            if v <= 0.0:
                continue
            if -self.exponential() < 0.5 * x * x + d - d * v + d * math.log(v):
                return scale * d * v


class RequestStream(Stream):
    """Numbers of a device's requests: `advance` goes on to the next request, and every request has
    as many numbers as it asks for, at places of its own.
    """

    __slots__ = ("_asked", "_lane")

    def __init__(self, purpose: "_Purpose", index: int, lane: int) -> None:
        super().__init__(purpose, index)
        self._lane = lane
        self._place = -1
        self._asked = 0

    def advance(self) -> None:
        """The numbers from now on belong to the next request; the first one follows at once."""
        self._place += 1
        self._asked = 0
        if self._place >= len(self._block):
            self._refill(self._lane, self._size)

    def random(self) -> float:
        """The request's next uniform number in [0, 1)."""
        asked = self._asked
        self._asked = asked + 1
        if asked == 0:
            return self._block[self._place]
        request = self._first - len(self._block) + self._place
        return self._purpose.number(request, self._index, asked, self._lane)


class _Purpose:
    """The key of one purpose, and the numbers that it gives at any counter."""

    def __init__(self, key: tuple[int, int], replication: int) -> None:
        from sim import philox  # numba: who only looks at a spec does without

        self.minus_log = philox.minus_log
        self._number, self._numbers = philox.number, philox.numbers
        self._key = key
        self._replication = replication

    def block(self, first: int, index: int, size: int, lane: int) -> list[float]:
        """`size` numbers of calls in a row, of one lane or of both by turns."""
        made: np.ndarray = self._numbers(*self._key, first, index, self._replication, size, lane)
        numbers: list[float] = made.tolist()
        return numbers

    def number(self, request: int, index: int, asked: int, lane: int) -> float:
        """Number `asked` of a request."""
        made: float = self._number(*self._key, request, index, self._replication, asked, lane)
        return made


class Streams:
    """All streams of one run: `streams.pauses(device)`, `streams.stream("link", device)`.

    `seed` is the experiment's, `replication` numbers the independent repetitions of it.
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        if not 0 <= seed <= _LARGEST_SEED:
            raise ValueError(f"seed must be >= 0 and < 2^64, got {seed}")
        self._seed = seed
        self.replication = replication
        self._purposes: dict[str, _Purpose] = {}

    def key(self, purpose: str) -> tuple[int, int]:
        """The two words of a purpose: the seed's low word; a sum of its high word and the name."""
        low, high = self._seed & 0xFFFFFFFF, self._seed >> 32
        return low, zlib.crc32(purpose.encode(), high)

    def stream(self, purpose: str, index: int = 0) -> Stream:
        """The stream of device `index` for `purpose`, always from its start."""
        return Stream(self._purpose(purpose), index)

    def pauses(self, index: int = 0) -> RequestStream:
        """When device `index` makes its requests; one pause or gap a request."""
        return RequestStream(self._purpose(REQUESTS), index, PAUSES)

    def rows(self, index: int = 0) -> RequestStream:
        """What its requests are: of the same calls as its pauses."""
        return RequestStream(self._purpose(REQUESTS), index, ROWS)

    def generator(self, purpose: str) -> np.random.Generator:
        """A NumPy generator for vectorised work outside the event loop (bootstrap of rows)."""
        key = (self.replication, zlib.crc32(purpose.encode()))
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))

    def _purpose(self, name: str) -> _Purpose:
        if name not in self._purposes:
            self._purposes[name] = _Purpose(self.key(name), self.replication)
        return self._purposes[name]
