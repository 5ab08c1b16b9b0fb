"""Share of the physical rate that n contending stations get together: a table, or Bianchi.

The table is a packet-level simulation of 802.11ax in ns-3 (conditions in the file's header); it
is the default because it has the standard's aggregation, retry limit and queueing behind it.
"""

import csv
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np

from sim.radio import bianchi


@lru_cache(maxsize=1)
def ns3_table() -> Mapping[int, float]:
    """Number of saturated stations -> efficiency, as shipped in wifi_ns3.csv."""
    text = (files("sim.radio") / "wifi_ns3.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = csv.DictReader(lines)
    return MappingProxyType({int(r["n_stations"]): float(r["efficiency"]) for r in rows})


@lru_cache(maxsize=8192)
def ns3_efficiency(n_stations: int) -> float:
    """Efficiency of n stations from the table, straight in log n between its points.

    Approximation: beyond the table's last point (40) the line of its last two points is carried
    on, never below a tenth of the last value.
    """
    if n_stations < 1:
        raise ValueError(f"n_stations must be >= 1, got {n_stations}")
    points = np.log(np.array(list(ns3_table()), dtype=float))
    values = np.array(list(ns3_table().values()))
    x = float(np.log(n_stations))
    if x <= points[-1]:
        return float(np.interp(x, points, values))
    slope = (values[-1] - values[-2]) / (points[-1] - points[-2])
    return float(max(values[-1] + slope * (x - points[-1]), 0.1 * values[-1]))


@lru_cache(maxsize=8192)
def bianchi_efficiency(n_stations: int) -> float:
    """Efficiency of n stations from Bianchi's fixed point with the table's access times."""
    return bianchi.efficiency(n_stations)


EFFICIENCY: Mapping[str, Callable[[int], float]] = MappingProxyType(
    {"bianchi": bianchi_efficiency, "ns3": ns3_efficiency}
)
