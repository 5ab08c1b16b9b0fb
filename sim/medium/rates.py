"""Rate traces: the speed of a medium as it was recorded, what `link.rate_csv` names.

A file has the columns time_s (ascending) and factor (>= 0, of the link's own rate), or is one of
the recordings that `sim/medium/recordings.py` reads. It begins with its first row and ends one
usual step (the median one) after its last; a last row without a value says when it ends instead. A
value holds from its time on. Traces shipped in profiles/data/rates are synthetic
(sim/radio/fluctuation.py).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from profiles.tables.choices import nearest
from profiles.tables.text import Stamp, stamp_of
from sim.medium.recordings import Recording, read_recording
from sim.specs import LinkSpec

_LARGEST_MEAN = 3.0


@dataclass(frozen=True)
class Trace:
    """Factors from `times_s` (ascending from 0) on, until `length_s`.

    Of a recording of rates, `rate_bps` is the mean and the factors are of that; None: they are of
    the link's own rate. `words`: what was read.
    """

    times_s: tuple[float, ...]
    factors: tuple[float, ...]
    length_s: float
    rate_bps: float | None = None
    words: str = ""

    def play(
        self, offset_s: float, *, repeats: bool, scale: float = 1.0
    ) -> Iterator[tuple[float, float]]:
        """(time in s, factor times `scale`) of every change, from `offset_s` of the trace on; over
        and over, or once, its last factor being held.
        """
        factors = self.factors if scale == 1.0 else tuple(scale * each for each in self.factors)
        held = max(k for k, time in enumerate(self.times_s) if time <= offset_s)
        yield 0.0, factors[held]
        start_s, first = -offset_s, held + 1
        while True:
            for time_s, factor in zip(self.times_s[first:], factors[first:], strict=True):
                yield start_s + time_s, factor
            if not repeats:
                return
            start_s, first = start_s + self.length_s, 0


def read(name: str, layout: str = "auto") -> Trace:
    """A rate trace, from a file or, where there is none, from a shipped one of that name.

    Raises:
        ValueError: no such file, or one that is no trace (`read_recording`), nothing but silence,
            factors with a mean that only rates have.
    """
    file = locate(name)
    return _read(name, layout, stamp_of(file, "link.rate_csv"))


def trace_of(spec: LinkSpec) -> Trace:
    """The trace that a link names.

    Raises:
        ValueError: as `read`, recorded rates where the link's rate comes from elsewhere, and a
            `trace_rate_bps` for factors.
    """
    trace = read(spec.rate_csv, spec.rate_format)
    if trace.rate_bps is None and spec.trace_rate_bps is not None:
        raise ValueError(
            f"link.trace_rate_bps needs rates in link.rate_csv, got factors in {spec.rate_csv}"
        )
    if trace.rate_bps is not None and spec.rate != "fixed":
        raise ValueError(
            f"link.rate_csv={spec.rate_csv} holds rates, which needs link.rate=fixed, got"
            f" {spec.rate}"
        )
    return trace


def scale_of(spec: LinkSpec, trace: Trace) -> float:
    """What a factor of a trace is multiplied with, so that recorded rates are those played."""
    if trace.rate_bps is None:
        return 1.0
    return trace.rate_bps / (spec.trace_rate_bps or spec.rate_bps)


def fastest(spec: LinkSpec) -> float:
    """The largest factor on the link's rate that a run may see."""
    if not spec.rate_csv:
        return 1.0
    trace = trace_of(spec)
    return scale_of(spec, trace) * max(trace.factors)


def say_trace(spec: LinkSpec, horizon_s: float | None) -> str:
    """What was read and how often a run to the horizon plays it, in a sentence."""
    trace = trace_of(spec)
    own = "" if trace.rate_bps is None else "; instead of link.rate_bps"
    return f"link.rate_csv={spec.rate_csv}: {trace.words}, {_played(spec, trace, horizon_s)}{own}"


def _played(spec: LinkSpec, trace: Trace, horizon_s: float | None) -> str:
    if horizon_s is None:
        return "repeated" if spec.trace_end == "repeat" else "its last value held"
    if horizon_s <= trace.length_s:
        return f"of which {horizon_s:.4g} s are played"
    if spec.trace_end == "hold":
        return "then its last value is held"
    return f"repeated {math.ceil(horizon_s / trace.length_s - 1e-9):,} times"


def locate(name: str) -> Traversable | Path:
    """The file that `link.rate_csv` means.

    Raises:
        ValueError: there is none of that name, and none is shipped.
    """
    if Path(name).exists():
        return Path(name)
    folder = resources.files("profiles") / "data" / "rates"
    shipped = sorted(item.name for item in folder.iterdir())
    if name not in shipped:
        near = nearest(name, shipped, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{name}: no such file (link.rate_csv; shipped are {', '.join(shipped)}{hint})"
        )
    return folder / name


@lru_cache(maxsize=16)
def _read(name: str, layout: str, stamp: Stamp) -> Trace:
    """A file of another `stamp` is read again."""
    found = read_recording(locate(name), name, layout)
    times, values = found.times_s, found.values
    ends = (*times[1 : len(values)], found.end_s)
    pieces = zip(times, ends, values, strict=True)
    mean = math.fsum(value * (end - time) for time, end, value in pieces) / found.end_s
    if mean <= 0.0:
        raise ValueError(f"link.rate_csv={name} must have a value above 0, got silence alone")
    if not found.is_rate:
        _check_mean(name, found, mean, layout)
    factors = tuple(value / mean for value in values) if found.is_rate else values
    size = _say_rate(mean) if found.is_rate else f"factor {mean:.4g}"
    words = f"{found.words}, mean {size} over {found.end_s:.4g} s{found.origin}"
    return Trace(times, factors, found.end_s, mean if found.is_rate else None, words)


def _say_rate(rate_bps: float) -> str:
    small = rate_bps < 1e5
    return f"{1e-3 * rate_bps:.4g} kbit/s" if small else f"{1e-6 * rate_bps:.4g} Mbit/s"


def _check_mean(name: str, found: Recording, mean: float, layout: str) -> None:
    if mean > _LARGEST_MEAN and layout == "auto":
        raise ValueError(
            f"link.rate_csv={name}: factors of the link's rate must have a mean <="
            f" {_LARGEST_MEAN:g}, got {mean:.4g}; if they are rates, say so by"
            " link.rate_format=rate_mbps (or rate_kbps, rate_bps), else by link.rate_format=factor"
        )
