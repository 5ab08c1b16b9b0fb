"""Tables: what the networks of one question cost and answer, each measured or read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scenarios.systems import groups
from scenarios.systems.measured import Measured, measure


class Tables:
    """The tables behind the configurations of one question: one per network and its settings."""

    def __init__(self, configs: Sequence[Any]) -> None:
        self._configs = configs
        self._known: dict[str, Measured | None] = {}

    def of(self, config: Any) -> Measured | None:
        """The table that holds a configuration; None where requests are given by hand.

        Raises:
            ValueError: an unknown network, cut or codec.
        """
        if config.request is not None:
            return None
        alike = [each for each in self._configs if _network(each) == _network(config)]
        names = {str(each.codec["name"]): each.codec for each in alike}
        if any(names[str(each.codec["name"])] != each.codec for each in alike):
            names = {str(config.codec["name"]): config.codec}  # one name for several settings
        key = repr((_network(config), names))
        if key not in self._known:
            self._known[key] = _measured(config, alike, list(names.values()))
        return self._known[key]


def _network(config: Any) -> tuple[Any, ...]:
    return (config.model, config.members, config.live)


def _measured(config: Any, alike: Sequence[Any], codecs: list[dict[str, Any]]) -> Measured:
    if config.members:
        return groups.measured(config, config.members)
    cuts = list(dict.fromkeys(each.cut for each in alike))
    if len(cuts) > 1:
        return measure(config.model, codecs, live=config.live)
    answers = [*cuts, "output"] if "output" not in cuts else cuts  # to pair with no codec
    return measure(config.model, codecs, answers, live=config.live)
