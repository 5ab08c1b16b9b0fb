"""Seconds of autoregressive networks: prefill over new tokens, decode over the KV length, apart."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

from profiles.measuring.anchor import Anchor
from profiles.measuring.calls import Call, fill, play
from profiles.measuring.conditions import describe, finish
from profiles.measuring.decoder import Decoder, Keys, check_decoder, decoder_of, run_layers
from profiles.measuring.deployment import Deployment
from profiles.measuring.flops import count_flops
from profiles.measuring.machine import no_denormals, threads
from profiles.measuring.session import Rhythm
from profiles.measuring.timing import Progress, share_time
from profiles.models.network import Network
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import THIS
from profiles.tables.layers import Cut, ModelProfile

_ANCHORS = 3
"""Calls of the anchor in the rounds of one point."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Which calls are timed: prompts of these lengths, steps after these many cached tokens."""

    prompts: tuple[int, ...] = (1, 16, 64, 256)
    kv_lengths: tuple[int, ...] = (0, 64, 256, 1024)
    batches: tuple[int, ...] = (1, 4)

    def phases(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """New tokens and KV lengths of prefill and decode."""
        return {"prefill": (self.prompts, (0,)), "decode": ((1,), self.kv_lengths)}

    def calls(self, device: str) -> Iterator[tuple[str, tuple[int, int, int], Call]]:
        """Every call with its phase and its place on the axes."""
        for phase, (tokens, lengths) in self.phases().items():
            axes = (enumerate(self.batches), enumerate(tokens), enumerate(lengths))
            for (b, batch), (t, token), (k, kv) in itertools.product(*axes):
                yield phase, (b, t, k), Call(batch, token, kv, device)

    @property
    def n_calls(self) -> int:
        """Points of the grid."""
        return len(self.batches) * (len(self.prompts) + len(self.kv_lengths))


def measure(
    network: Network,
    *,
    hardware: str = THIS,
    prompts: Sequence[int] = Grid.prompts,
    kv_lengths: Sequence[int] = Grid.kv_lengths,
    batches: Sequence[int] = Grid.batches,
    rounds: int = 15,
    warmup: int = 3,
    n_threads: int = 1,
    device: str = "cpu",
    precision: str = "auto",
    mode: str = "eager",
    budget_s: float | None = None,
    copies: int | None = None,
    progress: Progress | None = None,
) -> dict[str, ModelProfile]:
    """Profiles of "prefill" (over new tokens) and "decode" (over the KV length), apart, as
    `precision` and `mode` deploy the network.

    Embedding, every layer and the answer to the last token are timed within one call of the whole;
    a part's time is the median of its shares times the median of the whole. With `copies` > 1
    (default: the network's own) the module holds one real layer of a network of that many identical
    ones: it is measured once and counted `copies` times, and the profile says "one layer x copies".

    Raises:
        CompositionError: embedding, layers and answer are not what the network computes.
        ValueError: no decoder, or `copies` > 1 for a module of more than one layer.
    """
    how = Deployment(device=device, precision=precision, mode=mode).resolve(network)
    here = how.place(network)
    check_decoder(here)
    decoder = decoder_of(here)
    copies = network.copies if copies is None else copies
    if copies > 1 and decoder.n_layers != 1:
        raise ValueError(f"copies must be 1 for {decoder.n_layers} layers, got {copies}")
    grid = Grid(prompts=tuple(prompts), kv_lengths=tuple(kv_lengths), batches=tuple(batches))
    tick = _count_calls(progress, grid.n_calls)
    cells: dict[str, dict[tuple[int, int, int], np.ndarray]] = {"prefill": {}, "decode": {}}
    until_s = None if budget_s is None else perf_counter() + budget_s
    with threads(n_threads), no_denormals(), torch.inference_mode():
        anchor = Anchor(device)
        for left, (phase, at, call) in zip(
            range(grid.n_calls, 0, -1), grid.calls(device), strict=True
        ):
            until = share_time(until_s, left)
            rhythm = Rhythm(rounds, anchor, until, n_anchors=_ANCHORS)
            cells[phase][at] = play(decoder, call, how, rhythm, warmup)
            tick()
        provenance = {
            **describe(how, anchor, n_threads),
            "model_digest": network.digest,
            "weights": network.weights,
            "layers": f"one layer x {copies}" if copies > 1 else "every layer",
        }
        fields = {"model": network.name, "hardware": hardware, "provenance": provenance}
        return {
            phase: finish(_profile(decoder, phase, own, grid, copies, how, fields))
            for phase, own in cells.items()
        }


def _profile(
    decoder: Decoder,
    phase: str,
    cells: dict[tuple[int, int, int], np.ndarray],
    grid: Grid,
    copies: int,
    how: Deployment,
    fields: dict[str, Any],
) -> ModelProfile:
    """The profile of one phase from the seconds of its calls."""
    tokens, lengths = grid.phases()[phase]
    head, tail = _surfaces(cells, (len(grid.batches), len(tokens), len(lengths)), copies)
    names = _names(decoder, copies)
    surface = CostSurface(
        part="head",
        hardware=fields["hardware"],
        cuts=names,
        seconds=head,
        batches=grid.batches,
        new_tokens=tokens,
        kv_lengths=lengths,
        precision=how.precision,
        mode=how.mode,
        provenance=fields["provenance"],
    )
    return ModelProfile(
        **fields,
        phase=phase,
        cuts=_cuts(decoder, names, copies, tokens[0], lengths[0], how.device),
        head=surface,
        tail=replace(surface, part="tail", seconds=tail),
        samples={f"parts_{'_'.join(map(str, at))}": v for at, v in cells.items()},
        fingerprint=fields["provenance"]["machine"],
    )


def _count_calls(progress: Progress | None, total: int) -> Callable[[], None]:
    steps = itertools.count(1)

    def tick() -> None:
        if progress is not None:
            progress(next(steps), total)

    return tick


def _names(decoder: Decoder, copies: int) -> tuple[str, ...]:
    n = decoder.n_layers * copies
    return ("input", *(f"layers.{index}" for index in range(n)), "output")


def _surfaces(
    cells: dict[tuple[int, int, int], np.ndarray], shape: tuple[int, int, int], copies: int
) -> tuple[np.ndarray, np.ndarray]:
    """Head and tail seconds [cut, batch, token, kv] from the seconds of the parts."""
    n_parts = next(iter(cells.values())).shape[1]
    n_cuts = (n_parts - 2) * copies + 2
    head, tail = np.zeros((n_cuts, *shape)), np.zeros((n_cuts, *shape))
    for at, times in cells.items():
        whole = times.sum(1)
        parts = np.median(times / whole[:, None], axis=0)
        parts *= median(whole) / parts.sum()
        layers = np.tile(parts[1:-1], copies)
        steps = np.array([0.0, parts[0] + layers[0], *layers[1:], parts[-1]])
        reached = np.cumsum(steps)
        batch, token, kv = at
        head[:, batch, token, kv], tail[:, batch, token, kv] = reached, reached[-1] - reached
    return head, tail


def _cuts(
    decoder: Decoder, names: Sequence[str], copies: int, n_tokens: int, kv: int, device: str
) -> tuple[Cut, ...]:
    """Cuts with the FLOPs of one call at the smallest measured point, and KV bytes per token."""
    tokens, cache = fill(decoder, Call(1, n_tokens, kv, device))
    hidden = decoder.embed(tokens)
    width, dtype = tuple(hidden.shape[1:]), str(hidden.dtype).removeprefix("torch.")
    flops, kept = [0.0], []
    for index in range(decoder.n_layers):
        step = partial(run_layers, decoder, hidden, cache, index, index + 1)
        of_layer, hidden = count_flops(step)
        flops.append(of_layer)
        kept.append(_kv_bytes_per_token(cache[index]))
    of_answer, scores = count_flops(partial(decoder.answer, hidden[:, -1:]))
    steps = [0.0, *(flops[1:] * copies), of_answer]
    done, kv_done = np.cumsum(steps), np.cumsum([0.0, *(kept * copies), 0.0])
    shapes = [(n_tokens,), *[width] * (len(names) - 2), tuple(scores.shape[1:])]
    return tuple(
        Cut(
            name=name,
            shape=shapes[i],
            dtype="int64" if i == 0 else dtype,
            head_flops=float(done[i]),
            tail_flops=float(done[-1] - done[i]),
            kv_head_bytes=float(kv_done[i]),
            kv_tail_bytes=float(kv_done[-1] - kv_done[i]),
        )
        for i, name in enumerate(names)
    )


def _kv_bytes_per_token(keys: Keys | None) -> float:
    assert keys is not None
    return sum(t.numel() * t.element_size() / (t.shape[0] * t.shape[2]) for t in keys)
