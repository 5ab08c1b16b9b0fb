"""Roles: the seconds that a device or a server takes, whichever machines were measured.

A role takes its own machine's measured table where there is one, kept apart by precision and mode;
otherwise the best of a stated slowdown, the anchor and the roofline, by the error that each way had
against published latencies. That error goes with the surface: into intervals and the grade.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from profiles.predicting import ways
from profiles.predicting.roofline import Efficiency, Peaks, Sheet, peaks_of
from profiles.tables.cost import MODES, CostSurface
from profiles.tables.layers import Layer, ModelProfile

_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_ORDER = ("graph", "compiled", "eager")
_PRECISIONS = ("fp16", "bf16", "fp32")
assert set(_ORDER) == set(MODES)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is measured of one network in one phase, on whichever machines.

    `facts`: the profile whose cuts and layers it has; `surfaces`: heads and tails, those first that
    others are scaled from; `sheets` of the machines among them that are GPUs, by name.
    """

    facts: ModelProfile
    surfaces: tuple[CostSurface, ...]
    sheets: Mapping[str, Sheet] = field(default_factory=dict)

    def on(self, sheet: Sheet, part: str) -> list[CostSurface]:
        """What was measured on that machine as the sheet asks, best first."""
        mine = [
            one
            for one in self.surfaces
            if (one.part, one.hardware) == (part, sheet.name)
            and sheet.precision in ("auto", one.precision)
            and sheet.mode in ("auto", one.mode)
        ]
        return sorted(mine, key=lambda o: (_ORDER.index(o.mode), _PRECISIONS.index(o.precision)))

    def of_processor(self, part: str, *, gpu: bool) -> list[CostSurface]:
        """What was measured on GPUs, or on processors."""
        return [s for s in self.surfaces if s.part == part and (s.hardware in self.sheets) == gpu]


def seconds_of(sheet: Sheet, part: str, known: Known) -> CostSurface:
    """Head or tail of the network on the machine of a sheet.

    Raises:
        ValueError: nothing was measured on it as asked, and no way leads to it.
    """
    own = known.on(sheet, part)
    if own:
        chosen = own[0]
        kind = chosen.provenance.get("kind", "measured")
        return replace(chosen, provenance={**chosen.provenance, "kind": kind, "way": ways.MEASURED})
    found = [way(sheet, part, known) for way in (_by_slowdown, _by_anchor, _by_roofline)]
    made = [one for one in found if one is not None]
    if not made:
        raise ValueError(_explain(sheet, part, known))
    stated = found[0]
    return (stated or min(made, key=lambda one: one.log_error)).make()


class _Reach(NamedTuple):
    """A way that leads to a machine, not yet gone."""

    log_error: float
    make: Callable[[], CostSurface]


def _by_slowdown(sheet: Sheet, part: str, known: Known) -> _Reach | None:
    """A factor that the sheet states; its error is that of the statement, which is not known."""
    base = [
        one
        for one in known.of_processor(part, gpu=False) or known.of_processor(part, gpu=True)
        if sheet.reference in ("any", one.hardware)
    ]
    if sheet.slowdown is None or not base:
        return None
    factor, source = sheet.slowdown, sheet.sources["slowdown"]
    return _Reach(0.0, lambda: _scale(base[0], sheet, factor, source, ways.SLOWDOWN, 0.0))


def _by_anchor(sheet: Sheet, part: str, known: Known) -> _Reach | None:
    """ResNet-18 there over ResNet-18 on the processor that was measured, both at batch 1."""
    base = [one for one in known.of_processor(part, gpu=False) if one.provenance.get("anchor_s")]
    if sheet.anchor_s is None or not base:
        return None
    measured_s = float(base[0].provenance["anchor_s"])
    said = sheet.sources["anchor_s"]
    factor, source = anchor_factor(sheet.anchor_s, said, measured_s, base[0].hardware)
    error = ways.log_error(ways.ANCHOR, sheet.processor)
    surface = base[0] if sheet.processor == "cpu" else _at_batch_one(base[0])
    return _Reach(error, lambda: _scale(surface, sheet, factor, source, ways.ANCHOR, error))


def anchor_factor(anchor_s: float, said: str, measured_s: float, machine: str) -> tuple[float, str]:
    """Seconds there over those on the measured machine, and in words where that is from."""
    words = f"ResNet-18 in {anchor_s:g} s ({said}) over {measured_s:.4g} s on {machine}"
    return anchor_s / measured_s, words


def _at_batch_one(surface: CostSurface) -> CostSurface:
    """Without larger batches: the anchor of a GPU at batch 1 is launch time, and says nothing."""
    errors = None if surface.errors is None else surface.errors[:, :1]
    return replace(surface, batches=(1,), seconds=surface.seconds[:, :1], errors=errors)


def _scale(
    base: CostSurface, sheet: Sheet, factor: float, source: str, way: str, error: float
) -> CostSurface:
    made = base.scale(factor, hardware=sheet.name, source=source, log_error=error)
    return replace(made, provenance={**made.provenance, "way": way})


