"""System: a scenario with what its requests are made of, as simulate and plan take it."""

from dataclasses import dataclass, field
from typing import Any

from scenarios.systems.answers import DEFAULT_CUT
from scenarios.systems.by_hand import Request
from scenarios.systems.generations import Session
from scenarios.systems.plain import PLAIN, is_plain, name_of
from scenarios.systems.scenario import Scenario
from sim.specs.check import one_of, option
from sim.specs.fleet import POLICIES


@dataclass(frozen=True, kw_only=True)
class Member:
    """What the devices of a group are: files of the groups device and codec, and a cut."""

    device: str = field(metadata={"help": "data sheet, a file of conf/device"})
    codec: str = field(metadata={"help": "codec, a file of conf/codec"})
    cut: str = field(metadata={"help": "last stage on these devices"})


@dataclass(frozen=True, kw_only=True)
class System(Scenario):
    """One split for all devices, one for each group, several to choose from, or costs by hand."""

    cut: str = option(DEFAULT_CUT, "last stage on the device; input: none of them; output: all")
    codec: dict[str, Any] = option({}, "chain and its options; see group codec")
    scheme: dict[str, Any] = option(
        {}, "scheme and its options, split: the network as it is; see group scheme"
    )
    transport: str = option(
        "", "what damages payloads: as link.transport says, or FILE.py:FUNCTION of your own"
    )
    session: Session = option(Session, "networks that generate tokens: its sessions")
    request: Request | None = option(None, "requests by hand instead of a measured network")
    members: dict[str, Member] = option(
        {}, "unlike groups: device, codec and cut of each; in experiment files"
    )
    alternatives: list[str] = option([], "what else devices may do, per request: CUT/CODEC, output")
    policy: str = option(
        "fastest", "choice among alternatives: fastest, search; a group may have its own"
    )
    live: bool = option(False, "measure here, use no shipped table")

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("policy", self.policy, POLICIES)
        self._check_scheme()
        given = [n for n in ("request", "members", "alternatives") if getattr(self, n)]
        if len(given) > 1:
            raise ValueError(f"a system takes one of request, members, alternatives; got {given}")

    def _check_scheme(self) -> None:
        """Refuse a scheme where nothing would read it."""
        name = name_of(self)
        if name != PLAIN and self.request is not None:
            raise ValueError(f"scheme={name} needs a network, got requests by hand")
        if self.trace and not is_plain(self):
            raise ValueError(f"scheme={name} traces its own network, got trace={self.trace}")
