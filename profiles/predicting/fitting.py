"""Fitting: the efficiencies of the roofline on one measured GPU, and the errors of every way."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from profiles.predicting import ways
from profiles.predicting.published import Comparison, Latency
from profiles.predicting.roles import predict
from profiles.predicting.roofline import Efficiency, Peaks, Sheet, peaks_of
from profiles.predicting.ways import Way
from profiles.tables.cost import CostSurface
from profiles.tables.layers import Layer


class Timed(NamedTuple):
    """The layers of a network, and its tail on the measured GPU; None where it was not timed."""

    layers: Sequence[Layer]
    tail: CostSurface | None

    @property
    def batches(self) -> tuple[int, ...]:
        """At which it was timed."""
        return self.tail.batches if self.tail is not None else ()

    @property
    def seconds(self) -> np.ndarray:
        """Of the whole network, shape [batch]."""
        if self.tail is None:
            return np.zeros(0)
        return self.tail.seconds[self.tail.cuts.index("input"), :, 0, 0]


def fit_efficiency(timed: Iterable[Timed], peaks: Peaks) -> Efficiency:
    """Shares of both peaks and seconds of a kernel, by least squares of the logarithms."""
    known = list(timed)

    def loss(logs: np.ndarray) -> float:
        efficiency = _efficiency(logs)
        errors = [
            np.log(_whole(one.layers, peaks, one.batches, efficiency) / one.seconds)
            for one in known
        ]
        return float(np.mean(np.concatenate(errors) ** 2))

    start = np.log([0.4, 0.4, 4e-6])
    found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    return _efficiency(found.x)


def _efficiency(logs: np.ndarray) -> Efficiency:
    compute, memory, kernel_s = np.exp(logs).tolist()
    return Efficiency(compute=compute, memory=memory, kernel_s=kernel_s)


def _whole(
    layers: Sequence[Layer], peaks: Peaks, batches: Sequence[int], efficiency: Efficiency
) -> np.ndarray:
    return np.asarray(predict(layers, "head", peaks, batches, efficiency)[-1])


def by_efficiency(
    published: Sequence[Latency],
    sheets: Mapping[str, Sheet],
    timed: Mapping[str, Timed],
    peaks: Peaks,
    efficiency: Efficiency,
    *,
    calibrated: bool,
) -> list[Comparison]:
    """The roofline of other GPUs against their published latencies; `calibrated` by what the
    measured GPU took over its own roofline, at the largest batch not above the published one.
    """
    found = []
    for one in published:
        sheet, known = sheets.get(one.machine), timed.get(one.model)
        if sheet is None or known is None or sheet.processor != "gpu":
            continue
        there = peaks_of(sheet, one.precision)
        seconds = float(_whole(known.layers, there, (one.batch,), efficiency)[0])
        method = ways.ROOFLINE
        if calibrated:
            at = max(i for i, b in enumerate(known.batches) if b <= one.batch)
            batch = (known.batches[at],)
            seconds *= known.seconds[at] / float(_whole(known.layers, peaks, batch, efficiency)[0])
            method = ways.CALIBRATED
        found.append(Comparison(published=one, method=method, predicted_s=float(seconds)))
    return found


def by_bandwidth(
    published: Sequence[Latency], sheets: Mapping[str, Sheet], base: str
) -> list[Comparison]:
    """Published latencies of tokens on `base` times the ratio of memory rates, on other GPUs."""
    found = []
    for one in published:
        twin = next((o for o in published if o.machine == base and _asked(o) == _asked(one)), None)
        if twin is None or one.machine == base or not one.new_tokens:
            continue
        ours, theirs = (peaks_of(sheets[name], "fp16") for name in (base, one.machine))
        ratio = ours.bandwidth_bytes_per_s / theirs.bandwidth_bytes_per_s
        found.append(
            Comparison(published=one, method=ways.BANDWIDTH, predicted_s=twin.seconds * ratio)
        )
    return found


def _asked(one: Latency) -> tuple[object, ...]:
    return one.model, one.batch, one.prompt_tokens, one.new_tokens


def way_of(
    name: str,
    processor: str,
    comparisons: Sequence[Comparison],
    efficiency: Efficiency | None = None,
) -> Way:
    """A way with the root mean square of its logarithmic errors."""
    logs = [math.log(one.predicted_s / one.published.seconds) for one in comparisons]
    error = math.sqrt(sum(log**2 for log in logs) / len(logs))
    made = Way(way=name, processor=processor, n=len(logs), log_error=error)
    if efficiency is None:
        return made
    return Way(
        way=name, processor=processor, n=len(logs), log_error=error, compute=efficiency.compute,
        memory=efficiency.memory, kernel_s=efficiency.kernel_s,
    )  # fmt: skip
