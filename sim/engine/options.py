"""Policies as numbers: what groups choose among, and the minds of devices that choose."""

import math
from collections.abc import Sequence

import numpy as np

from sim.devices.adaptive import cheapest_remote, dwell_s, limit_s, policy
from sim.devices.policy import Cost, cost
from sim.engine import layout as at
from sim.places import even
from sim.sources.sessions import mean_step
from sim.sources.source import Source
from sim.specs import GroupSpec, ServerSpec, WorkloadSpec

_RULES = {"fastest": at.TAKES_FASTEST, "search": at.SEARCHES}


def costs(sources: Sequence[Source], server: ServerSpec) -> list[Cost]:
    """Mean costs of sources on a device that is no slower than their tables say."""
    return [cost(mean_step(source), server=server) for source in sources]


def table(costs: Sequence[Cost]) -> list[tuple[float, ...]]:
    """The same as numbers [option, N_OPTION up to its rows]."""
    return [(each.device_s, each.payload_bytes, each.server_s, each.remote) for each in costs]


def rule(group: GroupSpec, workload: WorkloadSpec, costs: Sequence[Cost]) -> np.ndarray:
    """The policy of a group that chooses, but for where its options stand.

    Raises:
        ValueError: a search without a limit.
    """
    policy(group, workload, costs)
    adapt, limit = group.adapt, limit_s(group, workload)
    found = np.full(at.N_POLICY, math.nan)
    found[at.RULE], found[at.N_OPTIONS] = _RULES[group.policy], len(costs)
    found[at.WITHIN] = math.inf if limit is None else limit
    found[at.MARGIN], found[at.SMOOTHING] = adapt.margin, adapt.smoothing
    found[at.PROBE_AFTER] = math.inf if adapt.probe_s is None else adapt.probe_s
    found[at.PROBE] = -1 if adapt.probe_s is None else cheapest_remote(costs)
    found[at.BY_TOKEN] = adapt.per == "token"
    found[at.FADES_IN] = math.nan if adapt.memory_s is None else adapt.memory_s
    return found


def minds(groups: Sequence[GroupSpec], group_of: np.ndarray) -> np.ndarray:
    """What devices think before they have seen anything [device, N_MIND]."""
    found = np.zeros((len(group_of), at.N_MIND))
    found[:, at.RATE_SEEN], found[:, at.BETTER_SINCE] = math.nan, math.inf
    spread = even(np.arange(len(group_of)), math.sqrt(11.0))
    for number, group in enumerate(groups):
        mine = group_of == number
        found[mine, at.DWELL] = dwell_s(group.adapt, spread[mine])
    return found
