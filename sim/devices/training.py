"""Which devices of a system train before their first request, and what a round takes them."""

from typing import cast

from sim.places import groups_of
from sim.sources.source import Sources
from sim.sources.training import Rounds, Trainable, training_of
from sim.specs import SystemSpec


def rounds_of(spec: SystemSpec, sources: Sources) -> dict[int, Rounds]:
    """The training of every group that trains, by its number.

    Raises:
        ValueError: a source that cannot be trained.
    """
    found: dict[int, Rounds] = {}
    for number, (name, group) in enumerate(groups_of(spec).items()):
        wanted = (group.workload or spec.workload).adapt_rounds
        if not wanted:
            continue
        for each in (group.source or name, *group.alternatives):
            training = training_of(sources[each]) if each in sources else None
            if training is None:
                raise ValueError(
                    f"workload.adapt_rounds={wanted} needs a source that can be trained, got"
                    f" {sources.get(each)!r} for group {name!r}; a scheme with an adapter has one"
                )
            found.setdefault(number, Rounds(cast(Trainable, sources[each]), training))
    return found
