"""A roofline per layer: carries a measured profile to a machine that nobody measured here.

    seconds = max(flops / (compute x peak), bytes / (memory x bandwidth)) + kernels x kernel_s

The efficiencies `compute` and `memory` are fitted on measured layers and taken along; peak and
bandwidth come from the target's data sheet (Williams, Waterman and Patterson, CACM 52(4), 2009).

Approximation: the target reaches the same share of its peaks as the measured machine; the codec
is not carried over by it; `kernel_s` holds for the same kind of processor only (for a GPU give
another one by dataclasses.replace); a segment between cuts is one sequence without overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from profiles.tables.cost import CostSurface
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import Layer, ModelProfile

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


def fit(layers: Sequence[Layer], peaks: Peaks) -> Efficiency:
    """Efficiencies that bring predicted nearest to measured seconds, in the logarithm.

    Layers without work (the booked overhead) are left out.

    Raises:
        ValueError: fewer than four layers with work and a positive time.
    """
    used = [layer for layer in layers if layer.flops > 0 and layer.seconds > 0]
    if len(used) < 4:
        raise ValueError(f"a roofline fit needs at least 4 measured layers, got {len(used)}")
    measured = np.log([layer.seconds for layer in used])

    def residuals(logs: np.ndarray) -> np.ndarray:
        guess = _efficiency(logs)
        return np.log([guess.seconds(layer, peaks) for layer in used]) - measured

    starts = [np.log([share, share, 1e-6]) for share in (0.1, 0.5)]
    fits = [least_squares(residuals, start, loss="soft_l1") for start in starts]
    return _efficiency(min(fits, key=lambda solution: float(solution.cost)).x)


def scale_profile(
    profile: ModelProfile, efficiency: Efficiency, measured: Peaks, sheet: Sheet, peaks: Peaks
) -> ModelProfile:
    """The profile on the sheet's machine: every measured time times the ratio of two rooflines.

    Heads and tails are scaled by the layers on their side; the booked overhead by the ratio of
    the whole. Marked "scaled".
    """
    layers = [layer for layer in profile.layers if layer.flops > 0]
    source = f"roofline, {sheet.name}: {peaks}, {efficiency}"

    def ratios(surface: CostSurface) -> np.ndarray:
        factors = np.ones((len(surface.cuts), len(surface.batches)))
        for at_batch, batch in enumerate(surface.batches):
            there = np.array([efficiency.seconds(layer, peaks, batch) for layer in layers])
            here = np.array([efficiency.seconds(layer, measured, batch) for layer in layers])
            for at_cut in range(len(surface.cuts)):
                side = slice(0, at_cut) if surface.part == "head" else slice(at_cut, None)
                if here[side].sum() > 0:
                    factors[at_cut, at_batch] = there[side].sum() / here[side].sum()
        return factors[:, :, None, None]

    def carry(surface: CostSurface) -> CostSurface:
        ratio = ratios(surface)
        moved = surface.scale(float(ratio.max()), hardware=sheet.name, source=source)
        return replace(moved, seconds=surface.seconds * ratio)

    return replace(
        profile,
        hardware=sheet.name,
        head=carry(profile.head),
        tail=carry(profile.tail),
        samples={},
        provenance={"kind": "scaled", "source": source, "from": dict(profile.provenance)},
    )


def relative_errors(
    layers: Sequence[Layer], efficiency: Efficiency, peaks: Peaks
) -> dict[str, float]:
    """Predicted over measured seconds, minus one, layer by layer."""
    return {
        layer.name: efficiency.seconds(layer, peaks) / layer.seconds - 1
        for layer in layers
        if layer.flops > 0 and layer.seconds > 0
    }


def _efficiency(logs: np.ndarray) -> Efficiency:
    compute, memory, kernel_s = np.exp(logs).tolist()
    return Efficiency(compute=compute, memory=memory, kernel_s=kernel_s)
