"""Calls of a decoder: embedding, every layer and the answer, timed within one call of the whole."""

from dataclasses import dataclass

import numpy as np
import torch

from profiles.measuring.decoder import Cache, Decoder, Keys, run_layers
from profiles.measuring.deployment import Deployment, Run
from profiles.measuring.session import Rhythm
from profiles.tables import medians


@dataclass(frozen=True)
class Call:
    """New tokens on a cache of `kv`, so many sequences at once."""

    batch: int
    tokens: int
    kv: int
    device: str = "cpu"


def fill(decoder: Decoder, call: Call) -> tuple[torch.Tensor, Cache]:
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


def play(decoder: Decoder, call: Call, how: Deployment, rhythm: Rhythm, warmup: int) -> np.ndarray:
    """Seconds [round, part] of embedding, layers and answer, the cache as it was each time."""
    parts, clock = _parts(decoder, call, how), how.clock

    def run() -> list[float]:
        marks = [clock.mark()]
        for part in parts:
            part()
            marks.append(clock.mark())
        return clock.seconds(marks)

    for _ in range(warmup):
        run()
    times: list[list[float]] = []
    while rhythm.goes_on(len(times), lambda: _spread(np.array(times))):
        rhythm.rest(len(times), run)
        times.append(run())
    return np.array(times)


def _parts(decoder: Decoder, call: Call, how: Deployment) -> list[Run]:
    """The parts as they are deployed, each on what the one before it gave."""
    tokens, cache = fill(decoder, call)
    runner = how.runner(type(decoder).__name__)
    parts = [runner.prepare("embedding", decoder.embed, tokens)]
    hidden = decoder.embed(tokens)
    for index, past in enumerate(cache):
        parts.append(runner.prepare(f"layer {index}", decoder.layer, index, hidden, past))
        hidden, _ = decoder.layer(index, hidden, past)
    parts.append(runner.prepare("answer", decoder.answer, hidden[:, -1:]))
    return parts


def _spread(times: np.ndarray) -> float:
    """Half the widest interval of what either side of a cut takes."""
    head, tail = medians.sides_of_calls(times, times.shape[1])
    sides = np.hstack([head[:, 1:], tail[:, :-1]])
    return medians.Z * float(medians.share_errors(sides, times.sum(1)).max())
