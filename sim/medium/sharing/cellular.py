"""A scheduled uplink: request, grant, then proportional-fair slots with multiuser diversity."""

import math
from functools import lru_cache

import numpy as np
from simpy import Environment

from sim.medium.shared import SharedStation
from sim.specs import LinkSpec
from sim.station import Station, need_s

_LARGEST_GAIN = 64


@lru_cache(maxsize=4096)
def diversity_gain(n_active: int, snr_db: float) -> float:
    """Capacity with n users over the capacity with one, best of n Rayleigh gains in each slot.

    E[log2(1 + snr max(g_1..g_n))] / E[log2(1 + snr g)], g exponential (Viswanath, Tse and Laroia
    2002); the expectation by quadrature of the survival function 1 - (1 - e^-g)^n.
    """
    n = min(n_active, _LARGEST_GAIN)
    snr = 10.0 ** (snr_db / 10.0)
    gain = np.linspace(0.0, 40.0, 20_001)
    slope = snr / (1.0 + snr * gain)
    alone = np.trapezoid(np.exp(-gain) * slope, gain)
    best = np.trapezoid(-np.expm1(n * np.log1p(-np.exp(-np.maximum(gain, 1e-12)))) * slope, gain)
    return float(best / alone)


class ScheduledStation(SharedStation):
    """Processor sharing in whole slots; the grant comes before it, on the way there.

    Approximation: a transfer occupies a whole number of slots, and the scheduler gives equal
    airtime; its gain by multiuser diversity stops growing at 64 users.
    """

    def __init__(self, env: Environment, spec: LinkSpec) -> None:
        snr_db = spec.snr_db
        gain = (lambda n: 1.0) if spec.fading == "none" else lambda n: diversity_gain(n, snr_db)
        super().__init__(env, gain)
        self._slot_s = spec.slot_s

    def _need_s(self, work_s: float, fixed_s: float, speed: float) -> float:
        """Whole slots."""
        slots = math.ceil(need_s(work_s, fixed_s, speed) / self._slot_s - 1e-9)
        return slots * self._slot_s


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """One cell's scheduler."""
    return ScheduledStation(env, spec)
