"""Where figures split a network that they were told nothing about, and at which error."""

from itertools import pairwise

import pytest

from profiles.tables.split import Split
from scenarios.study.cuts import bear_errors, choose_cut, last_cuts
from scenarios.study.figure import Method
from scenarios.systems.answers import measure
from scenarios.systems.scenario import Model
from scenarios.systems.sheets import read

CODECS = [read("codec", name) for name in ("raw8", "ecsq")]


@pytest.fixture(scope="module")
def known(workplace):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        return {name: measure(Model(**read("model", name)), CODECS) for name in ("scenes", NET)}


NET = "resnet34"


def test_a_cut_that_is_told_stays(known):
    assert choose_cut("layer1", known[NET]) == "layer1"
    assert choose_cut("nowhere", known[NET]) == "nowhere"  # refused where it is used


@pytest.mark.parametrize(
    ("name", "cuts"),
    [(NET, ["layer2", "layer3", "layer4"]), ("scenes", ["stage2", "stage3", "stage4"])],
)
def test_the_last_of_each_size_stand_for_a_network(known, name, cuts):
    assert last_cuts(known[name], 3) == cuts
    assert choose_cut("auto", known[name]) == cuts[1]
    sizes = [known[name].profile.cut(cut).elements for cut in last_cuts(known[name], 99)]
    assert all(one != other for one, other in pairwise(sizes))


def test_random_weights_stand_at_the_error_that_a_task_bears(known):
    told = [Method("split, ecsq", Split("layer3", "ecsq")), Method("raw", Split("input", "raw8"))]
    assert [m.split.setting for m in bear_errors(told, known[NET])] == ["ecsq-1pp", "raw8"]
    assert [m.name for m in bear_errors(told, known[NET])] == [m.name for m in told]
    assert bear_errors(told, known["scenes"]) == told
