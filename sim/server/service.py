"""How long a batch holds a GPU: its layers, what stands beside them, and how service times vary.

An empirical law is a file of measured service times over those of the profile, in the order in
which they were measured. It is played in blocks of consecutive ones, from a random place each, so
that drift and stalls keep their length. With a column `sample` a service takes, within the stretch
of its block, the factor of its own sample, so that what is slow to serve stays the row that it was.
"""

import csv
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from sim.sources.source import Draw
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
        path = Path(spec.service_csv)
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        self._passes = read_passes(spec.service_csv, stamp)
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
        return passed[sample] if sample in passed else passed[_ANY]

    @staticmethod
    def mean(spec: ServerSpec) -> float:
        """The mean factor; 1 without such a law."""
        if spec.service_law == "constant":
            return 1.0
        passes = read_passes(spec.service_csv, Path(spec.service_csv).stat().st_mtime_ns)
        return math.fsum(each[_ANY] for each in passes) / len(passes)


_ANY = -1


@lru_cache(maxsize=16)
def read_passes(path: str, stamp: int) -> tuple[dict[int, float], ...]:
    """Factors by sample, one dict per pass over the samples; the mean of a pass under -1.

    A pass ends where a sample comes again; without the column `sample` every row is one. `stamp` is
    the file's time of change.

    Raises:
        ValueError: no such file, no column factor, no rows, or a factor that is not above 0.
    """
    if not Path(path).is_file():
        raise ValueError(f"server.service_csv must name a file, got {path!r}")
    with Path(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        if reader.fieldnames is None or "factor" not in reader.fieldnames:
            raise ValueError(f"server.service_csv needs a column factor, got {path}")
        rows = [_read_row(row, number, path) for number, row in enumerate(reader, start=1)]
    if not rows:
        raise ValueError(f"server.service_csv needs rows, got none in {path}")
    passes: list[dict[int, float]] = []
    for sample, factor in rows:
        if not passes or sample == _ANY or sample in passes[-1]:
            passes.append({})
        passes[-1][sample] = factor
    return tuple({**each, _ANY: math.fsum(each.values()) / len(each)} for each in passes)


def _read_row(row: dict[str, str], number: int, path: str) -> tuple[int, float]:
    """Sample (-1 without one) and factor of a row."""
    try:
        sample = int(row["sample"]) if row.get("sample") else _ANY
        factor = float(row["factor"])
    except (TypeError, ValueError):
        raise ValueError(
            f"server.service_csv row {number} must hold numbers, got {row} in {path}"
        ) from None
    if not 0.0 < factor < math.inf or sample < _ANY:
        raise ValueError(f"server.service_csv row {number} needs a factor > 0, got {row} in {path}")
    return sample, factor
