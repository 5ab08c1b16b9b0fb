"""Llama-2-7B in closed form: sessions by the roofline, payloads at the byte Llama's measured rate.

Nobody measured a 7B network here. Seconds are modelled: the roofline of both data sheets at the
share of the roof that published Llama-2 latencies reach (geometric mean over profiles/data/
published.csv). Payload bytes and codec seconds per element are those of the byte Llama's prompt,
carried to 4,096 elements a token. Approximation: a token costs what it costs at mean KV length.
"""

import math
from dataclasses import dataclass

from profiles.predicting.analytic import LLAMA2_7B, model_phases
from profiles.predicting.published import by_roofline, latencies
from profiles.predicting.roofline import Efficiency, peaks_of
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from scenarios.systems.generations import Sessions
from sim.sources.sessions import ConstantSessions
from sim.sources.source import ConstantSource, Draw

__all__ = ["Big", "roof_share"]

_TOKEN_BYTES = 4.0


def roof_share(sheets: dict[str, DeviceSpec | ServerSpec]) -> float:
    """Share of the roof that published Llama-2-7B latencies reach, geometric mean.

    Raises:
        ValueError: no published latency of a machine among the sheets.
    """
    full = Efficiency(compute=1.0, memory=1.0, kernel_s=0.0)
    found = by_roofline(latencies(), sheets, {LLAMA2_7B.name: LLAMA2_7B}, full)
    if not found:
        raise ValueError(f"no published latency for {', '.join(sheets)}")
    logs = [math.log(one.predicted_s / one.published.seconds) for one in found]
    return math.exp(sum(logs) / len(logs))


@dataclass(frozen=True, kw_only=True)
class Big:
    """Llama-2-7B between a device and a server, for one prompt length and number of tokens."""

    device: DeviceSpec
    server: ServerSpec
    share: float
    small: Sessions
    small_cut: str
    cut: str
    prompt_tokens: int
    n_tokens: int

    def source(self, way: str) -> ConstantSource | ConstantSessions:
        """Requests by full server ("input"), full device ("output") or a split under a codec."""
        head, tail = self._profiles(self.device), self._profiles(self.server)
        if way in ("input", "output"):
            side = tail if way == "input" else head
            total = self._seconds(side, "output", "head", 0)
            total += (self.n_tokens - 1) * self._seconds(side, "output", "head", 1)
            if way == "output":
                return ConstantSource(device_s=total)
            sent = _TOKEN_BYTES * self.prompt_tokens
            answer = _TOKEN_BYTES * self.n_tokens
            return ConstantSource(payload_bytes=sent, server_s=total, answer_bytes=answer)
        steps = [self._step(head, tail, way, phase) for phase in (0, 1)]
        return ConstantSessions(
            prompt=steps[0], token=steps[1], n_tokens=self.n_tokens,
            batch_slope_s=steps[1].server_s,
        )  # fmt: skip

    def _step(
        self, head: dict[str, ModelProfile], tail: dict[str, ModelProfile], way: str, phase: int
    ) -> Draw:
        elements = LLAMA2_7B.width * (self.prompt_tokens if phase == 0 else 1)
        per_element = elements / self._small_elements()
        table = self.small.table
        payload, encode, decode = (
            float(table.cell(name, self.small_cut, way)[:, 0].mean()) * per_element
            for name in ("payload_bytes", "encode_s", "decode_s")
        )
        return Draw(
            sample=0,
            device_s=self._seconds(head, self.cut, "head", phase) + encode,
            payload_bytes=payload,
            decode_s=decode,
            server_s=self._seconds(tail, self.cut, "tail", phase),
            answer_bytes=_TOKEN_BYTES,
            correct=math.nan,
            new_tokens=self.prompt_tokens if phase == 0 else 1,
        )

    def _small_elements(self) -> float:
        """Elements of the byte Llama's prompt as it crossed."""
        width = self.small.decode.cut(self.small_cut).elements
        return float(self.small.table.provenance["prompt_tokens"]) * width

    def _seconds(self, profiles: dict[str, ModelProfile], cut: str, part: str, phase: int) -> float:
        if phase == 0:
            surface = getattr(profiles["prefill"], part)
            return float(surface.seconds_at(cut, new_tokens=self.prompt_tokens))
        kv = self.prompt_tokens + self.n_tokens / 2
        return float(getattr(profiles["decode"], part).seconds_at(cut, kv_length=kv))

    def _profiles(self, sheet: DeviceSpec | ServerSpec) -> dict[str, ModelProfile]:
        efficiency = Efficiency(compute=self.share, memory=self.share, kernel_s=0.0)
        return model_phases(
            LLAMA2_7B, efficiency, peaks_of(sheet, "fp16"), hardware=sheet.name,
            source=f"roofline at {self.share:.3g} of the roof, as published latencies reach",
        )  # fmt: skip
