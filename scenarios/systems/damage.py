"""What a configured link does to payloads, and what is still answered: traced on demand.

A codec of variable length is refused on a link that does not repeat until all is right.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.tables.trace import TraceTable
from scenarios.shell.progress import progress
from scenarios.systems.coders import coders
from scenarios.systems.sheets import Codec

EXACT = "exact"


def transport_of(config: Any) -> Any:
    """What the link of a configuration does to payloads, a `profiles.schemes.Transport`; None where
    all arrive as they were sent.

    Raises:
        ValueError: losses that nobody can trace, or a file that makes no transport.
    """
    if config.link.transport == EXACT:
        if config.transport:
            raise ValueError(
                f"transport={config.transport} is not asked: link.transport=exact repeats until all"
                " is right; set link.transport=bit_error or erasure"
            )
        return None
    from profiles.schemes import transports

    return transports.transport_of(config.link, config.transport)


def ways_of(configs: Iterable[Any]) -> list[Any]:
    """The transports of some configurations that damage payloads, each once."""
    found = {}
    for config in configs:
        way = transport_of(config)
        if way is not None:
            found[way.label] = way
    return list(found.values())


def channel_of(config: Any) -> str | None:
    """The name of a configuration's channel in a trace table; None where nothing is damaged."""
    way = transport_of(config) if getattr(config, "transport", None) is not None else None
    return None if way is None else str(way.label)


def check(config: Any, codecs: Iterable[Codec], cuts: Iterable[str]) -> None:
    """Refuse codecs whose payloads must arrive exactly on a link that damages them.

    Raises:
        ValueError: the codec, why, and which ones would do.
    """
    if transport_of(config) is None:
        return
    from profiles.schemes import transports

    for chosen, cut in zip(codecs, cuts, strict=True):
        if cut != "output":
            made = next(iter(coders(chosen).values()))
            transports.check_tolerant(str(chosen["name"]), made, config.link.transport)


def trace(
    network: Any,
    model: Any,
    settings: Mapping[str, Mapping[str, Any]],
    cuts: Sequence[str],
    ways: Sequence[Any],
    folder: Path,
) -> TraceTable:
    """Bytes and answers of a network over such channels, traced here or read from `folder`."""
    from profiles.shipping import store

    inputs, labels = model.inputs()
    with progress(f"damaging payloads of {model.name}") as report:
        return store.damage(
            folder, network, settings, inputs, labels, ways, cuts=cuts, progress=report
        )
