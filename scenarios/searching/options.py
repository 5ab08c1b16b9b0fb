"""A search's options from stored tables, and the source that plays each of them in the simulator.

Head and tail seconds come from the shipped profiles, scaled to the sheets; payloads, codec seconds
and answers from the stored table of every cut and theta. The accuracy drop is the upper end of its
95 % interval; an exact copy loses nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from profiles.shipping.shipped import DATA
from profiles.tables.cost import join_phases
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.quality import paired_drop
from profiles.tables.split import Split
from profiles.tables.theta import stored, theta_of
from profiles.tables.trace import TraceTable
from scenarios.systems.answers import Answers
from scenarios.systems.generations import Generations
from scenarios.systems.measured import Drop, Measured
from sim.search import First, Options
from sim.sources.source import ConstantSource, Source


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

    def labels(self, lengths: tuple[int, ...] = ()) -> tuple[Split, ...]:
        """Every option, from the input to the output and from mild to aggressive."""
        table, words = self.table, lengths if self.speaks else (0,)
        inner = [cut for cut in table.cuts if cut != "output"]
        splits = [
            Split(cut, setting, w)
            for cut in inner
            for setting in _ordered(table.settings)
            if table.exists(cut, setting)
            for w in words
        ]
        return (*splits, *(Split("output", "none", w) for w in words))

    def options(
        self, device: DeviceSpec, server: ServerSpec, lengths: tuple[int, ...] = ()
    ) -> Options:
        """Columns of all options of one device class against one server."""
        labels = self.labels(lengths)
        costs = (_session_costs if self.speaks else _single_costs)(self, device, server)
        rows = [costs(label) for label in labels]
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        first = None
        if self.speaks:
            names = First.__dataclass_fields__
            first = First(**{name: columns.pop(f"first_{name}") for name in names})
        order = {cut: rank for rank, cut in enumerate(self.profiles[0].cut_names)}
        harsh = {name: rank for rank, name in enumerate(_ordered(self.table.settings))}
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
        head = device.scale(self.profiles[0].head)
        return ConstantSource(device_s=head.seconds_at("output"))

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


def tables(model: str) -> Tables:
    """The stored tables of a network; ValueError where there are none."""
    table = stored(model)
    folder = DATA / "profiles"

    def profile(phase: str) -> ModelProfile:
        return ModelProfile.load(folder / f"{model}-{phase}-1.npz")

    known: Answers | Generations
    if "token" in table.axes:
        prefill, decode = profile("prefill"), profile("decode")
        known = Generations(model=model, prefill=prefill, decode=decode, table=table)
    else:
        known = Answers(model=model, profile=profile("single"), table=table)
    return Tables(model=model, known=known)


Row = dict[str, float]


def _single_costs(known: Tables, device: DeviceSpec, server: ServerSpec) -> Callable[[Split], Row]:
    """Columns of an option of a network that answers at once."""
    (profile,) = known.profiles
    head, tail = device.scale(profile.head), server.scale(profile.tail)

    def row(label: Split) -> Row:
        costs = dict.fromkeys(("payload_bytes", "encode_s", "decode_s", "answer_bytes"), 0.0)
        if label.cut != "output":
            cell = partial(known.table.cell, cut=label.cut, setting=label.setting)
            costs = {name: float(cell(name).mean()) for name in costs}
        costs["encode_s"] *= head.factor
        costs["decode_s"] *= tail.factor
        device_s, server_s = head.seconds_at(label.cut), tail.seconds_at(label.cut)
        return {"device_s": device_s, "server_s": server_s, **costs}

    return row


def _session_costs(known: Tables, device: DeviceSpec, server: ServerSpec) -> Callable[[Split], Row]:
    """Columns of an option of a network that generates: w steps, the prompt's first."""
    prefill, decode = known.profiles
    head = device.scale(join_phases(prefill.head, decode.head))
    tail = server.scale(join_phases(prefill.tail, decode.tail))
    prompt, n_steps = int(known.table.provenance["prompt_tokens"]), known.table.size("token")
    steps = [(prompt, 0), *((1, prompt + k) for k in range(n_steps - 1))]

    @cache
    def seconds(cut: str) -> list[np.ndarray]:
        """Head and tail seconds of every step of the longest session, shape [step]."""
        return [
            np.array([side.seconds_at(cut, new_tokens=new, kv_length=kv) for new, kv in steps])
            for side in (head, tail)
        ]

    def row(label: Split) -> Row:
        w, answer_bytes = label.tokens, 0.0
        cells = {name: np.zeros(w) for name in ("payload_bytes", "encode_s", "decode_s")}
        if label.cut != "output":
            cell = partial(known.table.cell, cut=label.cut, setting=label.setting)
            cells = {name: cell(name)[:, :w].mean(0) for name in cells}
            answer_bytes = float(cell("answer_bytes").mean())
        cells["encode_s"] = cells["encode_s"] * head.factor
        cells["decode_s"] = cells["decode_s"] * tail.factor
        device_s, server_s = (each[:w] for each in seconds(label.cut))
        later = slice(1, w) if w > 1 else slice(0, 1)
        cells |= {"device_s": device_s, "server_s": server_s}
        return {
            **{name: float(each[later].mean()) for name, each in cells.items()},
            "answer_bytes": answer_bytes,
            "first_device_s": float(device_s[0] + cells["encode_s"][0]),
            **{f"first_{name}": float(cells[name][0])
               for name in ("payload_bytes", "decode_s", "server_s")},
        }  # fmt: skip

    return row


def _loss(table: TraceTable, cut: str, setting: str) -> float:
    """Upper end of the paired drop, as a fraction (profiles.tables.quality)."""
    whole = next(
        table.cell("correct", "output", s) for s in table.settings if table.exists("output", s)
    )
    right = table.cell("correct", cut, setting)
    return paired_drop(whole, right).hi


def _ordered(settings: tuple[str, ...]) -> list[str]:
    """Settings from mild to aggressive: what is no theta first."""
    plain = [name for name in settings if theta_of(name) is None]
    thetas = [name for name in settings if theta_of(name) is not None]
    return plain + sorted(thetas, key=lambda name: theta_of(name))  # type: ignore[arg-type,return-value]
