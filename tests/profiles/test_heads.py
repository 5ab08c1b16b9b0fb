"""Heads: the answers of several tasks from one feature, as a slot of a scheme."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from profiles import schemes
from profiles.measuring.flops import count_flops
from profiles.models.network import Network, content_digest
from profiles.schemes.heads import OwnFeatureHeads, TaskHeads, answering
from profiles.schemes.tracing import answers_of

CLASSES = {"shape": 3, "size": 2}


def layers() -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))]


def test_all_answers_stand_side_by_side_in_the_order_of_the_tasks() -> None:
    each = layers()
    heads, z = TaskHeads(CLASSES, each), torch.randn(7, 4)
    assert heads.tasks == ("shape", "size")
    assert torch.equal(heads(z), torch.cat([each[0](z), each[1](z)], 1))
    kept = heads.keep(["size"])
    assert kept.tasks == ("size",)
    assert torch.equal(kept(z), each[1](z))


def test_heads_of_features_of_their_own_share_out_what_is_stacked() -> None:
    each = layers()
    z = torch.randn(7, 4, 2, 1)  # two features of 2 x 2 x 1 each
    found = OwnFeatureHeads(CLASSES, each)(z)
    parts = [head(z[:, 2 * i : 2 * i + 2].flatten(1)) for i, head in enumerate(each)]
    assert torch.equal(found, torch.cat(parts, 1))


def test_what_heads_cost_is_counted_layer_by_layer() -> None:
    heads = TaskHeads(CLASSES, layers())
    assert heads.weights() == {"shape": 15, "size": 5 * 4 + 5 + 2 * 5 + 2}
    assert heads.multiply_adds() == {"shape": 12, "size": 30}
    with pytest.raises(ValueError, match="heads must be 2, one a task, got 1"):
        TaskHeads(CLASSES, layers()[:1])


@pytest.mark.parametrize("name", ["mtl_split", "ladon"])
def test_the_shipped_heads_weigh_what_the_page_says(name: str) -> None:
    scheme = schemes.create(name, "scenes16")
    assert scheme.heads is not None
    assert scheme.tasks == tuple(scheme.network.tasks) == ("class", "place", "brightness")
    weights = scheme.heads.weights()
    assert sum(weights.values()) == 12_945  # docs/schemes.md
    assert weights["class"] == 128 * 32 + 32 + 32 * 10 + 10
    counted = {task: 128 * 32 + 32 * n for task, n in zip(scheme.tasks, (10, 4, 3), strict=True)}
    assert scheme.heads.multiply_adds() == counted


def test_multiply_adds_of_heads_are_those_of_the_layers_behind_the_cut() -> None:
    """Against the count that profiles take, of all operations by name."""
    scheme = schemes.create("mtl_split", "scenes16")
    assert scheme.heads is not None
    heads, z = scheme.heads, torch.zeros(1, 128)
    counted, _ = count_flops(lambda: heads(z))
    assert counted == pytest.approx(2 * sum(scheme.heads.multiply_adds().values()), rel=0.05)


def test_a_scheme_without_heads_answers_once() -> None:
    scheme = schemes.create("early_exit", "digits")
    assert scheme.heads is None
    assert scheme.tasks == ()


def test_heads_must_answer_what_the_network_is_judged_by() -> None:
    every = schemes.create("mtl_split", "scenes16")
    assert every.heads is not None
    one = every.heads.keep(["place"])
    with pytest.raises(ValueError, match="must answer the tasks of its network, class, place, "):
        replace(every, heads=one)
    with pytest.raises(ValueError, match="got none"):
        replace(every, heads=None)


def test_a_network_that_ends_in_heads_judges_every_task() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(4, 4)
            self.heads = TaskHeads(CLASSES, layers())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.heads(self.body(x))

    module = Whole()
    made = answering("whole", module, module.heads, example=torch.zeros(1, 4), stages=("body",))
    assert isinstance(made, Network)
    assert made.digest == content_digest(module)
    assert made.answer_bytes == 8
    inputs = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    answers = answers_of(module, inputs)
    labels = np.stack([answers[:, :3].argmax(1), 1 - answers[:, 3:].argmax(1)], 1)
    assert [m(answers, labels).mean() for m in made.tasks.values()] == [1.0, 0.0]
    assert made.metric(answers, labels).tolist() == [0.5] * 20
