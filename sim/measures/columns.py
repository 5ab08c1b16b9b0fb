"""The tidy columns of a run, computed from its book: records, what is in flight, two snapshots."""

from collections.abc import Sequence
from math import nan

import numpy as np

from sim.measures.meters import Book, Records, ages_s, are_answered, join, select, since
from sim.measures.quantiles import Observed
from sim.request import COMPLETE, DONE, ENDINGS

STAGES = (
    "memory_wait_s", "device_wait_s", "device_service_s", "link_grant_s", "link_wait_s",
    "link_service_s", "link_resend_s", "link_outage_s", "decoder_wait_s", "decoder_service_s",
    "server_wait_s", "server_service_s", "repair_wait_s", "answer_wait_s", "network_s",
)  # fmt: skip
"""Where a request spends its time; they add up to its latency."""


_ROUNDING_S = 1e-12
"""Less than that is the rounding of a difference of two times."""


def rate(times_s: np.ndarray, start_s: float, end_s: float) -> float:
    """Answers per second over a window.

    Counting from the first instant of an answer to the last makes a deterministic cycle exact; it
    is done only where answers come within one mean gap of both ends, so that nothing stands still
    in between. Otherwise answers over the window's length.
    """
    if len(times_s) and times_s[-1] > times_s[0]:
        counted = np.count_nonzero(times_s > times_s[0])
        span_s = times_s[-1] - times_s[0]
        gap_s = span_s / counted * (1.0 + 1e-9)
        if times_s[0] - start_s <= gap_s and end_s - times_s[-1] <= gap_s:
            return float(counted / span_s)
    return len(times_s) / (end_s - start_s)


def measure(book: Book, slow_s: float) -> dict[str, float]:
    """The tidy columns of one run over the window between its two snapshots; `slow_s`: the 95th
    percentile of the latencies of what was answered.
    """
    begin, end, length_s = book.begin, book.end, book.length_s
    gone, done = book.gone, book.done
    latency_s = ages_s(done)
    return {
        "n_requests": float(len(latency_s)),
        "throughput_rps": rate(done["done_s"], begin.time_s, end.time_s),
        "server_utilization": (end.server_busy_s - begin.server_busy_s) / length_s,
        "decoder_utilization": (end.decoder_busy_s - begin.decoder_busy_s) / length_s,
        "link_utilization": (end.link_busy_s - begin.link_busy_s) / length_s,
        "device_utilization": (end.device_busy_s - begin.device_busy_s) / length_s,
        "latency_mean_s": average(latency_s),
        **session_or_request_columns(done, book, slow_s),
        "uplink_bytes_per_request": average(done["payload_bytes"]),
        "air_bytes_per_request": average(done["air_bytes"]),
        "airtime_s_per_request": average(done["airtime_s"]),
        "airtime_s_per_departure": average(gone["airtime_s"]),
        "resent_frames_per_request": average(done["resent_frames"]),
        "server_s_per_request": average(done["server_share_s"]),
        "accuracy": average(done["correct"]),
        **share_columns(gone, book),
        "freshness_s": freshness_s(book.records, begin.time_s, end.time_s),
        "device_busy_s": end.device0_busy_s - begin.device0_busy_s,
    }


def share_columns(gone: Records, book: Book) -> dict[str, float]:
    """What became of the requests: shares of all that left in the window or are still in flight.

    What is in flight beyond its deadline has missed it. Where nothing was answered and nothing is
    known to be late, there is no share of misses.
    """
    in_flight = book.in_flight
    whole = len(gone["done_s"]) + len(in_flight["done_s"])
    answered = are_answered(gone)
    late = int(np.count_nonzero(~answered | (gone["done_s"] > gone["deadline_s"])))
    late += int(np.count_nonzero(in_flight["done_s"] > in_flight["deadline_s"]))
    dropped = np.count_nonzero(gone["outcome"] != DONE)
    columns = {
        "dropped_share": dropped / whole if whole else nan,
        "in_flight_share": len(in_flight["done_s"]) / whole if whole else nan,
        "deadline_miss_share": late / whole if late or answered.any() else nan,
    }
    if not book.has_sessions:
        return columns
    cut = gone["ending"][(gone["outcome"] == DONE) & ~answered]
    columns["truncated_share"] = len(cut) / whole if whole else nan
    for number, name in enumerate(ENDINGS):
        if number != COMPLETE:
            share = np.count_nonzero(cut == number) / whole if whole else nan
            columns[f"truncated_share_{name}"] = share
    return columns


def group_columns(book: Book, names: Sequence[str], throughput_rps: float) -> dict[str, float]:
    """Throughput and mean latency of every group by name; nothing where there is only one.

    The throughputs are the groups' shares of the answers, so that they add up.
    """
    if len(names) < 2:
        return {}
    done, latency_s = book.done, ages_s(book.done)
    columns: dict[str, float] = {}
    for number, name in enumerate(names):
        mine = done["group"] == number
        share = np.count_nonzero(mine) / len(latency_s) if len(latency_s) else 0.0
        columns |= {
            f"throughput_rps_{name}": throughput_rps * share,
            f"latency_mean_s_{name}": average(latency_s[mine]),
        }
    return columns


