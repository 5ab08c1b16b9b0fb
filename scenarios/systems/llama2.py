"""Llama-2-7B in sessions: its layers as they were timed, payloads at the byte Llama's rate.

One layer was timed and counted 32 times: on the H100 under CUDA graphs in bf16, and on a processor.
Payload bytes and codec seconds per element are those of the byte Llama's prompt, carried to 4,096
elements a token: nobody ran this network's real weights through a codec. Approximation: a token
costs what it costs at mean KV length.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from profiles.predicting.analytic import LLAMA2_7B
from profiles.predicting.codecs import Carried
from profiles.predicting.roles import Known, seconds_of
from profiles.shipping import shipped
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.split import ENDS, Split
from scenarios.shell.names import unknown
from scenarios.systems.generations import Generations, Session
from scenarios.systems.given import with_given
from scenarios.systems.measured import Measured, describe_surface, known_of, name_machine
from scenarios.systems.sheets import Codec
from sim.sources.draw import Draw
from sim.sources.sizes import Size, SizedSessions
from sim.sources.source import ConstantSource, Errors

_NETWORK = "llama2_7b"
_SMALL, _SMALL_CUT = "bytellama", "layers.1"
_TOKEN_BYTES, _NUMBER_BYTES = 4.0, 2.0
_CONTEXT = 4096
_PHASES = ("prefill", "decode")


def models(name: str) -> bool:
    """Whether a network of this name is put together here."""
    return name == _NETWORK


def check_cuts(cuts: Sequence[str]) -> None:
    """Refuse an unknown cut.

    Raises:
        ValueError: with the nearest ones.
    """
    known = _known("decode").facts.cut_names
    for cut in cuts:
        if cut not in known:
            raise ValueError(unknown("cut", cut, known))


def measure(session: Session, codecs: Sequence[Codec], *, live: bool = False) -> "Big":
    """Llama-2-7B in sessions of that kind."""
    small = session.measure(_SMALL, codecs, [_SMALL_CUT], live=live)
    return Big(
        small=small, small_cut=_SMALL_CUT, prompt_tokens=session.prompt_tokens,
        n_tokens=session.n_tokens,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Big(Measured):
    """Llama-2-7B, its payloads scaled from those of `small`, a smaller Llama at `small_cut`.

    `named`: what names its points besides the tables.
    """

    model: str = _NETWORK
    small: Generations
    small_cut: str
    prompt_tokens: int
    n_tokens: int
    named: Any = None

    def __repr__(self) -> str:
        return f"Big({self.model}, {self.n_tokens} tokens, payloads of {self.small!r})"

    @cached_property
    def known(self) -> Mapping[str, Known]:
        """What was measured of its layers, by phase."""
        return {phase: _known(phase) for phase in _PHASES}

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Those of the smaller network, and of this one's profiles."""
        return {**self.small.digests, **{p: known.facts.digest for p, known in self.known.items()}}

    @property
    def settings(self) -> Any:
        """The workload."""
        if self.named is not None:
            return self.named
        return [self.small.session, self.n_tokens, self.small_cut]

    def split(self, cut: str, setting: str) -> Split:
        """The split with this workload's length of sessions."""
        return Split(cut, setting, self.n_tokens)

    def side(self, sheet: DeviceSpec | ServerSpec, part: str, phase: str) -> CostSurface:
        """Head or tail of one phase on the machine of a sheet."""
        return seconds_of(sheet, part, with_given(self.known[phase], sheet, part))

    def _source(
        self, split: Split, device: DeviceSpec, server: ServerSpec
    ) -> ConstantSource | SizedSessions:
        """Requests by full server ("input"), full device ("output") or a split under a codec."""
        if split.cut in ENDS:
            whole = split._replace(tokens=split.tokens or self.n_tokens)
            return self._unsplit(whole, server if split.cut == "input" else device)
        prompt, token = (self._step(split, device, server, phase) for phase in _PHASES)
        at = self.known["decode"].facts.cut_names.index(split.cut)
        kept = LLAMA2_7B.kv_bytes(_NUMBER_BYTES)
        return SizedSessions(
            cost=partial(self._cost, device, server, split),
            prompt=prompt, token=token, n_tokens=split.tokens,
            device_token_bytes=at * kept,
            server_token_bytes=(LLAMA2_7B.n_layers - at) * kept,
            batch_slope_s=self._slope_s(split, server),
            log_errors=Errors(
                self.side(device, "head", "decode").log_error,
                self.side(server, "tail", "decode").log_error,
                decode=self._carried(server, "decode_s", split).log_error,
            ),
        )  # fmt: skip

    def _cost(
        self, device: DeviceSpec, server: ServerSpec, split: Split, size: Size
    ) -> tuple[Draw, Draw]:
        """Prompt and later token of a session of another size, which must fit into the context."""
        prompt, tokens = size
        if prompt + tokens > _CONTEXT:
            raise ValueError(
                f"sessions of {self.model} must have <= {_CONTEXT:,} tokens, got {prompt:,} and"
                f" {tokens:,} generated"
            )
        other = replace(self, prompt_tokens=prompt, n_tokens=tokens)
        at = split._replace(tokens=tokens)
        first, later = (other._step(at, device, server, phase) for phase in _PHASES)
        return first, later

    def _unsplit(self, split: Split, sheet: DeviceSpec | ServerSpec) -> ConstantSource:
        whole = split._replace(cut="output")
        total = self._seconds(sheet, whole, "head", "prefill")
        total += (split.tokens - 1) * self._seconds(sheet, whole, "head", "decode")
        error = self.side(sheet, "head", "decode").log_error
        if split.cut == "output":
            return ConstantSource(device_s=total, log_errors=Errors(head=error))
        sent, answer = _TOKEN_BYTES * self.prompt_tokens, _TOKEN_BYTES * split.tokens
        return ConstantSource(
            payload_bytes=sent, server_s=total, answer_bytes=answer, log_errors=Errors(tail=error)
        )

    def _step(self, split: Split, device: DeviceSpec, server: ServerSpec, phase: str) -> Draw:
        elements = LLAMA2_7B.width * (self.prompt_tokens if phase == "prefill" else 1)
        crossed = self.small.prompt_tokens * self.small.decode.cut(self.small_cut).elements
        per_element = elements / float(crossed)
        payload, encode, decode = (
            float(self.small.table.cell(name, self.small_cut, split.setting)[:, 0].mean())
            * per_element
            for name in ("payload_bytes", "encode_s", "decode_s")
        )
        encode *= self._carried(device, "encode_s", split).factor
        decode *= self._carried(server, "decode_s", split).factor
        return Draw(
            sample=0,
            device_s=self._seconds(device, split, "head", phase) + encode,
            payload_bytes=payload,
            decode_s=decode,
            server_s=self._seconds(server, split, "tail", phase),
            answer_bytes=_TOKEN_BYTES,
            correct=math.nan,
            new_tokens=self.prompt_tokens if phase == "prefill" else 1,
            tensor_bytes=_NUMBER_BYTES * elements,
        )

    def _carried(self, sheet: DeviceSpec | ServerSpec, column: str, split: Split) -> Carried:
        return self.small.carried(sheet, column, split.setting)

    def _seconds(
        self, sheet: DeviceSpec | ServerSpec, split: Split, part: str, phase: str, batch: int = 1
    ) -> float:
        surface = self.side(sheet, part, phase)
        if phase == "prefill":
            return surface.seconds_at(split.cut, new_tokens=self.prompt_tokens)
        kv = self.prompt_tokens + split.tokens / 2
        return surface.seconds_at(split.cut, batch=batch, kv_length=kv)

    def _slope_s(self, split: Split, server: ServerSpec) -> float:
        """Further seconds of each further session in a step, over all batches that were timed."""
        largest = self.side(server, "tail", "decode").batches[-1]
        one, all_ = (self._seconds(server, split, "tail", "decode", b) for b in (1, largest))
        return (all_ - one) / (largest - 1) if largest > 1 else one

    def largest_batch_on(self, server: ServerSpec) -> int | None:
        """The largest batch whose steps were timed."""
        return self.side(server, "tail", "decode").batches[-1]

    def memory_bytes(self, split: Split) -> float | None:
        """Weights before the cut and the KV cache of a whole session, 2 bytes a number."""
        at = self.known["decode"].facts.cut_names.index(split.cut)
        layers = min(at, LLAMA2_7B.n_layers)
        embedding = LLAMA2_7B.vocabulary * LLAMA2_7B.width * (2 if split.cut == "output" else 1)
        weights = _NUMBER_BYTES * (layers * LLAMA2_7B.layer_parameters + embedding)
        if split.cut == "input":
            return 0.0
        tokens = self.prompt_tokens + split.tokens - 1
        return weights + layers * LLAMA2_7B.kv_bytes(_NUMBER_BYTES) * tokens

    def quality(self, split: Split) -> dict[str, float]:
        """Relative L2 alone: what the smaller Llama answers says nothing of another network."""
        if split.cut in ENDS:
            return {}
        cell = self.small.table.cell("relative_l2", self.small_cut, split.setting)
        return {"relative_l2": float(cell.mean())}

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """The machine of either side; payloads scaled from the smaller network's."""
        payloads = {**self.small.table.provenance, "weights": f"scaled from {self.small.model}"}
        return {
            "head_seconds": describe_surface(self.side(device, "head", "decode")),
            "tail_seconds": describe_surface(self.side(server, "tail", "decode")),
            "payloads": payloads,
            "samples": len(self.small.table.sample_ids),
            **self.digests,
        }

    def machines(self, split: Split, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Whose seconds these are; the codec's are the smaller network's."""
        return {
            "device_machine": name_machine(self.side(device, "head", "decode")),
            "server_machine": name_machine(self.side(server, "tail", "decode")),
            "codec_machine": self.small.name_codec(split, device, server),
        }

    def kinds(self, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Those of the seconds; scaled payloads."""
        return {**super().kinds(device, server), "codec_bits": "scaled"}


def _known(phase: str) -> Known:
    """Every shipped surface of a phase; prompts beyond those that were timed, by their FLOPs."""
    facts = ModelProfile.load(shipped.DATA / "profiles" / f"{_NETWORK}-{phase}-1.npz")
    surfaces = shipped.surfaces(_NETWORK, phase)
    return known_of(facts, [_lengthen(one) if phase == "prefill" else one for one in surfaces])


def _lengthen(surface: CostSurface) -> CostSurface:
    """Prompts up to the context: a longer one takes as much longer as its layers have more FLOPs.

    Approximation: the longest prompt that was timed is bound by arithmetic already.
    """
    longest = surface.new_tokens[-1]
    more = [n for n in (128, 512, 1024, 2048, _CONTEXT) if n > longest]
    flops = {n: LLAMA2_7B.layer(n, 0).flops for n in (longest, *more)}
    last = surface.seconds[:, :, -1:]
    longer = [last * (flops[n] / flops[longest]) for n in more]
    errors = surface.errors
    if errors is not None:
        errors = np.concatenate([errors, *(errors[:, :, -1:] for _ in more)], axis=2)
    said = {**surface.provenance, "prompts": f"beyond {longest:,} tokens by their FLOPs"}
    return replace(
        surface, new_tokens=(*surface.new_tokens, *more), errors=errors, provenance=said,
        seconds=np.concatenate([surface.seconds, *longer], axis=2),
    )  # fmt: skip
