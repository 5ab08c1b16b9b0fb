"""NaviSplit on the shipped weights: easy scenes take fewer bytes, and the gate beats any branch."""

from dataclasses import fields
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import codec
from profiles import schemes
from profiles.measuring import payload
from profiles.measuring.tracing import trace
from profiles.models.data import digit_scenes, mixed_scenes
from profiles.schemes import branch_training
from profiles.schemes.branch_training import TRAININGS
from profiles.schemes.branches import (
    FULL,
    HIGH,
    LOW,
    all_cells,
    cells_confidence,
    map_match,
    policy_loss,
)
from profiles.schemes.fixed_range import FixedRange
from profiles.schemes.tracing import answers_of, with_branches, with_exits
from tests.profiles.test_training import tolerance

N = 3600
DIGITS = mixed_scenes.n_digits_of(N)
MIXED = ("cells", "map")
"""Tasks of scenes of 1, 2 or 4 digits; those of `class` show one each."""


def made(task="cells", **options):
    return schemes.create("navisplit", TRAININGS[task].task.model, task=task, **options)


@cache
def samples(task, split="test"):
    return TRAININGS[task].samples(split, N)


@cache
def crossed(task):
    """Quality [scene, branch] of what went through every branch's codec, and the gate's picks."""
    scheme, test, quality = made(task=task), samples(task), []
    for branch in scheme.branches:
        module = branch.network.module
        with torch.inference_mode():
            z = module.encoder(torch.from_numpy(test.inputs)).numpy()
            z = np.stack([branch.codec.decode(branch.codec.encode(row)) for row in z])
            answers = module.tail(torch.from_numpy(z))
        if task == "map":
            answers = answers.view(-1, 8, 8).clamp(0.0, 1.0)
        quality.append(branch.network.metric(answers.numpy(), test.labels))
    scores = answers_of(scheme.chooser.network.module, test.inputs)
    return np.stack(quality, 1), scheme.chooser.pick(scores)


WIDTHS = {task: np.array(one.widths) for task, one in TRAININGS.items()}


@pytest.mark.parametrize("task", MIXED)
def test_bytes_rise_with_the_number_of_digits(task):
    sent = WIDTHS[task][crossed(task)[1]]
    each = [sent[n == DIGITS] for n in mixed_scenes.N_DIGITS]
    for few, many in pairwise(each):
        error = np.hypot(*(one.std() / np.sqrt(len(one)) for one in (few, many)))
        assert many.mean() - few.mean() > 4.0 * error


def above_the_line(task, picks, rows):
    """How far the gate's point is above the line through the static branches at its bytes: the
    highest one that joins any two of them, which a pick by lot reaches.
    """
    quality, widths = crossed(task)[0], WIDTHS[task]
    mine, sent = quality[rows, picks[rows]].mean(), widths[picks[rows]].mean()
    static = quality[rows].mean(0)
    pairs = combinations(range(len(widths)), 2)
    lines = [np.interp(sent, widths[[*pair]], static[[*pair]]) for pair in pairs
             if widths[pair[0]] <= sent <= widths[pair[1]]]  # fmt: skip
    return mine - max(lines)


def gains_of(task):
    """How far the gate's point is above that line, on 400 draws of as many scenes."""
    picks, draw = crossed(task)[1], np.random.default_rng(0)
    return [above_the_line(task, picks, draw.integers(N, size=N)) for _ in range(400)]


@pytest.mark.parametrize("task", MIXED)
def test_the_gates_point_lies_above_the_line_through_the_static_branches(task):
    """Beyond a bootstrap interval of 99 % over scenes; its payloads hold the header's bits."""
    assert np.quantile(gains_of(task), 0.005) > 0.0


def test_where_all_scenes_show_one_digit_the_gate_wins_next_to_nothing():
    """As many digits, as many bytes: a third of a point, where the cells' gate wins six."""
    least, most = np.quantile(gains_of("class"), [0.025, 0.975])
    assert -0.005 < least < most < 0.01 < np.quantile(gains_of("cells"), 0.025)


