"""Generalised divisive normalisation and its approximate inverse (Balle et al., arXiv 1511.06281).

    GDN       y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)
    inverse   y_i = x_i * sqrt(beta_i + sum_j gamma_ij x_j^2)

over the channels of every position. beta and gamma are squares of what is learnt, so that no step
makes one negative; gamma starts at a tenth on the diagonal and a thousandth elsewhere, since the
gradient of the square of 0 is 0. Shapes: [batch, channel, height, width], in and out.
"""

import math

import torch
from torch import Tensor, nn

LEAST_BETA = 1e-6
_DIAGONAL, _ELSEWHERE = 0.1, 0.001


class Gdn(nn.Module):
    """The first line above; the second where `inverse`.

    Raises:
        ValueError: fewer than one channel.
    """

    def __init__(self, channels: int, *, inverse: bool = False) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"gdn.channels must be >= 1, got {channels}")
        self.inverse = inverse
        self.root_beta = nn.Parameter(torch.ones(channels))
        roots = torch.full((channels, channels), math.sqrt(_ELSEWHERE))
        self.root_gamma = nn.Parameter(roots.fill_diagonal_(math.sqrt(_DIAGONAL)))

    @property
    def beta(self) -> Tensor:
        """What is added to the squares, [channel]."""
        return self.root_beta.square() + LEAST_BETA

    @property
    def gamma(self) -> Tensor:
        """How much the square of a channel (second index) weighs in another's norm (first)."""
        return self.root_gamma.square()

    def extra_repr(self) -> str:
        """Channels and direction."""
        return f"{self.root_beta.numel()}, inverse={self.inverse}"

    def forward(self, x: Tensor) -> Tensor:
        """A feature to the normalised one, or back."""
        norm = nn.functional.conv2d(x.square(), self.gamma[:, :, None, None], self.beta)
        return x * norm.sqrt() if self.inverse else x * norm.rsqrt()
