"""What every run must obey."""

from dataclasses import dataclass

import numpy as np

from sim.measures.meters import Book, join


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


def checks(book: Book, n_gpus: int) -> tuple[Check, ...]:
    """The laws of one run.

    conservation: arrived = left + in flight, exactly. little: the mean number in the system by
    the counters equals the sum of the sojourns within the window by the records, over its length
    (Little's law in its exact, operational form). utilization: the GPU's busy seconds by the server
    equal those that requests had by their own stamps; where a failure took a visit away, its
    seconds are the tolerance.
    """
    begin, end, length_s = book.begin, book.end, book.length_s
    every = join(book.records, book.in_flight)
    staying = (begin.n_arrived - begin.n_left) * length_s
    staying += (end.n_arrived - begin.n_arrived) * end.time_s
    staying -= end.arrival_sum_s - begin.arrival_sum_s
    staying -= (end.n_left - begin.n_left) * end.time_s - (end.left_sum_s - begin.left_sum_s)
    sojourn_s = np.maximum(every["done_s"], begin.time_s)
    sojourn_s = sojourn_s - np.maximum(every["created_s"], begin.time_s)
    served_s, lost_s = server_seconds(book)
    digits = 1e-9 * (1.0 + end.time_s) * (1.0 + end.n_arrived)
    return (
        Check(
            name="conservation",
            left=end.n_arrived,
            right=len(every["done_s"]),
            tolerance=0.0,
        ),
        Check(
            name="little",
            left=staying / length_s,
            right=float(np.sum(sojourn_s)) / length_s,
            tolerance=digits / length_s,
        ),
        Check(
            name="utilization",
            left=(end.server_busy_s - begin.server_busy_s) / length_s,
            right=served_s / (length_s * n_gpus),
            tolerance=(digits + lost_s) / length_s,
        ),
    )


def server_seconds(book: Book) -> tuple[float, float]:
    """GPU seconds within the window by the stamps of all visits, and those whose stamps a failure
    may have left wrong.

    A batch's time is shared equally. A session's own record has no stamps; its steps have.
    """
    tables = [table for table in book.every if len(table["done_s"])] or [book.records]
    share_s, start_s, end_s, done_s, retries = (
        np.concatenate([table[name] for table in tables])
        for name in ("server_share_s", "server_start_s", "server_end_s", "done_s", "retries")
    )
    left = (end_s > done_s) & (done_s < book.end.time_s)
    unsure = (retries > 0) | left
    known = ~np.isnan(start_s) & (retries == 0) & (share_s > 0.0)
    start_s, end_s = start_s[known], end_s[known]
    inside_s = np.minimum(end_s, book.end.time_s) - np.maximum(start_s, book.begin.time_s)
    portion = np.maximum(0.0, inside_s) / np.maximum(end_s - start_s, 1e-300)
    return float(np.sum(share_s[known] * portion)), float(np.sum(share_s[unsure]))
