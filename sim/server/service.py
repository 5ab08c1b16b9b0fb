"""How long a batch holds a GPU: its layers, what stands beside them, and how service times vary.

An empirical law is a file of measured service times over those of the profile, in the order in
which they were measured. It is played in blocks of consecutive ones, from a random place each, so
that drift and stalls keep their length. With a column `sample` a service takes, within the stretch
of its block, the factor of its own sample, so that what is slow to serve stays the row that it was.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

from profiles.tables.columns import read_columns
from profiles.tables.text import Stamp, stamp_of
from sim.sources.draw import Draw
from sim.specs import ServerSpec
from sim.streams import Stream


def batch_s(spec: ServerSpec, draws: Sequence[Draw], tail_s: float) -> float:
    """Seconds for which a batch whose layers take `tail_s` holds a GPU."""
    return spec.gpu_s(
        tail_s,
        math.fsum(draw.decode_s for draw in draws),
        math.fsum(draw.payload_bytes for draw in draws),
        math.fsum(draw.tensor_bytes for draw in draws),
        len(draws),
    )


class ServiceLaw:
    """The factors of one run's services, in order."""

    def __init__(self, spec: ServerSpec, stream: Stream) -> None:
        self._passes = passes_of(spec)
        self._block = spec.service_block
        self._stream = stream
        self._left = self._at = 0

    def factor(self, sample: int) -> float:
        """The next service's factor, of this sample where the file knows it."""
        if self._left == 0:
            self._left = self._block
            self._at = self._stream.integers(len(self._passes))
        self._left -= 1
        passed = self._passes[self._at]
        if len(passed) == 1:  # no samples: the next service follows in the file
            self._at = (self._at + 1) % len(self._passes)
        return passed[sample] if sample in passed else passed[ANY]

    @staticmethod
    def mean(spec: ServerSpec) -> float:
        """The mean factor; 1 without such a law."""
        if spec.service_law == "constant":
            return 1.0
        passes = passes_of(spec)
        return math.fsum(each[ANY] for each in passes) / len(passes)


ANY = -1
_LEAST, _MOST = 1e-6, 1e6
_LARGEST_SAMPLE = 1e12


def passes_of(spec: ServerSpec) -> tuple[dict[int, float], ...]:
    """Factors by sample, one dict per pass over the samples; the mean of a pass under -1.

    A pass ends where a sample comes again; without the column `sample` every row is one.

    Raises:
        ValueError: no such file, no column factor, no rows, or a factor that is not above 0.
    """
    return _read(spec.service_csv, stamp_of(spec.service_csv, "server.service_csv"))


@lru_cache(maxsize=16)
def _read(path: str, stamp: Stamp) -> tuple[dict[int, float], ...]:
    """A file of another `stamp` is read again."""
    columns = read_columns(path, "server.service_csv")
    factors = columns.numbers("factor", low=_LEAST, high=_MOST)
    samples = [float(ANY)] * len(factors)
    if "sample" in columns:
        samples = columns.numbers("sample", low=0.0, high=_LARGEST_SAMPLE, whole=True)
    passes: list[dict[int, float]] = []
    for sample, factor in zip(map(int, samples), factors, strict=True):
        if not passes or sample == ANY or sample in passes[-1]:
            passes.append({})
        passes[-1][sample] = factor
    return tuple({**each, ANY: math.fsum(each.values()) / len(each)} for each in passes)
