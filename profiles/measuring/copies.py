"""Copies between the host's pinned memory and the GPU: fixed seconds and a rate, either way.

A copy of n bytes takes `fixed_s + n / bytes_per_s`, from the call to its end as the process that
waits for it sees it: what `server.copy_fixed_s` and `server.copy_bytes_per_s` want.
"""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

SIZES = tuple(4096 * 4**k for k in range(7))
"""4 kB to 16 MB."""
_ROUNDS, _WARM_UPS = 15, 3


class Copy(NamedTuple):
    """A law of one direction, and the largest share by which a point lies off it."""

    fixed_s: float
    bytes_per_s: float
    worst: float


def fit(sizes: Sequence[float], seconds: Sequence[float]) -> Copy:
    """Least squares of the relative errors of `fixed_s + size / bytes_per_s`; `fixed_s` >= 0.

    Raises:
        ValueError: fewer than two sizes, or seconds that do not grow with them.
    """
    n, s = np.asarray(sizes, np.float64), np.asarray(seconds, np.float64)
    if len(n) < 2:
        raise ValueError(f"copies need two sizes or more, got {len(n)}")
    columns = np.stack([np.ones_like(n), n], 1) / s[:, None]
    fixed_s, per_byte = np.linalg.lstsq(columns, np.ones_like(s), rcond=None)[0]
    if fixed_s < 0.0:
        fixed_s, ratio = 0.0, n / s
        per_byte = ratio.sum() / np.square(ratio).sum()
    if per_byte <= 0.0:
        raise ValueError(f"seconds of copies must grow with the size, got {list(seconds)}")
    worst = float(np.abs((fixed_s + per_byte * n) / s - 1.0).max())
    return Copy(float(fixed_s), float(1.0 / per_byte), worst)


def measure(
    copier: "Callable[[int], tuple[Callable[[], None], Callable[[], None]]] | None" = None,
    now: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Both directions, for a profile's provenance: `to_device` and `to_host`.

    `copier` gives for a number of bytes the two copies, each done when it returns; by default those
    of the GPU at hand.
    """
    make = copier or _copies
    seconds: dict[str, list[float]] = {"to_device": [], "to_host": []}
    for size in SIZES:
        for name, run in zip(seconds, make(size), strict=True):
            seconds[name].append(_median(run, now))
    return {name: fit(SIZES, each)._asdict() for name, each in seconds.items()}


def _median(run: Callable[[], None], now: Callable[[], float]) -> float:
    taken = []
    for _ in range(_WARM_UPS + _ROUNDS):
        start = now()
        run()
        taken.append(now() - start)
    return median(taken[_WARM_UPS:])


def _copies(size: int) -> tuple[Callable[[], None], Callable[[], None]]:
    host = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    there = torch.empty(size, dtype=torch.uint8, device="cuda")

    def to_device() -> None:
        there.copy_(host, non_blocking=True)
        torch.cuda.synchronize()

    def to_host() -> None:
        host.copy_(there, non_blocking=True)
        torch.cuda.synchronize()

    return to_device, to_host
