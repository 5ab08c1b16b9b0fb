"""The configuration of one simulated system: sim's specs, the data sheets and the measured parts.

Everything is a field of a frozen dataclass owned by the room that it describes; this module only
puts them side by side under the names of the command line.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from profiles.tables import hardware
from profiles.tables.own import is_own
from profiles.tables.settings import samples_digest
from scenarios.sweep.rows import Rows
from sim.medium.rates import trace_of
from sim.specs import GroupSpec, LinkSpec, PowerSpec, ServerSpec, SystemSpec
from sim.specs.check import at_least, option

_HOST_CORES = 16
"""Assumed; the H100 that was measured stood in a host with so many."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The network and how many of its test samples are measured."""

    name: str = option("scenes", "network: scenes, digits, resnet34, ...; see group model")
    weights: str = option("", "folder of a checkpoint; empty: shipped or random weights")
    data: str = option("", "folder of images by class, or a jsonl file; empty: shipped data")
    samples: int = option(
        600, "test samples behind the trace table; more of them narrow the intervals"
    )
    repeats: int = option(5, "interleaved repeats of every codec timing; the median is used")
    batches: list[int] = option(
        [1], "batch sizes whose time is measured; a batching server needs them"
    )

    def __post_init__(self) -> None:
        for name, least in (("samples", 2), ("repeats", 1)):
            at_least(f"model.{name}", getattr(self, name), least)

    def network(self) -> Any:
        """The network, a `profiles.models.Network`; ValueError where it or its weights are not."""
        from profiles import models

        return models.create(self.name, **({"weights": self.weights} if self.weights else {}))

    def inputs(self) -> Any:
        """Test samples and their labels; ValueError where the data are not there."""
        from profiles import models

        chosen = {"data": self.data} if self.data else {}
        if self.data and self.weights:
            chosen["weights"] = self.weights  # it says what its outputs mean
        return models.samples(self.name, "test", self.samples, 0, **chosen)

    def subject(self, folder: Path, check: Callable[[], object] = tuple) -> Any:
        """The network as a `profiles.shipping.known.Subject`, by what `folder` keeps of it; before
        it is made, `check` may refuse what is asked of it.
        """
        from profiles.shipping import known

        if self.weights or is_own(self.name):
            check()
            return known.subject(self.network())
        found = known.recall(folder, self.name, self.network)
        if found is None:
            check()
            found = known.remember(folder, self.name, self.network())
        return found

    def samples_digest(self, folder: Path) -> str:
        """The digest of the test samples, by what `folder` keeps of it."""
        from profiles.shipping import known

        if self.weights or self.data or is_own(self.name):
            return samples_digest(*self.inputs())
        return known.remember_samples(folder, self.name, self.samples, self.inputs)


@dataclass(frozen=True, kw_only=True)
class Link(LinkSpec):
    """The medium, with the name that stands in the results."""

    name: str = option("custom", "name of this link in the results")
    source: str = option("", "where its numbers come from")
    price_per_month: float | None = option(
        None, "what one access point (each of n_cells) costs a month", "currency/month"
    )
    currency: str = option("", "word for the money of that price, such as USD or EUR")

    def __post_init__(self) -> None:
        super().__post_init__()
        hardware.check_price("link.price_per_month", self.price_per_month, self.currency)


@dataclass(frozen=True, kw_only=True)
class Server(hardware.ServerSpec, ServerSpec):
    """The server's data sheet and its way of serving, side by side.

    Cores of the host decode before a GPU, whose own decoding nobody has measured.
    """

    decode_on: str = option(
        "auto", "where payloads are decoded: auto (before a GPU its host's cores), gpu, cpu"
    )
    cpu_workers: int = option(0, "cores that decode when decode_on=cpu; 0: 16 before a GPU, else 1")

    def __post_init__(self) -> None:
        hardware.ServerSpec.__post_init__(self)
        hosted = self.processor == "gpu"
        if self.decode_on == "auto":
            object.__setattr__(self, "decode_on", "cpu" if hosted else "gpu")
        if self.cpu_workers == 0:
            object.__setattr__(self, "cpu_workers", _HOST_CORES if hosted else 1)
        ServerSpec.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class Scenario(Rows, SystemSpec):
    """One system: what `sim` needs, and the measured things its sources are made of."""

    model: Model = field(default_factory=Model)
    trace: str = option(
        "", "trace table made elsewhere: payloads, answers, codec seconds; npz of splitfleet trace"
    )
    device: hardware.DeviceSpec
    server: Server
    link: Link
    sweep: list[str] = option(
        [], "inner axes, such as fleet.n_devices=1,2,4; played in one process"
    )

    def __post_init__(self) -> None:
        SystemSpec.__post_init__(self)
        Rows.__post_init__(self)


def system_spec(scenario: Scenario) -> SystemSpec:
    """Return the part of a scenario that the simulator reads; its groups have names, and no power
    beyond what the user gave them (`add_power`: what a group's device draws).

    Raises:
        ValueError: a rate trace that cannot be read.
    """
    names = [f.name for f in dataclasses.fields(SystemSpec)]
    spec = SystemSpec(**{name: getattr(scenario, name) for name in names})
    spec = dataclasses.replace(spec, link=recorded(spec.link))
    groups = spec.fleet.groups or {"default": GroupSpec()}
    return dataclasses.replace(spec, fleet=dataclasses.replace(spec.fleet, groups=groups))


def recorded(link: LinkSpec) -> LinkSpec:
    """The link at the mean rate of its recording, if that holds rates and the user does not say at
    which of them `rate_bps` is sent.
    """
    if not link.rate_csv or link.trace_rate_bps is not None:
        return link
    mean_bps = trace_of(link).rate_bps
    if mean_bps is None:
        return link
    return dataclasses.replace(link, rate_bps=mean_bps, trace_rate_bps=mean_bps)


def add_power(group: GroupSpec, sheet: hardware.DeviceSpec) -> GroupSpec:
    """The group with the power of its data sheet, unless it has a power sheet of its own.

    Approximation: no sheet states what sending adds, so that it counts as nothing beyond idling;
    `fleet.groups.NAME.power` takes what the user knows.
    """
    idle_w, busy_w = sheet.power_idle_w, sheet.power_busy_w
    if group.power is not None or idle_w is None or busy_w is None:
        return group
    power = PowerSpec(idle_w=idle_w, compute_w=busy_w - idle_w, transmit_w=0.0)
    return dataclasses.replace(group, power=power)
