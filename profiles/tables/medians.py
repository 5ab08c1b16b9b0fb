"""Medians: how well the seconds of a profile are known, from the rounds behind them.

A part's seconds are the median of its share of the whole times the median of the whole, both over
the same rounds. Their errors are those of medians (1.2533 times that of a mean, the spread taken
between the quartiles, which a stall now and then does not move); since both medians are of the same
rounds they are not independent, which the quadrant correlation holds (Blomqvist 1950). Few rounds
know their own spread badly: errors are widened so that +-1.96 of them are as wide as Student's
interval with (rounds - 1) / 2 degrees of freedom, quartiles telling of a spread about half of what
all samples do. Rounds that are alike with their neighbours count for fewer.

Shapes: samples [round, ...].
"""

import numpy as np

MEDIAN = 1.2533
"""Standard error of a median over that of a mean, normal samples: sqrt(pi / 2)."""
Z = 1.959964
"""Standard deviations of a 95 % interval."""
_QUARTILES = 1.349
_MOST_ALIKE = 0.5


def part_seconds(parts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Seconds of parts [round, part] of a `whole` [round]: machines drift, ratios hold."""
    shares = np.median(parts / whole[:, None], axis=0)
    return np.asarray(shares * np.median(whole))


def mean_error(samples: np.ndarray) -> float:
    """Standard error of the mean of samples [sample]."""
    return float(np.std(samples, ddof=1) / np.sqrt(len(samples)))


def median_errors(samples: np.ndarray) -> np.ndarray:
    """Relative standard errors of the medians over rounds."""
    return np.asarray(_widen(samples) * _plain(samples))


def share_errors(parts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Relative standard errors of median(part / whole) x median(whole).

    `whole` [round] and `parts` [round, ...]. Never less than that of the part's own median; 0 for a
    part that takes nothing.
    """
    by_round = whole.reshape(-1, *(1,) * (parts.ndim - 1))
    shares = parts / by_round
    a, b = _plain(shares), _plain(by_round)
    alike = (_side(shares) * _side(by_round)).sum(0) / (len(whole) - len(whole) % 2)
    both = np.sqrt(np.maximum(0.0, a * a + b * b + 2.0 * alike * a * b))
    errors = _widen(whole) * np.maximum(both, _plain(parts))
    return np.asarray(np.where(np.median(parts, axis=0) > 0.0, errors, 0.0))


def sides_of_calls(calls: np.ndarray, n_cuts: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of head and tail [round, cut] from those of embedding, layers and answer.

    `calls` [round, part]. Where there are more cuts than parts its layers count several times.
    """
    layers = np.tile(calls[:, 1:-1], (n_cuts - 2) // (calls.shape[1] - 2))
    nothing = np.zeros((len(calls), 1))
    reached = np.cumsum(np.hstack([nothing, layers]), axis=1)[:, 1:] + calls[:, :1]
    head = np.hstack([nothing, reached, reached[:, -1:] + calls[:, -1:]])
    return head, head[:, -1:] - head


def _plain(samples: np.ndarray) -> np.ndarray:
    low, middle, high = np.percentile(samples, (25, 50, 75), axis=0)
    errors = MEDIAN * (high - low) / _QUARTILES / np.sqrt(len(samples))
    return np.asarray(np.divide(errors, middle, out=np.zeros_like(errors), where=middle > 0))


def _side(samples: np.ndarray) -> np.ndarray:
    """On which side of its median each sample lies: -1, 0 or 1."""
    return np.asarray(np.sign(samples - np.median(samples, axis=0)))


def _widen(whole: np.ndarray) -> np.ndarray:
    """For few rounds, and for rounds that are like the one before beyond chance."""
    from scipy.special import stdtrit  # a tenth of a second, which few commands need

    n = len(whole)
    student = stdtrit((n - 1) / 2, 0.975) / Z
    side = _side(whole)
    alike = (side[1:] * side[:-1]).sum(0) / n
    alike = np.where(alike > 1.645 / np.sqrt(n), np.minimum(alike, _MOST_ALIKE), 0.0)
    return np.asarray(student * np.sqrt((1.0 + alike) / (1.0 - alike)))


def trend(at: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """How the logarithm of `seconds` changes from the first to the last moment, and its error.

    The median of the slopes between all pairs (Theil 1950, Sen 1968), which stalls do not move; its
    standard error is 1.023 times that of a least-squares line, normal samples (sqrt(pi / 3)).
    """
    logs, at = np.log(seconds), np.asarray(at, np.float64)
    i, j = np.triu_indices(len(at), 1)
    apart = at[j] - at[i]
    if not (apart > 0).any():
        return 0.0, 0.0
    slope = float(np.median((logs[j] - logs[i])[apart > 0] / apart[apart > 0]))
    low, high = np.percentile(logs - slope * at, (25, 75))
    spread = (high - low) / _QUARTILES
    error = float(1.023 * spread / np.sqrt(np.square(at - at.mean()).sum()))
    span = float(at[-1] - at[0])
    return slope * span, error * span
