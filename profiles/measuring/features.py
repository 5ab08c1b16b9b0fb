"""The activations that `codec` compares chains on: a network's features, or a file of the user."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from profiles.measuring.activations import activations
from profiles.measuring.timing import Progress


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Arrays [sample, ...] to test on, others to calibrate on, what they came from, and R(D)."""

    model: str
    cut: str
    test: np.ndarray
    calibration: np.ndarray
    source: str
    known: Any = None
    bounds: tuple[float, ...] = ()

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
    )


def of_file(path: Path) -> Features:
    """The array in a .npy file: its second half to test on, the first to calibrate on.

    Raises:
        ValueError: a file that is no array of floats.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"activations={path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"activations={path} is no .npy array: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array.dtype.kind != "f":
        raise ValueError(f"activations={path} must hold floats [sample, ...], got {array!r:.60}")
    if len(array) < 2 or not np.isfinite(array).all():
        raise ValueError(f"activations={path} must hold two finite samples or more")
    whole = np.ascontiguousarray(array, dtype=np.float32)
    half = len(whole) // 2
    return Features(
        model=path.name,
        cut="",
        test=whole[half:],
        calibration=whole[:half],
        source=f"{path.name}, {len(whole) - half} samples, {half} others to calibrate on",
    )
