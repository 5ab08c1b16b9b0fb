"""What a device trains for itself behind a frozen part, and noise that hides what it sends.

    feature z -[ S: convolution, BatchNorm, ReLU, twice; 1 x 1 convolution ]- S(z)

    residual    z' = z + S(z)   starts as the identity: its last convolution begins with zeros
    insertion   z' = S(z)       starts anywhere

Shapes: features [batch, channel, height, width], the same after as before.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

RESIDUAL, INSERTION, NONE = FORMS = ("residual", "insertion", "none")


class FeatureAdapter(nn.Module):
    """S in one of both forms; `hidden` channels inside."""

    def __init__(self, channels: int, hidden: int, form: str = RESIDUAL) -> None:
        super().__init__()
        self.form = form
        self.inner = nn.Sequential(*_layer(channels, hidden), *_layer(hidden, hidden))
        self.last = nn.Conv2d(hidden, channels, 1)
        if form == RESIDUAL:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, z: Tensor) -> Tensor:
        """A feature to one that the frozen tail reads better."""
        changed: Tensor = self.last(self.inner(z))
        return z + changed if self.form == RESIDUAL else changed


def _layer(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]


class PrivateNoise(nn.Module):
    """Adds normal noise of standard deviation `deviation` to a feature on the device.

    Approximation: a number's noise is a function of its place and of the sum of the whole feature,
    so that a trace can be repeated; over samples it is as good as drawn.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self._deviation = deviation

    def forward(self, z: Tensor) -> Tensor:
        """A feature to a noisy one."""
        flat = z.flatten(1).to(torch.float64)
        places = torch.arange(flat.shape[1], dtype=torch.float64)
        phase = places * 78.233 + flat.sum(1, keepdim=True) * 12.9898
        uniform = (torch.sin(phase) * 43758.5453).remainder(1.0).clamp(1e-9, 1.0 - 1e-9)
        normal = torch.erfinv(2.0 * uniform - 1.0) * math.sqrt(2.0)
        return z + self._deviation * normal.to(z.dtype).view(z.shape)


class AtCut(nn.Module):
    """A frozen stage with what the device does to its output before it is sent."""

    def __init__(self, frozen: nn.Module, *more: nn.Module) -> None:
        super().__init__()
        self.frozen = frozen
        self.more = nn.Sequential(*more)

    def forward(self, x: Tensor) -> Tensor:
        """The stage's input to what is sent."""
        sent: Tensor = self.more(self.frozen(x))
        return sent


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What it takes to train an adapter, and what it brings.

    A round is one step of the optimiser on `batch` samples. `rounds` and `accuracy`: after so many
    of them the share of right answers, the first without any. `server_ratio`: seconds of the
    tail forward and backward over forward alone; `device_ratio`: of the adapter's backward and
    update over head and adapter forward.
    """

    batch: int
    rounds: tuple[int, ...]
    accuracy: tuple[float, ...]
    server_ratio: float
    device_ratio: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedAdapter:
    """The adapter slot filled: behind the stage `after` stands `module`; `before` answers inputs
    [sample, ...] with scores as the whole did when it had learned nothing.
    """

    after: str
    module: nn.Module
    before: Callable[[Tensor], Tensor]
    learning: Learning
