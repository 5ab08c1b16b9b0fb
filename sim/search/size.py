"""Size of a bitstream and loss of accuracy against theta, fitted per cut on what was measured.

theta = (s, delta, M, lambda): sparsity, distortion threshold, blocks, asymmetry. The size is
log-linear, fitted by least squares with every pair of terms multiplied once:

  log B(l, theta) = sum_{i <= j} beta_ij(l) f_i f_j,
  f = (1, log(1 - s), log(delta), log2(M), lambda).

Errors are leave-one-out in closed form: e_i / (1 - h_ii), h the hat matrix (Allen's PRESS).
"""

import itertools
from dataclasses import dataclass

import numpy as np

from sim.search.problem import Floats

_RIDGE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class SizeModel:
    """Coefficients of one cut, and the leave-one-out error of every fitted setting.

    `errors` [setting]: predicted over measured minus one, each predicted without itself.
    """

    beta: Floats
    errors: Floats

    @classmethod
    def fit(cls, thetas: Floats, sizes: Floats) -> "SizeModel":
        """Fit on `thetas` [setting, 4] and mean `sizes` [setting] in bytes.

        Raises:
            ValueError: fewer settings than coefficients, a theta outside its range.
        """
        design = _design(np.asarray(thetas, dtype=float))
        n, k = design.shape
        if n <= k:
            raise ValueError(f"a size model needs more than {k} settings, got {n}")
        gram = design.T @ design + _RIDGE * np.eye(k)
        beta = np.linalg.solve(gram, design.T @ np.log(sizes))
        hat = np.einsum("ij,ji->i", design, np.linalg.solve(gram, design.T))
        residuals = np.log(sizes) - design @ beta
        left_out = residuals / np.maximum(1.0 - hat, 1e-9)
        return cls(beta=np.asarray(beta, dtype=float), errors=np.expm1(-left_out))

    def bytes_of(self, thetas: Floats) -> Floats:
        """Predicted bytes [setting] of `thetas` [setting, 4], also between the fitted ones."""
        return np.asarray(np.exp(_design(np.asarray(thetas, dtype=float)) @ self.beta))


@dataclass(frozen=True, kw_only=True, eq=False)
class LossProxy:
    """Loss in percentage points from the relative L2 error of the tensor, non-decreasing.

    Isotonic regression (pool adjacent violators), straight between the fitted errors, the end
    values beyond. `errors` [setting]: predicted minus measured, each predicted without itself.
    """

    relative_l2: Floats
    drop_pp: Floats
    errors: Floats

    @classmethod
    def fit(cls, relative_l2: Floats, drop_pp: Floats) -> "LossProxy":
        """Fit on what settings did, both [setting]."""
        order = np.argsort(relative_l2, kind="stable")
        x = np.asarray(relative_l2, dtype=float)[order]
        y = np.asarray(drop_pp, dtype=float)[order]
        if len(x) < 3:
            raise ValueError(f"a loss proxy needs at least 3 settings, got {len(x)}")
        errors = np.empty(len(x))
        for i in range(len(x)):
            rest = np.arange(len(x)) != i
            errors[order[i]] = np.interp(x[i], x[rest], _pool(y[rest])) - y[i]
        return cls(relative_l2=x, drop_pp=_pool(y), errors=errors)


def _design(thetas: Floats) -> Floats:
    """Products of the terms [setting, coefficient]; terms that do not vary are left in."""
    s, delta, blocks, asymmetry = thetas.T
    if np.any((s < 0) | (s >= 1)) or np.any(delta <= 0) or np.any(blocks < 1):
        raise ValueError("theta must have 0 <= s < 1, delta > 0 and M >= 1")
    terms = [np.ones_like(s), np.log1p(-s), np.log(delta), np.log2(blocks), asymmetry]
    pairs = [(i, j) for i, j in itertools.combinations_with_replacement(range(5), 2)
             if not (i == j and i > 2)]  # fmt: skip
    return np.stack([terms[i] * terms[j] for i, j in pairs], axis=1)


def _pool(values: Floats) -> Floats:
    """Non-decreasing least squares fit (pool adjacent violators)."""
    sums: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        sums.append(value)
        counts.append(1)
        while len(sums) > 1 and sums[-2] / counts[-2] > sums[-1] / counts[-1]:
            total, count = sums.pop(), counts.pop()
            sums[-1] += total
            counts[-1] += count
    return np.repeat(np.array(sums) / np.array(counts), counts)
