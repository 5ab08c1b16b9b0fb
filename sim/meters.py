"""Meters: they observe requests and stations; the model does not know what is computed.

Every figure is taken over the window from the end of the warm-up to the end of the run.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
from simpy import Environment, Event

from sim.request import COLUMNS, DONE, Request

Records = Mapping[str, np.ndarray]


class Meter:
    """Knows the requests in flight (`open`) and keeps one record per request that left."""

    def __init__(self, env: Environment, *, n_devices: int = 1, target: int | None = None) -> None:
        self._env = env
        self.n_devices = n_devices
        self.target_reached: Event = env.event()
        self.target_s = nan
        self.n_arrived = 0
        self.arrival_sum_s = 0.0
        self.left_sum_s = 0.0
        self.n_left = 0
        self.open: dict[Request, None] = {}
        self._flat = array("d")
        self._steps = array("d")
        self._countdown = target if target is not None else -1

    def arrived(self, request: Request) -> None:
        """A request has come into being."""
        self.n_arrived += 1
        self.arrival_sum_s += request.created_s
        self.open[request] = None

    def left(self, request: Request, outcome: int) -> None:
        """A request is done or dropped; device 0 may have reached the target with it."""
        self.n_left += 1
        del self.open[request]
        self.left_sum_s += self._env.now
        request.outcome = outcome
        request.done_s = self._env.now
        self._flat.extend(request.row())
        if request.device == 0 and self._countdown >= 0:
            self._countdown -= 1
            if self._countdown == 0:
                self.target_s = request.done_s
                self.target_reached.succeed()

    def stepped(self, step: Request) -> None:
        """A step of a session is done; its `tokens` is its number, 0 the prefill."""
        step.done_s = self._env.now
        step.outcome = DONE
        self._steps.extend(step.row())

    def records(self) -> Records:
        """Name to column, in the order in which requests left."""
        return _columns(self._flat)

    def steps(self) -> Records:
        """The steps of sessions, likewise."""
        return _columns(self._steps)


def _columns(rows: array[float]) -> Records:
    """The rows of an array, as named columns."""
    flat = np.frombuffer(rows, dtype=np.float64) if rows else np.empty(0)
    table = flat.reshape(-1, len(COLUMNS))
    return {name: table[:, i] for i, name in enumerate(COLUMNS)}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The counters at one instant; the window's figures are differences of two of them."""

    time_s: float
    n_arrived: int
    n_left: int
    arrival_sum_s: float
    left_sum_s: float
    server_busy_s: float
    link_busy_s: float
    device_busy_s: float
    device0_busy_s: float


def rate(times_s: np.ndarray, start_s: float, end_s: float) -> float:
    """Completions per second, from the first completion in the window to the last.

    Counting between completions makes a deterministic cycle exact; completions at the very first
    instant are the origin and not counted. Fewer than two instants: count over window length.
    """
    if len(times_s) and times_s[-1] > times_s[0]:
        counted = np.count_nonzero(times_s > times_s[0])
        return float(counted / (times_s[-1] - times_s[0]))
    return len(times_s) / (end_s - start_s)


def measure(
    records: Records, steps: Records, begin: Snapshot, end: Snapshot, half_rtt_s: float = 0.0
) -> dict[str, float]:
    """The tidy columns of one run over the window between two snapshots."""
    inside = records["done_s"] > begin.time_s
    gone = {name: column[inside] for name, column in records.items()}
    served = gone["outcome"] == DONE
    done = {name: column[served] for name, column in gone.items()}
    latency_s = done["done_s"] - done["created_s"]
    length_s = end.time_s - begin.time_s
    return {
        "n_requests": float(len(latency_s)),
        "throughput_rps": rate(done["done_s"], begin.time_s, end.time_s),
        "server_utilization": (end.server_busy_s - begin.server_busy_s) / length_s,
        "link_utilization": (end.link_busy_s - begin.link_busy_s) / length_s,
        "device_utilization": (end.device_busy_s - begin.device_busy_s) / length_s,
        **latency_columns(latency_s),
        **(stage_columns(done, half_rtt_s) if not len(steps["done_s"]) else {}),
        **(token_columns(steps, begin, end) if len(steps["done_s"]) else {}),
        "uplink_bytes_per_request": average(done["payload_bytes"]),
        "air_bytes_per_request": average(done["air_bytes"]),
        "airtime_s_per_request": average(done["airtime_s"]),
        "resent_frames_per_request": average(done["resent_frames"]),
        "server_s_per_request": average(done["server_share_s"]),
        "accuracy": average(done["correct"]),
        "dropped_share": average(gone["outcome"] != DONE),
        "deadline_miss_share": average(~served | (gone["done_s"] > gone["deadline_s"])),
        "freshness_s": freshness_s(done),
        "device_busy_s": end.device0_busy_s - begin.device0_busy_s,
    }


