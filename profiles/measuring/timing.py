"""Measured seconds of a network: whole, head and tail at every cut, and its blocks.

Machines drift, ratios hold: in every round the whole network, every head and every tail run one
after the other; a part's time is the median over the rounds of its share of the whole in the same
round, times the median of the whole. Blocks, the segments between neighbouring cuts, are timed in
the same rounds, never leaf modules; what they leave or exceed is booked as overhead. The whole and
its parts are slices of the exported graph, run as they are deployed; the module as it was written
is timed beside them, always eagerly.

Raw samples are kept. Denormal numbers are flushed: only untrained networks would be slowed by them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch

from profiles.measuring.anchor import Anchor
from profiles.measuring.conditions import describe, finish
from profiles.measuring.cuts import split
from profiles.measuring.deployment import Deployment
from profiles.measuring.machine import no_denormals, threads
from profiles.measuring.session import Rhythm, Session
from profiles.models.network import Network
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import THIS
from profiles.tables.layers import ModelProfile

_FIXED_S = 6.0
"""Anchor's warm-up, peaks, copies, about."""

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
    precision: str = "auto",
    mode: str = "eager",
    budget_s: float | None = None,
    progress: Progress | None = None,
) -> ModelProfile:
    """Profile `network` on this machine, as `precision` and `mode` deploy it.

    At least `rounds_at` every batch; with a budget further ones until every median's 95 % interval
    is within 2 % or the time is over.

    Raises:
        ValueError: fewer than 5 rounds, batches that do not ascend, or no legal cut.
    """
    if rounds < 5:
        raise ValueError(f"rounds must be >= 5, got {rounds}")
    how = Deployment(device=device, precision=precision, mode=mode).resolve(network)
    here = how.place(network)
    played = [rounds_at(batch, rounds, warmup) for batch in batches]
    total = sum(sum(counts) for counts in played)
    until_s = None if budget_s is None else perf_counter() + budget_s
    with threads(n_threads), no_denormals(), torch.inference_mode():
        anchor = Anchor(device)
        runs, done = [], 0
        for at, (batch, (n, warm)) in enumerate(zip(batches, played, strict=True)):
            session = Session(split(here, batch=batch), how)
            rhythm = Rhythm(n, anchor, share_time(until_s, len(batches) - at))
            runs.append(session.play(rhythm, warm, _ticker(progress, done, total)))
            done += n + warm
        provenance = describe(how, anchor, n_threads)
    first = runs[0]
    surface = CostSurface(
        part="head",
        hardware=hardware,
        cuts=first.split.cuts,
        batches=tuple(batches),
        precision=how.precision,
        mode=how.mode,
        seconds=np.stack([run.seconds("head") for run in runs], 1)[:, :, None, None],
        provenance=provenance,
    )
    tail = np.stack([run.seconds("tail") for run in runs], 1)[:, :, None, None]
    made = ModelProfile(
        model=network.name,
        hardware=hardware,
        cuts=first.split.describe(),
        head=surface,
        tail=replace(surface, part="tail", seconds=tail),
        layers=first.layers(),
        samples={f"{k}_b{r.split.batch}": v for r in runs for k, v in r.samples.items()},
        fingerprint=provenance["machine"],
        provenance={
            **provenance,
            "model_digest": network.digest,
            "weights": network.weights,
            "rounds": rounds,
            "warmup": warmup,
        },
    )
    return finish(made)


def share_time(until_s: float | None, n_left: int) -> float | None:
    """When one of so many points must be done: an even share of the time that is left."""
    if until_s is None:
        return None
    now = perf_counter()
    return now + max(0.0, until_s - now) / n_left


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
    setup_s: float = 2.0,
    gain: float = 1.0,
) -> float:
    """About how long `measure` will take, from the seconds of one call (timed if not given).

    `setup_s`: of exporting, comparing and preparing the parts of one batch size; `gain`: how many
    times faster a sample is in a batch.
    """
    once = call_seconds(network) if once_s is None else once_s
    wholes = 4 + len(network.stages)  # whole, module, blocks; heads and tails; some slack
    # The comparison of all halves with the module takes about as long as one round more.
    calls = sum(
        max(1.0, batch / gain) * (1 + sum(rounds_at(batch, rounds, warmup))) for batch in batches
    )
    return _FIXED_S + setup_s * len(batches) + once * wholes * calls


@torch.inference_mode()
def call_seconds(network: Network, *, n_threads: int = 1, device: str = "cpu") -> float:
    """Seconds of one call on the example input, eager, after one that does not count."""
    how = Deployment(device=device, precision="auto", mode="eager")
    clock, here = how.clock, how.place(network)
    with threads(n_threads):
        here.module(here.example_input)
        start = clock.mark()
        here.module(here.example_input)
        return clock.seconds([start, clock.mark()])[0]


def setup_seconds(network: Network, how: Deployment) -> float:
    """Seconds of exporting one batch size, comparing its halves and preparing all parts."""
    here = how.place(network)
    start = perf_counter()
    with torch.inference_mode():
        Session(split(here), how)
    return perf_counter() - start


def _ticker(progress: Progress | None, offset: int, total: int) -> Callable[[int], None]:
    def tick(done: int) -> None:
        if progress is not None:
            progress(offset + done, total)

    return tick
