"""Bits at equal error on the project's own features: the claims of docs/codec.md, held small.

`python -m tests.bench codec_rate` is the whole of it, ResNet-34 included.
"""

import dataclasses

import numpy as np
import pytest

import codec
from profiles.measuring.activations import activations
from tests.bench.codec_rate import ERROR, best_slicer, rate


def test_ecsq_needs_two_thirds_of_the_best_packed_slicer_on_rectified_maps():
    x = activations("scenes", "stage2", 1).features
    ours = rate(codec.calibrate("ecsq", list(x), relative_l2=ERROR), x)
    assert ours.error <= ERROR
    assert ours.bits <= 0.66 * best_slicer(x, ERROR).bits


def test_a_basis_with_offline_tables_needs_little_more_than_a_third_on_hidden_states():
    """On held-out files; the basis is fitted to others."""
    x = activations("bytellama", "layers.1", 1).features
    fit = activations("bytellama", "layers.1", 8, split_name="calibration").features
    ours = rate(codec.calibrate("klt+ecsq", list(fit), relative_l2=ERROR), x)
    assert ours.error <= 1.05 * ERROR
    assert ours.bits <= 0.38 * best_slicer(x, ERROR).bits


def test_ecsq_beats_packed_slicer_without_any_structure_in_space():
    """Independent elements: no context helps, only the entropy coder does."""
    x = np.maximum(np.random.default_rng(8).normal(size=(1, 8, 32, 32)), 0).astype(np.float32)
    ours = rate(codec.calibrate("ecsq", list(x), relative_l2=ERROR), x)
    assert ours.bits <= 0.84 * best_slicer(x, ERROR).bits


@pytest.mark.parametrize("error", [0.05, 0.1])
@pytest.mark.parametrize(
    ("model", "cut", "n", "share"),
    [
        ("scenes", "stem", 2, 0.8), ("scenes", "stage1", 2, 0.85), ("scenes", "stage2", 4, 0.96),
        ("scenes", "stage3", 4, 0.96), ("digits", "stem", 16, 0.96), ("digits", "stage1", 16, 0.96),
        ("bytellama", "layers.1", 1, 0.96),
    ],
)  # fmt: skip
def test_the_adaptive_coder_saves_4_percent_or_more_on_trained_features(
    model, cut, n, share, error
):
    """Of the same levels; `python -m tests.bench codec_adaptive` has more networks."""
    x = activations(model, cut, n).features
    plain = codec.calibrate("ecsq", list(x), relative_l2=error)
    ours = rate(dataclasses.replace(plain, coder="adaptive"), x)
    assert ours.error == rate(plain, x).error <= error
    assert ours.bits <= share * rate(plain, x).bits