def token_columns(steps: Records, begin: Snapshot, end: Snapshot) -> dict[str, float]:
    """The autoregressive columns; TTFT counts from the session's birth, TPOT per later token."""
    inside = steps["done_s"] > begin.time_s
    done = {name: column[inside] for name, column in steps.items()}
    prefill = done["tokens"] == 0
    latency_s = done["done_s"] - done["created_s"]
    tpot_s = latency_s[~prefill]
    bits = 8.0 * done["payload_bytes"][~prefill]
    mean_bits = average(bits)
    return {
        "tokens_per_s": len(latency_s) / (end.time_s - begin.time_s),
        "ttft_s": average(latency_s[prefill]),
        "tpot_s": average(tpot_s),
        "tpot_p95_s": float(np.quantile(tpot_s, 0.95)) if len(tpot_s) else nan,
        "uplink_bits_per_token": mean_bits,
        "bits_per_token_cv": float(np.std(bits)) / mean_bits if mean_bits > 0.0 else nan,
        "server_s_per_token": average(done["server_share_s"]),
    }


def load_over_time(records: Records, edges_s: np.ndarray) -> np.ndarray:
    """GPU seconds of work per second in every bin between `edges_s`, shape [bins].

    A batch's time is shared equally by its requests; requests in flight at the end are missing.
    """
    served = ~np.isnan(records["server_end_s"])
    start, stop, share = (
        records[name][served] for name in ("server_start_s", "server_end_s", "server_share_s")
    )
    weight = share / np.maximum(stop - start, 1e-300)
    done_s = [
        float(np.sum(weight * (np.minimum(stop, edge) - np.minimum(start, edge))))
        for edge in edges_s
    ]
    return np.diff(done_s) / np.diff(edges_s)


def stages(done: Records, half_rtt_s: float) -> dict[str, np.ndarray]:
    """Wait and service of every request at every stage, in seconds; they add up to its latency.

    Under processor sharing the wait is the stretch of the transfer beyond its airtime alone.
    """
    sent = ~np.isnan(done["link_end_s"])
    served = ~np.isnan(done["server_end_s"])
    zero = np.zeros(len(sent))
    propagation_s = np.where(sent, half_rtt_s, 0.0)
    entered_s = done["device_end_s"] + propagation_s
    reached_s = np.where(sent, done["link_end_s"], entered_s)
    on_link_s = np.where(sent, reached_s - entered_s, zero)
    airtime_s = np.minimum(done["airtime_s"], on_link_s)
    last_s = np.where(served, done["server_end_s"], reached_s)
    return {
        "device_wait_s": done["device_start_s"] - done["created_s"],
        "device_service_s": done["device_end_s"] - done["device_start_s"],
        "link_wait_s": on_link_s - airtime_s,
        "link_service_s": airtime_s,
        "server_wait_s": np.where(served, done["server_start_s"] - reached_s, zero),
        "server_service_s": np.where(served, done["server_end_s"] - done["server_start_s"], zero),
        "network_s": propagation_s + done["done_s"] - last_s,
    }


def stage_columns(done: Records, half_rtt_s: float) -> dict[str, float]:
    """Mean of every stage, and its mean among the slowest 5 % (`_slowest`)."""
    parts = stages(done, half_rtt_s)
    latency_s = done["done_s"] - done["created_s"]
    slow = latency_s >= np.quantile(latency_s, 0.95) if len(latency_s) else latency_s > 0.0
    columns = {name: average(part) for name, part in parts.items()}
    return columns | {f"{name}_slowest": average(part[slow]) for name, part in parts.items()}


def freshness_s(done: Records) -> float:
    """Mean age of the newest answer at a device, over time (age of information, Kaul et al. 2012).

    From a device's first answer in the window to its last: the area of the sawtooth over its
    length.
    """
    order = np.lexsort((done["done_s"], done["device"]))
    device, created, at = (done[name][order] for name in ("device", "created_s", "done_s"))
    same = device[1:] == device[:-1]
    gap = (at[1:] - at[:-1])[same]
    age = (at[:-1] - created[:-1])[same]
    length = float(np.sum(gap))
    return float(np.sum(gap * (age + 0.5 * gap)) / length) if length > 0.0 else nan


def average(values: np.ndarray) -> float:
    """Mean, or NaN of nothing."""
    return float(np.mean(values)) if len(values) else nan


def latency_columns(latency_s: np.ndarray) -> dict[str, float]:
    """Mean and quantiles of the latency; NaN of nothing."""
    names = ("latency_p50_s", "latency_p95_s", "latency_p99_s", "latency_p999_s")
    if not len(latency_s):
        return dict.fromkeys(("latency_mean_s", *names), nan)
    quantiles = np.quantile(latency_s, (0.5, 0.95, 0.99, 0.999)).tolist()
    return {"latency_mean_s": float(np.mean(latency_s)), **dict(zip(names, quantiles, strict=True))}


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
            tolerance=(digits + 2.0 * crossing * largest_s) / length_s,
        ),
    )
