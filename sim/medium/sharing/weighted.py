"""Shares of airtime in proportion to the groups' `link_weight` (discriminatory PS)."""

from simpy import Environment

from sim.medium.shared import SharedStation
from sim.specs import LinkSpec
from sim.station import Station


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """Transfer i progresses at w_i / sum(w)."""
    return SharedStation(env)
