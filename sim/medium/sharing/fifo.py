"""One transfer at a time, in order of arrival."""

from simpy import Environment

from sim.specs import LinkSpec
from sim.station import FifoStation, QueueStation, Station


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """Departure-time arithmetic, or an explicit queue where a transfer may be cut short."""
    return QueueStation(env) if explicit else FifoStation(env)
