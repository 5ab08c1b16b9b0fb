"""Erasure: segments of a feature that never arrive are zeros, and nobody sends them again.

A feature's numbers, in order, are cut into `n_segments` of the same length (the last may be
shorter). Shapes: features [sample, ...]; shares [sample].
"""

import torch
from torch import Tensor

N_SEGMENTS = 16
WORST = 0.75
"""The largest share that adapters are trained for."""


def erase(
    features: Tensor,
    shares: Tensor,
    generator: torch.Generator | None = None,
    n_segments: int = N_SEGMENTS,
) -> Tensor:
    """Features of which those shares of the segments, each sample's own, are zeros."""
    n, numbers = features.shape[0], features[0].numel()
    ranks = torch.rand(n, n_segments, generator=generator).argsort(1)
    kept = ranks >= (shares * n_segments).round()[:, None]
    spread = kept.repeat_interleave(-(-numbers // n_segments), 1)[:, :numbers]
    return features * spread.view(features.shape).to(features.dtype)


def lose(features: Tensor, share: float | None) -> Tensor:
    """Features of which that share is lost; sample by sample any up to `WORST`, which is what
    adapters are trained on, where it is None.
    """
    shares = (
        WORST * torch.rand(len(features)) if share is None else torch.full((len(features),), share)
    )
    return erase(features, shares)
