"""The measuring machine: what it is, its clocks, and the best rates that plain operators reach."""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from profiles.measuring.processor import processor

_ASKED = ("driver_version", "clocks.sm", "clocks.mem", "clocks.max.sm", "power.limit")


def fingerprint(device: str = "cpu") -> dict[str, Any]:
    """Processor, its count, thread count and library versions, as plain JSON."""
    return {
        "processor": processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def clocks(device: str = "cpu") -> dict[str, str]:
    """Driver, clocks now and at most, and power limit of the GPU, as nvidia-smi states them; empty
    for a CPU and where it says nothing.
    """
    if device != "cuda":
        return {}
    query = f"--query-gpu={','.join(_ASKED)}"
    try:
        done = subprocess.run(
            ["nvidia-smi", f"--id={torch.cuda.current_device()}", query, "--format=csv,noheader"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {}
    values = [value.strip() for value in done.stdout.split(",")]
    return dict(zip(_ASKED, values, strict=False))


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
