"""The cheap basics of the codec against what else does the same, in turns with each other.

int8 and int4 against plain numpy with the same contract; one token through a basis against the
matrix product alone; small payloads, and a large one, against the same chain stage by stage, which
is how chunks behind a basis and unusual options still go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import codec
from codec.chains import static
from codec.chains.ecsq import Ecsq
from codec.chains.klt import Klt
from codec.stages.calibration import Calibration
from codec.stream import container, floats
from codec.stream.container import CODED, Chunk, Header
from codec.stream.frame import Patch
from profiles.measuring.machine import fingerprint
from tests.bench.codec_speed import features, medians
from tests.bench.rivals import numpy_integers

SIZES = (4096, 16_384, 65_536, 200_704)
WIDTH = 4096
SMALL = 64
LARGE = 200_704


def times(work: Callable[[], Any], n: int) -> Callable[[], Any]:
    """The work so often that a clock's tick does not matter."""

    def repeat() -> None:
        for _ in range(n):
            work()

    return repeat


def integers(console: Console) -> None:
    """Both ways from 4 k elements on."""
    table = Table("chain", "elements", "us", "numpy us", "ratio (target <= 1.5)", box=None)
    for bits in (8, 4):
        made = codec.create(f"int{bits}")
        for size in SIZES:
            x = features(size)
            data, plain = made.encode(x), numpy_integers.encode(x, bits)
            n = max(1, 40_000 // size)
            found = medians(
                {
                    "ours": times(partial(made.encode, x), n),
                    "numpy": times(partial(numpy_integers.encode, x, bits), n),
                    "ours, back": times(partial(codec.decode, data), n),
                    "numpy, back": times(partial(numpy_integers.decode, plain), n),
                }
            )
            us = {name: 1e6 * seconds / n for name, seconds in found.items()}
            table.add_row(
                made.name, f"{size:,}", f"{us['ours']:.1f} / {us['ours, back']:.1f}",
                f"{us['numpy']:.1f} / {us['numpy, back']:.1f}",
                f"{us['ours'] / us['numpy']:.2f} / {us['ours, back'] / us['numpy, back']:.2f}",
            )  # fmt: skip
    console.print(table)


def token_behind_a_basis(console: Console) -> None:
    """One token of width 4,096 through `klt+ecsq`, against its product with the basis in BLAS."""
    generator = np.random.default_rng(3)
    basis = np.linalg.qr(generator.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    scores = (generator.normal(size=(64, WIDTH)) * np.logspace(0, -2, WIDTH)).astype(np.float32)
    known = Calibration(
        axis=-1, mean=np.zeros(WIDTH, np.float32), basis=np.ascontiguousarray(basis)
    )
    fitted = static.fit(scores, known, 0.02, 0.1155)
    made = Klt(inner=Ecsq(coder="static", calibration=fitted), calibration=fitted)
    x = np.ascontiguousarray(scores[:1] @ basis.T)
    data, back = made.encode(x), np.ascontiguousarray(basis.T)
    found = medians(
        {
            "encode": lambda: made.encode(x),
            "decode": lambda: made.decode(data),
            "product": lambda: scores[:1] @ back,
        }
    )
    ratio = found["decode"] / found["product"]
    console.print(
        f"klt+ecsq, a token of {WIDTH:,}: {1e3 * found['encode']:.2f} ms to encode, "
        f"{1e3 * found['decode']:.2f} to decode, {ratio:.2f} times the product alone (target <= 3)"
    )


def pieces(console: Console) -> None:
    """Chunks in one piece against stage by stage: 64 elements and 200 k."""
    table = Table("chain", "elements", "us", "by stages us", "times faster", box=None)
    for name in ("ecsq", "slicer"):
        made = codec.create(name)
        for size in (SMALL, LARGE):
            x = features(size).reshape(-1)
            header = Header(chain=made.chain_id, dtype=floats.FLOAT32, shape=x.shape)
            patch, data, n = Patch(x.shape, 0, x.size), made.encode(x), 50 if size == SMALL else 1

            def by_stages(made: Any = made, x: Any = x, h: Any = header, p: Any = patch) -> bytes:
                return container.write(h, [Chunk(CODED, tuple(made.encode_chunk(x, p)))])

            found = medians(
                {
                    "encode": times(partial(made.encode, x), n),
                    "encode by stages": times(by_stages, n),
                    "decode": times(partial(codec.decode, data), n),
                    "decode by stages": times(
                        lambda made=made, data=data: made.decode_stream(*container.read(data)), n
                    ),
                }
            )
            a, b, c, d = (1e6 * seconds / n for seconds in found.values())
            table.add_row(
                name, f"{size:,}", f"{a:.1f} / {c:.1f}", f"{b:.1f} / {d:.1f}",
                f"{b / a:.1f} / {d / c:.1f}",
            )  # fmt: skip
    console.print(table)
    console.print("target: 64 elements in at most 40 us a direction")


def main() -> None:
    """Print every table under the machine's name."""
    console = Console(width=110)
    console.print(f"machine: {fingerprint()['processor']}, one thread", highlight=False)
    integers(console)
    token_behind_a_basis(console)
    pieces(console)


if __name__ == "__main__":
    main()
