"""The measuring machine: what it is, and how long the anchor network takes on it."""

import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

_ANCHOR_STAGES = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))


def fingerprint(device: str = "cpu") -> dict[str, Any]:
    """Processor, its count, thread count and library versions, as plain JSON."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run the body on `count` CPU threads and restore the previous number after it."""
    if count < 1:
        raise ValueError(f"threads must be >= 1, got {count}")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def no_denormals() -> Iterator[None]:
    """Flush denormal numbers to zero in the body, as far as the processor can."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@torch.inference_mode()
def anchor_seconds(rounds: int = 20, device: str = "cpu") -> float:
    """Median seconds of ResNet-18 at 224 x 224, batch 1, fp32, on the threads now set.

    The network that published benchmarks of small machines have in common (He et al. 2016); the
    ratio of its times carries a profile from one machine to another (profiles.tables.hardware).
    """
    network = _resnet18().eval().to(device)
    image = torch.zeros(1, 3, 224, 224, device=device)
    seconds = []
    for _ in range(rounds + 3):
        start = time.perf_counter()
        network(image)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return median(seconds[3:])


def anchor(before_s: float, after_s: float) -> dict[str, float]:
    """The anchor's seconds around a measurement, for its provenance.

    `anchor_s` is their geometric mean; `anchor_drift` says how far apart they lie, as a fraction: a
    shared machine may become slower while it measures, and then the ratio of times is off by that.
    """
    return {"anchor_s": math.sqrt(before_s * after_s), "anchor_drift": after_s / before_s - 1.0}


@torch.inference_mode()
def peaks(device: str = "cpu", rounds: int = 10) -> dict[str, float]:
    """Best rates that plain operators reach here: a 1024-cube product and a 256 MB copy.

    Keys: "fp32_flops" in FLOP/s, "bandwidth_bytes_per_s" counting bytes read and written.
    """
    a = torch.ones(1024, 1024, device=device)
    source = torch.ones(32 * 2**20, device=device)
    target = torch.empty_like(source)
    product_s = _best(lambda: a @ a, rounds, device)
    copy_s = _best(lambda: target.copy_(source), rounds, device)
    moved = 2.0 * source.numel() * source.element_size()
    return {"fp32_flops": 2.0 * 1024**3 / product_s, "bandwidth_bytes_per_s": moved / copy_s}


def _best(run: Callable[[], object], rounds: int, device: str) -> float:
    seconds = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds[2:])


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
    pairs = [(_Block(a, b, s), _Block(b, b, 1)) for a, b, s in _ANCHOR_STAGES]
    blocks = [block for pair in pairs for block in pair]
    stem = (_convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(
        *stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)
    )


def _processor() -> str:
    """The processor's own name; Linux states it in /proc/cpuinfo only."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
