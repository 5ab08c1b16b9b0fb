"""The speed of a medium over time, known beforehand: recorded factors and planned outages."""

import math
from bisect import bisect_right
from itertools import accumulate

from sim.medium.rates import read
from sim.specs import LinkSpec
from sim.station import need_s


class Speeds:
    """A step function of time: `changes` holds (time in s, speed) in order; 1 before the first.

    Speed 0 is silence; work goes on where it stopped.
    """

    def __init__(self, changes: list[tuple[float, float]]) -> None:
        self.changes = changes
        ends = [time for time, _ in changes[1:]] + [math.inf]
        silent = [(a, end) for (a, speed), end in zip(changes, ends, strict=True) if speed == 0.0]
        self._starts_s = [start for start, _ in silent]
        self._ends_s = [end for _, end in silent]
        self._before_s = [0.0, *accumulate(end - start for start, end in silent)]

    def silence_s(self, start_s: float, end_s: float) -> float:
        """Seconds of silence between two instants."""
        return self._silent_until(end_s) - self._silent_until(start_s)

    def end_s(self, start_s: float, work_s: float, fixed_s: float) -> float:
        """When work that begins at `start_s` is done with nobody else there: `fixed_s` of its
        `work_s` seconds take as long at any speed; infinite where a silence never ends.
        """
        if work_s == 0.0:
            return start_s
        number = bisect_right(self.changes, (start_s, math.inf)) - 1
        now_s, left = start_s, 1.0
        while True:
            speed = self.changes[number][1] if number >= 0 else 1.0
            number += 1
            until_s = self.changes[number][0] if number < len(self.changes) else math.inf
            if speed > 0.0:
                whole_s = need_s(work_s, fixed_s, speed)
                if now_s + left * whole_s <= until_s:
                    return now_s + left * whole_s
                left -= (until_s - now_s) / whole_s
            if until_s == math.inf:
                return math.inf
            now_s = until_s

    def _silent_until(self, time_s: float) -> float:
        """Seconds of silence up to a time."""
        number = bisect_right(self._starts_s, time_s)
        if not number:
            return 0.0
        last_s = min(time_s, self._ends_s[number - 1]) - self._starts_s[number - 1]
        return self._before_s[number - 1] + last_s


def speeds(spec: LinkSpec) -> Speeds:
    """The recorded factors, silenced within the outages."""
    factors = read(spec.rate_csv) if spec.rate_csv else []
    at_s = [time for time, _ in factors]
    windows = [(start, start + spec.outage_length_s) for start in spec.outage_at_s]
    times = {time for window in windows for time in window}.union(at_s)

    def speed(time: float) -> float:
        if any(start <= time < end for start, end in windows):
            return 0.0
        number = bisect_right(at_s, time)
        return factors[number - 1][1] if number else 1.0

    return Speeds([(time, speed(time)) for time in sorted(times)])
