"""How a medium is shared: one file per rule, one line per rule here.

A rule makes a `Station` for one cell from the link's spec; `explicit` asks for a station whose
visits can be cancelled and whose speed can change.
"""

from collections.abc import Callable

from simpy import Environment

from sim.medium.sharing import cellular, dedicated, fair, fifo, weighted, wifi
from sim.specs import LinkSpec
from sim.station import Station

__all__ = ["RULES"]

RULES: dict[str, Callable[[Environment, LinkSpec, bool], Station]] = {
    "cellular": cellular.medium,
    "dedicated": dedicated.medium,
    "fifo": fifo.medium,
    "ps": fair.medium,
    "weighted": weighted.medium,
    "wifi": wifi.medium,
}
