"""Where a device belongs, by its index alone: group, phase and spread, even for any fleet size.

All are Weyl sequences, the fractional parts of index times an irrational number.
"""

import math
from typing import Any

import numpy as np

from sim.specs import GroupSpec, SystemSpec

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
DEFAULT_GROUP = "default"


def groups_of(spec: SystemSpec) -> dict[str, GroupSpec]:
    """The groups by name; one named "default" where the spec has none."""
    return spec.fleet.groups or {DEFAULT_GROUP: GroupSpec()}


def group_of(index: int, shares: tuple[float, ...]) -> int:
    """Which group device `index` belongs to: low-discrepancy, whatever the fleet's size.

    The fractional part of index / golden ratio runs through [0, 1) evenly (Weyl); device 0 always
    falls into the first group.
    """
    place = (index * _GOLDEN) % 1.0 * math.fsum(shares)
    for group, share in enumerate(shares):
        place -= share
        if place < 0.0:
            return group
    return len(shares) - 1


def groups_up_to(n_devices: int, shares: tuple[float, ...]) -> np.ndarray:
    """`group_of` of all devices at once, to the bit."""
    place = (np.arange(n_devices) * _GOLDEN) % 1.0 * math.fsum(shares)
    found = np.full(n_devices, len(shares) - 1)
    unplaced = np.ones(n_devices, bool)
    for group, share in enumerate(shares):
        place -= share
        falls = unplaced & (place < 0.0)
        found[falls] = group
        unplaced &= ~falls
    return found


def phase(index: Any) -> Any:
    """Places in [0, 1) for phases, of a device or of many: index times sqrt(2), 0 for device 0."""
    return index * math.sqrt(2.0) % 1.0


def even(index: Any, irrational: float) -> Any:
    """Fractional part of (index + 1/2) * irrational: a low-discrepancy place in (0, 1)."""
    return (index + 0.5) * irrational % 1.0
