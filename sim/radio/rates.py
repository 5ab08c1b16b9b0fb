"""Rates from signal-to-noise ratio: capacity with a gap, Rayleigh block fading, outage.

`snr_db` is the mean ratio over the whole bandwidth; rates are bit/s on the air, before headers
and channel access. In Rayleigh block fading the ratio of a block is snr * G, G exponential with
mean 1, constant within the block and independent between blocks.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def linear(decibel: ArrayLike) -> Floats:
    """10^(x / 10)."""
    return np.asarray(10.0 ** (np.asarray(decibel, dtype=float) / 10.0), dtype=float)


def shannon_rate_bps(snr_db: ArrayLike, bandwidth_hz: float, gap_db: float = 0.0) -> Floats:
    """W log2(1 + snr / gap): capacity, or a code `gap_db` away from it (Cioffi 1991)."""
    snr = linear(np.asarray(snr_db, dtype=float) - gap_db)
    return np.asarray(bandwidth_hz * np.log1p(snr) / math.log(2.0), dtype=float)


def outage_rate_bps(outage: float, snr_db: ArrayLike, bandwidth_hz: float) -> Floats:
    """The rate that fails in a share `outage` of blocks: W log2(1 - snr ln(1 - eps)).

    The inverse of P(W log2(1 + snr G) < R) = 1 - exp(-(2^(R / W) - 1) / snr) (Tse and Viswanath
    2005, eq. 5.54 and 5.57).
    """
    if not 0.0 < outage < 1.0:
        raise ValueError(f"outage must be within (0, 1), got {outage}")
    snr = -linear(snr_db) * math.log1p(-outage)
    return np.asarray(bandwidth_hz * np.log1p(snr) / math.log(2.0), dtype=float)
