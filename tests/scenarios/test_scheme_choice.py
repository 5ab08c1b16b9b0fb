"""`plan.over=[scheme,...]`: schemes of one task in one answer, each at its own cuts."""

import csv
import math
from pathlib import Path

import pytest

from scenarios.__main__ import run
from scenarios.planning import answer
from scenarios.planning.candidate import Candidate, front
from scenarios.planning.options import options
from scenarios.systems import schemed
from scenarios.systems.measured import Drop
from sim.planning import Refusal
from tests.scenarios.test_plan_choice import system

LIGHT = ("plan", "server.slowdown=3000", "+server.sources.slowdown=assumed", "link=ideal",
         "workload.kind=poisson", "workload.rate_rps=10", "plan.requests_per_run=400",
         "plan.pilot_requests=150", "plan.n_runs=3", "workers=1", "plan.half_width=0.5",
         "slo.mean_s=1", "model.batches=[1]")  # fmt: skip


def stop_before_searching(monkeypatch) -> list:
    """What would be searched, as it comes."""
    spanned = []

    def stop(candidates, *given, **how):
        spanned.extend(one.values for one in candidates)
        raise Refusal("seen")

    monkeypatch.setattr(answer, "choose", stop)
    return spanned


def test_every_scheme_is_spanned_at_its_own_cuts(quick, monkeypatch) -> None:
    spanned = stop_before_searching(monkeypatch)
    over = "plan.over=['scheme=split,early_exit',cut,'codec=raw8,raw32']"
    assert run([*LIGHT, *quick, over, "name=spanned"]) == 2
    ways = {(one["scheme"], one["cut"], one["codec"]) for one in spanned}
    assert {way for way in ways if way[0] == "early_exit"} == {
        ("early_exit", "layer1", "raw32"),
        ("early_exit", "layer2", "raw32"),
    }
    plain = {(cut, codec) for scheme, cut, codec in ways if scheme == "split"}
    assert {("input", "raw8"), ("stage1", "raw32"), ("stage4", "raw32")} <= plain
    assert ("stage1", "raw8") not in plain  # an image codec takes no feature, and that alone


def test_all_schemes_of_a_model_are_those_that_answer_its_own_samples(quick, monkeypatch) -> None:
    """SALT answers a user's images: no accuracy of its is to be held against theirs."""
    spanned = stop_before_searching(monkeypatch)
    assert run([*LIGHT, *quick, "plan.over=[scheme,'codec=raw32']", "name=all"]) == 2
    trained = {"early_exit", "nasc", "predefined_sparsity", "semanticnn"}
    assert {one["scheme"] for one in spanned} == {"split", *trained}


def test_what_a_scheme_cannot_be_is_a_row_of_its_own(slowed, quick, capfd) -> None:
    """With all that two others can, and how often each is right."""
    words = [one for one in quick if not one.startswith("replications")]
    over = "plan.over=['scheme=split,early_exit,mtl_split','codec=raw32']"
    sure = "++scheme.threshold=0.97"  # so that some requests are sent
    (*_, factor) = slowed([*quick, "scheme=early_exit", "codec=raw32", "model.batches=[1]", sure])
    assert run([*LIGHT, *words, over, sure, factor, "name=schemes"]) == 0
    with Path("outputs/schemes/plan.csv").open() as file:
        (found, *every) = csv.DictReader(file)
    (refused,) = [row for row in every if row["scheme"] == "mtl_split"]
    assert "scheme 'mtl_split' has no option 'threshold'" in refused["fate"]
    others = [row for row in every if row is not refused]
    assert {row["scheme"]: row["cut"] for row in others} == {
        "split": "stage3",
        "early_exit": "layer1",
    }
    for row in others:
        assert float(row["accuracy_lo"]) <= float(row["accuracy"]) <= float(row["accuracy_hi"])
    assert found["scheme"] in ("split", "early_exit")
    assert "right %" in capfd.readouterr().out


def test_an_option_of_one_scheme_refuses_the_others_alone(quick, monkeypatch, capfd) -> None:
    spanned = stop_before_searching(monkeypatch)
    over = "plan.over=['scheme=early_exit,split','scheme.threshold=0.5,0.97,2']"
    assert run([*LIGHT, *quick, over, "codec=raw32", "name=option"]) == 2
    assert [one["scheme.threshold"] for one in spanned] == [0.5, 0.97]
    assert "seen" in capfd.readouterr().err  # that there is no 2 refuses that one alone


def test_schemes_are_compared_by_what_they_answer_not_by_what_a_codec_costs() -> None:
    """The sure one loses nothing to its codec, but half of its answers are wrong without one."""

    def answering(scheme: str, right: float, drop_pp: float) -> Candidate:
        one = system(0.01, drop_pp=drop_pp)
        case = one.case
        case.quality.update({"table_accuracy_lo": right})
        return Candidate(
            values={"scheme": scheme}, case=case, bound=one.bound, device_s=one.device_s,
            energy_j=one.energy_j,
        )  # fmt: skip

    wrong, good = answering("a", 0.5, 0.0), answering("b", 0.9, 1.0)
    assert good.cheaper(wrong)
    assert not wrong.cheaper(good)
    assert good.case.drop == Drop(0.0, 0.0, 1.0)
    assert front([wrong, good]) == set()  # neither was searched


