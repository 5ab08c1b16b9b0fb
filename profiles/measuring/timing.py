"""Measured seconds of a network: whole, head and tail at every cut, and its blocks.

Machines drift, ratios hold: in every round the whole network, every head and every tail run one
after the other; a part's time is the median over the rounds of its share of the whole in the same
round, times the median of the whole. Blocks, the segments between neighbouring cuts, are timed in
the same rounds, never leaf modules; what they leave or exceed is booked as overhead. The whole and
its parts are slices of the exported graph; the module as it was written is timed beside them.

Raw samples are kept. Denormal numbers are flushed: only untrained networks would be slowed by them.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from profiles.measuring.clock import clock_of, copy_to
from profiles.measuring.cuts import Split, split
from profiles.measuring.machine import (
    anchor,
    anchor_seconds,
    fingerprint,
    no_denormals,
    peaks,
    threads,
)
from profiles.models.network import Network
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import THIS
from profiles.tables.layers import Layer, ModelProfile

_FIXED_S = 8.0
"""Export, anchor network and peaks, about."""

Run = Callable[[], object]


Progress = Callable[[int, int], None]
"""Told how many of how many steps are done."""


def measure(
    network: Network,
    *,
    hardware: str = THIS,
    batches: Sequence[int] = (1,),
    rounds: int = 30,
    warmup: int = 10,
    n_threads: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> ModelProfile:
    """Profile `network` on this machine.

    Raises:
        ValueError: fewer than 5 rounds, batches that do not ascend, or no legal cut.
    """
    if rounds < 5:
        raise ValueError(f"rounds must be >= 5, got {rounds}")
    here = copy_to(network, device)
    played = [rounds_at(batch, rounds, warmup) for batch in batches]
    total = sum(sum(counts) for counts in played)
    with threads(n_threads), no_denormals(), torch.inference_mode():
        before_s, rates = anchor_seconds(device=device), peaks(device)
        runs, done = [], 0
        for batch, counts in zip(batches, played, strict=True):
            tick = _ticker(progress, done, total)
            runs.append(_Session(split(here, batch=batch), device).play(*counts, tick))
            done += sum(counts)
        machine = fingerprint(device)
        around = anchor(before_s, anchor_seconds(device=device))
    first = runs[0]
    provenance: dict[str, Any] = {"kind": "measured", **around, "peaks": rates, "machine": machine}
    surface = CostSurface(
        part="head",
        hardware=hardware,
        cuts=first.split.cuts,
        batches=tuple(batches),
        seconds=np.stack([run.seconds("head") for run in runs], 1)[:, :, None, None],
        provenance=provenance,
    )
    tail = np.stack([run.seconds("tail") for run in runs], 1)[:, :, None, None]
    return ModelProfile(
        model=network.name,
        hardware=hardware,
        cuts=first.split.describe(),
        head=surface,
        tail=replace(surface, part="tail", seconds=tail),
        layers=first.layers(),
        samples={f"{k}_b{r.split.batch}": v for r in runs for k, v in r.samples.items()},
        fingerprint=machine,
        provenance={
            **provenance,
            "model_digest": network.digest,
            "weights": network.weights,
            "rounds": rounds,
            "warmup": warmup,
        },
    )


def rounds_at(batch: int, rounds: int, warmup: int) -> tuple[int, int]:
    """Rounds and warm-ups at a batch size: fewer where one call takes longer, never below 5 and 1.

    A call of many samples averages over them, so that its relative scatter is smaller.
    """
    return max(5, rounds // batch), max(1, warmup // batch)


def estimate_seconds(
    network: Network,
    *,
    batches: Sequence[int] = (1,),
    rounds: int = 30,
    warmup: int = 10,
    once_s: float | None = None,
) -> float:
    """About how long `measure` will take, from the seconds of one call (timed if not given)."""
    once = call_seconds(network) if once_s is None else once_s
    wholes = 4 + len(network.stages)  # whole, module, blocks; heads and tails; some slack
    # The comparison of all halves with the module takes about as long as one round more.
    calls = sum(batch * (1 + sum(rounds_at(batch, rounds, warmup))) for batch in batches)
    return _FIXED_S + once * wholes * calls


@torch.inference_mode()
def call_seconds(network: Network, *, n_threads: int = 1, device: str = "cpu") -> float:
    """Seconds of one call on the example input, after one that does not count."""
    clock, here = clock_of(device), copy_to(network, device)
    with threads(n_threads):
        here.module(here.example_input)
        start = clock.mark()
        here.module(here.example_input)
        return clock.seconds([start, clock.mark()])[0]


class _Session:
    """The rounds of one batch size: the parts, their clock and the samples so far."""

    def __init__(self, cut: Split, device: str) -> None:
        self.split = cut
        self.inner = cut.cuts[1:-1]
        self.samples: dict[str, np.ndarray] = {}
        self._clock = clock_of(device)
        self._x = cut.example
        self._parts = self._runs()

    def play(self, rounds: int, warmup: int, tick: Callable[[int], None]) -> "_Session":
        """Run the rounds and keep their raw seconds."""
        times = []
        for index in range(warmup + rounds):
            times.append([self._time(run) for run in self._parts])
            tick(index + 1)
        n_inner = len(self.inner)
        ends = (1, 1 + n_inner, 1 + 2 * n_inner, 2 + 3 * n_inner)
        whole, head, tail, block, module = np.split(np.array(times[warmup:]), ends, axis=1)
        self.samples = {
            "whole": whole[:, 0],
            "head": head,
            "tail": tail,
            "block": block,
            "module": module[:, 0],
        }
        return self

    def seconds(self, part: str) -> np.ndarray:
        """Seconds of the heads or tails at every cut, shape [cut]."""
        whole = float(np.median(self.samples["whole"]))
        shares = np.median(self.samples[part] / self.samples["whole"][:, None], axis=0)
        ends = (0.0, whole) if part == "head" else (whole, 0.0)
        return np.array([ends[0], *(shares * whole), ends[1]])

    def layers(self) -> tuple[Layer, ...]:
        """The blocks between the cuts, then the overhead that none of them accounts for."""
        whole = float(np.median(self.samples["whole"]))
        shares = np.median(self.samples["block"] / self.samples["whole"][:, None], axis=0)
        seconds = shares * whole
        cuts, described = self.split.cuts, self.split.describe()
        measured = []
        for index, (before, after) in enumerate(itertools.pairwise(described)):
            work = self.split.work(cuts[index], cuts[index + 1])
            measured.append(
                Layer(
                    name=after.name,
                    flops=after.head_flops - before.head_flops,
                    weight_bytes=work.weight_bytes,
                    activation_bytes=work.activation_bytes,
                    kernels=work.kernels,
                    seconds=float(seconds[index]),
                )
            )
        return (*measured, _overhead(whole - float(seconds.sum())))

    def _runs(self) -> list[Run]:
        module, x = self.split.network.module, self._x
        features = {cut: self.split.head(cut).module(x) for cut in self.inner}
        heads = [_call(self.split.head(cut).module, x) for cut in self.inner]
        tails = [_call(self.split.tail(cut).module, features[cut]) for cut in self.inner]
        given = {"input": x, **features}
        steps = zip(self.split.cuts, self.split.cuts[1:], strict=False)
        blocks = [_call(self.split.between(a, b).module, given[a]) for a, b in steps]
        whole = _call(self.split.head("output").module, x)
        return [whole, *heads, *tails, *blocks, _call(module, x)]

    def _time(self, run: Run) -> float:
        start = self._clock.mark()
        run()
        return self._clock.seconds([start, self._clock.mark()])[0]


def _overhead(seconds: float) -> Layer:
    return Layer(
        name="overhead",
        flops=0.0,
        weight_bytes=0.0,
        activation_bytes=0.0,
        kernels=0,
        seconds=seconds,
    )


def _call(module: nn.Module, x: object) -> Run:
    return lambda: module(x)


def _ticker(progress: Progress | None, offset: int, total: int) -> Callable[[int], None]:
    def tick(done: int) -> None:
        if progress is not None:
            progress(offset + done, total)

    return tick
