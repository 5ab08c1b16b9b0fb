"""How good an answer is: one number per sample, 1 at best, by the task.

    classify   answers [sample, class]        labels [sample]         right or wrong
    segment    answers [sample, class, ...]   labels [sample, ...]    intersection over union, or
                                                                      the share of pixels
    regress    answers [sample, ...]          labels of that shape    the sample's share of R2

One class alone is a logit: positive means 1, negative 0. A label of -1 is none: it is not counted,
and a sample without any has no score (NaN).
"""

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Answers and labels [sample, ...] to scores [sample], more is better."""


def accuracy(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 where the class of the highest score is the label, else 0."""
    return np.where(labels < 0, np.nan, decide(answers, -1) == labels)


def pixel_accuracy(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of a sample's pixels (points, tokens) that are right."""
    known = _rows(labels) >= 0
    right = (_rows(decide(answers, 1)) == _rows(labels)) & known
    return _share(right.sum(1), known.sum(1))


def iou(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Intersection over union, the mean over the classes that a sample's answer or label has."""
    given, wanted = _rows(decide(answers, 1)), _rows(labels)
    known = wanted >= 0
    shares = []
    for label in range(max(2, answers.shape[1])):
        one, other = (given == label) & known, (wanted == label) & known
        shares.append(_share((one & other).sum(1), (one | other).sum(1)))
    each = np.array(shares)
    present = ~np.isnan(each)
    return _share(np.where(present, each, 0.0).sum(0), present.sum(0))


def r2(answers: np.ndarray, labels: np.ndarray, *, variance: float) -> np.ndarray:
    """1 - (mean squared error of a sample) / `variance`; the mean over samples is R2."""
    errors = (_rows(answers).astype(np.float64) - _rows(labels)) ** 2
    return np.asarray(1.0 - errors.mean(1) / variance)


def decide(answers: np.ndarray, axis: int) -> np.ndarray:
    """The class of the highest score along `axis`."""
    if answers.shape[axis] == 1:
        return np.asarray(answers.take(0, axis) > 0).astype(np.int64)
    return np.asarray(answers.argmax(axis))


def class_scores(task: str, answers: np.ndarray) -> np.ndarray | None:
    """Scores [sample, ..., class] of whatever chooses among classes, else None."""
    if task in ("regress", "several"):
        return None
    scores = np.moveaxis(answers, 1, -1) if task == "segment" else answers
    return np.concatenate([0.0 * scores, scores], -1) if scores.shape[-1] == 1 else scores


def _rows(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    out = np.full(len(part), np.nan)
    return np.asarray(np.divide(part, whole, out=out, where=whole > 0))
