"""Workloads as numbers: what the compiled engine needs of them (sim/devices/workload.py)."""

import math

import numpy as np

from sim.devices.arrivals import arrivals
from sim.devices.workload import mmpp_law
from sim.engine import layout as at
from sim.places import groups_of
from sim.specs import ChurnSpec, SystemSpec, WorkloadSpec

_KINDS = {
    "poisson": at.COMES, "gamma": at.CLUSTERS, "mmpp": at.BURSTS, "periodic": at.FRAMES,
    "replay": at.REPLAYS,
}  # fmt: skip


def kind(spec: WorkloadSpec) -> int:
    """The kernel's name of a workload."""
    if spec.kind == "closed":
        return at.PAUSES if spec.think == "constant" else at.THINKS
    return _KINDS[spec.kind]


def numbers(spec: WorkloadSpec) -> np.ndarray:
    """What the gaps of a group's devices are made of."""
    found = np.zeros(at.N_LOAD)
    if spec.kind == "gamma":
        shape = 1.0 / spec.gap_cv**2
        found[at.G_SHAPE], found[at.G_SCALE] = shape, 1.0 / (spec.rate_rps * shape)
    elif spec.kind == "mmpp":
        law = mmpp_law(spec)
        found[at.G_SHARE], found[at.G_EMPTY] = law.share, law.log_empty
        found[at.G_MEAN : at.G_MEAN + 2] = law.means_s
        found[at.G_ONCE : at.G_ONCE + 2] = law.at_once
    elif spec.kind == "periodic":
        found[at.G_PERIOD], found[at.G_JITTER] = 1.0 / spec.rate_rps, spec.jitter_s
        found[at.G_SYNC] = spec.synchronised
    return found


def stays(spec: ChurnSpec | None) -> list[float]:
    """When a group's devices join, leave and come back; of what it does not know, NaN."""
    if spec is None:
        return [math.nan] * at.N_CHURN
    known = (spec.join_s, spec.leave_s, spec.back_s, spec.mean_up_s, spec.mean_down_s)
    return [math.nan if each is None else each for each in known]


def crew(dn: np.ndarray, churns: bool) -> np.ndarray:
    """Of every device its requests in flight, none yet, and its first recorded time; where none
    come and go, nothing.
    """
    found = np.full((len(dn) if churns else 1, at.N_MEMBER), -1)
    found[:, at.STAYS_DRAWN] = 0
    if churns:
        found[:, at.FIRST_TIME] = dn[:, at.NEXT_TIME]
    return found


def set_times(spec: SystemSpec, dn: np.ndarray) -> np.ndarray:
    """All recorded times, and the place of every device's own among them (replay.replay).

    Raises:
        ValueError: a device that has fewer times than the run waits for.
    """
    found: list[float] = []
    target = spec.workload.requests or -1
    for number, group in enumerate(groups_of(spec).values()):
        load = group.workload or spec.workload
        if load.kind != "replay":
            continue
        by_device = arrivals(load, len(dn)).times_s
        for index in np.flatnonzero(dn[:, at.GROUP] == number).tolist():
            times = by_device.get(index, ())
            wanted = target if index == 0 or spec.workload.until_all else 0
            if len(times) < wanted:
                raise ValueError(
                    f"workload.requests must be <= the {len(times)} times of device {index} in"
                    f" workload.replay_csv, got {wanted}"
                )
            dn[index, at.NEXT_TIME] = len(found)
            found += times
            dn[index, at.TIMES_END] = len(found)
    return np.array(found)
