"""Age of information: how old the newest answer is, on average over time.

First come, first served, one source (Kaul, Yates and Gruteser 2012, "Real-time status: how often
should one update?", INFOCOM). Age = rate (E[X T] + E[X^2] / 2), X the gap
before a request and T its response.
"""

import math

from scipy.special import lambertw

from sim.theory.queues import load


def mm1_age_s(rate: float, service_s: float) -> float:
    """S (1 + 1 / rho + rho^2 / (1 - rho))."""
    rho = load(rate, service_s)
    return service_s * (1.0 + 1.0 / rho + rho**2 / (1.0 - rho))


def md1_age_s(rate: float, service_s: float) -> float:
    """Constant service: S (1 / (2 (1 - rho)) + 1 / 2 + (1 - rho) e^rho / rho)."""
    rho = load(rate, service_s)
    return service_s * (0.5 / (1.0 - rho) + 0.5 + (1.0 - rho) * math.exp(rho) / rho)


def dm1_age_s(rate: float, service_s: float) -> float:
    """Constant gaps: S (1 / (2 rho) + 1 / (1 - beta)), the mean response and half a gap.

    beta = e^{-(1 - beta) / rho}, by Lambert's W: beta = -rho W(-e^{-1 / rho} / rho).
    """
    rho = load(rate, service_s)
    beta = -rho * float(lambertw(-math.exp(-1.0 / rho) / rho).real)
    return service_s * (0.5 / rho + 1.0 / (1.0 - beta))
