"""Link physics as pure functions: rates, errors, modulation schemes, contention.

Every equation with its source stands in the function's docstring and in docs/models.md.
"""

from sim.radio.bianchi import Access
from sim.radio.contention import (
    RATIO,
    bianchi_goodput_bps,
    bianchi_ratio,
    lone_goodput_bps,
    ns3_curves,
    ns3_goodput_bps,
    ns3_grid,
    ns3_ratio,
)
from sim.radio.errors import expected_sends, frame_error_rate, residual_loss
from sim.radio.mcs import SCHEMES, best_scheme, mcs_rate_bps, needed_snr_db, scheme_rate_bps
from sim.radio.rates import outage_rate_bps, shannon_rate_bps

__all__ = [
    "RATIO",
    "SCHEMES",
    "Access",
    "best_scheme",
    "bianchi_goodput_bps",
    "bianchi_ratio",
    "expected_sends",
    "frame_error_rate",
    "lone_goodput_bps",
    "mcs_rate_bps",
    "needed_snr_db",
    "ns3_curves",
    "ns3_goodput_bps",
    "ns3_grid",
    "ns3_ratio",
    "outage_rate_bps",
    "residual_loss",
    "scheme_rate_bps",
    "shannon_rate_bps",
]
