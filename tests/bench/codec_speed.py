"""Seconds of whole chains, one core: ours against plain numpy, against each other, and peers.

All contestants take turns within each repeat and are timed by process CPU time; shown are medians.
Ratios above 1 mean that ours is faster. Where a CUDA device is present, tensors that lie there are
timed by the wall clock, copies included.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import codec
from codec.entropy import coder as entropy
from codec.stages import scalar
from profiles.measuring.machine import fingerprint
from tests.bench.rivals import numpy_slicer

ELEMENTS = 200_704
TOKEN = 4096
REPEATS = 41
SLICER = {"sparsity": 0.5, "n_blocks": 4, "distortion": 0.01}


def features(n: int) -> np.ndarray:
    """Rectified features of a plausible spread."""
    x = np.random.default_rng(11).normal(size=(64, n // 64))
    return np.maximum(x * np.abs(x), 0).astype(np.float32)


def medians(work: Mapping[str, Callable[[], Any]], repeats: int = REPEATS) -> dict[str, float]:
    """Median CPU seconds of every callable, in turns."""
    for each in work.values():
        each()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, each in work.items():
            start = time.process_time_ns()
            each()
            times[name].append(1e-9 * (time.process_time_ns() - start))
    return {name: float(np.median(found)) for name, found in times.items()}


def chains(console: Console) -> None:
    """Whole chains at 200 k elements."""
    x = features(ELEMENTS)
    made = {
        "slicer": codec.create("slicer", **SLICER),
        "ecsq": codec.create("ecsq", coder="order0"),
        "ecsq, auto": codec.create("ecsq"),
    }
    streams = {name: each.encode(x) for name, each in made.items()}
    plain = numpy_slicer.encode(x, **SLICER)
    encode: dict[str, Callable[[], Any]] = {
        name: lambda each=each: each.encode(x) for name, each in made.items()
    }
    encode["slicer in numpy"] = lambda: numpy_slicer.encode(x, **SLICER)
    decode: dict[str, Callable[[], Any]] = {
        name: lambda name=name: made[name].decode(streams[name]) for name in made
    }
    decode["slicer in numpy"] = lambda: numpy_slicer.decode(plain)
    _add_peers(encode, decode, x)
    there, back = medians(encode), medians(decode)
    table = Table("chain", "encode ms", "decode ms", "against slicer", box=None)
    for name in encode:
        ratio = f"{there['slicer'] / there[name]:.2f} / {back['slicer'] / back[name]:.2f}"
        table.add_row(name, f"{1e3 * there[name]:.2f}", f"{1e3 * back[name]:.2f}", ratio)
    console.print(table)
    pair = ("slicer", "slicer in numpy")  # in turns with each other alone: peers empty the caches
    ratios = [
        found["slicer in numpy"] / found["slicer"]
        for found in (medians({name: work[name] for name in pair}) for work in (encode, decode))
    ]
    console.print(
        f"slicer against plain numpy: {ratios[0]:.1f}x encoding (target >= 3), "
        f"{ratios[1]:.1f}x decoding (target >= 6)"
    )


def _add_peers(encode: dict[str, Any], decode: dict[str, Any], x: np.ndarray) -> None:
    """General compressors on the float16 bytes, zfpy on the floats, where they are installed."""
    octets = x.astype(np.float16).tobytes()
    if zstandard := _load("zstandard"):
        pack, unpack = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
        small = pack.compress(octets)
        encode["zstandard -1, fp16"] = lambda: pack.compress(octets)
        decode["zstandard -1, fp16"] = lambda: unpack.decompress(small)
    if lz4 := _load("lz4.frame"):
        lz = lz4.compress(octets)
        encode["lz4, fp16"] = lambda: lz4.compress(octets)
        decode["lz4, fp16"] = lambda: lz4.decompress(lz)
    if blosc2 := _load("blosc2"):
        blosc2.set_nthreads(1)
        blosc = blosc2.compress(octets, typesize=2)
        encode["blosc2, fp16"] = lambda: blosc2.compress(octets, typesize=2)
        decode["blosc2, fp16"] = lambda: blosc2.decompress(blosc)
    if zfpy := _load("zfpy"):
        flat = zfpy.compress_numpy(x, tolerance=0.1)
        encode["zfpy, tolerance 0.1"] = lambda: zfpy.compress_numpy(x, tolerance=0.1)
        decode["zfpy, tolerance 0.1"] = lambda: zfpy.decompress_numpy(flat)


def _load(name: str) -> Any:
    package = name.partition(".")[0]
    return importlib.import_module(name) if importlib.util.find_spec(package) else None


def real_map(console: Console) -> None:
    """A feature whose large values cluster, so that `auto` pays for contexts."""
    from profiles.measuring.activations import activations

    x = activations("resnet34", "layer1", 1).features[0]
    made = {
        "slicer": codec.create("slicer", **SLICER),
        "ecsq, order0": codec.create("ecsq", coder="order0"),
        "ecsq, auto": codec.create("ecsq"),
    }
    streams = {name: each.encode(x) for name, each in made.items()}
    there = medians({name: lambda each=each: each.encode(x) for name, each in made.items()})
    back = medians({name: lambda name=name: made[name].decode(streams[name]) for name in made})
    table = Table("ResNet-34 layer1", "encode ms", "decode ms", "bits/element", box=None)
    for name in made:
        bits = 8 * len(streams[name]) / x.size
        table.add_row(name, f"{1e3 * there[name]:.2f}", f"{1e3 * back[name]:.2f}", f"{bits:.2f}")
    console.print(table)


def token(console: Console) -> None:
    """One token of 4,096 fp16 values: the whole chain against its rANS stage alone."""
    x = np.random.default_rng(12).normal(size=(1, TOKEN)).astype(np.float16)
    made = codec.create("ecsq", coder="order0")
    wide = x.astype(np.float32).reshape(-1)
    step = 0.35 * scalar.scale_of(wide)
    bins, counts, _ = scalar.bin_chunk(wide, step)
    levels = scalar.levels(wide, bins, scalar.fit(counts, 0.1155, 1.0).table)
    slicer = codec.create("slicer", **SLICER)
    data, coded = made.encode(x), entropy.encode(levels, "order0")
    sliced = slicer.encode(x)
    found = medians(
        {
            "ecsq encode": lambda: made.encode(x),
            "its rANS stage": lambda: entropy.encode(levels, "order0"),
            "ecsq decode": lambda: made.decode(data),
            "its rANS stage, decoding": lambda: entropy.decode(coded, TOKEN),
            "slicer encode": lambda: slicer.encode(x),
            "slicer decode": lambda: slicer.decode(sliced),
        },
        repeats=401,
    )
    table = Table("a token of 4,096 fp16", "us", box=None)
    for name, seconds in found.items():
        table.add_row(name, f"{1e6 * seconds:.0f}")
    console.print(table)
    ratio = found["ecsq encode"] / found["its rANS stage"]
    console.print(f"whole chain over its rANS stage: {ratio:.1f} (target <= 5)")


def cuda(console: Console) -> None:
    """Tensors on a CUDA device, copies included; nothing where there is none."""
    import torch

    if not torch.cuda.is_available():
        console.print("no CUDA device: not measured there")
        return
    x = torch.from_numpy(features(ELEMENTS)).cuda()
    table = Table(f"on {torch.cuda.get_device_name()}", "encode ms", "decode ms", box=None)
    for name in ("slicer", "ecsq"):
        made = codec.create(name)
        decode = partial(made.decode, made.encode(x), device="cuda")
        seconds = (_on_device(partial(made.encode, x)), _on_device(decode))
        table.add_row(name, *(f"{1e3 * each:.2f}" for each in seconds))
    console.print(table)


def _on_device(work: Callable[[], Any]) -> float:
    """Median wall-clock seconds between two synchronisations."""
    import torch

    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Print every table under the machine's name."""
    console = Console(width=110)
    console.print(f"machine: {fingerprint()['processor']}, one thread", highlight=False)
    chains(console)
    real_map(console)
    token(console)
    cuda(console)


if __name__ == "__main__":
    main()
