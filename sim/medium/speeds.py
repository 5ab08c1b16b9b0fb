"""The speed of a medium over time, known beforehand: a recorded trace and planned outages."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from heapq import merge

from sim.medium.rates import Trace, scale_of, trace_of
from sim.specs import LinkSpec, SystemSpec
from sim.station import need_s
from sim.streams import Streams

Change = tuple[float, float]
"""(time in s, speed from then on); speed 0 is silence, in which work stays where it is."""


class Speeds:
    """A step function of time, 1 before its first change; made as far as it is looked at."""

    def __init__(self, changes: Iterator[Change]) -> None:
        self._more = changes
        self._made: list[Change] = []
        self._starts_s: list[float] = []
        self._before_s: list[float] = []
        self._silent_s = 0.0

    def changes(self) -> Iterator[Change]:
        """Every change, in order; without end where a trace is repeated."""
        number = 0
        while self._reaches(number):
            yield self._made[number]
            number += 1

    def until(self, time_s: float) -> list[Change]:
        """The changes up to a time."""
        self._grow(time_s)
        return self._made[: bisect_right(self._made, (time_s, math.inf))]

    def silence_s(self, start_s: float, end_s: float) -> float:
        """Seconds of silence between two instants."""
        return self._silent_until(end_s) - self._silent_until(start_s)

    def silences(self) -> list[tuple[float, float, float]]:
        """Of every silence that is made so far: its start, the seconds of those before, its end."""
        return [
            (start_s, self._before_s[k], self._end_of_silence(k))
            for k, start_s in enumerate(self._starts_s)
        ]

    def mean(self, start_s: float, end_s: float) -> float:
        """Mean speed between two instants."""
        total, at_s, speed = 0.0, start_s, 1.0
        for time_s, later in self.until(end_s):
            if time_s > at_s:
                total += speed * (time_s - at_s)
                at_s = time_s
            speed = later
        return (total + speed * (end_s - at_s)) / (end_s - start_s)

    def end_s(self, start_s: float, work_s: float, fixed_s: float) -> float:
        """When work that begins at `start_s` is done with nobody else there: `fixed_s` of its
        `work_s` seconds take as long at any speed; infinite where a silence never ends.
        """
        if work_s == 0.0:
            return start_s
        self._grow(start_s)
        number = bisect_right(self._made, (start_s, math.inf)) - 1
        now_s, left = start_s, 1.0
        while True:
            speed = self._made[number][1] if number >= 0 else 1.0
            number += 1
            until_s = self._made[number][0] if self._reaches(number) else math.inf
            if speed > 0.0:
                whole_s = need_s(work_s, fixed_s, speed)
                if now_s + left * whole_s <= until_s:
                    return now_s + left * whole_s
                left -= (until_s - now_s) / whole_s
            if until_s == math.inf:
                return math.inf
            now_s = until_s

    def _reaches(self, number: int) -> bool:
        """Whether there is a change of that number."""
        while len(self._made) <= number:
            change = next(self._more, None)
            if change is None:
                return False
            self._append(change)
        return True

    def _append(self, change: Change) -> None:
        time_s, speed = change
        if self._made and self._made[-1][1] == 0.0:
            self._silent_s += time_s - self._made[-1][0]
        if speed == 0.0:
            self._starts_s.append(time_s)
            self._before_s.append(self._silent_s)
        self._made.append(change)

    def _grow(self, time_s: float) -> None:
        """Make the changes up to a time, and the one behind it."""
        while not self._made or self._made[-1][0] <= time_s:
            if not self._reaches(len(self._made)):
                return

    def _silent_until(self, time_s: float) -> float:
        """Seconds of silence up to a time."""
        self._grow(time_s)
        number = bisect_right(self._starts_s, time_s) - 1
        if number < 0:
            return 0.0
        end_s = self._end_of_silence(number)
        return self._before_s[number] + min(time_s, end_s) - self._starts_s[number]

    def _end_of_silence(self, number: int) -> float:
        """When a silence ends; infinite where the change that ends it is not made yet."""
        place = bisect_right(self._made, (self._starts_s[number], math.inf))
        return self._made[place][0] if place < len(self._made) else math.inf


def speeds_of(spec: SystemSpec, streams: Streams) -> Speeds | None:
    """The medium's speed over time; replication 0 plays a trace from its start, every other one
    from a place of its own.
    """
    if not spec.link.varies:
        return None
    luck = streams.stream("trace").random() if streams.replication else 0.0
    return speeds(spec.link, luck, None if spec.workload.requests else spec.horizon_s)


def speeds(spec: LinkSpec, luck: float = 0.0, horizon_s: float | None = None) -> Speeds:
    """The recorded factors, silenced within the outages.

    `luck` in [0, 1) says where in the trace a run begins: anywhere in one that is repeated; where
    the rest still lasts for the run of `horizon_s` in one that refuses to end.

    Raises:
        ValueError: `trace_end=refuse` and a trace that is shorter than the run; a bad file.
    """
    trace = trace_of(spec) if spec.rate_csv else None
    played = iter([]) if trace is None else _play(spec, trace, luck, horizon_s)
    return Speeds(_silenced(played, spec))


def trace_share(spec: LinkSpec, window_s: float) -> float:
    """How much of the trace a window of a run plays, at most all of it."""
    return min(1.0, window_s / trace_of(spec).length_s)


def _play(spec: LinkSpec, trace: Trace, luck: float, horizon_s: float | None) -> Iterator[Change]:
    scale = scale_of(spec, trace)
    if spec.trace_end == "repeat":
        return trace.play(luck * trace.length_s, repeats=True, scale=scale)
    if spec.trace_end == "hold":
        if trace.factors[-1] == 0.0:
            raise ValueError(
                f"link.trace_end=hold would hold the silence at the end of {spec.rate_csv} for ever"
            )
        return trace.play(0.0, repeats=False, scale=scale)
    if horizon_s is None or trace.length_s < horizon_s:
        wanted = "a run without horizon" if horizon_s is None else f"horizon_s={horizon_s:g}"
        raise ValueError(
            f"link.trace_end=refuse needs a trace as long as {wanted}, got {trace.length_s:g} s in"
            f" {spec.rate_csv}"
        )
    return trace.play(luck * (trace.length_s - horizon_s), repeats=False, scale=scale)


def _silenced(played: Iterator[Change], spec: LinkSpec) -> Iterator[Change]:
    """The changes with the outages among them."""
    starts = [(start, 0) for start in spec.outage_at_s]
    ends = [(start + spec.outage_length_s, 1) for start in spec.outage_at_s]
    ordered = sorted(starts + ends, key=lambda each: (each[0], -each[1]))  # up before down again
    outages = ((time, 0, float(up)) for time, up in ordered)
    factor, up = 1.0, 1.0
    for time_s, of_trace, value in merge(outages, ((time, 1, each) for time, each in played)):
        factor, up = (value, up) if of_trace else (factor, value)
        yield time_s, factor * up
