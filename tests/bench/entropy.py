"""Our entropy coder beside constriction, zstandard, lz4, blosc2 and zfpy, on the same symbols.

All coders take turns within each repeat, on one thread, and are timed by process CPU time; shown
are medians over the repeats, and the ratio to constriction where it is installed. The general
compressors see the symbols as bytes; zfpy codes them as float32 at an accuracy of half a step.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table as Printed

from codec.entropy import coder as entropy
from codec.entropy import frequency_tables as tables
from codec.entropy import rans

SIZES = (4_096, 65_536, 1_000_000)
SCALES = (0.1, 0.7, 4.0)
REPEATS = 15
CLOCK_S = 0.02
"""CPU seconds a timing takes at least, so that the clock's step does not show."""


class Coder(NamedTuple):
    """A name, bytes from symbols, symbols from bytes."""

    name: str
    encode: Callable[[], Any]
    decode: Callable[[Any], Any]


class Row(NamedTuple):
    """Medians of one coder on one input; speeds in 1e6 symbols per CPU second."""

    n: int
    entropy_bits: float
    coder: str
    bits: float
    encode: float
    decode: float
    encode_ratio: float
    decode_ratio: float


def symbols_of(n: int, scale: float) -> npt.NDArray[np.uint16]:
    """Folded Laplacian integers: sparse at scale 0.1, about 4 bits at 4."""
    values = np.rint(np.random.default_rng(7).laplace(0, scale, n)).astype(np.int64)
    return np.where(values < 0, -2 * values - 1, 2 * values).clip(0, 255).astype(np.uint16)


def coders(symbols: npt.NDArray[np.uint16]) -> Iterator[Coder]:
    """Ours with a known and with its own table, then every peer that is installed."""
    table, n = tables.fit(np.bincount(symbols).astype(np.uint32)), symbols.size
    integers, octets = symbols.astype(np.int32), symbols.astype(np.uint8).tobytes()
    yield Coder(
        "rans, table known",
        lambda: rans.encode(symbols, table),
        lambda data: rans.decode(data, n, table),
    )
    yield Coder(
        "entropy.encode",
        lambda: entropy.encode(integers, "order0"),
        lambda data: entropy.decode(data, n),
    )
    if constriction := _load("constriction"):
        yield _constriction(constriction.stream, table, integers)
    if zstandard := _load("zstandard"):
        pack, unpack = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
        yield Coder("zstandard -1", lambda: pack.compress(octets), unpack.decompress)
    if lz4 := _load("lz4.frame"):
        yield Coder("lz4", lambda: lz4.compress(octets), lz4.decompress)
    if blosc2 := _load("blosc2"):
        blosc2.set_nthreads(1)
        yield Coder("blosc2", lambda: blosc2.compress(octets, typesize=1), blosc2.decompress)
    if zfpy := _load("zfpy"):
        floats = symbols.astype(np.float32)
        yield Coder(
            "zfpy",
            lambda: zfpy.compress_numpy(floats, tolerance=0.5),
            zfpy.decompress_numpy,
        )


def run() -> list[Row]:
    """Measure every input and print the table."""
    rows = [row for n in SIZES for scale in SCALES for row in compare(symbols_of(n, scale))]
    printed = Printed("n", "entropy", "coder", "bits", "encode M/s", "decode M/s", "x", "x decode")
    for row in rows:
        printed.add_row(
            f"{row.n:,}",
            f"{row.entropy_bits:.3f}",
            row.coder,
            f"{row.bits:.3f}",
            f"{row.encode:.0f}",
            f"{row.decode:.0f}",
            f"{row.encode_ratio:.2f}",
            f"{row.decode_ratio:.2f}",
        )
    Console(width=100).print(printed)
    return rows


def compare(symbols: npt.NDArray[np.uint16]) -> list[Row]:
    """Rows of all coders on these symbols, timed in turn."""
    found = list(coders(symbols))
    streams = [coder.encode() for coder in found]
    timed: list[list[tuple[float, float]]] = [[] for _ in found]
    for _ in range(REPEATS):
        for coder, stream, seconds in zip(found, streams, timed, strict=True):
            seconds.append((_cpu_s(coder.encode), _cpu_s(lambda c=coder, s=stream: c.decode(s))))
    medians = [np.median(np.array(seconds), axis=0) for seconds in timed]
    names = [coder.name for coder in found]
    base = medians[names.index("constriction")] if "constriction" in names else [np.nan] * 2
    ideal = tables.entropy_bits(np.bincount(symbols)) / symbols.size
    return [
        Row(
            symbols.size,
            ideal,
            name,
            8 * _size(stream) / symbols.size,
            symbols.size / encode_s / 1e6,
            symbols.size / decode_s / 1e6,
            base[0] / encode_s,
            base[1] / decode_s,
        )
        for name, stream, (encode_s, decode_s) in zip(names, streams, medians, strict=True)
    ]


def _constriction(stream: Any, table: tables.Table, symbols: npt.NDArray[np.int32]) -> Coder:
    shares = np.append(table.freqs / 2.0**table.precision, 0.0)
    model = stream.model.Categorical(shares, perfect=False)

    def encode() -> Any:
        coder = stream.stack.AnsCoder()
        coder.encode_reverse(symbols, model)
        return coder.get_compressed()

    return Coder(
        "constriction",
        encode,
        lambda data: stream.stack.AnsCoder(data).decode(model, symbols.size),
    )


def _load(name: str) -> Any:
    found = importlib.util.find_spec(name.split(".")[0])
    return importlib.import_module(name) if found else None


def _size(stream: Any) -> int:
    return int(stream.nbytes) if isinstance(stream, np.ndarray) else len(stream)


def _cpu_s(work: Callable[[], Any]) -> float:
    """CPU seconds of one call, averaged over as many as the clock needs."""
    calls, start = 0, time.process_time()
    while (elapsed := time.process_time() - start) < CLOCK_S or not calls:
        work()
        calls += 1
    return elapsed / calls
