"""The samples of a user's network, held to the network's own shapes; noise where there are none."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

_N_NOISE = 20
_TASKS = ("classify", "segment", "regress")


def check_samples(inputs: np.ndarray, example: Tensor) -> np.ndarray:
    """Samples of the example's type and shape; floats may have another number of digits.

    Raises:
        ValueError: another shape or kind, fewer than two, or a number that is none.
    """
    wanted, like = tuple(example.shape[1:]), example.numpy().dtype
    if inputs.shape[1:] != wanted:
        raise ValueError(f"inputs must have the example's shape [sample, {_list(wanted)}], "
                         f"got [{_list(inputs.shape)}]")  # fmt: skip
    if inputs.dtype != like and not (inputs.dtype.kind == like.kind == "f"):
        raise ValueError(f"inputs must be {like} as the example is, got {inputs.dtype}")
    if len(inputs) < 2:
        raise ValueError(f"inputs must be two samples or more, got {len(inputs)}")
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        at = int(np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(1))[0])
        raise ValueError(f"inputs must be finite, sample {at} is not")
    return inputs.astype(like, copy=False)


def task_of(given: object, answer: Tensor | None, labels: np.ndarray | None) -> str:
    """What a network does, as its user says, or as the shapes of answer and labels say.

    Raises:
        ValueError: no task of this name, or an answer without scores of classes.
    """
    if given is not None and given not in _TASKS:
        raise ValueError(f"task must be one of {', '.join(_TASKS)}, got {given!r}")
    if answer is None:
        return str(given or "classify")
    task = str(given or _guess(answer, labels))
    least = {"classify": 2, "segment": 3, "regress": 1}[task]
    if answer.ndim < least or (task == "classify" and answer.ndim != 2):
        shape = {"classify": "class", "segment": "class, ...", "regress": "..."}[task]
        raise ValueError(f"a network that shall {task} must answer [sample, {shape}], "
                         f"got [{_list(answer.shape)}]")  # fmt: skip
    return task


def _guess(answer: Tensor, labels: np.ndarray | None) -> str:
    if labels is not None and labels.dtype.kind == "f":
        return "regress"
    return "classify" if answer.ndim == 2 else "segment" if answer.ndim > 2 else "regress"


def check_labels(
    labels: np.ndarray | None, n: int, task: str, answer: Tensor | None, classes: Sequence[str]
) -> np.ndarray:
    """Labels as numbers; -1 (NaN for a regression) everywhere where none were given.

    Raises:
        ValueError: another number of labels than samples, a shape that is not the answer's, a label
            that is no class, or another number of names than of classes.
    """
    shape = () if answer is None else tuple(answer.shape[1:])
    n_classes = 0 if task == "regress" or answer is None else max(2, answer.shape[1])
    if classes and len(classes) != n_classes:
        raise ValueError(f"classes must be as many names as the network has classes, {n_classes}, "
                         f"got {len(classes)}")  # fmt: skip
    if labels is None:
        empty = np.full((n, *shape), np.nan)
        return (
            empty
            if task == "regress"
            else np.full(n if task == "classify" else (n, *shape[1:]), -1)
        )
    wanted = {"classify": (n,), "segment": (n, *shape[1:]), "regress": (n, *shape)}[task]
    if labels.shape != wanted and not (task == "regress" and labels.size == np.prod(wanted)):
        raise ValueError(f"labels must have the shape [{_list(wanted)}], "
                         f"got [{_list(labels.shape)}]")  # fmt: skip
    if task == "regress":
        return labels.reshape(wanted).astype(np.float64)
    if labels.dtype.kind in "US":
        labels = _numbers(labels, classes)
    if labels.dtype.kind not in "iub":
        raise ValueError(f"labels must be whole numbers or names of classes, got {labels.dtype}")
    whole = labels.astype(np.int64)
    odd = (whole < -1) | (whole >= n_classes)
    if odd.any():
        at = int(np.flatnonzero(odd.reshape(n, -1).any(1))[0])
        raise ValueError(f"labels must be in 0..{n_classes - 1}, or -1 where there is none, "
                         f"got {whole[odd].flat[0]} in sample {at}")  # fmt: skip
    return whole


def noise(example: Tensor) -> np.ndarray:
    """Samples drawn like the example: whole numbers and bytes in its range, floats about it."""
    generator = np.random.default_rng(0)
    one = example.numpy()
    shape = (_N_NOISE, *one.shape[1:])
    if one.dtype == bool:
        return generator.random(shape) < 0.5
    low, high = one.min(), one.max()
    if one.dtype.kind != "f":
        return generator.integers(low, high, shape, one.dtype, endpoint=True)
    span = (float(low), float(high)) if high > low else (float(low) - 1.0, float(low) + 1.0)
    return np.asarray(generator.uniform(*span, shape).astype(one.dtype))


def _numbers(names: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    place = {name: at for at, name in enumerate(classes)}
    for name in names.flat:
        if str(name) not in place:
            raise ValueError(f"labels name a class that classes does not, got {str(name)!r}")
    return np.array([place[str(name)] for name in names.flat]).reshape(names.shape)


def _list(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))
