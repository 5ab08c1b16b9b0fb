"""What every run must obey."""

from dataclasses import dataclass

import numpy as np

from sim.measures.meters import Records, Snapshot
from sim.request import DONE


@dataclass(frozen=True, kw_only=True)
class Check:
    """One law that every run must obey: what both sides came to, and how far apart they may be."""

    name: str
    left: float
    right: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the two sides agree within the (absolute) tolerance."""
        return abs(self.left - self.right) <= self.tolerance


def checks(
    records: Records, born_s: list[float], begin: Snapshot, end: Snapshot, n_gpus: int
) -> tuple[Check, ...]:
    """The laws of one run; `born_s` are the birth times of the requests still in flight.

    conservation: arrived = left + in flight, exactly. little: the mean number in the system by
    the counters equals the sum of the sojourns within the window by the records, over its length
    (Little's law in its exact, operational form). utilization: GPU seconds by the server equal
    those booked on requests, up to those that cross the window's edges or left unserved.
    """
    length_s = end.time_s - begin.time_s
    staying = (begin.n_arrived - begin.n_left) * length_s
    staying += (end.n_arrived - begin.n_arrived) * end.time_s
    staying -= end.arrival_sum_s - begin.arrival_sum_s
    staying -= (end.n_left - begin.n_left) * end.time_s - (end.left_sum_s - begin.left_sum_s)
    inside = records["done_s"] > begin.time_s
    sojourn_s = records["done_s"][inside] - np.maximum(records["created_s"][inside], begin.time_s)
    present_s = end.time_s - np.maximum(np.array(born_s), begin.time_s)
    share_s = records["server_share_s"]
    crossing = (begin.n_arrived - begin.n_left) + len(born_s)
    crossing += int(np.count_nonzero(records["outcome"] != DONE))
    largest_s = float(np.max(share_s)) if len(share_s) else length_s
    # what is in service at the end may take longer than anything that is done
    serving_s = float(np.max(present_s, initial=0.0))
    busy_s = end.server_busy_s - begin.server_busy_s
    digits = 1e-9 * (1.0 + end.time_s) * (1.0 + end.n_arrived)
    return (
        Check(
            name="conservation",
            left=end.n_arrived,
            right=len(records["done_s"]) + len(born_s),
            tolerance=0.0,
        ),
        Check(
            name="little",
            left=staying / length_s,
            right=float(np.sum(sojourn_s) + np.sum(present_s)) / length_s,
            tolerance=digits / length_s,
        ),
        Check(
            name="utilization",
            left=busy_s / length_s,
            right=float(np.sum(share_s[inside])) / (length_s * n_gpus),
            tolerance=(digits + 2.0 * crossing * largest_s + serving_s) / length_s,
        ),
    )
