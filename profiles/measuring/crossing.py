"""A codec at work on real features: what crosses, what arrives, how long both ends take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import codec
from profiles.measuring import payload
from profiles.measuring.cuts import split
from profiles.measuring.machine import threads
from profiles.models.network import Network
from profiles.tables.law import Point


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossing:
    """What became of one batch in one cell: payloads, received parts, seconds [sample]."""

    streams: list[bytes]
    received: tuple[np.ndarray, ...]
    encode_s: np.ndarray
    decode_s: np.ndarray


def send(chosen: codec.Codec, batch: Sequence[np.ndarray]) -> Crossing:
    """Encode and decode every sample of a batch once, each timed by itself.

    `batch` holds the parts of what crosses, each [sample, ...].
    """
    clock = time.perf_counter
    streams, received, seconds = [], [], []
    for sample in zip(*batch, strict=True):
        start = clock()
        stream = payload.encode(chosen, sample)
        middle = clock()
        parts = payload.decode(chosen, stream, sample)
        seconds.append((middle - start, clock() - middle))
        streams.append(stream)
        received.append(parts)
    encode_s, decode_s = np.array(seconds).T
    whole = tuple(np.stack(part) for part in zip(*received, strict=True))
    return Crossing(streams=streams, received=whole, encode_s=encode_s, decode_s=decode_s)


def relative_l2(sent: Sequence[np.ndarray], received: Sequence[np.ndarray]) -> np.ndarray:
    """||received - sent|| / ||sent|| per sample; 0 where nothing was sent and nothing came.

    Over all parts, of which those that are no finite floats count only where there are no others.
    """
    pairs = list(zip(sent, received, strict=True))
    coded = [pair for pair in pairs if pair[0].dtype.kind == "f" and np.isfinite(pair[0]).all()]
    before, after = (_flat(each) for each in zip(*(coded or pairs), strict=True))
    with np.errstate(invalid="ignore"):  # infinities that crossed as they were
        error = np.linalg.norm(np.where(after == before, 0.0, after - before), axis=1)
    norm = np.linalg.norm(before, axis=1)
    return np.asarray(np.divide(error, norm, out=np.zeros_like(error), where=norm > 0))


def _flat(parts: Sequence[np.ndarray]) -> np.ndarray:
    """All numbers of every sample in a row."""
    return np.concatenate([part.reshape(len(part), -1) for part in parts], 1, dtype=np.float64)


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
        x = np.ascontiguousarray(inputs)
        heads = {stage: parts.head(stage).run([x]) for stage in parts.cuts[1:-1]}
        features = {stage: payload.floats(crossed)[0].ravel() for stage, crossed in heads.items()}
        cells = [(stage, np.resize(f, n)) for stage, f in features.items() for n in sizes]
        times = []
        for turn in range(repeats + 1):
            sent = [send(chosen, [flat[None]]) for _, flat in cells]
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
