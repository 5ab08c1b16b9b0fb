"""Multiuser diversity: what a scheduler gains that sends to whom the channel is best for.

    gain(n) = E[R(max(g_1 .. g_n))] / E[R(g)],  g exponential with mean 1

R is the rate at a fading gain, at the user's own mean ratio and under the link's own law: with
proportional-fair scheduling every user is served an nth of the time, when its channel is the best
of n by its own mean (Viswanath, Tse and Laroia 2002). A rate that is chosen without knowing the
channel (`link.rate=outage`) gains nothing.
"""

from collections.abc import Callable

import numpy as np

MOST = 64
"""Approximation: beyond so many users the gain stops growing."""
_EDGES = np.concatenate(([0.0], np.geomspace(1e-6, 50.0, 3001)))


class Diversity:
    """What the best of n channels brings a user, whose rate at a fading gain is `rate`."""

    def __init__(self, rate: Callable[[float], float]) -> None:
        middles = 0.5 * (_EDGES[1:] + _EDGES[:-1])
        self._rates = np.array([rate(gain) for gain in middles.tolist()])
        self._alone = self._mean(1)
        self._known: dict[int, float] = {}

    def gain(self, n_users: int) -> float:
        """Its mean rate at the best of n gains, over that at one."""
        n = min(n_users, MOST)
        if n not in self._known:
            self._known[n] = self._mean(n) / self._alone
        return self._known[n]

    def _mean(self, n: int) -> float:
        """The mean rate at the best of n gains, which lies below g with (1 - exp(-g))^n."""
        return float(self._rates @ np.diff((-np.expm1(-_EDGES)) ** n))
