"""The activations that `codec` compares chains on: a network's features, or a file of the user."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from codec.stages.bounds import memoryless
from scenarios.shell.progress import progress


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


def features(config: Any, errors: Sequence[float]) -> Features:
    """The features that a configuration of `codec` asks for, with R(D) at these errors.

    Raises:
        ValueError: an unknown model or cut, a file that is no array of numbers.
    """
    found = _from_file(Path(config.activations)) if config.activations else _of_network(config)
    with progress("rate-distortion bound") as report:
        bounds = tuple(memoryless(found.test, errors))
        report(1, 1)
    return replace(found, bounds=bounds)


def _of_network(config: Any) -> Features:
    from profiles.measuring.activations import activations

    name = config.model.name
    with progress(f"features of {name}") as report:
        fit = activations(
            name, config.cut, config.samples, split_name="calibration", seed=config.seed
        )
        report(1, 2)
        test = activations(name, config.cut, config.samples, seed=config.seed)
        report(2, 2)
    random = "" if test.weights == "trained" else ", random weights"
    return Features(
        model=name,
        cut=config.cut,
        test=test.features,
        calibration=fit.features,
        source=f"{name} after {config.cut}, {len(test.features)} test samples{random}",
        known=test,
    )


def _from_file(path: Path) -> Features:
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
