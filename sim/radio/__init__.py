"""Link physics as pure functions: rates, errors, modulation schemes, contention.

Every equation with its source stands in the function's docstring and in docs/models.md.
"""

from sim.radio.bianchi import Access
from sim.radio.contention import EFFICIENCY, bianchi_efficiency, ns3_efficiency, ns3_table
from sim.radio.errors import expected_sends, frame_error_rate, residual_loss
from sim.radio.mcs import SCHEMES, best_scheme, mcs_rate_bps, needed_snr_db, scheme_rate_bps
from sim.radio.rates import outage_rate_bps, shannon_rate_bps

__all__ = [
    "EFFICIENCY",
    "SCHEMES",
    "Access",
    "best_scheme",
    "bianchi_efficiency",
    "expected_sends",
    "frame_error_rate",
    "mcs_rate_bps",
    "needed_snr_db",
    "ns3_efficiency",
    "ns3_table",
    "outage_rate_bps",
    "residual_loss",
    "scheme_rate_bps",
    "shannon_rate_bps",
]
