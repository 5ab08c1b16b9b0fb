"""Scores of answers against scikit-learn's, and against answers known by hand."""

import numpy as np
import pytest
from sklearn import metrics

from profiles.models.scores import accuracy, class_scores, iou, pixel_accuracy, r2


def draw(n=20, classes=3, seed=0):
    numbers = np.random.default_rng(seed)
    labels = numbers.integers(0, classes, (n, 5, 6))
    answers = numbers.normal(size=(n, classes, 5, 6))
    answers += 1.5 * (labels[:, None] == np.arange(classes)[:, None, None])
    return answers, labels


def test_iou_is_the_macro_jaccard_of_every_sample():
    answers, labels = draw()
    guesses = answers.argmax(1)
    wanted = [
        metrics.jaccard_score(one.ravel(), other.ravel(), average="macro")
        for one, other in zip(labels, guesses, strict=True)
    ]
    assert np.allclose(iou(answers, labels), wanted)


def test_pixel_accuracy_is_the_share_of_equal_pixels():
    answers, labels = draw()
    wanted = [
        metrics.accuracy_score(one.ravel(), other.ravel())
        for one, other in zip(labels, answers.argmax(1), strict=True)
    ]
    assert np.allclose(pixel_accuracy(answers, labels), wanted)


def test_the_mean_of_r2_is_r2():
    numbers = np.random.default_rng(1)
    labels = numbers.normal(size=(50, 4))
    answers = labels + 0.3 * numbers.normal(size=labels.shape)
    found = r2(answers, labels, variance=float(labels.var()))
    assert found.mean() == pytest.approx(metrics.r2_score(labels.ravel(), answers.ravel()))


def test_what_nobody_knows_is_not_counted():
    answers, labels = draw(n=3)
    labels[0], labels[1, 0] = -1, -1
    for metric in (iou, pixel_accuracy):
        some = metric(answers, labels)
        assert np.isnan(some[0])
        assert some[1] == pytest.approx(metric(answers[1:2, :, 1:], labels[1:2, 1:])[0])
    assert np.isnan(accuracy(np.eye(2), np.array([-1, 1]))).tolist() == [True, False]


def test_a_class_that_neither_side_has_does_not_count():
    answers = np.zeros((1, 4, 2, 2))
    answers[:, 1] = 1.0
    assert iou(answers, np.ones((1, 2, 2), int)) == [1.0]


def test_one_score_is_a_logit():
    logits, labels = np.array([[-2.0], [3.0], [0.5]]), np.array([0, 1, 0])
    assert accuracy(logits, labels).tolist() == [1.0, 1.0, 0.0]
    maps = logits[:, :, None, None] * np.ones((1, 1, 2, 2))
    same = labels[:, None, None] * np.ones((1, 2, 2), int)
    assert pixel_accuracy(maps, same).tolist() == [1.0, 1.0, 0.0]
    scores = class_scores("segment", maps)
    assert scores.shape == (3, 2, 2, 2)
    odds = np.exp(scores[..., 1]) / np.exp(scores).sum(-1)
    assert np.allclose(odds, 1 / (1 + np.exp(-maps[:, 0])))
    assert class_scores("regress", logits) is None
