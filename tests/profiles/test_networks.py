"""Networks are computed as they are written, or refused with the operator's name."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from profiles.measuring.composition import CompositionError, answers_of
from profiles.measuring.cuts import split
from profiles.measuring.graph import UnexportableError
from profiles.models.network import Network, content_digest
from tests.profiles.networks import CASES, IMAGE, Between, build, conv


def network(module: nn.Module, example: torch.Tensor, stages: tuple[str, ...]) -> Network:
    """Batch 1 is the example; `split` repeats it."""
    return Network(
        name="net", module=module, example_input=example[:1], stages=stages, weights="random",
        digest=content_digest(module),
    )  # fmt: skip


def check_at_every_cut(module: nn.Module, parts, x: torch.Tensor) -> None:
    """Independent of the check inside `split`: other inputs, allclose to 1e-4."""
    with torch.inference_mode():
        whole = answers_of(module(x.clone()))
        for cut in parts.cuts:
            kept = parts.head(cut).module(x.clone())
            again = answers_of(parts.tail(cut).module(kept))
            assert len(again) == len(whole)
            for one, other in zip(again, whole, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


COMPUTED = [name for name, case in CASES.items() if not case.refused]
REFUSED = [name for name, case in CASES.items() if case.refused]


def test_forty_networks_stand_here_and_at_least_34_are_computed():
    assert len(CASES) >= 40
    assert len(COMPUTED) >= 34
    page = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text(encoding="utf-8")
    assert f"{len(COMPUTED)} of the {len(CASES)} small networks" in page


@pytest.mark.parametrize("name", COMPUTED)
def test_tail_after_head_is_the_module(name):
    module, example = build(name)
    parts = split(network(module, example, CASES[name].stages), batch=2)
    check_at_every_cut(module, parts, example)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_halved_is_refused_with_the_operators_name(name):
    module, example = build(name)
    with pytest.raises((UnexportableError, CompositionError)) as error:
        split(network(module, example, CASES[name].stages), batch=2)
    words = str(error.value)
    assert words.startswith("net cannot be")
    assert re.search(CASES[name].refused, words), words
    assert "\n" not in words


VIEWS = {
    "slice": lambda y, i: y[:, i:],
    "step": lambda y, i: y[:, :, i % 3 :: 2],
    "select": lambda y, i: y[:, i],
    "transpose": lambda y, i: y.transpose(1, 1 + i % 3),
    "flatten": lambda y, i: y.flatten(1, 1 + i % 3),
    "unfold": lambda y, i: y.unfold(2, 2, 2),
    "narrow": lambda y, i: y.narrow(3, i % 4, 3),
    "diagonal": lambda y, i: y.diagonal(0, 2, 3),
    "squeeze": lambda y, i: y[:, i : i + 1].squeeze(1),
    "expanded": lambda y, i: y.unsqueeze(1).movedim(1, -1),
}
WRITES = {
    "fill": lambda v: v.fill_(0.7),
    "multiply": lambda v: v.mul_(-2),
    "add": lambda v: v.add_(1),
    "mask": lambda v: v.masked_fill_(v > 0, 0.1),
    "clamp": lambda v: v.clamp_(-0.3, 0.3),
    "copy": lambda v: v.copy_(v.flip(-1).clone()),
    "setitem": lambda v: v.__setitem__(0, 0.25),
    "activation": lambda v: torch.relu_(v),
}
Write = st.tuples(
    st.sampled_from(sorted(VIEWS)), st.integers(0, 6), st.sampled_from(sorted(WRITES))
)
Steps = st.lists(st.tuples(Write, st.sampled_from(["base", "view", "sum", "late"])), max_size=4)


class Written(nn.Module):
    """Random writes through random views, and views of views, of what the first part gave."""

    def __init__(self, steps) -> None:
        super().__init__()
        self.a, self.b, self.steps = conv(), conv(8, 4), steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        late = y[:, 3:]
        for (view, at, write), then in self.steps:
            if then == "late":
                late.mul_(0.5)
            seen = VIEWS[view](y, at)
            if then == "view" and seen.ndim > 1:
                seen = seen[:, :1]
            WRITES[write](seen)
            if then == "sum":
                y = y + seen.mean()
        return self.b(y) + late.sum()


def check_written(steps) -> None:
    """Random writes at both ends and, where one tensor crosses there, behind the first part."""
    torch.manual_seed(2)
    module, x = Written(steps).eval(), torch.randn(IMAGE)
    check_at_every_cut(module, split(network(module, x, ()), batch=2), x)
    try:
        parts = split(network(module, x, ("a",)), batch=2)
    except ValueError as error:  # a view that is written later keeps a second tensor alive
        if "more than one tensor crosses" not in str(error):
            raise
    else:
        check_at_every_cut(module, parts, x)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(steps=Steps)
def test_random_writes_through_views_reach_the_tail(steps):
    check_written(steps)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(steps=Steps)
def test_many_random_writes_through_views_reach_the_tail(steps):
    check_written(steps)


def test_a_wrong_half_is_found_before_anything_else(monkeypatch):
    """The graph as it was: writes through views are lost, and the check says so."""
    monkeypatch.setattr("profiles.measuring.graph._writes", lambda node: False)
    module, example = build("zero channels")
    with pytest.raises(CompositionError, match=r"net cannot be cut at \w+: tail after head gives"):
        split(network(module, example, ("a",)), batch=2)


def test_a_part_in_train_mode_is_named():
    module = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6)).eval()
    module[1].train()
    with pytest.raises(ValueError, match=r"must be in eval mode, its part '1' is not"):
        network(module, torch.ones(1, 6), ())


def test_stages_out_of_order_and_unbatched_crossings_are_refused():
    module = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    with pytest.raises(ValueError, match="stages must stand in the order of the network: '0' com"):
        split(network(module, torch.ones(1, 6), ("1", "0")))

    folded = Between(nn.Flatten(0, 1), lambda y: y, nn.Linear(6, 2)).eval()
    with pytest.raises(
        ValueError, match=r"a' a tensor of shape \(10, 6\) crosses \(flatten\); one"
    ):
        split(network(folded, torch.ones(1, 5, 6), ("a",)), batch=2)


def test_one_module_under_two_names_has_a_cut_under_either():
    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = self.second = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.relu(self.first(x)))

    module = Twins().eval()
    check_at_every_cut(
        module, split(network(module, torch.ones(1, 6), ("first",))), torch.ones(1, 6)
    )


def test_an_answer_without_input_is_refused():
    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ones(2, 3)

    with pytest.raises(UnexportableError, match="its answer does not depend on its input"):
        split(network(Constant().eval(), torch.ones(1, 6), ()))


def test_several_answers_are_timed_but_not_judged():
    module, example = build("two answers")
    parts = split(network(module, example, ("a",)), batch=2)
    assert [cut.shape for cut in parts.describe()] == [(6,), (8,), (7,)]
    with pytest.raises(ValueError, match="the network gives 2 answers; to be judged it must give"):
        parts.tail("a")(parts.head("a")(parts.example))


def test_autocast_is_computed_as_written():
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                y = self.a(x)
                y[:, :2] = 0
            return self.b(y.float())

    module, x = Mixed().eval(), torch.randn(2, 6)
    check_at_every_cut(module, split(network(module, x, ("b",)), batch=2), x)


def test_a_stage_inside_of_a_branch_is_said_to_be_there():
    class Either(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cond(x.sum() > 0, lambda y: self.a(y), lambda y: y.sin(), (x,))

    with pytest.raises(ValueError, match=r"stage 'a' is not on the way .* \(or inside of cond\)"):
        split(network(Either().eval(), torch.randn(2, 6), ("a",)), batch=2)


def test_a_network_that_fails_on_another_input_is_refused():
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Embedding(3, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a((10 * x).long())

    with pytest.raises(CompositionError, match="net fails on a random input like its example: Ind"):
        split(network(Table().eval(), torch.zeros(1, 4), ()))