def test_the_class_of_one_digit_takes_few_bytes():
    """Four numbers are as good as 128 of MTL-Split's network of the class alone."""
    quality = crossed("class")[0].mean(0)
    assert (np.diff(quality) > -0.005).all()
    alone = schemes.create("mtl_split", "scenes16", tasks=["class"]).provenance
    assert quality[WIDTHS["class"].tolist().index(4)] > alone["accuracy"] - 0.005


@pytest.mark.parametrize("task", MIXED)
def test_what_the_gate_wins_it_wins_by_looking(task):
    """The same picks for other scenes lie on no better a line than any pick by lot."""
    picks = crossed(task)[1]
    shuffled = np.random.default_rng(0).permutation(picks)
    assert above_the_line(task, shuffled, np.arange(N)) < 0.01


@pytest.mark.parametrize("task", ["cells", "class"])
def test_the_gate_learned_from_digits_that_no_branch_has_seen(task):
    """The scenes that either learned from are made of these numbers, and of no others."""
    numbers = {split: set(digit_scenes.digit_numbers(split).tolist()) for split in
               ("train", "gate", "test")}  # fmt: skip
    assert not numbers["train"] & numbers["gate"]
    assert not numbers["test"] & (numbers["train"] | numbers["gate"])
    asked = []
    chosen = TRAININGS[task]

    class Spy(branch_training.Training):
        def samples(self, split, n, *, start=0):
            asked.append(split)
            return chosen.samples(split, min(n, 30), start=start)

    spy = Spy(**{one.name: getattr(chosen, one.name) for one in fields(chosen)})
    spy.epoch(0)
    spy.gains({2: chosen.load("2")[0]}, "gate", 0.01)
    assert asked == ["train", "gate"]


@pytest.mark.parametrize(("task", "branch"), [
    (task, branch) for task in TRAININGS for branch in ("auto", *WIDTHS[task].tolist())
])  # fmt: skip
def test_what_crosses_is_answered_as_well_as_its_provenance_says(task, branch):
    quality, picks = crossed(task)
    mine = picks if branch == "auto" else np.full(N, WIDTHS[task].tolist().index(branch))
    stated = made(task=task, branch=branch).provenance
    right = quality[np.arange(N), mine]
    assert right.mean() == pytest.approx(stated["accuracy"], abs=0.004)
    chosen = TRAININGS[task].task
    for group, shown in chosen.groups(N).items():
        assert right[shown].mean() == pytest.approx(
            stated[f"accuracy_by_{chosen.grouped_by}"][group], abs=0.008
        )
    if branch == "auto":
        assert WIDTHS[task][picks].mean() == pytest.approx(stated["bytes"], abs=0.01)


@pytest.mark.parametrize("task", TRAININGS)
def test_a_dearer_byte_buys_fewer_of_them(task):
    every = [made(task=task, penalty=penalty).provenance for penalty in TRAININGS[task].penalties]
    sent, right = ([one[name] for one in every] for name in ("bytes", "accuracy"))
    assert sent == sorted(sent, reverse=True)
    assert right == sorted(right, reverse=True)


def test_what_is_cheapest_would_be_picked_if_all_branches_were_perfect():
    """As they are on digits that they have seen: only the penalty would be left."""
    gains = torch.tensor([[1.0 - 0.01 * size for size in WIDTHS["map"]]])
    scores = torch.zeros(1, 4, requires_grad=True)
    policy_loss(lambda x: scores, None, gains).backward()
    assert int(scores.grad.argmin()) == 0


@cache
def traced():
    scheme = made()
    inputs, labels = scheme.samples("test", 60)
    tables = [
        trace(b.network, {b.codec.name: {"feature": b.codec}}, inputs, labels, repeats=1,
              cuts=("encoder", "output"))
        for b in scheme.branches
    ]  # fmt: skip
    scores = answers_of(scheme.chooser.network.module, inputs)
    picks, names = scheme.chooser.pick(scores), [branch.name for branch in scheme.branches]
    return with_branches("navisplit", tables, names, picks), picks, tables


