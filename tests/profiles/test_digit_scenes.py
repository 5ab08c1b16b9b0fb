"""The family of digit scenes: what its labels say is what is drawn, and splits share no digit."""

import itertools

import numpy as np
import pytest

from profiles.models import scenes
from profiles.models.data import digit_scenes
from profiles.models.data.digit_scenes import EMPTY, FAMILIES, SPLITS, family

NAMES = tuple(FAMILIES)


def test_the_digits_of_the_four_splits_are_disjoint_and_those_of_scenes():
    parts = {split: set(digit_scenes.digit_numbers(split)) for split in SPLITS}
    assert [len(part) for part in parts.values()] == [1167, 180, 90, 360]
    for one, other in itertools.combinations(parts.values(), 2):
        assert not one & other
    assert parts["train"] | parts["gate"] == set(scenes.digit_numbers("train"))


def test_one_digit_on_64_x_64_is_scenes_itself():
    theirs, ours = (
        scenes.samples("test", 20, start=7),
        family("scenes").samples("test", 20, start=7),
    )
    assert np.array_equal(theirs.inputs, ours.inputs)
    assert np.array_equal(theirs.labels, ours.labels["class"])


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_is_a_function_of_its_index(name):
    whole, part = family(name).samples("gate", 30), family(name).samples("gate", 5, start=11)
    assert np.array_equal(whole.inputs[11:16], part.inputs)
    for task, labels in part.labels.items():
        assert np.array_equal(whole.labels[task][11:16], labels)
    assert np.array_equal(whole.coverage[11:16], part.coverage)


@pytest.mark.parametrize("name", NAMES)
def test_labels_agree_with_what_is_covered(name):
    one = family(name)
    made = one.samples("calibration", 200)
    assert made.inputs.shape[1:3] == (one.size, one.size)
    quarters = made.coverage.reshape(200, 2, 4, 2, 4).sum((2, 4)).reshape(200, 4)
    if one.n_digits == 1:
        agree = quarters.argmax(1) == made.labels["place"]
        assert agree.mean() > (0.999 if one.size == 16 else 0.8)  # it may lie across, ink is uneven
        for task, n_classes in one.tasks.items():
            assert set(made.labels[task]) == set(range(n_classes))
    else:
        full = made.labels["cells"] < EMPTY
        assert set(full.sum(1)) == {one.n_digits}
        assert np.array_equal(quarters > 0.5, full)  # ink spills over by a pixel
    assert made.coverage.min() >= 0.0
    assert made.coverage.max() <= 1.0


def test_salt_and_pepper_hits_15_percent():
    made = family("scenes16x4").samples("train", 200)
    extreme = np.isin(made.inputs, (0, 255)).mean()
    clean = family("scenes16x4").samples("train", 200).coverage
    assert clean.mean() > 0.1
    dark = made.inputs[made.inputs > 0].size / made.inputs.size
    assert 0.15 / 2 < dark < 0.85
    assert extreme > 0.15


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown family of tasks 'scenes17'; nearest: scenes16"):
        family("scenes17")
    with pytest.raises(ValueError, match="split must be one of train, gate, calibration, test"):
        digit_scenes.digit_numbers("valid")
