"""A run over time: the server's load and how many requests wait where, bin by bin."""

from functools import reduce

import numpy as np

from sim.measures.meters import Book, Records, join, select

_PLACES = {
    "in_system": ("created_s", "done_s"),
    "device_present": ("created_s", "device_end_s"),
    "uplink_present": ("sent_s", "link_end_s"),
    "server_waiting": ("reached_s", "server_start_s"),
    "server_present": ("server_start_s", "server_end_s"),
}


def visits(book: Book) -> Records:
    """All ways through the system, whatever became of them and also those that are not over yet:
    plain requests, the steps of sessions and rounds of training; a session's own record has no
    times at the stages.
    """
    return reduce(join, [select(table, ~np.isnan(table["device_end_s"])) for table in book.every])


def load_over_time(records: Records, edges_s: np.ndarray) -> np.ndarray:
    """GPU seconds of work per second in every bin between `edges_s`, shape [bins].

    A batch's time is shared equally by its requests.
    """
    served = ~np.isnan(records["server_end_s"])
    start, stop, share = (
        records[name][served] for name in ("server_start_s", "server_end_s", "server_share_s")
    )
    return mean_over_time(start, stop, edges_s, share / np.maximum(stop - start, 1e-300))


def present_over_time(records: Records, edges_s: np.ndarray) -> dict[str, np.ndarray]:
    """Mean number of requests at every place in every bin, shape [bins].

    Half of the round trip counts to the device and the uplink, decoding on cores to waiting at the
    server. Approximation: what a failed server has lost counts to the uplink from its first sending
    to its last. Who has not left a place is there until it is given up, or the run ends.
    """
    means = {}
    device_end_s = np.minimum(records["device_end_s"], records["done_s"])
    sent = (records["air_bytes"] > 0.0) | (records["payload_bytes"] > 0.0)
    times = {
        **records,
        "device_end_s": device_end_s,
        "sent_s": np.where(sent, device_end_s, np.nan),
        "reached_s": np.where(sent, records["link_end_s"], device_end_s),
    }
    for name, (begin, end) in _PLACES.items():
        start, stop = times[begin], times[end]
        there = ~np.isnan(start)
        stop = np.where(np.isnan(stop), records["done_s"], stop)
        means[name] = mean_over_time(start[there], stop[there], edges_s)
    return means


def mean_over_time(
    start_s: np.ndarray, stop_s: np.ndarray, edges_s: np.ndarray, weight: np.ndarray | float = 1.0
) -> np.ndarray:
    """Mean of sum_i weight_i [start_i <= t < stop_i] over every bin, shape [bins]; weights >= 0."""
    weights = np.broadcast_to(np.asarray(weight, dtype=float), start_s.shape)
    passed = _sum_of_least(stop_s, weights, edges_s) - _sum_of_least(start_s, weights, edges_s)
    means = np.diff(passed) / np.diff(edges_s)
    return np.asarray(np.maximum(0.0, means))  # long sums lose digits


def _sum_of_least(times_s: np.ndarray, weights: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """sum_i weight_i min(time_i, edge), for every edge."""
    order = np.argsort(times_s)
    before = np.searchsorted(times_s[order], edges_s, side="right")
    moments = np.concatenate(([0.0], np.cumsum((weights * times_s)[order])))
    counts = np.concatenate(([0.0], np.cumsum(weights[order])))
    return np.asarray(moments[before] + edges_s * (counts[-1] - counts[before]))