def test_the_table_holds_the_branch_of_every_sample_and_what_the_others_would_have_done():
    table, picks, tables = traced()
    assert table.axes["branch"] == tuple(str(width) for width in WIDTHS["cells"])
    assert table.columns["branch"].tolist() == picks.tolist()
    at = ("encoder", "fixed8")
    np.testing.assert_array_equal(table.cell("payload_bytes", *at), WIDTHS["cells"][picks])
    np.testing.assert_array_equal(table.cell("values_bytes", *at), WIDTHS["cells"][picks])
    wide = table.cell("branch_bytes", *at)
    np.testing.assert_array_equal(wide, np.tile(WIDTHS["cells"], (len(picks), 1)))
    for i, pick in enumerate(picks):
        mine = tables[pick].cell("correct", *at)[i]
        assert table.cell("correct", *at)[i] == table.cell("branch_correct", *at)[i, pick] == mine


def test_an_exit_stands_beside_the_branch_for_the_same_samples():
    scheme = made(exit_threshold=0.9)
    table, _, _ = traced()
    found = with_exits(table, scheme.gate, scheme.samples("test", 60))
    answers = answers_of(scheme.gate.early.module, scheme.samples("test", 60).inputs)
    labels = scheme.samples("test", 60).labels
    np.testing.assert_array_equal(found.columns["exit_correct"], all_cells(answers, labels))
    ends = scheme.gate.ends(found.columns["exit_confidence"])
    assert 0 < ends.sum() < 60


def test_cells_are_as_sure_as_all_of_them_together():
    scores = np.zeros((1, 44))
    scores[0, [3, 14]] = np.log(10.0)
    assert cells_confidence(scores)[0] == pytest.approx((10 / 20) ** 2 * (1 / 11) ** 2)
    labels = np.array([[3, 3, 0, 0]])
    assert all_cells(scores, labels).tolist() == [1.0]
    assert all_cells(scores, labels + 1).tolist() == [0.0]


def test_a_map_is_matched_as_far_as_its_error_is_small_beside_it():
    wanted = np.full((3, 8, 8), FULL / 64)
    given = wanted * np.array([1.0, 0.75, 3.0])[:, None, None]
    assert map_match(given, wanted) == pytest.approx([1.0, 0.75, 0.0])
    full = mixed_scenes.samples("train", 600).coverage[2::3].sum((1, 2))
    assert full.mean() == pytest.approx(FULL, rel=0.05)


@pytest.mark.parametrize("n_branches", [1, 2, 4, 5])
def test_a_fixed_range_is_within_half_a_step_and_its_branch_takes_bits_of_the_first_number(
    n_branches,
):
    branch = n_branches - 1
    chosen = FixedRange(size=16, low=LOW, high=HIGH, branch=branch, n_branches=n_branches)
    x = np.random.default_rng(0).uniform(LOW - 1.0, HIGH + 1.0, 16).astype(np.float32)
    data = chosen.encode(x)
    assert len(data) == 16
    assert chosen.header_bits == {1: 0, 2: 1, 4: 2, 5: 3}[n_branches]
    assert data[0] & ((1 << chosen.header_bits) - 1) == branch
    back = chosen.decode(data)
    steps = (HIGH - LOW) / np.array([(256 >> chosen.header_bits) - 1, *[255] * 15])
    assert (np.abs(back - x.clip(LOW, HIGH)) <= 0.5 * steps + 1e-6).all()
    assert chosen.encode(back) == data
    assert payload.ledger(data, 1, chosen)["values"] == 16


@pytest.mark.parametrize("data", [b"", bytes([3]), bytes([3]) + bytes(16), bytes([2]) + bytes(15)])
def test_a_payload_of_another_branch_is_refused(data):
    with pytest.raises(codec.CorruptBitstreamError):
        FixedRange(size=16, low=0.0, high=1.0, branch=3, n_branches=4).decode(data)


@pytest.mark.parametrize("x", [np.zeros(3, np.float32), np.array([np.nan, 0.0], np.float32)])
def test_what_does_not_fit_the_range_codec_is_refused(x):
    with pytest.raises(codec.CodecError, match="takes 2 finite numbers"):
        FixedRange(size=2, low=0.0, high=1.0).encode(x)