def session_or_request_columns(done: Records, book: Book, slow_s: float) -> dict[str, float]:
    """Stages of every passage; where there are sessions, the token columns too."""
    if not book.has_sessions:
        return stage_columns(done, book.length_s, slow_s)
    stepped = since(book.steps, book.begin.time_s)
    every = passages(done, stepped)
    made = select(stepped, stepped["outcome"] == DONE)
    latency_s = ages_s(every)
    slow_s = Observed(latency_s, 0.95).quantile
    return stage_columns(every, book.length_s, slow_s) | token_columns(made, book.length_s)


def passages(records: Records, steps: Records) -> Records:
    """All ways through the system and back: plain requests, and every step of every session.

    A session's own record holds sums over its steps and no times at the stages.
    """
    if not len(steps["done_s"]):
        return records
    plain = select(records, records["device_end_s"] == records["device_end_s"])
    every = join(plain, select(steps, steps["outcome"] == DONE))
    return select(every, np.argsort(every["done_s"], kind="stable"))


def token_columns(done: Records, length_s: float) -> dict[str, float]:
    """The autoregressive columns; TTFT counts from the session's birth, TPOT per later token."""
    prefill = done["tokens"] == 0
    latency_s = ages_s(done)
    tpot_s = latency_s[~prefill]
    bits = 8.0 * done["payload_bytes"][~prefill]
    mean_bits = average(bits)
    return {
        "tokens_per_s": len(latency_s) / length_s,
        "ttft_s": average(latency_s[prefill]),
        "tpot_s": average(tpot_s),
        "uplink_bits_per_token": mean_bits,
        "bits_per_token_cv": float(np.std(bits)) / mean_bits if mean_bits > 0.0 else nan,
        "server_s_per_token": average(done["server_share_s"]),
    }


def stages(done: Records) -> dict[str, np.ndarray]:
    """Seconds of every request at every stage that takes any, as they were booked; they add up to
    its latency.

    Under processor sharing the wait is the stretch of the transfer beyond its airtime alone.
    """
    derived = {
        "device_service_s": done["device_end_s"] - done["device_start_s"],
        "link_service_s": done["airtime_s"] - done["link_resend_s"],
    }
    parts = {name: derived[name] if name in derived else done[name] for name in STAGES}
    taken = {name: _exact(part) for name, part in parts.items() if part.any()}
    return {name: part for name, part in taken.items() if part.any()}


def _exact(part: np.ndarray) -> np.ndarray:
    """Without the rounding."""
    return np.where(np.abs(part) < _ROUNDING_S, 0.0, part)


def stage_columns(done: Records, length_s: float, slow_s: float) -> dict[str, float]:
    """Mean of every stage, its mean among the slowest 5 % (`_slowest`), those whose latency is at
    or above `slow_s`, and the mean queues.

    A queue's mean length is the sum of the waits over the window's length (Little's law); what is
    still in flight at the end is missing from it.
    """
    taken, latency_s = stages(done), ages_s(done)
    # equal latencies differ in their last digits
    slowest = np.flatnonzero(latency_s >= slow_s * (1.0 - 1e-9))
    none = 0.0 if len(latency_s) else nan  # most stages of most systems take no time at all
    columns = {name: average(taken[name]) if name in taken else none for name in STAGES}
    for place in ("device", "link", "decoder", "server"):
        waited_s = taken.get(f"{place}_wait_s")
        columns[f"{place}_queue_mean"] = (
            0.0 if waited_s is None else float(np.sum(waited_s)) / length_s
        )
    for name in STAGES:
        columns[f"{name}_slowest"] = average(taken[name][slowest]) if name in taken else none
    return columns


def freshness_s(records: Records, begin_s: float, end_s: float) -> float:
    """Mean age of the newest answer at a device over the window (age of information, Kaul et al.
    2012, section II): the area below every device's sawtooth over the time that it is known.

    A device counts from its last answer before the window on, or else from its first one, until
    the window ends: from answer to answer alone, long gaps at both ends would be missing, which
    makes n answers look 2 / n fresher than they are. An answer that an older request gets later
    does not make a device's knowledge older again.
    """
    served = are_answered(records)
    done = {name: records[name][served] for name in ("device", "created_s", "done_s")}
    # records stand in the order in which they left; few devices are sorted by their digits
    whole = np.uint16 if len(done["device"]) and done["device"].max() < 65536 else np.int64
    order = np.argsort(done["device"].astype(whole), kind="stable")
    device, created_s, at_s = (column[order] for column in done.values())
    apart_s = device * (end_s + 1.0)  # a running maximum that starts anew with every device
    newest_s = np.maximum.accumulate(created_s + apart_s) - apart_s
    until_s = np.where(device == np.append(device[1:], -1), np.append(at_s[1:], 0.0), end_s)
    from_s, until_s = np.clip(at_s, begin_s, end_s), np.clip(until_s, begin_s, end_s)
    gap_s = until_s - from_s
    known_s = float(np.sum(gap_s))
    area = float(np.sum(gap_s * (from_s - newest_s + 0.5 * gap_s)))
    return area / known_s if known_s > 0.0 else nan


def average(values: np.ndarray) -> float:
    """Mean, or NaN of nothing."""
    return float(np.add.reduce(values)) / len(values) if len(values) else nan  # np.mean, faster
