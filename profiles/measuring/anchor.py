"""The anchor: one network whose seconds are measured along with everything else.

ResNet-18 at 224 x 224, batch 1, fp32, eager, on the threads now set (He et al. 2016): what
published benchmarks of small machines have in common. The ratio of its times carries a profile from
one machine to another, and its trend within a profile says how far the machine drifted meanwhile.
"""

import time
from collections.abc import Callable
from math import expm1
from statistics import median

import numpy as np
import torch
from torch import nn

from profiles.measuring.machine import threads
from profiles.tables import medians

CAUTION, REFUSED = 0.05, 0.15
"""Drift above which a profile is told to be doubtful, and above which none is shipped."""
_STAGES = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
_FEWEST = 10
_WARM_UPS = 3


class Anchor:
    """Times the anchor whenever it is asked to, between the rounds of something else."""

    def __init__(self, device: str, now: Callable[[], float] = time.perf_counter) -> None:
        self.at: list[float] = []
        self.seconds: list[float] = []
        self._device, self._now = device, now
        self._network = _resnet18().eval().to(device)
        self._image = torch.zeros(1, 3, 224, 224, device=device)
        for _ in range(_WARM_UPS):
            self._call()

    def time(self) -> None:
        """One call more."""
        start = self._now()
        self._call()
        self.at.append(start)
        self.seconds.append(self._now() - start)

    def provenance(self) -> dict[str, float]:
        """`anchor_s`, the median; `anchor_drift`, how much slower it became from the first call to
        the last, as a fraction, by its trend; `anchor_drift_error`, the trend's standard error.
        """
        while len(self.seconds) < _FEWEST:
            self.time()
        log_drift, error = medians.trend(np.array(self.at), np.array(self.seconds))
        return {
            "anchor_s": median(self.seconds),
            "anchor_drift": expm1(log_drift),
            "anchor_drift_error": error,
        }

    @torch.inference_mode()
    def _call(self) -> None:
        self._network(self._image)
        if self._device == "cuda":
            torch.cuda.synchronize()


def core_anchor_s(rounds: int = 11) -> float:
    """Median seconds of the anchor on one core of this machine's CPU: the codec's processor."""
    with threads(1):
        anchor = Anchor("cpu")
        for _ in range(rounds):
            anchor.time()
    return median(anchor.seconds)


def tell_drift(drift: float) -> str:
    """In words where the machine drifted by more than may be overlooked; empty if it did not."""
    if abs(drift) <= CAUTION:
        return ""
    return f"the anchor drifted by {100 * drift:+.0f} % while this was measured"


class _Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(_convolution(n_in, n_out, 3, stride), nn.ReLU(), _convolution(n_out, n_out, 3, 1))
        )
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(n_in, n_out, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def _convolution(n_in: int, n_out: int, kernel: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out))


def _resnet18() -> nn.Module:
    pairs = [(_Block(a, b, s), _Block(b, b, 1)) for a, b, s in _STAGES]
    blocks = [block for pair in pairs for block in pair]
    stem = (_convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(
        *stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)
    )