@pytest.mark.parametrize(("options", "said"), [
    ({"low": 1.0, "high": 1.0, "size": 2}, "fixed8.high must be above low = 1, got 1"),
    ({"low": 0.0, "high": 1.0, "size": 0}, "fixed8.size must be >= 1, got 0"),
    ({"low": 0.0, "high": 1.0, "size": 2, "branch": 1}, "fixed8.branch must be in 0..0, got 1"),
    ({"low": 0.0, "high": 1.0, "size": 2, "n_branches": 17}, "n_branches must be in 1..16"),
])  # fmt: skip
def test_a_range_that_is_none_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        FixedRange(**options)


def test_mixed_scenes_are_those_of_their_families_in_turn():
    whole = mixed_scenes.samples("test", 12)
    assert mixed_scenes.n_digits_of(6).tolist() == [1, 2, 4, 1, 2, 4]
    part = mixed_scenes.samples("test", 5, start=4)
    np.testing.assert_array_equal(part.inputs, whole.inputs[4:9])
    np.testing.assert_array_equal(part.coverage, whole.coverage[4:9])
    two = digit_scenes.family("scenes16x2").samples("test", 4)
    np.testing.assert_array_equal(whole.inputs[1::3], two.inputs)
    np.testing.assert_array_equal(whole.labels["cells"][1::3], two.labels["cells"])
    shown = (whole.labels["cells"] < digit_scenes.EMPTY).sum(1)
    assert shown.tolist() == mixed_scenes.n_digits_of(12).tolist()


@pytest.mark.parametrize(("model", "options", "said"), [
    ("digits", {}, "is trained for model scenes16mixed, scenes16, got 'digits'"),
    ("scenes16mixed", {"task": "depth"}, r"must be one of auto, cells, map, got 'depth'"),
    ("scenes16", {"task": "cells"}, r"task \(model=scenes16\) must be one of auto, class, got"),
    ("scenes16mixed", {"branch": 3}, "scheme.branch must be one of auto, 2, 4"),
    ("scenes16mixed", {"penalty": 1.0}, "scheme.penalty must be one of auto, 0.02"),
    ("scenes16mixed", {"task": "map", "exit_threshold": 0.9}, "needs task=cells or class"),
    ("scenes16mixed", {"exit_threshold": 2}, "threshold must be in 0..1, got 2"),
])  # fmt: skip
def test_what_it_is_not_is_refused(model, options, said):
    with pytest.raises(ValueError, match=said):
        schemes.create("navisplit", model, **options)


def test_all_its_weights_stay_small():
    files = list(Path(schemes.SHIPPED).glob("navisplit-*"))
    assert sum(one.stat().st_size for one in files) < 2.5e6


@pytest.mark.parametrize("threshold", [0.5, 0.97])
def test_an_exit_ends_the_sure_ones_of_one_digit(threshold):
    """By the largest softmax value of its ten scores, and those are more often right."""
    gate, test = made(task="class", exit_threshold=threshold).gate, samples("class")
    answers = answers_of(gate.early.module, test.inputs)
    right, sure = answers.argmax(1) == test.labels, gate.confidence(answers)
    np.testing.assert_allclose(sure, np.exp(answers.max(1)) / np.exp(answers).sum(1), rtol=1e-5)
    ends = gate.ends(sure)
    np.testing.assert_array_equal(ends, sure > threshold)
    assert right[ends].mean() > right.mean() > right[~ends].mean()


@pytest.mark.slow
@pytest.mark.parametrize("task", TRAININGS)
def test_the_recipe_gives_the_quality(task, tmp_path):
    """Trained anew: within what another machine's sums leave open."""
    chosen = TRAININGS[task]
    gate = f"gate-{chosen.penalties[1]:g}"
    for which in (*map(str, chosen.widths), gate, *(["exit"] if chosen.has_exit else [])):
        _, fresh = chosen.train(which, tmp_path)
        _, shipped = chosen.load(which)
        assert fresh["accuracy"] == pytest.approx(shipped["accuracy"], abs=tolerance(shipped))


@pytest.mark.slow
def test_a_gate_taught_with_digits_that_its_branches_know_takes_too_narrow_ones(tmp_path):
    """There every branch looks better than it is, so that bytes seem to buy less."""
    chosen = TRAININGS["cells"]
    each = {width: chosen.load(str(width))[0] for width in chosen.widths}
    known, unknown = (chosen.gains(each, split, 0.0).labels.mean(0) for split in ("train", "gate"))
    assert (known > unknown).all()
