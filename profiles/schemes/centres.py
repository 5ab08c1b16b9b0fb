"""Learned scalar centres: what a symbol of three bits stands for, and how it is learned.

    forward    x --> nearest centre --> its number, 3 bits --> flipped bits --> centre
    backward   x <-- gradient, clamped to [-1, 1]; every centre that was received learns, too
    soft       w_j = softmax_j(-sigma |x - c_j|), of which the histogram of the symbols is made

In use the codec `centres` does the forward line with the same table. Bits are flipped for real, in
training too, each on its own; the authors' code draws damaged symbols instead. Shapes: numbers
[sample, ...], rates [sample].
"""

import math

import torch
from torch import Tensor, nn

from codec.chains.centres import LLOYD_MAX

BITS = 3
SHARPNESS = 1.0
"""sigma of the soft assignment."""
_FAR_DB = 20.0


class Centres(nn.Module):
    """Eight numbers, learned; their order is the labelling of the symbols by bits.

    They start at the best levels for normal numbers in random order. In rising order even a codec
    that learns no errors would get a good labelling as a gift: what a bit moves is small then.
    """

    def __init__(self) -> None:
        super().__init__()
        levels = torch.tensor(LLOYD_MAX)
        self.table = nn.Parameter(levels[torch.randperm(len(levels))])

    def assign(self, x: Tensor) -> Tensor:
        """Soft assignment [sample, ..., centre]."""
        return torch.softmax(-SHARPNESS * (x[..., None] - self.table).abs(), -1)

    def nearest(self, x: Tensor) -> Tensor:
        """The numbers of the nearest centres, int64."""
        return (x[..., None] - self.table).abs().argmin(-1)

    def forward(self, x: Tensor, rate: Tensor) -> Tensor:
        """What arrives of x at a bit error rate."""
        received: Tensor = self.table[flip(self.nearest(x), rate)]
        return received + _clamp_gradient(x) - x.detach()


def flip(symbols: Tensor, rate: Tensor) -> Tensor:
    """Symbols with every bit flipped with probability `rate`."""
    shape = (len(rate), *[1] * (symbols.ndim - 1))
    for bit in range(BITS):
        wrong = torch.rand(symbols.shape) < rate.view(shape)
        symbols = symbols ^ (wrong.to(symbols.dtype) << bit)
    return symbols


def uneven(assignment: Tensor) -> Tensor:
    """Mean squared distance of the symbols' soft histogram from the flat one."""
    histogram = assignment.reshape(-1, assignment.shape[-1]).mean(0)
    return (histogram - 1.0 / assignment.shape[-1]).square().mean()


def bit_error_rate(snr_db: Tensor) -> Tensor:
    """BPSK on AWGN: 0.5 erfc(sqrt(10^(SNR / 10)))."""
    return 0.5 * torch.erfc((10.0 ** (snr_db / 10.0)).sqrt())


def snr_of(rate: float) -> float:
    """dB at which BPSK on AWGN has that bit error rate, at most 20 either way.

    Raises:
        ValueError: a rate outside 0..0.5.
    """
    if not 0.0 <= rate <= 0.5:
        raise ValueError(f"bit error rate must be in 0..0.5, got {rate:g}")
    root = float(torch.erfinv(torch.tensor(1.0 - 2.0 * rate, dtype=torch.float64)))
    if not 0.0 < root < math.inf:
        return _FAR_DB if root else -_FAR_DB
    return max(-_FAR_DB, min(_FAR_DB, 20.0 * math.log10(root)))


def _clamp_gradient(x: Tensor) -> Tensor:
    """x itself; what comes back is clamped."""
    passed = x.clone()
    if passed.requires_grad:
        passed.register_hook(lambda gradient: gradient.clamp(-1.0, 1.0))  # type: ignore[no-untyped-call]
    return passed
