"""The shipped weights are what the recipe gives: trained anew, they reach the same accuracy."""

import numpy as np
import pytest
import torch

from profiles import models
from profiles.models import digits, scenes
from profiles.models.data.handwriting import SPLITS, fold_members
from profiles.models.recipe import accuracy
from profiles.models.training import train
from profiles.models.weights import SHIPPED, read_provenance

# Two trainings differ by their floating-point sums on another machine; so do their accuracies.
SAMPLING_SIGMAS = 3.0


def tolerance(found):
    p, n = found["accuracy"], found["n_test"]
    return SAMPLING_SIGMAS * np.sqrt(2 * p * (1 - p) / n)


@pytest.mark.slow
def test_the_digits_recipe_reproduces_its_accuracy(tmp_path):
    shipped = read_provenance(SHIPPED / "digits-0.npz")
    module, fresh = train("digits", folder=tmp_path)
    assert fresh["accuracy"] >= 0.985
    assert abs(fresh["accuracy"] - shipped["accuracy"]) <= tolerance(shipped)
    again, found = train("digits", folder=tmp_path)
    assert found == fresh  # found under the recipe's hash, not trained twice
    x = torch.from_numpy(digits.samples("test", 8).inputs)
    assert torch.equal(module(x), again(x))


@pytest.mark.slow
def test_the_scenes_recipe_reproduces_its_accuracy(tmp_path):
    shipped = read_provenance(SHIPPED / "scenes.npz")
    _, fresh = train("scenes", folder=tmp_path)
    assert abs(fresh["accuracy"] - shipped["accuracy"]) <= tolerance(shipped)


@pytest.mark.parametrize("fold", range(5))
def test_shipped_digits_weights_are_as_good_as_they_say(fold):
    network = models.create("digits", fold=fold)
    right = accuracy(network.module, digits.samples("test", fold=fold))
    assert right == pytest.approx(read_provenance(SHIPPED / f"digits-{fold}.npz")["accuracy"])
    assert right >= 0.985


def test_shipped_scenes_weights_are_as_good_as_they_say():
    network = models.create("scenes")
    shipped = read_provenance(SHIPPED / "scenes.npz")
    right = accuracy(network.module, scenes.samples("test", 1200))
    assert abs(right - shipped["accuracy"]) <= tolerance({**shipped, "n_test": 1200})
    assert 140_000 <= network.n_parameters <= 180_000
    assert (SHIPPED / "scenes.npz").stat().st_size < 1_000_000


@pytest.mark.parametrize("fold", range(5))
def test_splits_share_no_digit(fold):
    members = [set(fold_members(split, fold).tolist()) for split in SPLITS]
    assert sum(map(len, members)) == len(set.union(*members)) == 1797


def test_splits_of_scenes_share_no_digit():
    members = [set(scenes.digit_numbers(split).tolist()) for split in SPLITS]
    assert sum(map(len, members)) == len(set.union(*members)) == 1797


def test_a_scene_is_a_function_of_split_index_and_seed():
    few, many = scenes.samples("test", 5), scenes.samples("test", 90)
    assert np.array_equal(few.inputs, many.inputs[:5])
    assert np.array_equal(scenes.samples("test", 3, start=2).inputs, few.inputs[2:])
    assert not np.array_equal(scenes.samples("test", 5, seed=1).inputs, few.inputs)
    assert few.inputs.shape == (5, 64, 64, 3)
    assert few.inputs[0].nbytes == 12_288


def test_stages_put_out_the_elements_that_the_docs_promise():
    network = models.create("scenes")
    shapes, handles = [], []
    for stage in network.stages:
        module = network.module.get_submodule(stage)
        handles.append(module.register_forward_hook(lambda m, i, y: shapes.append(y[0].numel())))
    network.module(network.example_input)
    assert shapes == [16_384, 16_384, 8_192, 4_096, 1_024]


def test_unknown_names_list_what_there_is():
    with pytest.raises(ValueError, match="unknown model 'scene'; nearest: scenes"):
        models.create("scene")
    with pytest.raises(ValueError, match="must be one of digits, scenes"):
        train("vgg")
