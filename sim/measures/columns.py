"""The tidy columns of a run, computed from its records and two snapshots of its counters."""

from collections import Counter
from collections.abc import Sequence
from math import nan

import numpy as np

from sim.measures.meters import Records, Snapshot
from sim.measures.quantiles import observe_quantiles
from sim.places import group_of, groups_of
from sim.request import DONE
from sim.specs import SystemSpec


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
        "decoder_utilization": (end.decoder_busy_s - begin.decoder_busy_s) / length_s,
        "link_utilization": (end.link_busy_s - begin.link_busy_s) / length_s,
        "device_utilization": (end.device_busy_s - begin.device_busy_s) / length_s,
        "latency_mean_s": average(latency_s),
        **session_or_request_columns(done, steps, begin, end, half_rtt_s),
        "uplink_bytes_per_request": average(done["payload_bytes"]),
        "air_bytes_per_request": average(done["air_bytes"]),
        "airtime_s_per_request": average(done["airtime_s"]),
        "resent_frames_per_request": average(done["resent_frames"]),
        "server_s_per_request": average(done["server_share_s"]),
        "accuracy": average(done["correct"]),
        "dropped_share": average(gone["outcome"] != DONE),
        "deadline_miss_share": average(~served | (gone["done_s"] > gone["deadline_s"])),
        "freshness_s": freshness_s(records, begin.time_s, end.time_s),
        "device_busy_s": end.device0_busy_s - begin.device0_busy_s,
    }


def quantile_columns(
    records: Records, steps: Records, start_s: float, groups: Sequence[str]
) -> dict[str, float]:
    """The quantiles of one run: of latencies, of every group's, of times per output token."""
    quantiles = observe_quantiles(records, steps, start_s, groups)
    return {name: seen.quantile for name, seen in quantiles.items()}


def group_columns(
    records: Records, names: Sequence[str], begin: Snapshot, end: Snapshot
) -> dict[str, float]:
    """Throughput and mean latency of every group by name; nothing where there is only one."""
    columns: dict[str, float] = {}
    for number, name in enumerate(names if len(names) > 1 else ()):
        mine = _select(records, begin, number) & (records["outcome"] == DONE)
        latency_s = (records["done_s"] - records["created_s"])[mine]
        columns |= {
            f"throughput_rps_{name}": len(latency_s) / (end.time_s - begin.time_s),
            f"latency_mean_s_{name}": average(latency_s),
        }
    return columns


def session_or_request_columns(
    done: Records, steps: Records, begin: Snapshot, end: Snapshot, half_rtt_s: float
) -> dict[str, float]:
    """Stages of every passage; where there are sessions, the token columns too."""
    length_s = end.time_s - begin.time_s
    if not len(steps["done_s"]):
        return stage_columns(done, half_rtt_s, length_s)
    inside = steps["done_s"] > begin.time_s
    stepped = {name: column[inside] for name, column in steps.items()}
    every = passages(done, stepped)
    return stage_columns(every, half_rtt_s, length_s) | token_columns(stepped, length_s)


def passages(records: Records, steps: Records) -> Records:
    """All ways through the system: plain requests, and every step of every session.

    A session's own record holds sums over its steps and no times at the stages.
    """
    if not len(steps["done_s"]):
        return records
    plain = records["tokens"] == 0
    every = {name: np.concatenate((column[plain], steps[name])) for name, column in records.items()}
    order = np.argsort(every["done_s"], kind="stable")
    return {name: column[order] for name, column in every.items()}


def token_columns(done: Records, length_s: float) -> dict[str, float]:
    """The autoregressive columns; TTFT counts from the session's birth, TPOT per later token."""
    prefill = done["tokens"] == 0
    latency_s = done["done_s"] - done["created_s"]
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


def stage_columns(done: Records, half_rtt_s: float, length_s: float) -> dict[str, float]:
    """Mean of every stage, its mean among the slowest 5 % (`_slowest`), and the mean queues.

    A queue's mean length is the sum of the waits over the window's length (Little's law); what is
    still in flight at the end is missing from it.
    """
    parts = stages(done, half_rtt_s)
    latency_s = done["done_s"] - done["created_s"]
    slow = latency_s >= np.quantile(latency_s, 0.95) if len(latency_s) else latency_s > 0.0
    columns = {name: average(part) for name, part in parts.items()}
    for place in ("device", "link", "server"):
        columns[f"{place}_queue_mean"] = float(np.sum(parts[f"{place}_wait_s"])) / length_s
    return columns | {f"{name}_slowest": average(part[slow]) for name, part in parts.items()}


def freshness_s(records: Records, begin_s: float, end_s: float) -> float:
    """Mean age of the newest answer at a device over the window (age of information, Kaul et al.
    2012, section II): the area below every device's sawtooth over the time that it is known.

    A device counts from its last answer before the window on, or else from its first one, until
    the window ends: from answer to answer alone, long gaps at both ends would be missing, which
    makes n answers look 2 / n fresher than they are. An answer that an older request gets later
    does not make a device's knowledge older again.
    """
    served = records["outcome"] == DONE
    done = {name: records[name][served] for name in ("device", "created_s", "done_s")}
    order = np.lexsort((done["done_s"], done["device"]))
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
    return float(np.mean(values)) if len(values) else nan


def _select(table: Records, begin: Snapshot, group: int) -> np.ndarray:
    """Which rows of a group lie in the window."""
    return np.asarray((table["done_s"] > begin.time_s) & (table["group"] == group))


def energy_j_per_request(
    spec: SystemSpec, records: Records, steps: Records, begin: Snapshot, end: Snapshot
) -> float:
    """Joules of all devices per answer; NaN unless every group has a power sheet.

    E = idle_w T N + compute_w (processor seconds) + transmit_w (airtime), over what left in the
    window (a request's whole work counts where it left).
    """
    groups = tuple(groups_of(spec).values())
    inside = records["done_s"] > begin.time_s
    n_done = int(np.count_nonzero(records["outcome"][inside] == DONE))
    if n_done == 0 or any(group.power is None for group in groups):
        return nan
    shares = tuple(group.share for group in groups)
    sizes = Counter(group_of(index, shares) for index in range(spec.fleet.n_devices))
    total_j = 0.0
    for number, group in enumerate(groups):
        assert group.power is not None
        mine = _select(records, begin, number)
        worked_s = [
            np.nansum((table["device_end_s"] - table["device_start_s"])[chosen])
            for table, chosen in ((records, mine), (steps, _select(steps, begin, number)))
        ]
        airtime_s = np.sum(records["airtime_s"][mine])
        total_j += group.power.idle_w * (end.time_s - begin.time_s) * sizes[number]
        total_j += group.power.compute_w * float(sum(worked_s)) + group.power.transmit_w * float(
            airtime_s
        )
    return total_j / n_done
