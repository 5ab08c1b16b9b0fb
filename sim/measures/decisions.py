"""How often devices change their minds, and how evenly that loads the server."""

from math import nan

import numpy as np

from sim.measures.columns import passages
from sim.measures.meters import Records, Snapshot
from sim.measures.overtime import load_over_time
from sim.places import groups_of
from sim.specs import SystemSpec

_BIN_S = 1.0


def decision_columns(
    spec: SystemSpec, records: Records, steps: Records, begin: Snapshot, end: Snapshot
) -> dict[str, float]:
    """Changes and probes of one device per minute, and the server's load by the second.

    Nothing where no group has a policy that chooses. A change is one of mind: a probe goes out
    over another source and comes back without one.
    """
    if all(group.policy == "fixed" for group in groups_of(spec).values()):
        return {}
    device_min = spec.fleet.n_devices * (end.time_s - begin.time_s) / 60.0
    load = server_load(passages(records, steps), begin.time_s, end.time_s)
    mean = float(np.mean(load)) if len(load) else nan
    return {
        "decision_changes_per_minute": (end.n_changes - begin.n_changes) / device_min,
        "probes_per_minute": (end.n_probes - begin.n_probes) / device_min,
        "server_load_peak": float(np.max(load)) if len(load) else nan,
        "server_load_cv": float(np.std(load)) / mean if mean > 0.0 else nan,
    }


def server_load(records: Records, start_s: float, end_s: float) -> np.ndarray:
    """GPU seconds per second in every whole second between two instants, shape [seconds]."""
    edges_s = start_s + _BIN_S * np.arange(int((end_s - start_s) / _BIN_S + 1e-9) + 1)
    return load_over_time(records, edges_s) if len(edges_s) > 1 else np.empty(0)
