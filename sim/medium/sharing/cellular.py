"""A scheduled uplink: request, grant, then proportional-fair slots with multiuser diversity."""

from simpy import Environment

from sim.medium.scheduled import ScheduledStation
from sim.specs import LinkSpec


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> ScheduledStation:
    """One cell's scheduler."""
    return ScheduledStation(env, spec)
