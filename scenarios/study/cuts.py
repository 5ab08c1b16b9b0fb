"""Where a figure splits a network when it is not told, and at which error its chains stand."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from profiles.shipping import equal
from profiles.tables.split import ENDS
from scenarios.study.figure import AUTO, Figure, Method
from scenarios.systems.answers import Answers
from scenarios.systems.schemed import Schemed

C = TypeVar("C", bound=Figure)


def place_cut(config: C, known: Answers) -> C:
    """The figure's configuration with its cut, where it left that to the network."""
    return replace(config, cut=choose_cut(config.cut, known))


def choose_cut(cut: str, known: Answers) -> str:
    """`cut`, or where that is auto a scheme's own, or of the cuts of another size the last but one,
    or the only one: layer3 of a ResNet, stage3 of the scenes network.
    """
    if isinstance(known, Schemed):
        return known.own_cut if cut == AUTO else known.split(cut, "-").cut
    return last_cuts(known, 2)[0] if cut == AUTO else cut


def last_cuts(known: Answers, count: int) -> list[str]:
    """The last `count` cuts within the network, one of each run of equally large features."""
    within = [cut for cut in known.table.cuts if cut not in ENDS]
    sizes = [known.profile.cut(cut).elements for cut in within]
    behind = [*sizes[1:], None]
    kept = [cut for cut, size, after in zip(within, sizes, behind, strict=True) if size != after]
    return kept[-count:]


def bear_errors(methods: Iterable[Method], known: Answers) -> list[Method]:
    """The methods at an error that a task bears, where weights are random and the table has it."""
    if known.table.provenance["weights"] == "trained":
        return list(methods)
    there = known.table.settings
    return [
        method._replace(
            split=method.split._replace(setting=equal.twin(method.split.setting, there))
        )
        for method in methods
    ]
