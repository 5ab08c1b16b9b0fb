"""A channel of its own for every transfer: nobody waits."""

from simpy import Environment

from sim.medium.shared import SharedStation
from sim.specs import LinkSpec
from sim.station import Station


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """Processor sharing whose capacity grows with the number of transfers: each has rate 1."""
    return SharedStation(env, float)
