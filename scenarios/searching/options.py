"""A search's options from stored tables, and the source that plays each of them in the simulator.

Head and tail seconds come from the shipped profiles, scaled to the sheets; payloads, codec seconds
and answers from the stored table of every cut and theta. The accuracy drop is the upper end of its
95 % interval; an exact copy loses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from profiles.predicting.codecs import Clock
from profiles.shipping.shipped import CPU, DATA, surfaces
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.options import session_costs, single_costs
from profiles.tables.quality import paired_drop
from profiles.tables.split import Split
from profiles.tables.theta import from_mild, stored
from profiles.tables.trace import TraceTable
from scenarios.systems.answers import Answers
from scenarios.systems.generations import Generations
from scenarios.systems.measured import Drop, Measured
from sim.search import First, Options
from sim.sources.source import ConstantSource, Errors, Source


@dataclass(frozen=True, kw_only=True)
class Tables(Measured):
    """What is stored of one network under many thetas: a `known` network, and its options."""

    known: Answers | Generations
    _drops: dict[tuple[str, str], float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def table(self) -> TraceTable:
        """The trace of every cut under every theta."""
        return self.known.table

    @property
    def profiles(self) -> tuple[ModelProfile, ...]:
        """The profile of the single pass, or those of prefill and decode."""
        known = self.known
        return (known.profile,) if isinstance(known, Answers) else (known.prefill, known.decode)

    @property
    def speaks(self) -> bool:
        """Whether the network generates."""
        return isinstance(self.known, Generations)

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Content hashes, for point ids."""
        return {"table": self.table.digest, **{p.phase: p.digest for p in self.profiles}}

    def provenance(self, device: DeviceSpec, server: ServerSpec, label: Split) -> dict[str, Any]:
        """Where the tables come from."""
        return dict(self.table.provenance)

    def say(self, label: Split) -> str:
        """An option in words."""
        return str(label)

    def name(self, label: Split) -> dict[str, Any]:
        """What an option consists of, part by part."""
        return label._asdict()

    def labels(self, lengths: tuple[int, ...] = ()) -> tuple[Split, ...]:
        """Every option, from the input to the output and from mild to aggressive."""
        table, words = self.table, lengths if self.speaks else (0,)
        inner = [cut for cut in table.cuts if cut != "output"]
        splits = [
            Split(cut, setting, w)
            for cut in inner
            for setting in from_mild(table.settings)
            if table.exists(cut, setting)
            for w in words
        ]
        return (*splits, *(Split("output", "none", w) for w in words))

    def options(
        self, device: DeviceSpec, server: ServerSpec, lengths: tuple[int, ...] = ()
    ) -> Options:
        """Columns of all options of one device class against one server."""
        labels = self.labels(lengths)
        find_costs = session_costs if self.speaks else single_costs
        costs = find_costs(self.table, self.known.sides(device, server))
        rows = [costs(label) for label in labels]
        columns: dict[str, Any] = {n: np.array([row[n] for row in rows]) for n in rows[0]}
        first = None
        if self.speaks:
            names = First.__dataclass_fields__
            first = First(**{name: columns.pop(f"first_{name}") for name in names})
        order = {cut: rank for rank, cut in enumerate(self.profiles[0].cut_names)}
        harsh = {name: rank for rank, name in enumerate(from_mild(self.table.settings))}
        return Options(
            labels=labels,
            drop_pp=np.array([self.drop_pp(label) for label in labels]),
            memory_bytes=np.array([self.known.memory_bytes(label) for label in labels]),
            depth=np.array([order[label.cut] for label in labels]),
            harshness=np.array([harsh.get(label.setting, -1) for label in labels]),
            first=first,
            **columns,
        )

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        """As of the known network; all on the device without a stored setting."""
        if split.cut != "output" or self.speaks:
            return self.known.source(split, device, server)
        head = self.known.side(device, "head")
        error = Errors(head=head.log_error)
        return ConstantSource(device_s=head.seconds_at("output"), log_errors=error)

    def drop_pp(self, split: Split) -> float:
        """Upper end of the loss in percentage points; answers, or next tokens that differ."""
        key = (split.cut, split.setting)
        if key not in self._drops:
            self._drops[key] = self._lost_pp(split)
        return self._drops[key]

    def _lost_pp(self, split: Split) -> float:
        if split.cut == "output":
            return 0.0
        if not np.any(self.table.cell("relative_l2", split.cut, split.setting) > 0.0):
            return 0.0  # an exact copy loses nothing
        if isinstance(self.known, Generations):
            return self.known.drop(split).hi
        return 100.0 * _loss(self.table, split.cut, split.setting)

    def drop(self, split: Split) -> Drop | None:
        """That of the known network."""
        return self.known.drop(split)

    def memory_bytes(self, split: Split) -> float | None:
        """That of the known network."""
        return self.known.memory_bytes(split)

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """That of the known network."""
        return self.known.describe(device, server)


@cache
def tables(model: str) -> Tables:
    """The stored tables of a network; ValueError where there are none."""
    table = stored(model)
    folder = DATA / "profiles"

    def profile(phase: str) -> ModelProfile:
        return ModelProfile.load(folder / f"{model}-{phase}-1.npz")

    known: Answers | Generations
    if "token" in table.axes:
        known = Generations(
            model=model, prefill=profile("prefill"), decode=profile("decode"), table=table,
            others={phase: surfaces(model, phase)[2:] for phase in ("prefill", "decode")},
            clock=Clock(machine=CPU),
        )  # fmt: skip
    else:
        known = Answers(
            model=model, profile=profile("single"), table=table,
            others=surfaces(model, "single")[2:], clock=Clock(machine=CPU),
        )  # fmt: skip
    return Tables(model=model, known=known)


def _loss(table: TraceTable, cut: str, setting: str) -> float:
    """Upper end of the paired drop, as a fraction (profiles.tables.quality)."""
    whole = next(
        table.cell("correct", "output", s) for s in table.settings if table.exists("output", s)
    )
    right = table.cell("correct", cut, setting)
    return paired_drop(whole, right).hi