@pytest.mark.parametrize("task", ["class", "place"])
def test_a_scheme_of_several_tasks_answers_the_one_that_is_asked(task: str) -> None:
    import splitfleet as sf

    config = sf.case("scenes16", "stage3/raw32", scheme="mtl_split").config
    assert schemed.answer_task(config, task).scheme["tasks"] == [task]
    with pytest.raises(ValueError, match="answers class, place, brightness, not colour alone"):
        schemed.answer_task(config, "colour")


@pytest.mark.parametrize(("model", "chosen", "task"), [
    ("scenes16mixed", {}, "cells"), ("scenes16mixed", {"task": "map"}, "map"),
    ("scenes16", {}, "class"),
])  # fmt: skip
def test_a_scheme_whose_data_can_be_asked_for_several_answers_one(model, chosen, task) -> None:
    import splitfleet as sf

    config = sf.case(model, scheme=sf.scheme("navisplit", **chosen)).config
    assert schemed.answer_task(config, task) is config
    other = "cells" if task == "class" else "class"
    with pytest.raises(ValueError, match=f"scheme navisplit answers {task}, not {other} alone"):
        schemed.answer_task(config, other)


def test_a_plan_over_schemes_refuses_one_that_answers_something_else(
    workplace, monkeypatch, capfd
) -> None:
    monkeypatch.chdir(workplace)
    words = ["model=scenes16mixed", "plan.over=['scheme=navisplit']", "slo.p95_s=1", "name=other"]
    assert run(["plan", *words]) == 2
    assert "scheme navisplit answers cells, not class alone" in capfd.readouterr().err


def test_a_scheme_of_one_task_is_left_as_it_is() -> None:
    import splitfleet as sf

    config = sf.case("digits", "layer1/raw32", scheme="early_exit").config
    assert schemed.answer_task(config, "class") is config
    assert math.isclose(config.scheme["threshold"], 0.7)


def spanned(monkeypatch, words) -> list:
    """What `plan.over` spans; nothing is measured."""
    found = []

    def stop(config):
        found.extend(options(config))
        raise Refusal("seen")

    monkeypatch.setattr(answer, "options", stop)
    assert run([*LIGHT, *words]) == 2
    return found


def codecs_of(each) -> dict[str, list[str]]:
    """The codecs of every scheme, as they come."""
    named: dict[str, list[str]] = {}
    for one in each:
        named.setdefault(one.values["scheme"], []).append(one.values.get("codec", one.refusal))
    return named


def test_a_scheme_that_brings_its_codec_is_taken_under_it_once(workplace, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    each = spanned(monkeypatch, ["model=scenes16", "plan.over=[scheme,codec]", "methods=few"])
    every = ["raw8", "raw16", "slicer", "ecsq"]
    assert codecs_of(each) == {
        **dict.fromkeys(("early_exit", "mtl_split", "nasc", "predefined_sparsity"), every),
        **{"ladon": ["prior"], "sc2": ["prior"], "semanticnn": ["centres"]},
        **{"navisplit": ["fixed8"]},
    }
    assert {one.config.model.name for one in each} == {"scenes16"}
    assert [one.config.codec["chain"] for one in each if one.values["scheme"] == "ladon"] == [
        "prior"
    ]


def test_codecs_that_are_named_are_taken_by_what_reads_them(workplace, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    over = "plan.over=['scheme=ladon,navisplit,mtl_split','codec=int8,prior',cut]"
    each = codecs_of(spanned(monkeypatch, ["model=scenes16", over]))
    assert each["navisplit"] == ["fixed8"]
    assert set(each["ladon"]) == set(each["mtl_split"]) == {"int8", "prior"}


def test_systems_that_are_codecs_stand_once_beside_the_split(workplace, monkeypatch) -> None:
    monkeypatch.chdir(workplace)
    over = "plan.over=['scheme=slicer,rans,split','codec=int8,ecsq']"
    each = codecs_of(spanned(monkeypatch, ["model=digits", over]))
    assert each == {"slicer": ["slicer"], "rans": ["aiq"], "split": ["int8", "ecsq"]}
    every = spanned(monkeypatch, ["model=digits", "plan.over=[scheme]"])
    chains = {one.values["scheme"]: one.config.codec["chain"] for one in every}
    assert chains["split"] == "ecsq"
    assert (chains["slicer"], chains["rans"], chains["semanticnn"]) == ("slicer", "aiq", "centres")
    again = codecs_of(spanned(monkeypatch, ["model=digits", "plan.over=[scheme,codec]"]))
    assert "split" in again
    assert not {"slicer", "rans"} & set(again)  # they are the split under two of the codecs


@pytest.mark.parametrize("group", ["'codec=int8,raw16'", "'scheme=split,early_exit'"])
def test_a_batch_is_chosen_beside_a_group_for_a_server_that_takes_what_waits(
    group, workplace, monkeypatch
) -> None:
    monkeypatch.chdir(workplace)
    over = f"plan.over=[{group},'server.max_batch=1,8']"
    each = spanned(monkeypatch, ["model=digits", over])
    servers = [one.config.server for one in each]
    assert [server.max_batch for server in servers] == [1, 8, 1, 8]
    assert {server.discipline for server in servers} == {"take_all"}


def test_over_schemes_the_data_stay(workplace, monkeypatch) -> None:
    """A scheme may bring data; one that is trained for others than those asked for is refused."""
    monkeypatch.chdir(workplace)
    each = spanned(monkeypatch, ["plan.over=['scheme=split,ladon,navisplit']"])
    refused = {one.values["scheme"]: one.refusal for one in each}
    assert refused.pop("split") == ""
    for reason in refused.values():
        assert "is trained for model" in reason
        assert "got 'scenes'" in reason