def _by_roofline(sheet: Sheet, part: str, known: Known) -> _Reach | None:
    """The layers against the sheet's peaks, or the factor between two GPUs for tokens.

    Both hold for half precision under CUDA graphs: eager calls are bound by their launches, which
    no peak tells.
    """
    fitted = sheet.precision != "fp32" and sheet.mode in ("auto", "graph")
    if sheet.processor != "gpu" or not fitted:
        return None
    try:
        peaks = peaks_of(sheet, "fp16")
    except ValueError:
        return None
    gpus = [
        one
        for one in known.of_processor(part, gpu=True)
        if one.mode == "graph" and one.precision in ("fp16", "bf16")
    ]
    if known.facts.phase != "single":
        return _by_bandwidth(sheet, peaks, gpus, known) if gpus else None
    layers = [one for one in known.facts.layers if one.name != "overhead"]
    if len(layers) != len(known.facts.cuts) - 1:
        return None
    gpus = [one for one in gpus if one.precision == "fp16"]
    way = ways.CALIBRATED if gpus else ways.ROOFLINE
    error = ways.log_error(way, "gpu")
    return _Reach(error, lambda: _roof(sheet, part, peaks, layers, gpus, known, way, error))


def _roof(
    sheet: Sheet,
    part: str,
    peaks: Peaks,
    layers: Sequence[Layer],
    gpus: Sequence[CostSurface],
    known: Known,
    way: str,
    error: float,
) -> CostSurface:
    names = known.facts.cut_names
    batches = gpus[0].batches if gpus else _BATCHES
    seconds = predict(layers, part, peaks, batches, ways.efficiency())
    source = f"roofline of {sheet.name}'s data sheet, efficiencies of the H100"
    kind, said = "modelled", {"hardware": sheet.name}
    if gpus:
        base = gpus[0]
        there = predict(
            layers, part, peaks_of(known.sheets[base.hardware], "fp16"), batches, ways.efficiency()
        )
        at = [base.cuts.index(cut) for cut in names]
        ratio = np.divide(seconds, there, out=np.ones_like(seconds), where=there > 0)
        seconds = np.maximum.accumulate(base.seconds[at, :, 0, 0] * ratio, axis=1)
        source = f"{base.hardware}'s seconds times the ratio of both rooflines"
        kind, said = "scaled", {"hardware": base.hardware, **base.provenance}
    return CostSurface(
        part=part, hardware=sheet.name, cuts=names, batches=batches, precision="fp16",
        mode="graph", seconds=seconds[:, :, None, None],
        provenance={
            "kind": kind, "way": way, "source": source, "log_error": error, "from": said,
            "precision": "fp16", "mode": "graph",
        },
    )  # fmt: skip


def predict(
    layers: Sequence[Layer],
    part: str,
    peaks: Peaks,
    batches: Sequence[int],
    efficiency: Efficiency,
) -> np.ndarray:
    """Seconds of heads or tails at every cut by the roofline, shape [cut, batch]."""
    each = np.array([[efficiency.seconds(one, peaks, b) for b in batches] for one in layers])
    reached = np.concatenate([np.zeros((1, len(batches))), np.cumsum(each, axis=0)])
    return reached if part == "head" else reached[-1] - reached


def _by_bandwidth(
    sheet: Sheet, peaks: Peaks, gpus: Sequence[CostSurface], known: Known
) -> _Reach | None:
    """Tokens: the ratio of memory rates for decoding, of peak rates for prompts."""
    base = gpus[0]
    there = peaks_of(known.sheets[base.hardware], "fp16")
    decode = known.facts.phase == "decode"
    name = "bandwidth_bytes_per_s" if decode else "flops"
    factor = getattr(there, name) / getattr(peaks, name)
    what = "memory bandwidth" if decode else "peak fp16 rate"
    source = f"{base.hardware}'s {what} over that of {sheet.name}, by their data sheets"
    error = ways.log_error(ways.BANDWIDTH, "gpu")
    return _Reach(error, lambda: _scale(base, sheet, factor, source, ways.BANDWIDTH, error))


def _explain(sheet: Sheet, part: str, known: Known) -> str:
    mine = sorted({(o.precision, o.mode) for o in known.surfaces if o.hardware == sheet.name})
    asked = f"precision={sheet.precision} mode={sheet.mode}"
    if mine:
        there = ", ".join(f"{precision} {mode}" for precision, mode in mine)
        return f"{sheet.name} was measured with {known.facts.model} as {there}, not as {asked}"
    if sheet.processor == "gpu" and sheet.memory_bandwidth_bytes_per_s is not None:
        return (
            f"nobody timed {known.facts.model} ({known.facts.phase}) on {sheet.name}, and with"
            f" {asked} nothing leads there: other GPUs are scaled from what ran in CUDA graphs in"
            " half precision; measure it there and name the file in server.profile or"
            " device.profile"
        )
    machines = ", ".join(dict.fromkeys(one.hardware for one in known.surfaces)) or "no machine"
    return (
        f"{sheet.name} states neither slowdown nor anchor_s nor a GPU's peaks that lead from"
        f" {known.facts.model} on {machines} to it; choose a sheet with one of them, or set"
        " slowdown=FACTOR and +sources.slowdown=WHERE_FROM on it"
    )
