"""Recordings of a medium's speed in the layouts that people have, told by header or by name.

- columns time_s and factor, rate_bps, rate_kbps, rate_mbps, throughput_kbps: what it says
- Pensieve (Mao et al., SIGCOMM 2017), no header, tab or blank: time in s, Mbit/s
- Mahimahi (Netravali et al., ATC 2015), an integer a line: the millisecond in which a packet of
  1,504 bytes is delivered; the last line ends the file, which repeats
- the 5G traces of University College Cork (Raca et al., MMSys 2020): Timestamp as
  2020.02.14_09.38.22, UL_bitrate in kbit/s, which is the way that payloads go
"""

import math
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from itertools import groupby, pairwise
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from profiles.tables.columns import EPOCH_S, Columns, read_columns

_UNITS_BPS = {
    "rate_bps": 1.0, "rate_kbps": 1e3, "rate_mbps": 1e6,
    "throughput_bps": 1.0, "throughput_kbps": 1e3, "throughput_mbps": 1e6,
}  # fmt: skip
_VALUES = ("factor", *_UNITS_BPS)
_RANGES = {False: (1e-9, 1e6), True: (1e-3, 1e13)}
"""Least and largest values other than 0 of factors and of rates in bit/s."""
_LEAST_STEP_S = 1e-6
_PACKET_BITS = 8 * 1504
_BIN_MS = 100
_IRISH = "%Y.%m.%d_%H.%M.%S"


class Recording(NamedTuple):
    """Values from `times_s` (ascending from 0) on until `end_s`; rates in bit/s, or factors."""

    times_s: tuple[float, ...]
    values: tuple[float, ...]
    end_s: float
    is_rate: bool
    words: str
    origin: str = ""


def read_recording(file: Path | Traversable, name: str, layout: str) -> Recording:
    """The recording in a file, of a named layout or the one that it shows (`auto`).

    Raises:
        ValueError: another layout, and whatever is no number, out of range or out of order.
    """
    columns = read_columns(file, "link.rate_csv")
    chosen = _tell(columns) if layout == "auto" else layout
    if chosen == "mahimahi":
        return _mahimahi(columns)
    if chosen == "irish_5g":
        return _irish(columns)
    if chosen == "pensieve":
        return _table(columns.call(("time_s", "rate_mbps")), "rate_mbps", "rate_mbps", "Pensieve")
    if not columns.named:
        columns = columns.call(("time_s", chosen))
    value = chosen if chosen in columns or "factor" not in columns else "factor"
    return _table(columns, value, chosen, "" if value == chosen else f"{value} as {chosen}")


def _tell(columns: Columns) -> str:
    """The layout that a file shows."""
    if columns.named:
        return _tell_header(columns)
    width = len(columns.lines[0].cells)
    if width == 1:
        return "mahimahi"
    if width == 2 and columns.text.delimiter in "\t " and not columns.text.has_comments:
        return "pensieve"
    raise ValueError(
        f"{columns.source} has no header: write one (time_s,factor or time_s,rate_mbps), or name"
        " its layout by link.rate_format"
    )


def _tell_header(columns: Columns) -> str:
    if "timestamp" in columns and "ul_bitrate" in columns:
        return "irish_5g"
    found = [name for name in _VALUES if name in columns]
    if "time_s" not in columns or not found:
        raise ValueError(
            f"{columns.source} needs columns time_s, factor (or rate_mbps, rate_kbps, rate_bps,"
            f" throughput_kbps), got {columns.known}"
        )
    if len(found) > 1:
        raise ValueError(
            f"{columns.source} must have one column of speeds, got {', '.join(found)}: name one by"
            " link.rate_format"
        )
    return found[0]


def _table(columns: Columns, name: str, unit: str, words: str) -> Recording:
    """Times beside factors or rates; a last row without a value says when it ends."""
    times, start_s = _times(columns)
    values = _values(columns, name, unit)
    end_s = times[-1]
    if len(values) == len(times):
        end_s += _usual_step_s(times)
    origin = f", its times counted from {start_s:.10g} s" if abs(start_s) >= EPOCH_S else ""
    starts = tuple(times[: len(values)])
    return Recording(starts, values, end_s, unit in _UNITS_BPS, words or unit, origin)


