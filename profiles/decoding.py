"""Autoregressive networks layer by layer: resident KV, and seconds of prefill and decode.

    tokens -[ embed ]-> hidden -[ layer 0 ]-> hidden -[ ... ]-> hidden -[ answer ]-> scores
                                    |  past k, v stay with the layer, on its side of the cut

Only the hidden states [batch, token, width] cross a cut; keys and values never do.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from profiles.cost import CostSurface
from profiles.layers import Cut, ModelProfile
from profiles.machine import anchor_seconds, fingerprint, no_denormals, threads
from profiles.models.network import Network
from profiles.timing import Progress

__all__ = ["Cache", "Decoder", "decoder_of", "measure", "run_layers"]

Keys = tuple[torch.Tensor, torch.Tensor]
Cache = list[Keys | None]


@runtime_checkable
class Decoder(Protocol):
    """What a language model offers besides `forward`, which equals their composition."""

    n_layers: int

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [batch, token] int64 to hidden states [batch, token, width]."""

    def layer(
        self, index: int, hidden: torch.Tensor, past: Keys | None
    ) -> tuple[torch.Tensor, Keys]:
        """One layer; keys and values [batch, head, kv, dim] of old and new tokens come back."""

    def answer(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states to scores [batch, token, class]."""


def decoder_of(network: Network) -> Decoder:
    """The network's module as a decoder.

    Raises:
        ValueError: it is no autoregressive network.
    """
    if not isinstance(network.module, Decoder):
        raise ValueError(
            f"{network.name} is not autoregressive: it lacks n_layers, embed, layer or answer"
        )
    return cast(Decoder, network.module)


def run_layers(
    decoder: Decoder, hidden: torch.Tensor, cache: Cache, first: int, last: int
) -> torch.Tensor:
    """Layers `first` .. `last` - 1 on the hidden states; `cache[i]` of each is replaced."""
    for index in range(first, last):
        hidden, cache[index] = decoder.layer(index, hidden, cache[index])
    return hidden


def measure(
    network: Network,
    *,
    hardware: str = "measured",
    prompts: Sequence[int] = (1, 16, 64, 256),
    kv_lengths: Sequence[int] = (0, 64, 256, 1024),
    batches: Sequence[int] = (1, 4),
    rounds: int = 15,
    warmup: int = 3,
    n_threads: int = 1,
    copies: int = 1,
    progress: Progress | None = None,
) -> dict[str, ModelProfile]:
    """Profiles of "prefill" (over new tokens) and "decode" (over the KV length), apart.

    Embedding, every layer and the answer are timed within one call of the whole; a part's time is
    the median of its shares times the median of the whole. With `copies` > 1 the module holds one
    real layer of a network of that many identical ones: it is measured once and counted `copies`
    times, and the profile says "one layer x copies".

    Raises:
        ValueError: no decoder, or `copies` > 1 for a module of more than one layer.
    """
    decoder = decoder_of(network)
    if copies > 1 and decoder.n_layers != 1:
        raise ValueError(f"copies must be 1 for {decoder.n_layers} layers, got {copies}")
    grids = {"prefill": (tuple(prompts), (0,)), "decode": ((1,), tuple(kv_lengths))}
    total = len(batches) * (len(prompts) + len(kv_lengths))
    done = 0
    found = {}
    with threads(n_threads), no_denormals(), torch.inference_mode():
        provenance: dict[str, Any] = {
            "kind": "measured",
            "anchor_s": anchor_seconds(),
            "machine": fingerprint(),
            "model_digest": network.digest,
            "weights": network.weights,
            "layers": f"one layer x {copies}" if copies > 1 else "every layer",
        }
        for phase, (tokens, lengths) in grids.items():
            cells: dict[tuple[int, int, int], np.ndarray] = {}
            axes = (range(len(batches)), range(len(tokens)), range(len(lengths)))
            for at in itertools.product(*axes):
                call = _Call(batches[at[0]], tokens[at[1]], lengths[at[2]])
                cells[at] = _rounds(decoder, call, rounds, warmup)
                done += 1
                if progress is not None:
                    progress(done, total)
            shape = (len(batches), len(tokens), len(lengths))
            head, tail = _surfaces(cells, shape, copies)
            fields: dict[str, Any] = {
                "hardware": hardware,
                "cuts": _names(decoder, copies),
                "batches": tuple(batches),
                "new_tokens": tokens,
                "kv_lengths": lengths,
                "provenance": provenance,
            }
            surface = CostSurface(part="head", seconds=head, **fields)
            found[phase] = ModelProfile(
                model=network.name,
                hardware=hardware,
                phase=phase,
                cuts=_cuts(decoder, fields["cuts"], copies, tokens[0], lengths[0]),
                head=surface,
                tail=replace(surface, part="tail", seconds=tail),
                samples={f"parts_{'_'.join(map(str, at))}": v for at, v in cells.items()},
                fingerprint=provenance["machine"],
                provenance=provenance,
            )
    return found


@dataclass(frozen=True)
class _Call:
    batch: int
    tokens: int
    kv: int


def _names(decoder: Decoder, copies: int) -> tuple[str, ...]:
    n = decoder.n_layers * copies
    return ("input", *(f"layers.{index}" for index in range(n)), "output")


def _filled(decoder: Decoder, call: _Call) -> tuple[torch.Tensor, Cache]:
    """Tokens of the call and a cache of `call.kv` tokens, from a real prefill."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 32, (call.batch, call.kv + call.tokens), generator=generator)
    cache: Cache = [None] * decoder.n_layers
    if call.kv:
        run_layers(decoder, decoder.embed(tokens[:, : call.kv]), cache, 0, decoder.n_layers)
    return tokens[:, call.kv :], cache


def _rounds(decoder: Decoder, call: _Call, rounds: int, warmup: int) -> np.ndarray:
    """Seconds [round, part] of embedding, every layer and answer, the cache as it was each time."""
    tokens, cache = _filled(decoder, call)
    times = []
    for _ in range(warmup + rounds):
        fresh, marks = list(cache), [time.perf_counter()]
        hidden = decoder.embed(tokens)
        marks.append(time.perf_counter())
        for index in range(decoder.n_layers):
            hidden = run_layers(decoder, hidden, fresh, index, index + 1)
            marks.append(time.perf_counter())
        decoder.answer(hidden)
        marks.append(time.perf_counter())
        times.append(np.diff(marks))
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
    decoder: Decoder, names: Sequence[str], copies: int, n_tokens: int, kv: int
) -> tuple[Cut, ...]:
    """Cuts with the FLOPs of one call at the smallest measured point, and KV bytes per token."""
    tokens, cache = _filled(decoder, _Call(1, n_tokens, kv))
    hidden = decoder.embed(tokens)
    width, dtype = tuple(hidden.shape[1:]), str(hidden.dtype).removeprefix("torch.")
    flops, kept = [0.0], []
    for index in range(decoder.n_layers):
        with FlopCounterMode(display=False) as counter:
            hidden = run_layers(decoder, hidden, cache, index, index + 1)
        flops.append(float(counter.get_total_flops()))
        kept.append(_kv_bytes_per_token(cache[index]))
    with FlopCounterMode(display=False) as counter:
        scores = decoder.answer(hidden)
    steps = [0.0, *(flops[1:] * copies), float(counter.get_total_flops())]
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
