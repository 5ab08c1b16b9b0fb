"""How a medium is shared: one file per rule, found by its name in `sim.specs.link.SHARING`.

A rule makes one cell's medium from the link's spec: a `Station` that transfers share, a medium for
which stations contend, or a scheduler that knows its users. `explicit` asks for one whose visits
can be cancelled and whose speed can change.
"""

from collections.abc import Callable
from importlib import import_module

from simpy import Environment

from sim.medium.contended import ContendedMedium
from sim.medium.scheduled import ScheduledStation
from sim.specs import LinkSpec
from sim.station import Station

__all__ = ["Medium", "medium"]

Medium = Station | ContendedMedium | ScheduledStation


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Medium:
    """A cell under the rule that the spec names."""
    rule: Callable[[Environment, LinkSpec, bool], Medium]
    rule = import_module(f"sim.medium.sharing.{spec.sharing}").medium
    return rule(env, spec, explicit)
