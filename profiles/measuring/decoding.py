"""Seconds of autoregressive networks: prefill over new tokens, decode over the KV length, apart."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch

from profiles.measuring.clock import clock_of, copy_to
from profiles.measuring.decoder import Cache, Decoder, Keys, check_decoder, decoder_of, run_layers
from profiles.measuring.flops import count_flops
from profiles.measuring.machine import anchor, anchor_seconds, fingerprint, no_denormals, threads
from profiles.measuring.timing import Progress
from profiles.models.network import Network
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import THIS
from profiles.tables.layers import Cut, ModelProfile


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Which calls are timed: prompts of these lengths, steps after these many cached tokens."""

    prompts: tuple[int, ...] = (1, 16, 64, 256)
    kv_lengths: tuple[int, ...] = (0, 64, 256, 1024)
    batches: tuple[int, ...] = (1, 4)

    def phases(self) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """New tokens and KV lengths of prefill and decode."""
        return {"prefill": (self.prompts, (0,)), "decode": ((1,), self.kv_lengths)}

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
    copies: int | None = None,
    progress: Progress | None = None,
) -> dict[str, ModelProfile]:
    """Profiles of "prefill" (over new tokens) and "decode" (over the KV length), apart.

    Embedding, every layer and the answer to the last token are timed within one call of the whole;
    a part's time is the median of its shares times the median of the whole. With `copies` > 1
    (default: the network's own) the module holds one real layer of a network of that many identical
    ones: it is measured once and counted `copies` times, and the profile says "one layer x copies".

    Raises:
        CompositionError: embedding, layers and answer are not what the network computes.
        ValueError: no decoder, or `copies` > 1 for a module of more than one layer.
    """
    here = copy_to(network, device)
    check_decoder(here)
    decoder = decoder_of(here)
    copies = network.copies if copies is None else copies
    if copies > 1 and decoder.n_layers != 1:
        raise ValueError(f"copies must be 1 for {decoder.n_layers} layers, got {copies}")
    grid = Grid(prompts=tuple(prompts), kv_lengths=tuple(kv_lengths), batches=tuple(batches))
    tick = _count_calls(progress, grid.n_calls)
    cells: dict[str, dict[tuple[int, int, int], np.ndarray]] = {"prefill": {}, "decode": {}}
    with threads(n_threads), no_denormals(), torch.inference_mode():
        before_s = anchor_seconds(device=device)
        for phase, (tokens, lengths) in grid.phases().items():
            axes = (range(len(batches)), range(len(tokens)), range(len(lengths)))
            for at in itertools.product(*axes):
                call = _Call(batches[at[0]], tokens[at[1]], lengths[at[2]], device)
                cells[phase][at] = _rounds(decoder, call, rounds, warmup)
                tick()
        provenance = {
            "kind": "measured",
            **anchor(before_s, anchor_seconds(device=device)),
            "machine": fingerprint(device),
            "model_digest": network.digest,
            "weights": network.weights,
            "layers": f"one layer x {copies}" if copies > 1 else "every layer",
        }
        fields = {"model": network.name, "hardware": hardware, "provenance": provenance}
        return {
            phase: _profile(decoder, phase, own, grid, copies, device, fields)
            for phase, own in cells.items()
        }


def _profile(
    decoder: Decoder,
    phase: str,
    cells: dict[tuple[int, int, int], np.ndarray],
    grid: Grid,
    copies: int,
    device: str,
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
        provenance=fields["provenance"],
    )
    return ModelProfile(
        **fields,
        phase=phase,
        cuts=_cuts(decoder, names, copies, tokens[0], lengths[0], device),
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


@dataclass(frozen=True)
class _Call:
    batch: int
    tokens: int
    kv: int
    device: str = "cpu"


def _names(decoder: Decoder, copies: int) -> tuple[str, ...]:
    n = decoder.n_layers * copies
    return ("input", *(f"layers.{index}" for index in range(n)), "output")


def _fill(decoder: Decoder, call: _Call) -> tuple[torch.Tensor, Cache]:
    """Tokens of the call, and a cache of `call.kv` tokens: those of one, repeated.

    What the cache holds changes no time; a real prefill of long caches would take minutes.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (call.batch, call.tokens)
    tokens = torch.randint(0, 32, shape, generator=generator).to(call.device)
    cache: Cache = [None] * decoder.n_layers
    if call.kv:
        run_layers(decoder, decoder.embed(tokens[:, :1]), cache, 0, decoder.n_layers)
        cache = [_repeat(keys, call.kv) for keys in cache]
    return tokens, cache


def _repeat(keys: Keys | None, kv: int) -> Keys:
    assert keys is not None
    return keys[0].repeat(1, 1, kv, 1), keys[1].repeat(1, 1, kv, 1)


def _rounds(decoder: Decoder, call: _Call, rounds: int, warmup: int) -> np.ndarray:
    """Seconds [round, part] of embedding, every layer and answer, the cache as it was each time."""
    (tokens, cache), clock = _fill(decoder, call), clock_of(call.device)
    times = []
    for _ in range(warmup + rounds):
        fresh, marks = list(cache), [clock.mark()]
        hidden = decoder.embed(tokens)
        marks.append(clock.mark())
        for index in range(decoder.n_layers):
            hidden = run_layers(decoder, hidden, fresh, index, index + 1)
            marks.append(clock.mark())
        decoder.answer(hidden[:, -1:])
        marks.append(clock.mark())
        times.append(clock.seconds(marks))
    return np.array(times[warmup:])


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
    tokens, cache = _fill(decoder, _Call(1, n_tokens, kv, device))
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
