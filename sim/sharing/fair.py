"""Equal shares of airtime: egalitarian processor sharing."""

from __future__ import annotations

from simpy import Environment

from sim.spec import LinkSpec
from sim.station import SharedStation, Station


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """n transfers progress at 1/n each."""
    return SharedStation(env)
