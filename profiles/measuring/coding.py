"""A codec on arrays by itself: bits, error, where the bits go, and seconds."""

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

import codec
from codec.chains.klt import PREFIX
from codec.stages.bounds import symbol_entropy
from profiles.measuring import payload

PARTS = ("values", "positions", "labels", "scales", "tables", "header")
"""Where bits go."""

_TARGETS = ("relative_l2", "bits_per_element")
_DEFAULT_ERROR = 0.1
_OF_BASIS = ("axis", "static_tables")
_BLOCKS = (1, 2, 3, 4)


def split_options(options: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The chain, its own options, and what it is calibrated to."""
    rest, chain = dict(options), str(options["chain"])
    del rest["chain"]
    names = (*_TARGETS, *(_OF_BASIS if chain.startswith(PREFIX) else ()))
    return chain, rest, {key: rest.pop(key) for key in names if key in rest}


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse a chain or an option that does not exist, or a value out of range (ValueError)."""
    chain, own, _ = split_options(options)
    if chain not in codec.names():
        codec.create(chain)  # names the nearest
    codec.create(chain.removeprefix(PREFIX), **own)


def fit(options: Mapping[str, Any], samples: np.ndarray, parts: int = 1) -> Any:
    """The codec of some options; one with a target, or with a basis, is calibrated on `samples`.

    A basis lies along the channels of maps and along the last axis of anything else; where several
    `parts` cross there is none for all of them (ValueError).
    """
    if parts > 1 and str(options["chain"]).startswith(PREFIX):
        raise ValueError(f"{options['chain']}: {parts} tensors cross here and share no basis")
    chain, own, fitted = split_options(options)
    if chain.startswith(PREFIX) and own.get("calibration") is None:
        fitted.setdefault("axis", -3 if samples.ndim == 4 else -1)
        if not fitted.keys() & set(_TARGETS):
            fitted["relative_l2"] = _DEFAULT_ERROR
    if not fitted:
        return codec.create(chain, **own)
    return codec.calibrate(chain, list(samples), **fitted, **own)


def measure(
    chosen: Any, samples: np.ndarray, repeats: int, shapes: payload.Shapes = ()
) -> tuple[dict[str, Any], np.ndarray]:
    """Bits, error, ledger and seconds of one stream per sample, and what the streams become.

    Rows that are made of parts (`shapes`) are encoded part by part.
    """
    made = payload.InParts(chosen=chosen, shapes=shapes) if shapes else chosen
    streams = [made.encode(x) for x in samples]
    decoded = np.stack([made.decode(stream) for stream in streams])
    ledgers = [payload.ledger(stream, max(1, len(shapes))) for stream in streams]
    wrong = np.linalg.norm((decoded - samples).astype(np.float64))
    return {
        "bits_per_element": 8 * sum(map(len, streams)) / samples.size,
        "relative_l2": float(wrong / np.linalg.norm(samples.astype(np.float64))),
        # behind a basis the values that come back are mixtures, not symbols
        "symbol_entropy_bits": None if PREFIX in chosen.name else stream_entropy(decoded),
        **{f"{part}_bits": 8 * sum(each[part] for each in ledgers) / samples.size
           for part in PARTS},
        "encode_s": _seconds(made.encode, samples, repeats),
        "decode_s": _seconds(made.decode, streams, repeats),
    }, decoded  # fmt: skip


def stream_entropy(decoded: np.ndarray) -> float:
    """Mean over the streams [sample, ...] of the order-0 entropy of each, bits per element.

    What an order-0 coder with a table of each stream's own cannot beat, the table not counted.
    """
    return float(np.mean([symbol_entropy(each) for each in decoded]))


def _seconds(work: Any, inputs: Any, repeats: int) -> float:
    """Median over samples and repeats of one call, after a first one that compiles."""
    work(inputs[0])
    times = []
    for _ in range(repeats):
        for each in inputs[:16]:
            start = time.perf_counter()
            work(each)
            times.append(time.perf_counter() - start)
    return median(times)


def least_error(
    x: np.ndarray,
    options: Mapping[str, Any],
    rate: float,
    option: str,
    distortions: Sequence[float],
) -> dict[str, Any]:
    """The row of least error of SLICER at that rate, over the knobs that `options` leaves."""
    how = {"bits_per_element": rate, **options}
    if option == "sparsity":  # whole bits: another number of blocks may fill the rate better
        made = [_at_rate(x, {**how, "n_blocks": m, "knob": "distortion"}) for m in _BLOCKS]
    else:
        made = [_at_rate(x, {**how, "distortion": each}) for each in distortions]
    rows = [_at_knobs(x, each) for each in made if each is not None]
    if not rows:
        raise ValueError(f"no setting of the other knobs reaches {rate:g} bits per element")
    return min(rows, key=lambda row: float(row["relative_l2"]))


def _at_rate(x: np.ndarray, how: Mapping[str, Any]) -> Any:
    try:
        return codec.calibrate("slicer", list(x), **how)
    except codec.CodecOptionError:
        return None  # positions alone take more at these widths


def _at_knobs(x: np.ndarray, made: Any) -> dict[str, Any]:
    streams = [made.encode(each) for each in x]
    decoded = np.stack([made.decode(stream) for stream in streams]).astype(np.float64)
    return {
        "bits_per_element": 8 * sum(map(len, streams)) / x.size,
        "relative_l2": float(np.linalg.norm(decoded - x) / np.linalg.norm(x.astype(np.float64))),
        "sparsity": made.options["sparsity"],
        "distortion": made.options["distortion"],
        "n_blocks": made.options["n_blocks"],
    }
