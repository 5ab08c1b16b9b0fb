"""Wi-Fi's capacity by who contends and what they send: a grid of ns-3 runs, or Bianchi's model.

One station alone takes `ACCESS_S` for each access and 8 (L + `HEADER_BYTES`) / `PHY_RATE_BPS` for
each frame of L bytes: within 1 % of the grid's five rows of one station. What n stations get
together, relative to that, depends on n and on the frames per access alone; with this the grid's
200-byte frames, which count for nothing else here, are met as well (docs/validation.md).
"""

import csv
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from sim.radio import bianchi
from sim.radio.bianchi import Access

PHY_RATE_BPS = Access().rate_bps
ACCESS_S = 214.1e-6
HEADER_BYTES = 72.0
FRAME_BYTES = 1400.0
LONGEST_S = 5.484e-3
"""The longest PPDU: no access sends for longer (IEEE 802.11ax-2021, aPPDUMaxTime)."""

_LEAST = 1e-3


class Point(NamedTuple):
    """A row of the grid: `n_active` of `n_stations` got through."""

    n_stations: int
    frames_per_access: int
    frame_bytes: int
    n_active: int
    goodput_bps: float


class Curve(NamedTuple):
    """Capacity over that of one station, at numbers of active stations that ascend from 1."""

    frames: float
    n: tuple[float, ...]
    ratio: tuple[float, ...]

    def at(self, n_active: float) -> float:
        """Straight in log n; beyond the last point as Bianchi's model goes on."""
        last = self.n[-1]
        if n_active >= last:
            beyond = bianchi_ratio(math.ceil(n_active), self.frames)
            return self.ratio[-1] * beyond / bianchi_ratio(int(last), self.frames)
        i = bisect_right(self.n, n_active)
        part = math.log(n_active / self.n[i - 1]) / math.log(self.n[i] / self.n[i - 1])
        return self.ratio[i - 1] + part * (self.ratio[i] - self.ratio[i - 1])


@lru_cache(maxsize=1)
def ns3_grid() -> tuple[Point, ...]:
    """The rows of wifi_ns3.csv."""
    text = (files("sim.radio") / "wifi_ns3.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        Point(
            int(row["n_stations"]),
            int(row["frames_per_access"]),
            int(row["frame_bytes"]),
            int(row["n_active"]),
            1e6 * float(row["goodput_mbps"]),
        )
        for row in rows
    )


def frames_sent(frames: float, frame_bytes: float = FRAME_BYTES) -> float:
    """Frames of an access that may have `frames` of them: no more than the longest PPDU holds."""
    frame_s = 8.0 * (frame_bytes + HEADER_BYTES) / PHY_RATE_BPS
    return min(frames, float(math.floor(LONGEST_S / frame_s)))


def lone_goodput_bps(frames: float, frame_bytes: float = FRAME_BYTES) -> float:
    """What one station gets that sends up to so many frames per access."""
    sent = frames_sent(frames, frame_bytes)
    bits = 8.0 * sent * frame_bytes
    return bits / (ACCESS_S + 8.0 * sent * (frame_bytes + HEADER_BYTES) / PHY_RATE_BPS)


@lru_cache(maxsize=1)
def ns3_curves() -> tuple[Curve, ...]:
    """One per number of frames of 1,400 bytes in an access, made to fall with n (isotonic)."""
    curves = []
    for frames in sorted({p.frames_per_access for p in ns3_grid() if p.frame_bytes == FRAME_BYTES}):
        points = [
            p for p in ns3_grid()
            if p.frames_per_access == frames and p.frame_bytes == FRAME_BYTES
        ]  # fmt: skip
        points.sort(key=lambda point: point.n_active)
        values = _make_fall([point.goodput_bps for point in points])
        ratio = tuple(value / values[0] for value in values)
        curves.append(Curve(frames_sent(frames), tuple(float(p.n_active) for p in points), ratio))
    return tuple(curves)


@lru_cache(maxsize=65536)
def ns3_ratio(n_active: int, frames: float = math.inf) -> float:
    """Capacity of n active stations over that of one, straight in log(frames per access) between
    the grid's curves; beyond its ends the nearest curve.
    """
    _check(n_active)
    curves = ns3_curves()
    if frames <= curves[0].frames:
        return curves[0].at(n_active)
    for below, above in pairwise(curves):
        if frames <= above.frames:
            part = math.log(frames / below.frames) / math.log(above.frames / below.frames)
            low, high = below.at(n_active), above.at(n_active)
            return low + part * (high - low)
    return curves[-1].at(n_active)


@lru_cache(maxsize=65536)
def bianchi_ratio(n_active: int, frames: float = math.inf) -> float:
    """The same by Bianchi's fixed point, for accesses of so many frames of 1,400 bytes.

    Approximations: never below a thousandth (some 5,000 stations), so that the medium goes on, and
    never above 1 (two wait for the shorter of two backoffs: 3 % more for one frame an access).
    """
    _check(n_active)
    access = access_of(frames)
    ratio = bianchi.efficiency(n_active, access) / bianchi.efficiency(1, access)
    return min(1.0, max(_LEAST, ratio))


def access_of(frames: float) -> Access:
    """Times of an access with so many frames of 1,400 bytes."""
    sent = frames_sent(frames)
    return Access(payload_bytes=sent * FRAME_BYTES, header_bytes=sent * HEADER_BYTES)


def ns3_goodput_bps(n_active: int, frames: float, frame_bytes: float = FRAME_BYTES) -> float:
    """What n stations get together in the grid's setting, by the model: the lone station's goodput
    times the ratio.
    """
    sent = frames_sent(frames, frame_bytes)
    return lone_goodput_bps(frames, frame_bytes) * ns3_ratio(n_active, sent)


def bianchi_goodput_bps(n_active: int, frames: float) -> float:
    """The same by Bianchi's model with nominal times."""
    access = access_of(frames)
    return bianchi.efficiency(n_active, access) * access.rate_bps


def _make_fall(values: list[float]) -> list[float]:
    """Nearest non-increasing sequence in least squares (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (low, m), (high, n) = pools[-2:]
            pools[-2:] = [((low * m + high * n) / (m + n), m + n)]
    return [value for value, size in pools for _ in range(size)]


def _check(n_active: int) -> None:
    if n_active < 1:
        raise ValueError(f"n_active must be >= 1, got {n_active}")


RATIO: Mapping[str, Callable[[int, float], float]] = MappingProxyType(
    {"bianchi": bianchi_ratio, "ns3": ns3_ratio}
)
