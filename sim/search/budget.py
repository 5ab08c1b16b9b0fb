"""The memory budget of autoregressive work: the longest session that fits."""

import numpy as np


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
