"""Replayed workloads: the times at which requests were recorded."""

import csv
import math
from functools import lru_cache
from pathlib import Path

from simpy import Environment

from sim.devices.device import Device, Steps
from sim.places import groups_of
from sim.specs import SystemSpec, WorkloadSpec
from sim.streams import Stream


def replay(env: Environment, device: Device, spec: WorkloadSpec, stream: Stream) -> Steps:
    """The recorded times of this device; rows without a device go to device 0, 1, ... by turns."""
    stamp = Path(spec.replay_csv).stat().st_mtime_ns
    times = read_arrivals(spec.replay_csv, device.meter.n_devices, stamp).get(device.index, ())
    wanted = device.meter.waits_for(device.index)
    if len(times) < wanted:
        raise ValueError(
            f"workload.requests must be <= the {len(times)} times of device {device.index} in"
            f" workload.replay_csv, got {wanted}"
        )
    for time_s in times:
        if time_s >= env.now:
            yield env.timeout(time_s - env.now)
            device.spawn(device.handle())


def replay_share(spec: WorkloadSpec, n_devices: int, horizon_s: float) -> tuple[int, int]:
    """How many of the recorded times lie within the horizon, and how many there are.

    Raises:
        ValueError: none does.
    """
    stamp = Path(spec.replay_csv).stat().st_mtime_ns
    times = [t for each in read_arrivals(spec.replay_csv, n_devices, stamp).values() for t in each]
    used = sum(time_s <= horizon_s for time_s in times)
    if not used:
        first = f"the first is at {min(times):g} s" if times else "there are none"
        raise ValueError(
            f"workload.replay_csv needs times within horizon_s={horizon_s:g}, {first} in"
            f" {spec.replay_csv}"
        )
    return used, len(times)


@lru_cache(maxsize=16)
def read_arrivals(path: str, n_devices: int, stamp: int) -> dict[int, tuple[float, ...]]:
    """Arrival times by device from a CSV with the column time_s and, if wanted, device.

    `stamp` is the file's time of change, so that a new file is read again.

    Raises:
        ValueError: no column time_s, a negative time, or a device that the fleet does not have.
    """
    times: dict[int, list[float]] = {}
    with Path(path).open(newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or "time_s" not in reader.fieldnames:
            raise ValueError(f"workload.replay_csv needs a column time_s, got {path}")
        for number, row in enumerate(reader):
            try:
                index = int(row["device"]) if "device" in row else number % n_devices
                time_s = float(row["time_s"])
            except (TypeError, ValueError):
                raise ValueError(
                    f"workload.replay_csv row {number + 1} must hold numbers, got {row} in {path}"
                ) from None
            if not 0 <= index < n_devices or not 0.0 <= time_s < math.inf:
                raise ValueError(
                    f"workload.replay_csv row {number + 1} must have time_s >= 0 and a device"
                    f" below {n_devices}, got {row}"
                )
            times.setdefault(index, []).append(time_s)
    return {index: tuple(sorted(values)) for index, values in times.items()}


def say_replays(spec: SystemSpec) -> list[str]:
    """How many of the recorded times a run to the horizon plays, where it is not all of them.

    Raises:
        ValueError: a workload of which it plays none.
    """
    if spec.workload.requests is not None:
        return []
    loads = [group.workload or spec.workload for group in groups_of(spec).values()]
    parts = {
        load.replay_csv: replay_share(load, spec.fleet.n_devices, spec.horizon_s)
        for load in loads
        if load.kind == "replay"
    }
    return [
        f"{used:,} of {there:,} times of {path} lie within horizon_s and are played"
        for path, (used, there) in parts.items()
        if used < there
    ]
