"""Predefined sparsity and early exit, on the shipped weights."""

import numpy as np
import pytest
import torch

from profiles import schemes
from profiles.models import digits
from profiles.models.recipe import accuracy
from profiles.models.weights import read_provenance
from profiles.schemes import early_exit, sparsity, tracing
from profiles.schemes.exits import EarlyPath
from tests.profiles.test_training import tolerance

FOLDS = range(5)


def made(fold):
    return schemes.create("early_exit", "digits", fold=fold)


@pytest.mark.parametrize(
    ("model", "fold"), [*(("digits", fold) for fold in FOLDS), ("scenes16", 0), ("scenes", 0)]
)
def test_weights_off_the_masks_are_exactly_zero(model, fold):
    setup = early_exit.setup(model, fold)
    module = schemes.create("early_exit", model, fold=fold).network.module
    masks = setup.masks()
    assert sparsity.off_mask(module, masks) == 0
    per_layer = [
        degree * module.get_submodule(name).weight.shape[1] * module.get_submodule(name).weight
        [0, 0].numel()
        for name, degree in setup.out_degrees.items()
    ]  # fmt: skip
    assert sparsity.n_links(masks, module) == sum(per_layer)


def test_1080_of_4560_weights_answer_no_worse_than_the_toy_run():
    """Five folds, so that all 1,797 digits are judged; the toy run gave 93.9 %."""
    right = []
    for fold in FOLDS:
        module = made(fold).network.module
        layers = [module.layer1[0], module.layer2[0], module.classifier]
        assert sum(int((layer.weight != 0).sum()) for layer in layers) <= 1080
        assert sum(layer.weight.numel() for layer in layers) == 4560
        right.append(accuracy(module, digits.samples("test", fold=fold)))
    assert np.mean(right) >= 0.929


def test_more_requests_go_on_the_higher_the_threshold():
    samples = digits.samples("test", fold=0)
    gates = {t: schemes.create("early_exit", "digits", threshold=t).gate
             for t in (0.0, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999, 1.0)}  # fmt: skip
    answers = tracing.answers_of(gates[0.0].early.module, samples.inputs)
    rates = [gate.ends(gate.confidence(answers)).mean() for gate in gates.values()]
    assert rates == sorted(rates, reverse=True)
    assert (rates[0], rates[-1]) == (1.0, 0.0)
    assert 0.2 < rates[5] < rates[3] < 1.0


def test_the_early_answer_is_that_of_the_shared_weights():
    scheme = made(1)
    module, x = scheme.network.module, torch.from_numpy(digits.samples("test", 8, fold=1).inputs)
    early = module.exit_head(torch.relu(module.layer1[0](x.flatten(1) / 16.0)))
    torch.testing.assert_close(scheme.gate.early.module(x), early)
    assert scheme.gate.early.stages == ("whole.layer1",)


@pytest.mark.parametrize(("change", "words"), [
    ({"threshold": 1.5}, "scheme.threshold must be in 0..1, got 1.5"),
    ({"treshold": 0.5}, "scheme 'early_exit' has no option 'treshold'; it takes: threshold, fold"),
])  # fmt: skip
def test_bad_options_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        schemes.create("early_exit", "digits", **change)


def test_other_data_and_other_schemes_are_refused():
    with pytest.raises(
        ValueError, match="trained for model digits, scenes16 or scenes, got 'resnet34'"
    ):
        schemes.create("early_exit", "resnet34")
    with pytest.raises(ValueError, match="unknown scheme 'early'; nearest: early_exit"):
        schemes.create("early", "digits")


def test_small_scenes_are_answered_as_well_as_their_recipe_says():
    """A quarter to half of the links; on the first 600 test scenes, within four standard errors."""
    scheme = schemes.create("early_exit", "scenes16")
    test = scheme.samples("test", 600)
    late = accuracy(scheme.network.module, test)
    early = accuracy(scheme.gate.early.module, test)
    for found, name in ((late, "accuracy"), (early, "accuracy_early")):
        stated = scheme.provenance[name]
        assert abs(found - stated) <= 4.0 * np.sqrt(stated * (1.0 - stated) / 600)
    assert late > early


@pytest.mark.slow
@pytest.mark.parametrize("model", early_exit.MODELS)
def test_the_recipe_gives_the_accuracy(model, tmp_path):
    shipped = schemes.create("early_exit", model).provenance
    module, fresh = schemes.train("early_exit", model, folder=tmp_path)
    assert abs(fresh["accuracy"] - shipped["accuracy"]) <= tolerance(shipped)
    setup = early_exit.setup(model)
    assert sparsity.off_mask(module, setup.masks()) == 0
    early = accuracy(EarlyPath(module).eval(), setup.data.samples("test", setup.data.n_test))
    assert early == pytest.approx(fresh["accuracy_early"], abs=1e-6)


def test_all_weights_together_are_small():
    files = list(schemes.SHIPPED.glob("*.npz"))
    assert all(read_provenance(path)["digest"] for path in files if "-prior" not in path.name)
    assert sum(path.stat().st_size for path in files) < 6_000_000
