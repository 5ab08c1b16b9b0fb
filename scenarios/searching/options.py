"""A search's options from stored tables, and the source that plays each of them in the simulator.

Head and tail seconds come from the shipped profiles, scaled to the sheets; payloads, codec seconds
and answers from the stored table of every cut and theta. The accuracy drop is the upper end of its
95 % interval; an exact copy loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import nan

import numpy as np

from profiles.tables.cost import CostSurface
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.quality import drop_interval
from profiles.tables.trace import Column, TraceTable
from scenarios.searching.thetas import stored, theta_of
from scenarios.systems.generations import joined
from scenarios.systems.shipped import DATA
from sim.search import First, Option, Options
from sim.sources.sessions import ConstantSessions, TraceSessions
from sim.sources.source import ConstantSource, Draw, Source, TraceSource

__all__ = ["Tables", "tables"]

_Z = 1.96


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What is stored of one network; `profiles` holds its single pass, or prefill and decode."""

    table: TraceTable
    profiles: tuple[ModelProfile, ...]
    _drops: dict[tuple[str, str], float] = field(default_factory=dict, init=False, repr=False)

    @property
    def speaks(self) -> bool:
        """Whether the network generates."""
        return len(self.profiles) == 2

    @property
    def digests(self) -> dict[str, str]:
        """Content hashes, for point ids."""
        return {"table": self.table.digest, **{p.phase: p.digest for p in self.profiles}}

    def labels(self, lengths: tuple[int, ...] = ()) -> tuple[Option, ...]:
        """Every option, from the input to the output and from mild to aggressive."""
        table, words = self.table, lengths if self.speaks else (0,)
        inner = [cut for cut in table.cuts if cut != "output"]
        found = [
            Option(cut, setting, w)
            for cut in inner
            for setting in _ordered(table.settings)
            if table.exists(cut, setting)
            for w in words
        ]
        return (*found, *(Option("output", "none", w) for w in words))

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
            memory_bytes=np.array([self.memory_bytes(label) for label in labels]),
            depth=np.array([order[label.cut] for label in labels]),
            harshness=np.array([harsh.get(label.setting, -1) for label in labels]),
            first=first,
            **columns,
        )

    def source(self, label: Option, device: DeviceSpec, server: ServerSpec) -> Source:
        """What the simulator plays for an option."""
        if self.speaks:
            return _SessionCosts(self, device, server).source(label)
        head, tail = _sides(self.profiles[0], device, server)
        if label.cut == "output":
            return ConstantSource(device_s=head.seconds_at("output"))
        return TraceSource(self.table, label.cut, label.setting, head, tail)

    def drop_pp(self, label: Option) -> float:
        """Upper end of the loss in percentage points; answers, or next tokens that differ."""
        key = (label.cut, label.setting)
        if label.cut == "output":
            return 0.0
        if key not in self._drops:
            exact = not np.any(self.table.cell("relative_l2", *key) > 0.0)
            lost = _disagreement if self.speaks else _loss
            self._drops[key] = 0.0 if exact else 100.0 * lost(self.table, *key)
        return self._drops[key]

    def memory_bytes(self, label: Option) -> float:
        """M_weights(l) + M_kv(w, l) + M_act on the device, 4 bytes a number.

        Activations: the largest layer of the head as profiled; of a generation, the hidden states
        of its prompt, in and out.
        """
        profile = self.profiles[-1]
        depth = profile.cut_names.index(label.cut)
        if not self.speaks:
            head = profile.layers[:depth]
            weights = sum(layer.weight_bytes for layer in head)
            return float(weights + max((layer.activation_bytes for layer in head), default=0.0))
        weights = 4.0 * sum(_parameters(self.table.model, profile.cut_names)[: depth + 1])
        prompt = int(self.table.provenance["prompt_tokens"])
        activations = 2 * 4.0 * prompt * profile.cuts[1].elements
        kv = profile.cut(label.cut).kv_head_bytes * (prompt + label.tokens - 1)
        return float(weights + activations + kv)


def tables(model: str) -> Tables:
    """The stored tables of a network; ValueError where there are none."""
    table = stored(model)
    phases = ("prefill", "decode") if "token" in table.axes else ("single",)
    folder = DATA / "profiles"
    return Tables(
        table=table,
        profiles=tuple(ModelProfile.load(folder / f"{model}-{phase}-1.npz") for phase in phases),
    )


