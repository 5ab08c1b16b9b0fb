"""Bit errors, frame errors and retransmission of a raw link.

Real Wi-Fi and cellular links hide the raw bit error rate behind forward error correction: these
formulas model a raw or weakly coded link, whose errors are independent.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def frame_error_rate(bit_error_rate: ArrayLike, frame_bytes: ArrayLike) -> Floats:
    """1 - (1 - BER)^(8 L): a frame of L bytes is lost with any of its bits."""
    rate = np.asarray(bit_error_rate, dtype=float)
    with np.errstate(divide="ignore"):  # BER 1 gives log 0 = -inf and a rate of exactly 1
        return np.asarray(-np.expm1(8.0 * np.asarray(frame_bytes) * np.log1p(-rate)), dtype=float)


def expected_sends(frame_error_rate: float, max_retries: int | None = None) -> float:
    """Mean transmissions of a frame under stop-and-wait ARQ.

    1 / (1 - p) without a limit; (1 - p^(m + 1)) / (1 - p) when at most m retransmissions are made
    (Bertsekas and Gallager 1992, section 2.4.1).
    """
    if not 0.0 <= frame_error_rate <= 1.0:
        raise ValueError(f"frame_error_rate must be within [0, 1], got {frame_error_rate}")
    if frame_error_rate == 1.0:
        return math.inf if max_retries is None else max_retries + 1.0
    unlimited = 1.0 / (1.0 - frame_error_rate)
    return (
        unlimited
        if max_retries is None
        else unlimited * (1.0 - residual_loss(frame_error_rate, max_retries))
    )


def residual_loss(frame_error_rate: float, max_retries: int) -> float:
    """p^(m + 1): the share of frames still missing after m retransmissions."""
    return float(frame_error_rate ** (max_retries + 1))
