"""A roofline per layer: predicts seconds on a machine that nobody measured here.

    seconds = max(flops / (compute x peak), bytes / (memory x bandwidth)) + kernels x kernel_s

Peak and bandwidth come from the target's data sheet (Williams, Waterman and Patterson, CACM 52(4),
2009); the efficiencies are fitted on published latencies (`profiles.predicting.published`).

Approximation: the target reaches the same share of its peaks as the machines of the fit; a segment
between cuts is one sequence without overlap.
"""

from dataclasses import dataclass

from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import Layer

Sheet = DeviceSpec | ServerSpec


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """Rates of a machine, and the bytes of one number at the precision it computes in."""

    flops: float
    bandwidth_bytes_per_s: float
    bytes_per_number: float = 4.0


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """Reached shares of both peaks, and the fixed seconds of one kernel."""

    compute: float
    memory: float
    kernel_s: float

    def seconds(self, layer: Layer, peaks: Peaks, batch: int = 1) -> float:
        """Predicted seconds of one layer at this batch size."""
        moved = layer.weight_bytes + batch * layer.activation_bytes
        moved *= peaks.bytes_per_number / 4.0
        compute_s = batch * layer.flops / (self.compute * peaks.flops)
        memory_s = moved / (self.memory * peaks.bandwidth_bytes_per_s)
        return max(compute_s, memory_s) + layer.kernels * self.kernel_s


def peaks_of(sheet: Sheet, precision: str = "fp32") -> Peaks:
    """Peaks from a data sheet at "fp32" or "fp16".

    Raises:
        ValueError: the sheet does not state them.
    """
    width = {"fp32": 4.0, "fp16": 2.0}
    if precision not in width:
        raise ValueError(f"precision must be fp32 or fp16, got {precision!r}")
    flops = sheet.peak_fp32_flops if precision == "fp32" else sheet.peak_fp16_flops
    bandwidth = sheet.memory_bandwidth_bytes_per_s
    if flops is None or bandwidth is None:
        raise ValueError(f"{sheet.name} states no {precision} peak or no memory bandwidth")
    return Peaks(flops=flops, bandwidth_bytes_per_s=bandwidth, bytes_per_number=width[precision])
