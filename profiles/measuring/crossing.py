"""A codec at work on real features: what crosses, what arrives, how long both ends take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

import codec
from profiles.measuring.cuts import split
from profiles.measuring.machine import threads
from profiles.models.network import Network
from profiles.tables.law import Point


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossing:
    """What became of one batch in one cell: streams, received tensors, seconds [sample]."""

    streams: list[bytes]
    received: np.ndarray
    encode_s: np.ndarray
    decode_s: np.ndarray


def send(chosen: codec.Codec, batch: np.ndarray) -> Crossing:
    """Encode and decode every sample of a batch once, each timed by itself."""
    clock = time.perf_counter
    streams, received, seconds = [], [], []
    for x in batch:
        start = clock()
        stream = chosen.encode(x)
        middle = clock()
        y = chosen.decode(stream)
        seconds.append((middle - start, clock() - middle))
        streams.append(stream)
        received.append(np.asarray(y))
    encode_s, decode_s = np.array(seconds).T
    return Crossing(
        streams=streams, received=np.stack(received), encode_s=encode_s, decode_s=decode_s
    )


def relative_l2(sent: np.ndarray, received: np.ndarray) -> np.ndarray:
    """||received - sent|| / ||sent|| per sample; 0 where nothing was sent and nothing came."""
    flat = sent.reshape(len(sent), -1).astype(np.float64)
    error = np.linalg.norm(received.reshape(flat.shape) - flat, axis=1)
    norm = np.linalg.norm(flat, axis=1)
    return np.asarray(np.divide(error, norm, out=np.zeros_like(error), where=norm > 0))


def codec_points(
    network: Network,
    chosen: codec.Codec,
    inputs: np.ndarray,
    *,
    sizes: Sequence[int],
    repeats: int = 9,
) -> list[Point]:
    """Seconds of `chosen` on real features of every stage, joined or cut to each of `sizes`.

    Repeats are interleaved over all points; a size that the features do not fill is filled by
    repeating them.
    """
    with threads(1):
        parts = split(network, batch=len(inputs))
        cuts = {cut.name: cut for cut in parts.describe()}
        x = torch.from_numpy(np.ascontiguousarray(inputs))
        features = {stage: parts.head(stage)(x).numpy().ravel() for stage in parts.cuts[1:-1]}
        cells = [(stage, np.resize(f, n)) for stage, f in features.items() for n in sizes]
        times = []
        for turn in range(repeats + 1):
            sent = [send(chosen, flat[None]) for _, flat in cells]
            if turn > 0:
                times.append([(once.encode_s[0], once.decode_s[0]) for once in sent])
    medians = np.median(times, axis=0)
    return [
        Point(
            cut=stage,
            depth=cuts[stage].head_flops / cuts["output"].head_flops,
            elements=len(flat),
            encode_s=float(seconds[0]),
            decode_s=float(seconds[1]),
        )
        for (stage, flat), seconds in zip(cells, medians, strict=True)
    ]
