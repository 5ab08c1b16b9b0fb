"""Seconds of masked linear layers, computed dense and with a sparse kernel.

A masked product that is computed dense costs what it cost without the mask: only a kernel that
skips the zeros can be faster, and at these widths torch's CSR product mostly is not.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from profiles.measuring.machine import threads

WAYS = ("dense", "masked dense", "csr")


@torch.inference_mode()
def layer_seconds(
    layer: nn.Linear, links: Tensor, batches: Sequence[int], *, rounds: int = 200
) -> dict[int, Mapping[str, float]]:
    """Median seconds of one product by batch and way, the ways in turn, on one thread."""
    dense = torch.rand(layer.weight.shape)
    masked = dense * links
    compressed = masked.to_sparse_csr()
    found: dict[int, Mapping[str, float]] = {}
    with threads(1):
        for batch in batches:
            x = torch.rand(batch, layer.in_features)
            columns = x.t().contiguous()
            calls = {
                "dense": lambda x=x: x @ dense.t(),
                "masked dense": lambda x=x: x @ masked.t(),
                "csr": lambda columns=columns: compressed @ columns,
            }
            found[batch] = _time(calls, rounds)
    return found


def product(weight: Tensor, x: Tensor) -> Tensor:
    """A masked product by the sparse kernel: weight [output, input], x [batch, input]."""
    done: Tensor = (weight.to_sparse_csr() @ x.t().contiguous()).t()
    return done


def _time(calls: Mapping[str, object], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {way: [] for way in calls}
    for _ in range(rounds):
        for way, call in calls.items():
            assert callable(call)
            start = perf_counter()
            call()
            times[way].append(perf_counter() - start)
    return {way: median(each[rounds // 10 :]) for way, each in times.items()}
