"""A search's options from stored tables, and the source that plays each of them in the simulator.

Head and tail seconds come from the shipped profiles, scaled to the sheets; payloads, codec seconds
and answers from the stored table of every cut and theta. The accuracy drop is the upper end of its
95 % interval; an exact copy loses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from profiles.tables.cost import CostSurface
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.quality import drop_interval
from profiles.tables.split import Split
from profiles.tables.trace import TraceTable
from scenarios.searching.thetas import stored, theta_of
from scenarios.systems.answers import Answers
from scenarios.systems.generations import Generations, join_phases
from scenarios.systems.measured import Drop, Measured
from scenarios.systems.shipped import DATA
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
        costs = _SessionCosts if self.speaks else _SingleCosts
        rows = costs(self, device, server)
        columns = {key: np.array(values) for key, values in rows.columns(labels).items()}
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


class _SingleCosts:
    """Columns of a network that answers at once."""

    def __init__(self, known: Tables, device: DeviceSpec, server: ServerSpec) -> None:
        self._table = known.table
        self._head, self._tail = _sides(known.profiles[0], device, server)

    def columns(self, labels: tuple[Split, ...]) -> dict[str, list[float]]:
        """Column name -> values over the options."""
        rows = [self._row(label) for label in labels]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def _row(self, label: Split) -> dict[str, float]:
        costs = dict.fromkeys(("payload_bytes", "encode_s", "decode_s", "answer_bytes"), 0.0)
        if label.cut != "output":
            costs = {
                name: float(self._table.cell(name, label.cut, label.setting).mean())
                for name in costs
            }
        return {
            "device_s": self._head.seconds_at(label.cut),
            "server_s": self._tail.seconds_at(label.cut),
            "payload_bytes": costs["payload_bytes"],
            "answer_bytes": costs["answer_bytes"],
            "encode_s": costs["encode_s"] * self._head.factor,
            "decode_s": costs["decode_s"] * self._tail.factor,
        }


class _SessionCosts:
    """Columns and sources of a network that generates; a session has w steps, the prompt first."""

    def __init__(self, known: Tables, device: DeviceSpec, server: ServerSpec) -> None:
        self._table = known.table
        prefill, decode = known.profiles
        self._decode = decode
        self._head = device.scale(join_phases(prefill.head, decode.head))
        self._tail = server.scale(join_phases(prefill.tail, decode.tail))
        self._prompt = int(known.table.provenance["prompt_tokens"])
        self._step_s: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def columns(self, labels: tuple[Split, ...]) -> dict[str, list[float]]:
        """Column name -> values over the options."""
        rows = [self._row(label) for label in labels]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def _row(self, label: Split) -> dict[str, float]:
        w = label.tokens
        head, tail = self._steps(label.cut)
        cells = {name: np.zeros(w) for name in ("payload_bytes", "encode_s", "decode_s")}
        answer = 0.0
        if label.cut != "output":
            for name in cells:
                cells[name] = self._table.cell(name, label.cut, label.setting)[:, :w].mean(0)
            answer = float(self._table.cell("answer_bytes", label.cut, label.setting).mean())
        encode, decode = (
            cells["encode_s"] * self._head.factor,
            cells["decode_s"] * self._tail.factor,
        )
        sent = cells["payload_bytes"]
        later = slice(1, w) if w > 1 else slice(0, 1)
        return {
            "device_s": float(head[:w][later].mean()),
            "server_s": float(tail[:w][later].mean()),
            "payload_bytes": float(sent[later].mean()),
            "answer_bytes": answer,
            "encode_s": float(encode[later].mean()),
            "decode_s": float(decode[later].mean()),
            "first_device_s": float(head[0] + encode[0]),
            "first_payload_bytes": float(sent[0]),
            "first_decode_s": float(decode[0]),
            "first_server_s": float(tail[0]),
        }

    def _steps(self, cut: str) -> tuple[np.ndarray, np.ndarray]:
        """Head and tail seconds of every step of the longest session, shape [step]."""
        if cut not in self._step_s:
            n = self._table.size("token")
            at = [(self._prompt, 0), *((1, self._prompt + k) for k in range(n - 1))]
            self._step_s[cut] = tuple(
                np.array([side.seconds_at(cut, new_tokens=new, kv_length=kv) for new, kv in at])
                for side in (self._head, self._tail)
            )  # type: ignore[assignment]
        return self._step_s[cut]


def _sides(
    profile: ModelProfile, device: DeviceSpec, server: ServerSpec
) -> tuple[CostSurface, CostSurface]:
    """Head and tail seconds on these machines."""
    return device.scale(profile.head), server.scale(profile.tail)


def _loss(table: TraceTable, cut: str, setting: str) -> float:
    """Upper end of the paired drop, as a fraction (profiles.tables.quality)."""
    whole = next(
        table.cell("correct", "output", s) for s in table.settings if table.exists("output", s)
    )
    right = table.cell("correct", cut, setting)
    lost, gained = int((whole > right).sum()), int((whole < right).sum())
    return drop_interval(len(right), lost, gained).hi


def _ordered(settings: tuple[str, ...]) -> list[str]:
    """Settings from mild to aggressive: what is no theta first."""
    plain = [name for name in settings if theta_of(name) is None]
    thetas = [name for name in settings if theta_of(name) is not None]
    return plain + sorted(thetas, key=lambda name: theta_of(name))  # type: ignore[arg-type,return-value]
