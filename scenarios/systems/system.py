"""System: a scenario with what its requests are made of, as simulate and plan take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scenarios.systems.by_hand import Request
from scenarios.systems.generations import Session
from scenarios.systems.scenario import Scenario

__all__ = ["Member", "System"]


@dataclass(frozen=True, kw_only=True)
class Member:
    """What the devices of a group are: files of the groups device and codec, and a cut."""

    device: str = field(metadata={"help": "data sheet, a file of conf/device"})
    codec: str = field(metadata={"help": "codec, a file of conf/codec"})
    cut: str = field(metadata={"help": "last stage on these devices"})


@dataclass(frozen=True, kw_only=True)
class System(Scenario):
    """One split for all devices, one for each group, several to choose from, or costs by hand."""

    cut: str = field(
        default="stage3",
        metadata={"help": "last stage on the device; input: none of them; output: all"},
    )
    codec: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "chain and its options; see group codec"}
    )
    session: Session = field(
        default_factory=Session, metadata={"help": "networks that generate tokens: its sessions"}
    )
    request: Request | None = field(
        default=None, metadata={"help": "requests by hand instead of a measured network"}
    )
    members: dict[str, Member] = field(
        default_factory=dict,
        metadata={"help": "unlike groups: device, codec and cut of each; in experiment files"},
    )
    alternatives: list[str] = field(
        default_factory=list,
        metadata={"help": "what devices may do instead, per request: CUT/CODEC or output"},
    )
    policy: str = field(
        default="fastest",
        metadata={"help": "choice among alternatives: fastest, search; a group may have its own"},
    )
    live: bool = field(default=False, metadata={"help": "measure here, use no shipped table"})

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [n for n in ("request", "members", "alternatives") if getattr(self, n)]
        if len(given) > 1:
            raise ValueError(f"a system takes one of request, members, alternatives; got {given}")
