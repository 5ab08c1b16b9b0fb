"""Points of a link that flips bits or loses segments, delivered damaged and sent again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from profiles.tables.quality import share
from scenarios.systems.case import Case
from sim.planning.forecast.losses import arrivals
from sim.sources.source import rows_of
from sim.specs import LinkSpec
from sim.specs.check import within

EXACT = "exact"
DELIVERED = {"bit_error_rate": "bit_error", "frame_error_rate": "erasure"}
"""What is swept, a field of the link, and the transport that delivers what is damaged by it."""
_MOST = {"bit_error_rate": 0.5, "frame_error_rate": 0.99}


class Point(NamedTuple):
    """One rate on one axis, and what becomes of damaged payloads there."""

    axis: str
    rate: float
    transport: str

    @property
    def labels(self) -> dict[str, Any]:
        """The columns that say where it is."""
        return {"axis": self.axis, "error_rate": self.rate, "transport": self.transport}

    def of(self, config: Any) -> Any:
        """The configuration on the link as it is here."""
        link = replace(config.link, transport=self.transport, **{self.axis: self.rate})
        own = "" if self.transport == EXACT else config.transport
        return replace(config, link=link, transport=own)


def points(axis: str, rates: Sequence[float]) -> list[Point]:
    """All rates of an axis, delivered damaged first, then sent again."""
    return [Point(axis, rate, how) for how in (DELIVERED[axis], EXACT) for rate in rates]


def check_rates(name: str, axis: str, rates: Sequence[float]) -> None:
    """Refuse rates that the link cannot have, and those that do not ascend."""
    for rate in rates:
        within(name, rate, 0.0, _MOST[axis])
    if sorted(set(rates)) != list(rates):
        raise ValueError(f"{name} must ascend, got {', '.join(f'{rate:g}' for rate in rates)}")


def check_link(link: LinkSpec) -> None:
    """Refuse a link that has errors already, and losses that come in bursts."""
    clean = {"transport": EXACT, "bit_error_rate": 0.0, "frame_error_rate": 0.0, "uncoded": False,
             "fading": "none"}  # fmt: skip
    for name, value in clean.items():
        if getattr(link, name) != value:
            raise ValueError(
                "transports and rates are set point by point and frames damaged independently;"
                f" leave link.{name} at {value}, got {getattr(link, name)}"
            )


def say_load(made: Case, payload_bytes: float) -> str:
    """What tells N* of one way apart: what is sent again, or how much goes once over the air. What
    arrives damaged takes the same time as what does not.
    """
    link = made.spec.link
    if link.transport == EXACT:
        return f"exact, {link.bit_error_rate:g} of bits, {link.frame_error_rate:g} of frames"
    return f"once, {payload_bytes:g} B"


def share_right(made: Case) -> dict[str, float]:
    """`right_share`, the share of requests that get the right answer: every sample's score times
    how likely its payload arrives. That is known, so that the interval is that of the scores.
    Nothing where answers are not known.
    """
    source = next(iter(made.sources.values()))
    arrive, rows = np.array(arrivals(made.spec.link, source)), rows_of(source) or []
    right = np.array([row.correct for row in rows])
    if not len(arrive) or np.isnan(right).any():
        return {}
    answered = float(right.mean())
    part = float((right * arrive).mean()) / answered if answered else float(arrive.mean())
    return share(right).columns("right_share", part)
