"""Equal shares of airtime: egalitarian processor sharing."""

from simpy import Environment

from sim.medium.shared import SharedStation
from sim.specs import LinkSpec
from sim.station import Station


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """n transfers progress at 1/n each."""
    return SharedStation(env)
