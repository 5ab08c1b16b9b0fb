"""Marks in time on the processor that computes: wall time, or events in a GPU's stream."""

import itertools
import time
from collections.abc import Sequence
from typing import Any

import torch

from profiles.tables import choices

DEVICES = ("cpu", "cuda")


class Clock:
    """Wall time; marks are seconds."""

    def mark(self) -> Any:
        """A mark in what has been asked of the processor so far."""
        return time.perf_counter()

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Seconds between neighbouring marks."""
        return [b - a for a, b in itertools.pairwise(marks)]


class _CudaClock(Clock):
    """Events in the stream; one synchronisation when they are read."""

    def mark(self) -> Any:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        torch.cuda.synchronize()
        return [a.elapsed_time(b) / 1e3 for a, b in itertools.pairwise(marks)]


def clock_of(device: str) -> Clock:
    """The clock of "cpu" or "cuda".

    Raises:
        ValueError: another device, or "cuda" where torch finds none.
    """
    choices.position("device", device, DEVICES)
    if device == "cpu":
        return Clock()
    if not torch.cuda.is_available():
        raise ValueError("device=cuda: torch finds no CUDA device here; use device=cpu")
    return _CudaClock()