def _times(columns: Columns) -> tuple[list[float], float]:
    """Times from the first one on, and that one."""
    told = columns.numbers("time_s")
    columns.since_start("time_s", told)  # refuses milliseconds
    for row, time_s in enumerate(told[1:], start=1):
        if time_s <= told[row - 1]:
            raise columns.refusal(row, "time_s", f"above {told[row - 1]:.10g}, the time before")
    times = [time_s - told[0] for time_s in told]
    if len(times) > 1 and times[-1] < _LEAST_STEP_S * (len(times) - 1):
        raise ValueError(
            f"{columns.source}: time_s must be in seconds, 1e-06 apart or more, got"
            f" {len(times)} times within {times[-1]:.3g}"
        )
    return times, told[0]


def _values(columns: Columns, name: str, unit: str) -> tuple[float, ...]:
    """Factors, or rates in bit/s: 0, or within what any medium has."""
    one, (least, most) = _UNITS_BPS.get(unit, 1.0), _RANGES[unit in _UNITS_BPS]
    values = columns.numbers(name, low=0.0, high=most / one, open_end=name != "ul_bitrate")
    for row, value in enumerate(values):
        if 0.0 < value < least / one:
            raise columns.refusal(row, name, f"0, or >= {least / one:g}")
    return tuple(one * value for value in values)


def _usual_step_s(times: list[float]) -> float:
    steps = [b - a for a, b in pairwise(times)]
    return median(steps) if steps else 1.0


def _irish(columns: Columns) -> Recording:
    """The uplink; of rows of the same second the mean."""
    times = columns.dates_s("timestamp", _IRISH)
    for row, time_s in enumerate(times[1:], start=1):
        if time_s < times[row - 1]:
            raise columns.refusal(row, "timestamp", "no earlier than the one before")
    rates = _values(columns, "ul_bitrate", "rate_kbps")
    together = groupby(zip(times, rates, strict=True), key=lambda each: each[0])
    seconds = [(time_s, fmean(rate for _, rate in rows)) for time_s, rows in together]
    starts = [time_s for time_s, _ in seconds]
    end_s = starts[-1] + _usual_step_s(starts)
    words = "Irish 5G, UL_bitrate in kbit/s"
    return Recording(tuple(starts), tuple(rate for _, rate in seconds), end_s, True, words)


def _mahimahi(columns: Columns) -> Recording:
    """Packets of every tenth of a second as a rate; the last line is the length of the file.

    Approximation: within a tenth of a second packets come evenly.
    """
    named = columns.call(("millisecond",)) if not columns.named else columns
    told = named.numbers("millisecond", low=0.0, high=1e10, whole=True)
    for row, time_ms in enumerate(told[1:], start=1):
        if time_ms < told[row - 1]:
            raise named.refusal(
                row, "millisecond", f"no less than {told[row - 1]:g}, the one before"
            )
    length_ms = told[-1]
    if length_ms == 0.0:
        raise named.refusal(len(told) - 1, "millisecond", "above 0 in the last line")
    counts = _count(told)
    rates, starts = [], range(0, int(length_ms), _BIN_MS)
    for start_ms in starts:
        lasts_ms = min(_BIN_MS, length_ms - start_ms)
        rates.append(counts.get(start_ms // _BIN_MS, 0) * _PACKET_BITS / (1e-3 * lasts_ms))
    words = "Mahimahi, packets of 1,504 bytes"
    times = tuple(1e-3 * start_ms for start_ms in starts)
    return Recording(times, tuple(rates), 1e-3 * length_ms, True, words)


def _count(times_ms: Iterable[float]) -> dict[int, int]:
    """Packets by bin; one at t takes the millisecond before t."""
    bins = ((max(0, math.ceil(time_ms) - 1) // _BIN_MS) for time_ms in times_ms)
    return {number: len(list(each)) for number, each in groupby(bins)}
