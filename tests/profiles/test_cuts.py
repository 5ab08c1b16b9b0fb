"""Cuts: composition equals the whole, single-tensor cuts are the dominators, errors help."""

import networkx
import numpy as np
import pytest
import torch
from torch import nn

from profiles import models
from profiles.measuring.cuts import split
from profiles.measuring.graph import UnexportableError, export
from profiles.models.network import Network, content_digest


class Branches(nn.Module):
    """Residual with an in-place add, a view at the end of a stage, a branch over two stages."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.third = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten())
        self.last = nn.Linear(4 * 36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        y = self.second(x)
        y += x
        return self.last(self.third(y))


def network(module: nn.Module, x: torch.Tensor, stages: tuple[str, ...]) -> Network:
    module = module.eval()
    digest = content_digest(module)
    return Network(
        name="net", module=module, example_input=x, stages=stages, weights="random", digest=digest
    )


@pytest.fixture
def branches() -> Network:
    torch.manual_seed(0)
    return network(Branches(), torch.randn(1, 3, 6, 6), ("first", "third"))


SMALL = ("digits", "scenes")
LARGE = [name for name in models.names() if name not in SMALL]


def composition_holds(net: Network, batch: int) -> None:
    parts = split(net, batch=batch)
    with torch.inference_mode():
        whole = net.module(parts.example)
    assert parts.cuts == ("input", *net.stages, "output")
    for cut in parts.cuts:
        again = parts.tail(cut)(parts.head(cut)(parts.example))
        assert torch.allclose(again, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_head_then_tail_equals_the_whole_network(name):
    composition_holds(models.create(name), batch=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_head_then_tail_equals_every_large_network(name):
    composition_holds(models.create(name), batch=1)


def test_in_place_operators_do_not_touch_what_crossed(branches):
    parts = split(branches)
    feature = parts.head("first")(parts.example)
    kept = feature.clone()
    answer = parts.tail("first")(feature)
    assert torch.equal(feature, kept)
    with torch.inference_mode():
        assert torch.allclose(answer, branches.module(parts.example), atol=1e-5)


def test_beside_a_residual_both_tensors_cross(branches):
    parts = split(branches, batch=3, stages=("second",))
    head, tail = parts.head("second"), parts.tail("second")
    crossed = head.run([parts.example.numpy()])
    assert [x.shape for x in crossed] == [(3, 4, 6, 6), (3, 4, 6, 6)]
    assert parts.describe()[1].elements == 2 * 4 * 36
    with torch.inference_mode():
        whole = branches.module(parts.example).numpy()
    assert np.allclose(tail.run(crossed)[0], whole, atol=1e-5)
    with pytest.raises(ValueError, match="2 answers; to be judged it must give one"):
        head(parts.example)


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_crossings_are_the_dominators_of_the_answer(name):
    net = models.create(name)
    flow = export(net.module, [net.example_input], name=name)
    graph = networkx.DiGraph((n, user) for n in flow.path for user in n.users if user in flow.path)
    parents = networkx.immediate_dominators(graph, flow.data)
    node, dominators = flow.answer, {flow.answer}
    while node is not flow.data:
        node = parents[node]
        dominators.add(node)
    assert {*flow.crossings} == dominators


def test_scenes_has_the_elements_and_flops_of_its_design():
    cuts = split(models.create("scenes")).describe()
    assert [cut.elements for cut in cuts[:-1]] == [12288, 16384, 16384, 8192, 4096, 1024]
    convolution = 2 * 32 * 32 * 16 * 3 * 9
    assert cuts[1].head_flops == convolution
    assert all(cut.head_flops + cut.tail_flops == cuts[-1].head_flops for cut in cuts)


def test_flops_do_not_depend_on_the_batch():
    net = models.create("digits")
    assert split(net).describe() == split(net, batch=4).describe()


class Judges(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if x.sum() > 0 else x


class Selects(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[torch.nonzero(x > 0).tolist()[0][0]]


class Reshapes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(int(x.max()), -1)


class Disagrees(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ torch.ones(7)


class Foreign(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return doubled(x)


@torch.library.custom_op("splitfleet_test::doubled", mutates_args=())
def doubled(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@pytest.mark.parametrize(
    ("module", "operator", "advice"),
    [
        (Judges(), "aten.item", "depends on the data: replace it by torch.where or fixed shapes"),
        (Selects(), "", "depends on the data"),
        (Reshapes(), "aten.item", "depends on the data"),
        (Disagrees(), "aten.dot", "torch says: inconsistent tensor size"),
        (Foreign(), "splitfleet_test.doubled", "no fake kernel: register one with"),
    ],
)
def test_a_module_that_cannot_be_exported_names_what_stopped_it(module, operator, advice, capfd):
    with pytest.raises(UnexportableError) as error:
        split(network(module, torch.ones(3), ()))
    words = str(error.value)
    assert words.startswith(f"net cannot be exported: {operator}")
    assert " stopped it at test_cuts.py:" in words
    assert advice in words
    assert "\n" not in words
    assert capfd.readouterr() == ("", "")  # none of torch's own pages
