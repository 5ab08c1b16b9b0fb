"""How a medium is shared: one file per rule, found by its name in `sim.specs.link.SHARING`.

A rule makes a `Station` for one cell from the link's spec; `explicit` asks for a station whose
visits can be cancelled and whose speed can change.
"""

from collections.abc import Callable
from importlib import import_module

from simpy import Environment

from sim.specs import LinkSpec
from sim.station import Station

__all__ = ["medium"]


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """A cell under the rule that the spec names."""
    rule: Callable[[Environment, LinkSpec, bool], Station]
    rule = import_module(f"sim.medium.sharing.{spec.sharing}").medium
    return rule(env, spec, explicit)
