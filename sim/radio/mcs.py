"""802.11ax (HE) modulation and coding schemes: rate and the ratio that each of them needs.

Rate = data subcarriers * bits per subcarrier * code rate / (12.8 us + guard interval), IEEE
802.11ax-2021, section 27.5. Needed ratio = minimum receiver sensitivity (table 27-51, 10 % of
4,096-byte frames lost) minus the noise that the table assumes: -174 dBm/Hz over the bandwidth
and a noise figure of 10 dB. The table's 5 dB of implementation margin stay in unless
`margin_db` is lowered. Sensitivity and noise both grow 3 dB per doubling of the bandwidth.
"""

import bisect
from typing import NamedTuple

_DATA_SUBCARRIERS = {20e6: 234, 40e6: 468, 80e6: 980}
_SYMBOL_S = 12.8e-6
_NOISE_20_MHZ_DBM = -91.0
_STANDARD_MARGIN_DB = 5.0


class Scheme(NamedTuple):
    """One row of the standard's table; sensitivity for 20 MHz."""

    number: int
    modulation: str
    bits: int
    code_rate: float
    sensitivity_dbm: float


SCHEMES = (
    Scheme(0, "BPSK", 1, 1 / 2, -82.0),
    Scheme(1, "QPSK", 2, 1 / 2, -79.0),
    Scheme(2, "QPSK", 2, 3 / 4, -77.0),
    Scheme(3, "16-QAM", 4, 1 / 2, -74.0),
    Scheme(4, "16-QAM", 4, 3 / 4, -70.0),
    Scheme(5, "64-QAM", 6, 2 / 3, -66.0),
    Scheme(6, "64-QAM", 6, 3 / 4, -65.0),
    Scheme(7, "64-QAM", 6, 5 / 6, -64.0),
    Scheme(8, "256-QAM", 8, 3 / 4, -59.0),
    Scheme(9, "256-QAM", 8, 5 / 6, -57.0),
    Scheme(10, "1024-QAM", 10, 3 / 4, -54.0),
    Scheme(11, "1024-QAM", 10, 5 / 6, -52.0),
)


def scheme_rate_bps(index: int, bandwidth_hz: float = 20e6, guard_s: float = 0.8e-6) -> float:
    """Rate of one spatial stream under HE-MCS `index`.

    Raises:
        ValueError: a bandwidth other than 20, 40 or 80 MHz, or an unknown index.
    """
    if bandwidth_hz not in _DATA_SUBCARRIERS:
        raise ValueError(f"bandwidth_hz must be 20e6, 40e6 or 80e6 for mcs, got {bandwidth_hz:g}")
    if not 0 <= index < len(SCHEMES):
        raise ValueError(f"mcs index must be within [0, {len(SCHEMES) - 1}], got {index}")
    scheme = SCHEMES[index]
    bits = _DATA_SUBCARRIERS[bandwidth_hz] * scheme.bits * scheme.code_rate
    return bits / (_SYMBOL_S + guard_s)


def needed_snr_db(index: int, margin_db: float = _STANDARD_MARGIN_DB) -> float:
    """The least ratio at which HE-MCS `index` works, the same at every bandwidth."""
    return SCHEMES[index].sensitivity_dbm - _NOISE_20_MHZ_DBM + margin_db - _STANDARD_MARGIN_DB


def best_scheme(snr_db: float, margin_db: float = _STANDARD_MARGIN_DB) -> int | None:
    """The fastest scheme that works at this ratio; None below the slowest one's need."""
    needs = [needed_snr_db(scheme.number, margin_db) for scheme in SCHEMES]
    place = bisect.bisect_right(needs, snr_db)
    return place - 1 if place else None


def mcs_rate_bps(
    snr_db: float, bandwidth_hz: float = 20e6, margin_db: float = _STANDARD_MARGIN_DB
) -> float:
    """Rate of the best working scheme; 0 where none works."""
    index = best_scheme(snr_db, margin_db)
    return 0.0 if index is None else scheme_rate_bps(index, bandwidth_hz)
