"""The measured half of autoregressive scenarios: a generation trace and surfaces of both sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from profiles.cost import CostSurface
from profiles.hardware import DeviceSpec, ServerSpec
from profiles.layers import ModelProfile
from profiles.trace import Column, TraceTable
from scenarios._measured import CACHE, Codec, coders
from scenarios._progress import progress
from scenarios._results import point_id
from sim.sessions import TraceSessions

__all__ = ["Sessions", "generations", "joined"]


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
) -> Sessions:
    """Measure a language network here, or read what an earlier run left in outputs/cache."""
    import codec
    from profiles import decoding, generation, machine, models
    from profiles.models import sources

    network = models.create(model)
    prompts = sources.windows("test", n_prompts, length=prompt_tokens).inputs
    made = {str(chosen["name"]): next(iter(coders(chosen).values())) for chosen in codecs}
    with machine.threads(1):
        where = machine.fingerprint()
    depends = {
        "model": network.digest, "codecs": {name: one.spec for name, one in made.items()},
        "version": codec.FORMAT_VERSION, "prompts": [n_prompts, prompt_tokens, n_tokens],
        "cuts": list(cuts), "repeats": repeats, "machine": where,
    }  # fmt: skip
    stem = CACHE / f"sessions-{model}-{point_id(depends, {})}"
    kept = _read(stem)
    if kept is not None:
        return kept
    with progress(f"timing {model}") as report:
        longest = prompt_tokens + n_tokens
        found = decoding.measure(
            network, prompts=tuple(sorted({1, prompt_tokens})), kv_lengths=(0, longest),
            batches=(1,), progress=report,
        )  # fmt: skip
    with progress(f"generating with {model}") as report:
        table = generation.trace(
            network, made, prompts, cuts=cuts, n_tokens=n_tokens, repeats=repeats, progress=report
        )
    found["prefill"].save(Path(f"{stem}-prefill.npz"))
    found["decode"].save(Path(f"{stem}-decode.npz"))
    table.save(Path(f"{stem}-trace.npz"))
    return Sessions(prefill=found["prefill"], decode=found["decode"], table=table)


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
