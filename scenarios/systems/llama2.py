"""Llama-2-7B in closed form: sessions by the roofline, payloads at the byte Llama's measured rate.

Nobody measured a 7B network here. Seconds are modelled: the roofline of both data sheets at the
share of the roof that published Llama-2 latencies reach (geometric mean over profiles/data/
published.csv). Payload bytes and codec seconds per element are those of the byte Llama's prompt,
carried to 4,096 elements a token. Approximation: a token costs what it costs at mean KV length.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from profiles.predicting.analytic import LLAMA2_7B, model_phases
from profiles.predicting.published import roof_share
from profiles.predicting.roofline import Efficiency, peaks_of
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.split import ENDS, Split
from scenarios.systems.generations import Generations, Session
from scenarios.systems.measured import Measured
from scenarios.systems.sheets import Codec
from sim.sources.sizes import Size, SizedSessions
from sim.sources.source import ConstantSource, Draw

_NETWORK = "llama2_7b"
_SMALL, _SMALL_CUT = "bytellama", "layers.1"
_TOKEN_BYTES = 4.0
_CONTEXT = 4096
_PROMPTS = (1, 32, 128, 512, 2048, _CONTEXT)


def models(name: str) -> bool:
    """Whether a network of this name is modelled here."""
    return name == _NETWORK


def measure(
    session: Session, server: ServerSpec, codecs: Sequence[Codec], *, live: bool = False
) -> "Big":
    """Llama-2-7B in sessions of that kind, at the share of the roof that `server` reaches.

    Raises:
        ValueError: no published latency of the server.
    """
    small = session.measure(_SMALL, codecs, [_SMALL_CUT], live=live)
    return Big(
        share=roof_share(server, LLAMA2_7B), small=small, small_cut=_SMALL_CUT,
        prompt_tokens=session.prompt_tokens, n_tokens=session.n_tokens,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Big(Measured):
    """Llama-2-7B, its payloads scaled from those of `small`, a smaller Llama at `small_cut`.

    `share`: of the roofline that it reaches; `named`: what names its points besides the tables.
    """

    model: str = _NETWORK
    share: float
    small: Generations
    small_cut: str
    prompt_tokens: int
    n_tokens: int
    named: Any = None

    def __repr__(self) -> str:
        return f"Big({self.model}, {self.n_tokens} tokens, payloads of {self.small!r})"

    @property
    def digests(self) -> Mapping[str, str]:
        """Those of the smaller network."""
        return self.small.digests

    @property
    def settings(self) -> Any:
        """The workload, and how much of the roof is reached."""
        return (
            self.named
            if self.named is not None
            else [self.small.session, self.n_tokens, self.small_cut, self.share]
        )

    def split(self, cut: str, setting: str) -> Split:
        """The split with this workload's length of sessions."""
        return Split(cut, setting, self.n_tokens)

    def _source(
        self, split: Split, device: DeviceSpec, server: ServerSpec
    ) -> ConstantSource | SizedSessions:
        """Requests by full server ("input"), full device ("output") or a split under a codec."""
        head, tail = self._profiles(device), self._profiles(server)
        if split.cut in ENDS:
            whole = split._replace(tokens=split.tokens or self.n_tokens)
            return self._unsplit(whole, tail if split.cut == "input" else head)
        prompt, token = (self._step(head, tail, split, phase) for phase in (0, 1))
        return SizedSessions(
            cost=partial(self._cost, head, tail, split),
            prompt=prompt, token=token, n_tokens=split.tokens, batch_slope_s=token.server_s,
        )  # fmt: skip

    def _cost(
        self, head: dict[str, ModelProfile], tail: dict[str, ModelProfile], split: Split, size: Size
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
        return other._step(head, tail, at, 0), other._step(head, tail, at, 1)

    def _unsplit(self, split: Split, side: dict[str, ModelProfile]) -> ConstantSource:
        whole = split._replace(cut="output")
        total = self._seconds(side, whole, "head", 0)
        total += (split.tokens - 1) * self._seconds(side, whole, "head", 1)
        if split.cut == "output":
            return ConstantSource(device_s=total)
        sent, answer = _TOKEN_BYTES * self.prompt_tokens, _TOKEN_BYTES * split.tokens
        return ConstantSource(payload_bytes=sent, server_s=total, answer_bytes=answer)

    def _step(
        self, head: dict[str, ModelProfile], tail: dict[str, ModelProfile], split: Split, phase: int
    ) -> Draw:
        elements = LLAMA2_7B.width * (self.prompt_tokens if phase == 0 else 1)
        crossed = self.small.prompt_tokens * self.small.decode.cut(self.small_cut).elements
        per_element = elements / float(crossed)
        payload, encode, decode = (
            float(self.small.table.cell(name, self.small_cut, split.setting)[:, 0].mean())
            * per_element
            for name in ("payload_bytes", "encode_s", "decode_s")
        )
        return Draw(
            sample=0,
            device_s=self._seconds(head, split, "head", phase) + encode,
            payload_bytes=payload,
            decode_s=decode,
            server_s=self._seconds(tail, split, "tail", phase),
            answer_bytes=_TOKEN_BYTES,
            correct=math.nan,
            new_tokens=self.prompt_tokens if phase == 0 else 1,
        )

    def _seconds(
        self, profiles: dict[str, ModelProfile], split: Split, part: str, phase: int
    ) -> float:
        if phase == 0:
            surface = getattr(profiles["prefill"], part)
            return float(surface.seconds_at(split.cut, new_tokens=self.prompt_tokens))
        kv = self.prompt_tokens + split.tokens / 2
        return float(getattr(profiles["decode"], part).seconds_at(split.cut, kv_length=kv))

    def _profiles(self, sheet: DeviceSpec | ServerSpec) -> dict[str, ModelProfile]:
        efficiency = Efficiency(compute=self.share, memory=self.share, kernel_s=0.0)
        return model_phases(
            LLAMA2_7B, efficiency, peaks_of(sheet, "fp16"), hardware=sheet.name, prompts=_PROMPTS,
            source=f"roofline at {self.share:.3g} of the roof, as published latencies reach",
        )  # fmt: skip

    def quality(self, split: Split) -> dict[str, float]:
        """Relative L2 alone: what the smaller Llama answers says nothing of another network."""
        if split.cut in ENDS:
            return {}
        cell = self.small.table.cell("relative_l2", self.small_cut, split.setting)
        return {"relative_l2": float(cell.mean())}

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """Seconds modelled on both sides; payloads scaled from the smaller network's."""
        said = {"kind": "modelled", "source": f"roofline at {100 * self.share:.0f} % of the roof"}
        payloads = {**self.small.table.provenance, "weights": f"scaled from {self.small.model}"}
        return {"head_seconds": {**said, "hardware": device.name},
                "tail_seconds": {**said, "hardware": server.name},
                "payloads": payloads, "samples": len(self.small.table.sample_ids),
                "roof_share": self.share, **self.digests}  # fmt: skip

    def kinds(self, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Modelled seconds, scaled payloads."""
        return {"device": "modelled", "uplink": "modelled", "server": "modelled",
                "codec_bits": "scaled"}  # fmt: skip
