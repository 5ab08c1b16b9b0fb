"""Memory and latency budgets of autoregressive work: what fits, when it ends, what is kept.

The weight and KV formulas are those of the sister paper (arXiv 2511.04002), B the bytes of a
layer's weights, Q_a bits per cached number, H D numbers per token and layer:

  M(l, Q)       = sum_{i <= l} B(i; Q_front) + sum_{j > l} B(j; Q_back)
  B_kv(w, l; Q) = 2 sum_{k <= l} T_w Q_k + 2 sum_{k > l} T_{w-1} Q_k + H D Q_l

T_w = w H D numbers of keys (and as many of values) after w tokens: layers up to the cut have seen
token w, those behind it one token less, and H D numbers of it are on their way.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.search.problem import Floats


class Exit(NamedTuple):
    """How a session ends: `steps` tokens were made, for `reason`; kept are those before `kept`.

    A token that came too late was made and is kept; one that memory had no room for never was.
    """

    steps: int
    reason: str
    kept: int


def weight_bytes(
    parameters: Sequence[float], cut: int, *, front_bits: float = 32.0, back_bits: float = 32.0
) -> tuple[float, float]:
    """Bytes of the layers in front of `cut` and behind it; `parameters` counts them per layer."""
    _check_cut(cut, len(parameters))
    front, back = sum(parameters[:cut]), sum(parameters[cut:])
    return front * front_bits / 8.0, back * back_bits / 8.0


def kv_bytes(
    tokens: int, cut: int, n_layers: int, width: int, bits: Sequence[float] | float = 32.0
) -> tuple[float, float, float]:
    """Bytes of the caches in front of `cut` and behind it, and of the token on its way.

    `width` is H D, the numbers of one token's keys in one layer; `bits` per number, by layer or
    one for all. The three add up to B_kv(w, l; Q) of the paper.
    """
    _check_cut(cut, n_layers)
    if tokens < 1:
        raise ValueError(f"tokens must be >= 1, got {tokens}")
    per_layer = np.broadcast_to(np.asarray(bits, dtype=float), (n_layers,)) * width / 8.0
    front = 2.0 * tokens * float(per_layer[:cut].sum())
    back = 2.0 * (tokens - 1) * float(per_layer[cut:].sum())
    return front, back, float(per_layer[max(cut - 1, 0)])


def longest(limit_bytes: float, fixed_bytes: float, prompt_bytes: float, token_bytes: float) -> int:
    """Tokens of the longest session that fits: fixed + prompt + (w - 1) token <= limit; 0: none.

    The prompt's step makes the first token, and every later step caches the one before.
    """
    room = limit_bytes - fixed_bytes - prompt_bytes
    if room < 0.0:
        return 0
    if token_bytes <= 0.0:
        return 2**31
    return 1 + int(np.floor(room / token_bytes * (1.0 + 1e-12)))


def exit_at(
    step_s: Floats,
    step_bytes: Floats,
    *,
    memory_bytes: float = np.inf,
    token_limit_s: float = np.inf,
    session_limit_s: float = np.inf,
) -> Exit:
    """When a session of these steps ends, by the simulator's rules.

    Step k takes `step_s[k]` and adds `step_bytes[k]` on the device. Before a step: out of memory
    ends the session without it. After it: a late token, or a session past its time, ends it.
    """
    used, spent = 0.0, 0.0
    for k in range(len(step_s)):
        used += float(step_bytes[k])
        if used > memory_bytes:
            return Exit(k, "memory", k)
        spent += float(step_s[k])
        if k + 1 == len(step_s):
            break
        if step_s[k] > token_limit_s:
            return Exit(k + 1, "token_deadline", k + 1)
        if spent > session_limit_s:
            return Exit(k + 1, "session_deadline", k + 1)
    return Exit(len(step_s), "complete", len(step_s))


def _check_cut(cut: int, n_layers: int) -> None:
    if not 0 <= cut <= n_layers:
        raise ValueError(f"cut must lie in 0..{n_layers}, got {cut}")
