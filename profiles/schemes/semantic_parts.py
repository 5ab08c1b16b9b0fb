"""The two sides of SemanticNN's codec around a channel of symbols (arXiv 2511.11038).

    device   f -[ conv 4 x 4 / 4, GDN, PReLU, unit power, crop ]- x       numbers, one a symbol
    server   y -[ rim, conv, up, up, each inverse GDN, PReLU, attention, sigmoid ]- f'

Between them lie the centres. Shapes: features [sample, channel, height, width]; x has half as many
channels and a sixteenth of the positions.
"""

import torch
from torch import Tensor, nn

from profiles.schemes.gdn import Gdn

FACTOR = 4
_LOW = -2.0
"""Where the sigmoid starts: features behind a rectifier are small."""


class Encoder(nn.Module):
    """A feature to numbers of unit mean power, one for every symbol.

    `rim`: positions that are cut off on every side; the server puts back what mirrors them.
    """

    def __init__(self, n_in: int, n_out: int, rim: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(n_in, n_out, FACTOR, FACTOR), Gdn(n_out), nn.PReLU(n_out)
        )
        self.rim = rim

    def forward(self, f: Tensor) -> Tensor:
        """The feature to x."""
        x: Tensor = self.layers(f)
        if self.rim:
            x = x[:, :, self.rim : -self.rim, self.rim : -self.rim]
        power = x.square().mean((1, 2, 3), keepdim=True)
        return x * (power + 1e-6).rsqrt()


class Attention(nn.Module):
    """Weights of the channels by their means, and by the channel's state where it is told."""

    def __init__(self, channels: int, *, told: bool) -> None:
        super().__init__()
        inner = max(4, channels // 2)
        self.told = told
        self.weigh = nn.Sequential(
            nn.Conv2d(channels + int(told), inner, 1), nn.ReLU(),
            nn.Conv2d(inner, channels, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """The feature weighed; `state` [sample, 1]: SNR over 10 dB."""
        means = x.mean((2, 3), keepdim=True)
        if self.told:
            means = torch.cat([means, state[:, :, None, None]], 1)
        weighed: Tensor = x * self.weigh(means)
        return weighed


class Decoder(nn.Module):
    """What arrived to a feature; three layers, the last two double height and width.

    `peak`: what a channel of the feature reaches at most, [channel], learned.
    """

    def __init__(self, n_in: int, width: int, n_out: int, *, told: bool, rim: int = 0) -> None:
        super().__init__()
        last = nn.ConvTranspose2d(width, n_out, 4, 2, 1)
        self.layers = nn.ModuleList([
            nn.ConvTranspose2d(n_in, width, 3, 1, 1),
            nn.ConvTranspose2d(width, width, 4, 2, 1),
            last,
        ])  # fmt: skip
        self.norms = nn.ModuleList([Gdn(n, inverse=True) for n in (width, width, n_out)])
        self.slopes = nn.ModuleList([nn.PReLU(width), nn.PReLU(width)])
        self.attention = nn.ModuleList([Attention(width, told=told) for _ in range(2)])
        self.peak = nn.Parameter(torch.full((n_out,), 4.0))
        assert last.bias is not None
        nn.init.constant_(last.bias, _LOW)
        self.rim = rim

    def forward(self, y: Tensor, state: Tensor) -> Tensor:
        """Numbers that arrived to the feature."""
        if self.rim:
            y = nn.functional.pad(y, (self.rim,) * 4, mode="reflect")
        for number, slope in enumerate(self.slopes):
            y = slope(self.norms[number](self.layers[number](y)))
            y = self.attention[number](y, state)
        restored = torch.sigmoid(self.norms[-1](self.layers[-1](y)))
        return restored * self.peak[:, None, None]
