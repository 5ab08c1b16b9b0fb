"""Ways: how seconds reach a machine that nobody measured here, and how wrong each way was.

`profiles/data/ways.csv` holds, for every way and kind of processor, the number of published
latencies that it was held against and the root mean square of the logarithm of predicted over
published seconds; and what the roofline's efficiencies came to on the H100. `python -m profiles
published` makes it anew.
"""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from math import sqrt
from pathlib import Path

from scipy.special import stdtrit

from profiles.predicting.roofline import Efficiency

_PATH = Path(__file__).parent.parent / "data" / "ways.csv"

MEASURED, SLOWDOWN, ANCHOR, ROOFLINE, CALIBRATED, BANDWIDTH = (
    "measured", "slowdown", "anchor", "roofline", "roofline from a measured GPU", "bandwidth",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way on one kind of processor: `log_error` from `n` comparisons.

    `compute`, `memory` and `kernel_s` are the efficiencies of a roofline (0 for other ways).
    """

    way: str
    processor: str
    n: int
    log_error: float
    compute: float = 0.0
    memory: float = 0.0
    kernel_s: float = 0.0

    @property
    def sigma(self) -> float:
        """Of one more prediction: the normal deviation whose 95 % interval is as wide as Student's
        from so few comparisons, rms x sqrt(1 + 1 / n) x t(n) / 1.96.
        """
        return float(self.log_error * sqrt(1 + 1 / self.n) * stdtrit(self.n, 0.975) / 1.959964)


@lru_cache(maxsize=2)
def known(path: Path = _PATH) -> dict[tuple[str, str], Way]:
    """All ways by name and processor."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [_way(row) for row in csv.DictReader(file)]
    return {(row.way, row.processor): row for row in rows}


def log_error(way: str, processor: str) -> float:
    """The standard deviation of one more prediction's logarithm by a way on a kind of processor; of
    all kinds the largest where that one was not compared.
    """
    found = known().get((way, processor))
    if found is not None:
        return found.sigma
    return max(one.sigma for one in known().values() if one.way == way)


def efficiency() -> Efficiency:
    """The efficiencies of GPUs, fitted on the networks of the H100 (CUDA graphs, fp16)."""
    one = known()[ROOFLINE, "gpu"]
    return Efficiency(compute=one.compute, memory=one.memory, kernel_s=one.kernel_s)


def write(ways: Iterable[Way], path: Path = _PATH) -> None:
    """Write the file that `known` reads."""
    names = [item.name for item in fields(Way)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for way in ways:
            row = {n: f"{v:.4g}" if isinstance(v, float) else v for n, v in asdict(way).items()}
            writer.writerow(row)


def _way(row: dict[str, str]) -> Way:
    return Way(
        way=row["way"],
        processor=row["processor"],
        n=int(row["n"]),
        log_error=float(row["log_error"]),
        compute=float(row["compute"]),
        memory=float(row["memory"]),
        kernel_s=float(row["kernel_s"]),
    )
