"""How much of a feature lies in few of its elements."""

import numpy as np


def top_energy(share: float, flat: np.ndarray) -> np.ndarray:
    """Share of the energy in the largest `share` of the elements, per sample."""
    energy = -np.sort(-(flat**2), axis=1)
    kept = max(1, round(share * flat.shape[1]))
    return np.asarray(energy[:, :kept].sum(axis=1) / np.maximum(energy.sum(axis=1), 1e-300))


def tail_share(magnitude: float, flat: np.ndarray) -> np.ndarray:
    """Share of the elements beyond `magnitude` root mean squares, per sample."""
    rms = np.sqrt(np.mean(flat**2, axis=1, keepdims=True))
    return np.asarray(np.mean(np.abs(flat) > magnitude * rms, axis=1))
