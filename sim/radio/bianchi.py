"""Bianchi's model of 802.11 contention: saturated stations, binary exponential backoff.

Bianchi, "Performance analysis of the IEEE 802.11 distributed coordination function", IEEE JSAC 18
(2000). Approximation: every transmission collides with one constant probability p, whatever the
station did before (decoupling); stations are saturated and hear each other; errors of the channel
and the retry limit are left out.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Access:
    """Times of one channel access; the defaults are 802.11ax, 20 MHz, HE-MCS 7, best effort.

    Guard interval 3.2 us, AIFSN 3, windows 16 to 1,024, HE preamble 44 us, a block acknowledgement
    at 24 Mb/s, and an A-MPDU of 34 datagrams of 1,400 bytes (72 header bytes each), which fills the
    longest PPDU of 5.484 ms. These are the nominal times of the ns-3 grid's setting, not a fit.
    """

    rate_bps: float = 73.125e6
    payload_bytes: float = 34 * 1400.0
    header_bytes: float = 34 * 72.0
    slot_s: float = 9e-6
    sifs_s: float = 16e-6
    aifs_s: float = 43e-6
    preamble_s: float = 44e-6
    acknowledge_s: float = 32e-6
    window_min: int = 16
    doublings: int = 6

    def __post_init__(self) -> None:
        if self.window_min < 2 or self.doublings < 0:
            raise ValueError(
                "access needs window_min >= 2 and doublings >= 0, got "
                f"{self.window_min} and {self.doublings}"
            )

    @property
    def payload_s(self) -> float:
        """Airtime of the payload alone at the physical rate."""
        return 8.0 * self.payload_bytes / self.rate_bps

    @property
    def success_s(self) -> float:
        """How long a success keeps the medium."""
        data_s = self.preamble_s + 8.0 * (self.payload_bytes + self.header_bytes) / self.rate_bps
        return data_s + self.sifs_s + self.acknowledge_s + self.aifs_s

    @property
    def collision_s(self) -> float:
        """How long a collision keeps it: the stations wait for an answer that does not come."""
        return self.success_s


def transmit_probability(collision: float, access: Access) -> float:
    """tau(p) = 2 / (1 + W + p W sum_{i<m} (2 p)^i), Bianchi's equation 7 without its pole."""
    powers = math.fsum((2.0 * collision) ** i for i in range(access.doublings))
    return 2.0 / (1.0 + access.window_min * (1.0 + collision * powers))


def fixed_point(n_stations: int, access: Access) -> tuple[float, float]:
    """(tau, p) with p = 1 - (1 - tau)^(n - 1); unique since one rises and the other falls."""

    def mismatch(collision: float) -> float:
        tau = transmit_probability(collision, access)
        return float(collision - 1.0 + (1.0 - tau) ** (n_stations - 1))

    if n_stations == 1:
        return transmit_probability(0.0, access), 0.0
    from scipy.optimize import brentq  # a third of a second, which few commands need

    collision = float(brentq(mismatch, 0.0, 1.0, xtol=1e-14))
    return transmit_probability(collision, access), collision


def efficiency(n_stations: int, access: Access | None = None) -> float:
    """Share of time in which payload bits of n saturated stations are on the air.

    S = P_s E[payload] / ((1 - P_tr) slot + P_s T_s + (P_tr - P_s) T_c), equation 13; P_tr some
    station sends, P_s exactly one does. Times the physical rate: goodput.
    """
    if n_stations < 1:
        raise ValueError(f"n_stations must be >= 1, got {n_stations}")
    access = access or Access()
    tau, _ = fixed_point(n_stations, access)
    idle = (1.0 - tau) ** n_stations
    success = n_stations * tau * (1.0 - tau) ** (n_stations - 1)
    cycle_s = idle * access.slot_s + success * access.success_s
    cycle_s += (1.0 - idle - success) * access.collision_s
    return success * access.payload_s / cycle_s
