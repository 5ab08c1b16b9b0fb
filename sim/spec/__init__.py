"""SystemSpec and its parts: frozen, keyword-only, self-validating, no input or output.

Field types are plain (numbers, strings, None, nested specs, lists, name-keyed dicts), so that a
command line can be built from them; every field carries its help text and unit in its metadata.
"""

from sim.spec.adapt import AdaptSpec
from sim.spec.fleet import ChurnSpec, FleetSpec, GroupSpec, PowerSpec
from sim.spec.link import LinkSpec
from sim.spec.server import ServerSpec
from sim.spec.system import SystemSpec
from sim.spec.workload import WorkloadSpec

__all__ = [
    "AdaptSpec",
    "ChurnSpec",
    "FleetSpec",
    "GroupSpec",
    "LinkSpec",
    "PowerSpec",
    "ServerSpec",
    "SystemSpec",
    "WorkloadSpec",
]
