"""Rate traces: the speed of a medium as it was recorded, what `link.rate_csv` names.

A file has the columns time_s (ascending) and factor (>= 0, of the link's own rate). It begins with
its first row and ends one usual step (the median one) after its last; a last row without a factor
says when it ends instead. Those shipped in profiles/data/rates are synthetic
(sim/radio/fluctuation.py); a recording in the same two columns is played the same way.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from statistics import median

from sim.specs.check import one_of


@dataclass(frozen=True)
class Trace:
    """Factors from `times_s` (ascending from 0) on, until `length_s`."""

    times_s: tuple[float, ...]
    factors: tuple[float, ...]
    length_s: float

    def play(self, offset_s: float, *, repeats: bool) -> Iterator[tuple[float, float]]:
        """(time in s, factor) of every change, from `offset_s` of the trace on; over and over, or
        once, its last factor being held.
        """
        held = max(k for k, time in enumerate(self.times_s) if time <= offset_s)
        yield 0.0, self.factors[held]
        start_s, first = -offset_s, held + 1
        while True:
            for time_s, factor in zip(self.times_s[first:], self.factors[first:], strict=True):
                yield start_s + time_s, factor
            if not repeats:
                return
            start_s, first = start_s + self.length_s, 0


def read(name: str) -> Trace:
    """A rate trace, from a file or, where there is none, from a shipped one of that name.

    Raises:
        ValueError: an unknown name, other columns, no rows, what is no number, times that do not
            ascend, factors below 0, nothing but silence.
    """
    with locate(name).open() as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or not {"time_s", "factor"} <= set(reader.fieldnames):
            raise ValueError(f"link.rate_csv needs columns time_s, factor, got {name}")
        rows = [_read_row(row, number, name) for number, row in enumerate(reader, start=1)]
    times = [time for time, _ in rows]
    factors = [factor for _, factor in rows if factor is not None]
    if any(b <= a for a, b in pairwise(times)) or any(factor < 0.0 for factor in factors):
        raise ValueError(f"link.rate_csv needs ascending times and factors >= 0, got {name}")
    if not any(factors):
        raise ValueError(f"link.rate_csv needs a factor above 0, got none in {name}")
    if None in (factor for _, factor in rows[:-1]):
        raise ValueError(f"link.rate_csv needs a factor in every row but the last, got {name}")
    end_s = times[-1]
    if rows[-1][1] is not None:
        end_s += median(b - a for a, b in pairwise(times)) if len(times) > 1 else 1.0
    starts = tuple(time - times[0] for time in times[: len(factors)])
    return Trace(starts, tuple(factors), end_s - times[0])


def locate(name: str) -> Traversable | Path:
    """The file that `link.rate_csv` means."""
    if Path(name).exists():
        return Path(name)
    folder = resources.files("profiles") / "data" / "rates"
    one_of("link.rate_csv", name, [item.name for item in folder.iterdir()])
    return folder / name


def _read_row(row: dict[str, str], number: int, name: str) -> tuple[float, float | None]:
    """Time and factor, None where there is none."""
    try:
        time_s = float(row["time_s"])
        factor = float(row["factor"]) if row["factor"] else None
    except (TypeError, ValueError):
        raise ValueError(
            f"link.rate_csv row {number} must hold numbers, got {row} in {name}"
        ) from None
    if not math.isfinite(time_s) or (factor is not None and not math.isfinite(factor)):
        raise ValueError(f"link.rate_csv row {number} must hold finite numbers, got {row}")
    return time_s, factor
