"""Synthetic speeds of a cell over time: fading, mobility, a neighbour's bursts.

`python -m sim.radio.fluctuation FOLDER` writes the files of profiles/data/rates again, byte for
byte, from seed 8: 120 s, in steps of 0.1 s where the speed is continuous. The factor is the share
of the link's own speed, at least 0.01: a cell that is nearly gone, but not silent.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = list[tuple[float, float]]
Floats = NDArray[np.float64]

_SEED = 8
_SPAN_S = 120.0
_STEP_S = 0.1
_LEAST = 0.01


def fading(generator: np.random.Generator) -> Rows:
    """Rayleigh fading of a cell whose surroundings move slowly: Doppler 0.2 Hz, 20 dB on average.

    Sum of 16 sinusoids (Zheng and Xiao 2003, equations 6-8), rate log2(1 + snr g) against that at
    the mean, at most 1: the fastest scheme is in use there.
    """
    time_s = np.arange(0.0, _SPAN_S, _STEP_S)
    n = 16
    angle = (2.0 * np.pi * np.arange(1, n + 1) - np.pi + generator.uniform(-np.pi, np.pi)) / (4 * n)
    parts = []
    for shape in (np.cos(angle), np.sin(angle)):
        phase = generator.uniform(-np.pi, np.pi, n)
        turn = 2.0 * np.pi * 0.2 * time_s[:, None] * shape + phase
        parts.append(np.cos(turn).sum(axis=1) / np.sqrt(n))
    gain = parts[0] ** 2 + parts[1] ** 2
    return _rows(time_s, np.log2(1.0 + 100.0 * gain) / np.log2(101.0))


def mobility(generator: np.random.Generator) -> Rows:
    """A walk from 3 m to 43 m and back at 1.4 m/s: path loss exponent 3.5, 40 dB at the start.

    Shadowing of 4 dB with a correlation of exp(-distance / 10 m) (Gudmundson 1991).
    """
    time_s = np.arange(0.0, _SPAN_S, _STEP_S)
    walked_m = 1.4 * time_s
    place_m = 3.0 + 40.0 - np.abs(40.0 - walked_m % 80.0)
    same = np.exp(-1.4 * _STEP_S / 10.0)
    shadow_db = np.empty(len(time_s))
    shadow_db[0] = 4.0 * generator.standard_normal()
    for step, fresh in enumerate(generator.standard_normal(len(time_s) - 1)):
        shadow_db[step + 1] = same * shadow_db[step] + 4.0 * np.sqrt(1.0 - same**2) * fresh
    snr_db = 40.0 - 35.0 * np.log10(place_m / 3.0) + shadow_db
    return _rows(time_s, np.log2(1.0 + 10.0 ** (snr_db / 10.0)) / np.log2(1.0 + 10.0**4.0))


def burst(generator: np.random.Generator) -> Rows:
    """A neighbouring cell on the same channel: quiet for 8 s, sending for 4 s (exponential means);
    while it sends, nine frames in ten on the air are its own.
    """
    time_s, sending, rows = 0.0, False, []
    while time_s < _SPAN_S:
        rows.append((time_s, 0.1 if sending else 1.0))
        time_s += float(generator.exponential(4.0 if sending else 8.0))
        sending = not sending
    return _rows(*np.array(rows).T)


SYNTHETIC: dict[str, Callable[[np.random.Generator], Rows]] = {
    "burst": burst,
    "fading": fading,
    "mobility": mobility,
}


def _rows(time_s: Floats, factor: Floats) -> Rows:
    bounded = np.clip(factor, _LEAST, 1.0)
    return [
        (round(t, 3), round(f, 4)) for t, f in zip(time_s.tolist(), bounded.tolist(), strict=True)
    ]


def write(folder: Path) -> list[Path]:
    """Write every synthetic trace below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in SYNTHETIC.items():
        lines = [f"{time_s:g},{factor:g}" for time_s, factor in make(np.random.default_rng(_SEED))]
        path = folder / f"{name}.csv"
        path.write_text("\n".join(["time_s,factor", *lines, f"{_SPAN_S:g},", ""]))
        written.append(path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m sim.radio.fluctuation FOLDER")
    print(*write(Path(sys.argv[1])))
