"""FLOPs of fused operators against counting by hand, and of the shipped networks by formula."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from profiles import models
from profiles.measuring import decoding
from profiles.measuring.cuts import split
from profiles.measuring.flops import attention_flops, count_flops
from profiles.models.network import Network, content_digest
from profiles.predicting.analytic import LlamaShape
from profiles.shipping import portfolio
from tests.profiles.networks import SelfAttention


def whole_flops(module: nn.Module, example: torch.Tensor) -> float:
    """FLOPs of a sample, from the graph."""
    network = Network(
        name="net", module=module.eval(), example_input=example, stages=(), weights="random",
        digest=content_digest(module),
    )  # fmt: skip
    return split(network).describe()[-1].head_flops


class Attend(nn.Module):
    def __init__(self, **how) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.scaled_dot_product_attention(x, x, x, **self.how)


class Series(nn.Module):
    def __init__(self, cells: nn.Module) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cells(x)[0]


HEADS = torch.randn(1, 4, 32, 32)
SERIES = torch.randn(1, 7, 6)
LSTM = 4 * (6 * 5 + 5 * 5)  # gates x (input and hidden matrix)
BOTH_WAYS = 2 * LSTM + 2 * 4 * (10 * 5 + 5 * 5)  # two layers, two directions


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(
    ("module", "example", "by_hand"),
    [
        (Attend(), HEADS, 524_288),
        (Attend(is_causal=True), HEADS, 4 * 4 * 32 * (32 * 33 // 2)),
        (Attend(attn_mask=torch.zeros(32, 32)), HEADS, 524_288),
        (Series(nn.LSTM(6, 5, batch_first=True)), SERIES, 2 * 7 * LSTM),
        (
            Series(nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)),
            SERIES,
            2 * 7 * BOTH_WAYS,
        ),
        (
            Series(nn.LSTM(6, 5, batch_first=True, proj_size=3)),
            SERIES,
            2 * 7 * (4 * (6 * 5 + 3 * 5) + 5 * 3),
        ),
        (Series(nn.GRU(6, 5, batch_first=True)), SERIES, 2 * 7 * 3 * (6 * 5 + 5 * 5)),
        (Series(nn.RNN(6, 5, batch_first=True)), SERIES, 2 * 7 * (6 * 5 + 5 * 5)),
        (
            SelfAttention("padding"),
            SERIES,
            2 * 7 * (6 * 8 + 4 * 8 * 8 + 8 * 3) + 4 * 7 * 7 * 8,
        ),
        (nn.ConvTranspose2d(3, 4, 2, 2), torch.randn(1, 3, 5, 5), 2 * 25 * 3 * 4 * 4),
        (nn.Conv1d(4, 6, 3, groups=2), torch.randn(1, 4, 9), 2 * 7 * 6 * 2 * 3),
    ],
)
def test_fused_operators_count_what_they_compute(module, example, by_hand):
    assert whole_flops(module, example) == by_hand
    with torch.inference_mode():
        eager, _ = count_flops(lambda: module.eval()(example))
    if not isinstance(module, SelfAttention):  # torch takes its own short way round there
        assert eager == by_hand


def test_causal_pairs_where_lengths_differ():
    for n, m in ((3, 7), (7, 3), (1, 5)):
        seen = torch.ones(n, m).tril().sum().item()
        q, k = torch.zeros(2, 2, n, 4), torch.zeros(2, 2, m, 4)
        v = torch.zeros(2, 2, m, 6)
        assert attention_flops(q, k, v, is_causal=True) == 2 * 4 * seen * (4 + 6)


def test_the_byte_llama_agrees_with_the_closed_form():
    network = models.create("bytellama")
    shape = LlamaShape(name="bytellama", n_layers=4, width=128, inner=344, vocabulary=256)
    norm = 2 * 2 * 128  # of a token: the closed form counts the two gains as products
    layers = 4 * (shape.layer(64, 0).flops - 64 * norm)
    found = {cut.name: cut.head_flops for cut in split(network).describe()}
    assert found["layers.3"] == layers
    with torch.inference_mode():
        cuts = decoding._cuts(network.module, ("input", *network.stages, "output"), 1, 1, 64, "cpu")
    step = 4 * (shape.layer(1, 64).flops - norm)
    assert cuts[-2].head_flops == step
    assert cuts[-1].head_flops == step + shape.answer().flops


def products_of(module: nn.Module, example: torch.Tensor) -> float:
    """FLOPs of all convolutions and linear layers by hooks, from the shapes of what they give."""
    total = 0.0

    def count(part, given, out):
        nonlocal total
        inner = part.weight[0].numel()  # numbers that each output sums
        total += 2.0 * out.numel() * inner

    parts = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [part.register_forward_hook(count) for part in parts]
    with torch.inference_mode():
        module(example)
    for hook in hooks:
        hook.remove()
    return total


def window_attention() -> float:
    """Swin-T's scores and sums: windows of 49 tokens in (2, 2, 6, 2) blocks (Liu et al. 2021)."""
    sides, widths, depths = (56, 28, 14, 7), (96, 192, 384, 768), (2, 2, 6, 2)
    stages = zip(sides, widths, depths, strict=True)
    return sum(4.0 * depth * side**2 * 49 * width for side, width, depth in stages)


LIGHT = ("digits", "scenes", "mobilenet_v2")
FUSED = {"swin_t": window_attention()}


@pytest.mark.parametrize(
    "name",
    [
        name if name in LIGHT else pytest.param(name, marks=pytest.mark.slow)
        for name in models.names()
        if "llama" not in name
    ],
)
def test_every_shipped_network_counts_what_its_layers_do(name):
    network = models.create(name)
    by_hand = products_of(network.module, network.example_input) + FUSED.get(name, 0.0)
    cuts = split(network).describe()
    assert cuts[-1].head_flops == by_hand
    for on in (1, 2):
        assert portfolio.find(name, on=on).cuts == cuts


@pytest.mark.parametrize(
    "shape",
    [
        LlamaShape(name="bytellama", n_layers=4, width=128, inner=344, vocabulary=256),
        LlamaShape(name="llama2_7b", n_layers=32, width=4096, inner=11_008),
        LlamaShape(name="llama2_13b", n_layers=40, width=5120, inner=13_824),
    ],
)
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_the_shipped_llamas_hold_the_closed_form(shape, phase):
    """At their smallest point: one token, nothing before it."""
    layer = shape.layer(1, 0).flops - 2 * 2 * shape.width  # less the gains of the norms
    for on in (1, 2):
        cuts = portfolio.find(shape.name, phase, on).cuts
        assert cuts[-2].head_flops == shape.n_layers * layer
        assert cuts[-1].head_flops == shape.n_layers * layer + shape.answer().flops


def test_of_two_branches_the_larger_counts():
    class Either(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cond(x.sum() > 0, lambda y: self.b(self.a(y)), lambda y: self.b(y), (x,))

    assert whole_flops(Either(), torch.ones(1, 6)) == 2 * 2 * 36
