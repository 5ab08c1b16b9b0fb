"""NASC: the search against the exhaustive optimum, the supernet against what is cut out of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.models.scores import accuracy
from profiles.schemes import create, nasc, supernet
from profiles.schemes.asng import Asng, maximise
from profiles.schemes.blocks import (
    ComputedCosts,
    MeasuredCosts,
    every_row,
    measure,
    rows_of,
)
from profiles.schemes.supernet import Architecture, Subnet, architectures
from profiles.schemes.tracing import answers_of

TOY = {"device_mac_per_s": 20e6, "server_mac_per_s": 2e9, "rate_bps": 200e3}


def toy_costs():
    return ComputedCosts(space=nasc.setup("digits").space, **TOY)


def optimum(costs, limit_s):
    """The highest accuracy of all 648 candidates that keep the limit."""
    space, known = nasc.setup("digits").space, nasc.checked("digits")
    return max(
        known[one]
        for one in architectures(space.n_blocks)
        for cut in space.stages
        if costs.seconds(one, cut) <= limit_s
    )


@pytest.mark.parametrize("limit_s", [0.03, 0.01, 0.002, 0.001])
def test_the_search_finds_the_exhaustive_optimum(limit_s):
    costs, known = toy_costs(), nasc.checked("digits")
    best = optimum(costs, limit_s)
    found = [nasc.find("digits", costs, limit_s, seed=seed) for seed in range(20)]
    assert all(costs.seconds(one, cut) <= limit_s for one, cut in found)
    short = np.array([best - known[one] for one, _ in found])
    assert np.count_nonzero(short == 0.0) >= 16
    assert short.max() <= 0.003


def test_of_architectures_alike_the_faster_cut_is_taken():
    costs = toy_costs()
    one, cut = nasc.find("digits", costs, 1.0)
    others = [costs.seconds(one, other) for other in nasc.setup("digits").space.stages]
    assert costs.seconds(one, cut) == min(others)


def test_a_limit_that_nothing_keeps_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="no architecture at any cut answers within 1e-06 s; the"):
        nasc.find("digits", toy_costs(), 1e-6, n_steps=20)


@pytest.mark.parametrize("model", nasc.MODELS)
def test_what_is_cut_out_computes_what_the_supernet_does(model):
    chosen = nasc.setup(model)
    whole, _ = chosen.load()
    images = chosen.data.samples("test", 40).inputs
    for one in list(architectures(chosen.space.n_blocks))[::37]:
        whole.choose(one)
        np.testing.assert_allclose(
            answers_of(Subnet(whole, one), images), answers_of(whole, images), rtol=2e-5, atol=2e-5
        )


def test_accuracies_that_are_shipped_are_those_of_the_weights():
    chosen = nasc.setup("digits")
    whole, _ = chosen.load()
    check, known = chosen.check(), nasc.checked("digits")
    for one in list(architectures(3))[::40]:
        whole.choose(one)
        right = accuracy(answers_of(whole, check.inputs), check.labels)
        assert abs(float(right.mean()) - known[one]) <= 2.0 / len(check.labels)


@pytest.mark.parametrize("model", nasc.MODELS)
def test_multiply_adds_and_sizes_are_those_of_the_layers(model):
    chosen = nasc.setup(model)
    whole, _ = chosen.load()
    image = torch.from_numpy(chosen.data.samples("test", 1).inputs)
    for one in list(architectures(chosen.space.n_blocks))[::29]:
        module, x, macs, sizes = Subnet(whole, one), None, [], []
        x = module.normalise(image)
        for stage in chosen.space.stages:
            layer = module.get_submodule(stage)
            x = layer(x)
            macs.append(layer[0].weight.numel() * x.shape[2] * x.shape[3])
            sizes.append(x.numel())
        macs.append(module.classifier.weight.numel())
        assert tuple(macs) == chosen.space.macs(one)
        assert tuple(sizes) == chosen.space.elements(one)


def test_measured_blocks_cover_the_space_and_add_up():
    space = nasc.setup("scenes16").space
    rows = every_row(space)
    assert {row for one in architectures(4) for row in rows_of(space, one)} <= set(rows)
    small = supernet.Space(side=4, n_in=1, n_blocks=2, n_classes=3)
    table = measure(small, repeats=1)
    assert min(table.values()) > 0.0
    costs = MeasuredCosts(
        space=small, table=table, device_slowdown=2.0, server_speed=4.0, rate_bps=1e6
    )
    one = Architecture((8, 16), (1, 2))
    first, second = (table[row] for row in rows_of(small, one))
    by_hand = 2.0 * first + 8.0 * 8 * 16 / 1e6 + second / 4.0
    assert costs.seconds(one, "block1") == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"architecture": "8-9-8"}, "must be search, or 3 blocks"),
        ({"architecture": "8-8"}, "must be search, or 3 blocks"),
        ({"rate_bps": 0.0}, "scheme.rate_bps must be > 0, got 0"),
    ],
)
def test_what_is_outside_the_space_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        create("nasc", "digits", **options)


def test_an_architecture_is_read_back_from_its_text():
    for one in architectures(3):
        assert Architecture.read(str(one), 3) == one


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 4), min_size=1, max_size=5), st.integers(0, 1000))
def test_probabilities_stay_probabilities(n_options, seed):
    law, target = Asng(n_options, seed=seed), [n - 1 for n in n_options]
    for _ in range(60):
        asked = law.ask()
        law.tell(asked, [sum(a == b for a, b in zip(one, target, strict=True)) for one in asked])
        for p in law.theta:
            assert p.min() > 0.0
            assert p.sum() == pytest.approx(1.0, abs=1e-9)


def test_a_sum_of_choices_is_maximised_and_ties_move_nothing():
    best, _ = maximise(lambda one: float(sum(one)), [3] * 8, seed=1, n_steps=150)
    assert best == (2,) * 8
    law = Asng([3, 3], seed=0)
    asked = law.ask()
    law.tell(asked, [1.0] * len(asked))
    assert all(np.allclose(p, 1.0 / 3.0) for p in law.theta)


@pytest.mark.slow
def test_the_recipe_gives_the_accuracy(tmp_path):
    _, fresh = nasc.train("digits", folder=tmp_path)
    known = list(nasc.checked("digits").values())
    again = [float(text) for text in str(fresh["accuracies_checked"]).split()]
    assert abs(np.median(again) - np.median(known)) < 0.02
    assert max(again) > max(known) - 0.01
