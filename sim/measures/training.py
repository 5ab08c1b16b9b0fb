"""Training of devices over a run: what it sent, how long it took, how good it made the answers.

Counted from the start of the run, not over the window: training comes before any request.
"""

from collections.abc import Mapping
from math import nan

import numpy as np

from sim.measures.meters import Book, Records, select
from sim.places import groups_of, groups_up_to
from sim.request import DONE
from sim.sources.training import Rounds
from sim.specs import SystemSpec

_GAINS = {"adapt_half_s": 0.5, "adapt_most_s": 0.9}
"""Columns for the time until these shares of all that is gained are there."""


def training_columns(
    spec: SystemSpec, book: Book, rounds: Mapping[int, Rounds]
) -> dict[str, float]:
    """Means over the devices that train, by the `rounds` of their groups; empty without any."""
    if not rounds:
        return {}
    groups = _groups_of_devices(spec)
    every, done = book.rounds, select(book.rounds, book.rounds["outcome"] == DONE)
    n = np.bincount(done["device"].astype(int), minlength=len(groups))
    learners = np.flatnonzero(np.isin(groups, list(rounds)))
    wanted = np.array([_wanted(spec, number) for number in groups])
    begun_s, ended_s = _spans(spec, book)
    through = learners[n[learners] >= wanted[learners]]
    device_s = every["device_end_s"] - every["device_start_s"] + every["backward_s"]
    down = sum(
        rounds[number].round.answer_bytes * int(n[groups == number].sum()) for number in rounds
    )
    after, before = (_accuracy(groups, rounds, each) for each in (n, np.zeros_like(n)))
    size = len(learners)
    return {
        "adapt_rounds_per_device": float(n.sum()) / size,
        "adapt_done_share": len(through) / size,
        "adapt_s": _mean(ended_s[through] - begun_s[through]),
        "adapt_uplink_bytes_per_device": float(every["payload_bytes"].sum()) / size,
        "adapt_downlink_bytes_per_device": float(down) / size,
        "adapt_server_s_per_device": float(every["server_share_s"].sum()) / size,
        "adapt_device_s_per_device": float(np.nansum(device_s)) / size,
        "adapt_accuracy_start": _mean(before[learners]),
        "adapt_accuracy": _mean(after[learners]),
        **{name: _gain_s(done, groups, rounds, begun_s, part) for name, part in _GAINS.items()},
        "adapt_window_share": _window_share(book, begun_s[learners], ended_s[learners]),
    }


def training_over_time(
    spec: SystemSpec, book: Book, rounds: Mapping[int, Rounds], times_s: np.ndarray
) -> dict[str, np.ndarray]:
    """At every instant means over the devices that train: rounds done, bytes that went up and down
    for them so far, the accuracy `reached`.
    """
    groups = _groups_of_devices(spec)
    learners = np.flatnonzero(np.isin(groups, list(rounds)))
    down = np.array([rounds[g].round.answer_bytes if g in rounds else 0.0 for g in groups])
    rows: dict[str, list[float]] = {
        name: [] for name in ("rounds", "uplink_bytes", "downlink_bytes", "reached")
    }
    done = select(book.rounds, book.rounds["outcome"] == DONE)
    for time_s in times_s:
        so_far = done["done_s"] <= time_s
        n = np.bincount(done["device"][so_far].astype(int), minlength=len(groups))
        rows["rounds"].append(_mean(n[learners].astype(float)))
        rows["uplink_bytes"].append(float(done["payload_bytes"][so_far].sum()) / len(learners))
        rows["downlink_bytes"].append(float((n * down).sum()) / len(learners))
        rows["reached"].append(_mean(_accuracy(groups, rounds, n)[learners]))
    return {name: np.array(values) for name, values in rows.items()}


def _groups_of_devices(spec: SystemSpec) -> np.ndarray:
    shares = tuple(group.share for group in groups_of(spec).values())
    return groups_up_to(spec.fleet.n_devices, shares)


def _wanted(spec: SystemSpec, number: int) -> int:
    group = list(groups_of(spec).values())[number]
    return (group.workload or spec.workload).adapt_rounds


def _spans(spec: SystemSpec, book: Book) -> tuple[np.ndarray, np.ndarray]:
    """When every device began its first round, and when its last one was over; the end of the run
    where one is in flight, or where it had none.
    """
    n, end_s = spec.fleet.n_devices, book.end.time_s
    begun_s, ended_s = np.full(n, end_s), np.zeros(n)
    for table in (book.rounds, book.rounds_in_flight):
        device = table["device"].astype(int)
        np.minimum.at(begun_s, device, table["created_s"])
        np.maximum.at(ended_s, device, table["done_s"])
    return begun_s, np.maximum(begun_s, ended_s)


def _accuracy(groups: np.ndarray, rounds: Mapping[int, Rounds], n: np.ndarray) -> np.ndarray:
    """What each device has reached after so many rounds; NaN where it does not train."""
    reached = np.full(len(groups), nan)
    for number, each in rounds.items():
        mine = groups == number
        reached[mine] = each.training.accuracy_after(n[mine])
    return reached


def _gain_s(
    done: Records,
    groups: np.ndarray,
    rounds: Mapping[int, Rounds],
    begun_s: np.ndarray,
    share: float,
) -> float:
    """Mean seconds from its first round until a device has this share of the gain; NaN unless all
    came so far.
    """
    took_s: list[float] = []
    device, group = done["device"].astype(int), done["group"].astype(int)
    for number, each in rounds.items():
        needed = each.training.rounds_to(share)
        mine = (group == number) & (done["tokens"] == (needed or 0) - 1)
        if not needed or np.count_nonzero(mine) < np.count_nonzero(groups == number):
            return nan
        took_s += (done["done_s"][mine] - begun_s[device[mine]]).tolist()
    return _mean(np.array(took_s))


def _window_share(book: Book, begun_s: np.ndarray, ended_s: np.ndarray) -> float:
    """The share of the window that the devices spent on training."""
    start_s, end_s = book.begin.time_s, book.end.time_s
    inside_s = np.minimum(ended_s, end_s) - np.maximum(begun_s, start_s)
    return _mean(np.maximum(0.0, inside_s)) / (end_s - start_s)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else nan
