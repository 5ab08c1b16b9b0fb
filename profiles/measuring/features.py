"""The activations that `codec` compares chains on: a network's features, or a file of the user."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import npz
from profiles.measuring.activations import activations
from profiles.measuring.payload import Shapes
from profiles.measuring.timing import Progress
from profiles.tables.columns import read_columns

_TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Arrays [sample, ...] to test on, others to calibrate on, what they came from, and R(D).

    `shapes` has the parts of a row where several tensors cross.
    """

    model: str
    cut: str
    test: np.ndarray
    calibration: np.ndarray
    source: str
    known: Any = None
    bounds: tuple[float, ...] = ()
    shapes: Shapes = ()

    @property
    def digest(self) -> str:
        """Content hash of both arrays."""
        total = hashlib.sha256()
        for array in (self.test, self.calibration):
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def judge(self, decoded: np.ndarray) -> dict[str, float]:
        """The task's figures, where there is a trained network behind the cut."""
        return {} if self.known is None else self.known.judge(decoded)


def of_network(
    model: str, cut: str, samples: int, *, seed: int = 0, progress: Progress | None = None
) -> Features:
    """A network's features at a cut; those of as many calibration samples to calibrate on."""
    fit = activations(model, cut, samples, split_name="calibration", seed=seed)
    if progress is not None:
        progress(1, 2)
    test = activations(model, cut, samples, seed=seed)
    random = "" if test.weights == "trained" else ", random weights"
    return Features(
        model=model,
        cut=cut,
        test=test.features,
        calibration=fit.features,
        source=f"{model} after {cut}, {len(test.features)} test samples{random}",
        known=test,
        shapes=test.shapes,
    )


def of_file(path: Path) -> Features:
    """The array in a .npy file, or in a table with a sample a row: its second half to test on, the
    first to calibrate on.

    Raises:
        ValueError: a file that is no array of finite floats [sample, ...] with two samples or more,
            a value that float32 does not hold, or samples to test on that are all zero.
    """
    array = _read_table(path) if path.suffix.lower() in _TABLES else _read_npy(path)
    if array.ndim < 2 or array.dtype.kind != "f":
        got = f"{array.dtype} {array.shape}"
        raise ValueError(f"activations={path} must hold floats [sample, ...], got {got}")
    if len(array) < 2 or not array.size:
        raise ValueError(
            f"activations={path} must hold two samples or more, none empty, got {array.shape}"
        )
    whole = _to_float32(path, array)
    half = len(whole) // 2
    if not whole[half:].any():
        raise ValueError(
            f"activations={path} must hold samples that are not all zero, got zeros from {half} on"
        )
    return Features(
        model=path.name,
        cut="",
        test=whole[half:],
        calibration=whole[:half],
        source=f"{path.name}, {len(whole) - half} samples, {half} others to calibrate on",
    )


def _read_npy(path: Path) -> np.ndarray:
    try:
        return npz.read_npy(path)
    except FileNotFoundError:
        raise ValueError(f"activations={path}: no such file") from None
    except npz.DamagedError as error:
        raise ValueError(f"activations={path} is no .npy array: {error}") from None


def _read_table(path: Path) -> np.ndarray:
    """Rows of numbers; without a header as wide as the first."""
    columns = read_columns(path, "activations")
    names = columns.heading
    if not columns.named:
        names = tuple(f"column {place}" for place in range(1, len(columns.lines[0].cells) + 1))
        columns = columns.call(names)
    if "" in names:
        raise ValueError(f"{columns.source}: columns must have a name each, got ''")
    return np.array([columns.numbers(name) for name in names]).T


def _to_float32(path: Path, array: np.ndarray) -> np.ndarray:
    """The array as float32; what that cannot hold is refused with its place."""
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.ascontiguousarray(array, dtype=np.float32)
    bad = np.argwhere(~np.isfinite(whole))
    if len(bad):
        at = tuple(int(place) for place in bad[0])
        raise ValueError(
            f"activations={path} must hold finite float32 numbers, got {array[at]} at {list(at)}"
        )
    return whole