class _SingleCosts:
    """Columns of a network that answers at once."""

    def __init__(self, known: Tables, device: DeviceSpec, server: ServerSpec) -> None:
        self._table = known.table
        self._head, self._tail = _sides(known.profiles[0], device, server)

    def columns(self, labels: tuple[Option, ...]) -> dict[str, list[float]]:
        """Column name -> values over the options."""
        rows = [self._row(label) for label in labels]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def _row(self, label: Option) -> dict[str, float]:
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
        self._head = device.scale(joined(prefill.head, decode.head))
        self._tail = server.scale(joined(prefill.tail, decode.tail))
        self._prompt = int(known.table.provenance["prompt_tokens"])
        self._step_s: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def columns(self, labels: tuple[Option, ...]) -> dict[str, list[float]]:
        """Column name -> values over the options."""
        rows = [self._row(label) for label in labels]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def source(self, label: Option) -> Source:
        """Sessions from the table; all on the device where nothing is sent."""
        if label.cut != "output":
            at = self._decode.cut(label.cut)
            return TraceSessions(
                _sized(self._table, label.tokens), label.cut, label.setting, self._head, self._tail,
                device_token_bytes=at.kv_head_bytes, server_token_bytes=at.kv_tail_bytes,
            )  # fmt: skip
        head, _ = self._steps("output")
        prompt = Draw(0, float(head[0]), 0.0, 0.0, 0.0, 0.0, nan, self._prompt, 0)
        token_s = float(head[1 : label.tokens].mean()) if label.tokens > 1 else 0.0
        token = Draw(0, token_s, 0.0, 0.0, 0.0, 0.0, nan, 1, self._prompt)
        kv = self._decode.cut("output").kv_head_bytes
        return ConstantSessions(
            prompt=prompt, token=token, n_tokens=label.tokens, device_token_bytes=kv
        )

    def _row(self, label: Option) -> dict[str, float]:
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


def _sized(table: TraceTable, n_tokens: int) -> TraceTable:
    """The table with the columns that sessions read: prompt, length, whether all tokens agree."""
    n = len(table.sample_ids)
    agree = table.columns["agree"][..., :n_tokens].min(axis=-1)
    prompt = np.full(n, float(table.provenance["prompt_tokens"]))
    extra = {
        "prompt_tokens": (prompt, Column(unit="1", dims=("sample",))),
        "n_tokens": (np.full(n, float(n_tokens)), Column(unit="1", dims=("sample",))),
        "correct": (agree, Column(unit="1", dims=("sample", "cut", "setting"))),
    }
    return replace(
        table,
        columns={**table.columns, **{name: values for name, (values, _) in extra.items()}},
        schema={**table.schema, **{name: column for name, (_, column) in extra.items()}},
    )


def _loss(table: TraceTable, cut: str, setting: str) -> float:
    """Upper end of the paired drop, as a fraction (profiles.tables.quality)."""
    whole = next(
        table.cell("correct", "output", s) for s in table.settings if table.exists("output", s)
    )
    right = table.cell("correct", cut, setting)
    lost, gained = int((whole > right).sum()), int((whole < right).sum())
    return drop_interval(len(right), lost, gained).hi


def _disagreement(table: TraceTable, cut: str, setting: str) -> float:
    """Upper end of the share of next tokens that differ, fed those of no codec.

    Sessions are the independent units: mean + 1.96 standard errors over them, but never below the
    end for independent tokens, which stays above zero where none differs.
    """
    agree = table.cell("agree", cut, setting)
    differ = 1.0 - agree.mean(axis=1)
    tokens = drop_interval(agree.size, int((agree < 1.0).sum()), 0).hi
    return max(tokens, float(differ.mean() + _Z * differ.std(ddof=1) / np.sqrt(len(differ))))


@lru_cache(maxsize=8)
def _parameters(model: str, cuts: tuple[str, ...]) -> tuple[int, ...]:
    """Parameters before every cut, from the shapes of the stored weights; the embedding is first.

    What belongs to no layer and is not the embedding comes last, with the answer.
    """
    with np.load(DATA / "weights" / f"{model}.npz") as weights:
        sizes = {name: int(weights[name].size) for name in weights.files}
    inner = [
        sum(size for name, size in sizes.items() if name.startswith(f"{cut}."))
        for cut in cuts[1:-1]
    ]
    embedding = sum(size for name, size in sizes.items() if name.startswith("embed"))
    return (embedding, *inner, sum(sizes.values()) - embedding - sum(inner))


def _ordered(settings: tuple[str, ...]) -> list[str]:
    """Settings from mild to aggressive: what is no theta first."""
    plain = [name for name in settings if theta_of(name) is None]
    thetas = [name for name in settings if theta_of(name) is not None]
    return plain + sorted(thetas, key=lambda name: theta_of(name))  # type: ignore[arg-type,return-value]
