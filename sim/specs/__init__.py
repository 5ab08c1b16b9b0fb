"""SystemSpec and its parts: frozen, keyword-only, self-validating, no input or output.

Field types are plain (numbers, strings, None, nested specs, lists, name-keyed dicts), so that a
command line can be built from them; every field carries its help text and unit in its metadata.
"""

from sim.specs.adapt import AdaptSpec
from sim.specs.fleet import ChurnSpec, FleetSpec, GroupSpec, PowerSpec
from sim.specs.link import LinkSpec
from sim.specs.server import ServerSpec
from sim.specs.system import SystemSpec
from sim.specs.workload import WorkloadSpec

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
