"""The measured half of autoregressive scenarios: a generation trace and surfaces of both sides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from profiles.tables.cost import CostSurface
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.trace import Column, TraceTable
from scenarios.shell.progress import progress
from scenarios.sweep.store import point_id
from scenarios.systems import equal, shipped
from scenarios.systems.measured import CACHE, Codec, coders, kind_of, share
from sim.sources.sessions import TraceSessions
from sim.sources.source import ConstantSource, Draw, Source

__all__ = ["Sessions", "Text", "generations", "joined", "whole"]


def _field(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class Text:
    """The generations of a language network that are measured, and how much of them is played."""

    model: str = _field("bytellama", "language network")
    cut: str = _field("layers.1", "last layer on the device")
    prompt_tokens: int = _field(117, "length of every prompt")
    n_tokens: int = _field(64, "tokens of a session")
    n_prompts: int = _field(8, "measured generations")
    traced_tokens: int = _field(96, "their length; one trace serves all figures")
    repeats: int = _field(3, "interleaved repeats of every codec time; the median counts")

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "n_tokens", "n_prompts", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.traced_tokens < self.n_tokens:
            raise ValueError(
                f"traced_tokens must be >= n_tokens={self.n_tokens}, got {self.traced_tokens}"
            )

    def generations(self, codecs: Iterable[Codec], *, live: bool = False) -> "Sessions":
        """The measured half: profiles of both phases and one trace; features' codecs only."""
        return generations(
            self.model, [one for one in codecs if kind_of(one) == "feature"], [self.cut],
            n_prompts=self.n_prompts, prompt_tokens=self.prompt_tokens,
            n_tokens=self.traced_tokens, repeats=self.repeats, live=live,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """What one language network costs: prefill and decode profiles, and a generation trace."""

    prefill: ModelProfile
    decode: ModelProfile
    table: TraceTable

    @cached_property
    def digests(self) -> dict[str, str]:
        """Content hashes of all three, for point ids."""
        return {
            "prefill": self.prefill.digest,
            "decode": self.decode.digest,
            "trace": self.table.digest,
        }

    def source(
        self, cut: str, setting: str, device: DeviceSpec, server: ServerSpec, n_tokens: int
    ) -> TraceSessions:
        """Sessions of `n_tokens` answers of one device class at one cut and setting.

        Raises:
            ValueError: a longer session than was traced.
        """
        traced = self.table.size("token")
        if not 1 <= n_tokens <= traced:
            raise ValueError(f"n_tokens must lie in 1..{traced}, got {n_tokens}")
        head = device.scale(joined(self.prefill.head, self.decode.head))
        tail = server.scale(joined(self.prefill.tail, self.decode.tail))
        at = self.decode.cut(cut)
        return TraceSessions(
            _sized(self.table, n_tokens), cut, setting, head, tail,
            device_token_bytes=at.kv_head_bytes, server_token_bytes=at.kv_tail_bytes,
        )  # fmt: skip

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """Return where every number comes from: the machine, the factor, the source."""
        return {
            "head_seconds": dict(device.scale(self.decode.head).provenance),
            "tail_seconds": dict(server.scale(self.decode.tail).provenance),
            "payloads": dict(self.table.provenance),
            "samples": len(self.table.sample_ids),
            **self.digests,
        }

    def quality(self, cut: str, setting: str, n_tokens: int) -> dict[str, float]:
        """What the codec does to generations of `n_tokens`: the share that stays equal to those
        without a codec (Wilson's 95 % interval), mean relative L2 and KL of the next token.
        """
        equal = self.table.cell("agree_free", cut, setting)[:, :n_tokens].min(axis=1)
        names = ("relative_l2", "logit_kl")
        means = {n: float(self.table.cell(n, cut, setting)[:, :n_tokens].mean()) for n in names}
        return {**share("table_accuracy", equal), **means}

    def way(
        self, way: str, cut: str, device: DeviceSpec, server: ServerSpec, n_tokens: int
    ) -> Source:
        """Sessions split at `cut` under setting `way`; "input" or "output": all on one side.

        Approximation: on one side a session is one request of all its seconds, served whole.
        """
        if way not in ("input", "output"):
            return self.source(cut, way, device, server, n_tokens)
        sheet = server if way == "input" else device
        prefill, decode = sheet.scale(self.prefill.head), sheet.scale(self.decode.head)
        prompt = int(self.table.provenance["prompt_tokens"])
        total_s = prefill.seconds_at("output", new_tokens=prompt) + sum(
            decode.seconds_at("output", kv_length=prompt + k) for k in range(n_tokens - 1)
        )
        if way == "output":
            return ConstantSource(device_s=total_s)
        sent, back = float(prompt), float(n_tokens)  # a token is one byte
        return ConstantSource(payload_bytes=sent, server_s=total_s, answer_bytes=back)


def whole(source: Source) -> Draw:
    """The mean costs of a whole session; of a request where the source has no sessions."""
    if not isinstance(source, TraceSessions):
        return source.mean()
    sums = [np.sum([step[1:7] for step in session.steps], axis=0) for session in source.rows]
    return Draw(0, *np.mean(sums, axis=0).tolist())


def joined(prefill: CostSurface, decode: CostSurface) -> CostSurface:
    """One surface over new tokens and KV length of the two that were measured.

    Exact on both: (new tokens, no KV) and (one token, KV). Approximation elsewhere, where no
    session ever is: the KV costs what it costs one token.
    """
    first = prefill.seconds[:, :, :, :1]
    later = decode.seconds[:, :, :1, :]
    seconds = first + np.maximum(0.0, later - later[..., :1])
    seconds[:, :, :1, :] = later
    return replace(prefill, seconds=seconds, kv_lengths=decode.kv_lengths)


def generations(
    model: str,
    codecs: Sequence[Codec],
    cuts: Sequence[str],
    *,
    n_prompts: int,
    prompt_tokens: int,
    n_tokens: int,
    repeats: int,
    live: bool = False,
) -> Sessions:
    """Measure a language network here, or read what an earlier run left in outputs/cache.

    Unless `live`, a shipped generation of at least these tokens and codecs is taken instead. Every
    chain with a knob is also there at the error that the task bears (see equal.py).
    """
    import codec
    from profiles import models
    from profiles.measuring import decoding, generation, machine
    from profiles.models.data import sources

    network = models.create(model)
    made = {str(chosen["name"]): next(iter(coders(chosen).values())) for chosen in codecs}
    made |= equal.settings_for(network, [str(chosen["chain"]) for chosen in codecs])
    if not live:
        sizes = {"prompt_tokens": prompt_tokens, "token": n_tokens, "samples": n_prompts}
        found = shipped.generation(network, made, cuts, sizes, repeats=repeats)
        if found is not None:
            return Sessions(prefill=found[0], decode=found[1], table=found[2])
    prompts = sources.windows("test", n_prompts, length=prompt_tokens).inputs
    with machine.threads(1):
        where = machine.fingerprint()
    depends = {
        "model": network.digest, "codecs": {name: one.spec for name, one in made.items()},
        "version": codec.revision(), "prompts": [n_prompts, prompt_tokens, n_tokens],
        "cuts": list(cuts), "repeats": repeats, "machine": where,
    }  # fmt: skip
    stem = CACHE / f"sessions-{model}-{point_id(depends, {})}"
    kept = _read(stem)
    if kept is not None:
        return kept
    with progress(f"timing {model}") as report:
        longest = prompt_tokens + n_tokens
        surfaces = decoding.measure(
            network, prompts=tuple(sorted({1, prompt_tokens})), kv_lengths=(0, longest),
            batches=(1,), progress=report,
        )  # fmt: skip
    with progress(f"generating with {model}") as report:
        table = generation.trace(
            network, made, prompts, cuts=cuts, n_tokens=n_tokens, repeats=repeats, progress=report
        )
    surfaces["prefill"].save(Path(f"{stem}-prefill.npz"))
    surfaces["decode"].save(Path(f"{stem}-decode.npz"))
    table.save(Path(f"{stem}-trace.npz"))
    return Sessions(prefill=surfaces["prefill"], decode=surfaces["decode"], table=table)


def _read(stem: Path) -> Sessions | None:
    try:
        return Sessions(
            prefill=ModelProfile.load(f"{stem}-prefill.npz"),
            decode=ModelProfile.load(f"{stem}-decode.npz"),
            table=TraceTable.load(f"{stem}-trace.npz"),
        )
    except (FileNotFoundError, ValueError):
        return None


def _sized(table: TraceTable, n_tokens: int) -> TraceTable:
    """The table with the columns that sessions read: their lengths and whether they were right.

    A session counts as right where every one of its tokens is the one without a codec.
    """
    n = len(table.sample_ids)
    prompt = float(table.provenance["prompt_tokens"])
    agree = table.columns["agree_free"][..., :n_tokens]
    extra: Mapping[str, Any] = {
        "prompt_tokens": (np.full(n, prompt), Column(unit="1", dims=("sample",))),
        "n_tokens": (np.full(n, float(n_tokens)), Column(unit="1", dims=("sample",))),
        "correct": (agree.min(axis=-1), Column(unit="1", dims=("sample", "cut", "setting"))),
    }
    return replace(
        table,
        columns={**table.columns, **{name: values for name, (values, _) in extra.items()}},
        schema={**table.schema, **{name: column for name, (_, column) in extra.items()}},
    )
