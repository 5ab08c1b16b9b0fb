"""Forty small networks that people write, for test_networks.py; none is a copy of anybody's.

Each is a function of x alone, in eval mode, with an example of batch 2 and stages to cut after.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGE = (2, 3, 8, 8)
ROW = (2, 6)
SERIES = (2, 5, 6)


@dataclass(frozen=True)
class Case:
    """A network, its example's shape and its stages; `refused` is what must stop it, if anything.

    `module` is built under one seed; `refused` is a pattern that names the operator.
    """

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    stages: tuple[str, ...] = ("a",)
    refused: str = ""
    tokens: bool = False


class Between(nn.Module):
    """a, then a function of a's value (and the input), then b."""

    def __init__(self, a: nn.Module, middle: Callable[..., Tensor], b: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.middle = a, b, middle

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.middle(self.a(x)))


def conv(n_in: int = 3, n_out: int = 8) -> nn.Module:
    return nn.Conv2d(n_in, n_out, 3, padding=1)


def between(middle: Callable[[Tensor], Tensor], a=conv, b=lambda: conv(8, 4)):
    return lambda: Between(a(), middle, b())


# Writes in place.


def zero_channels(y: Tensor) -> Tensor:
    y[:, :4] = 0
    return y


def scale_slice(y: Tensor) -> Tensor:
    y[:, 2:5].mul_(3)
    return y


def write_through_view(y: Tensor) -> Tensor:
    flat = y.view(y.shape[0], -1)
    flat[:, ::3] += 1
    return y


def fill_masked_slice(y: Tensor) -> Tensor:
    part = y[:, :, 1:5]
    part.masked_fill_(part < 0, -2.0)
    return y


def write_by_index(y: Tensor) -> Tensor:
    y[:, [0, 3, 5]] = y[:, [1, 2, 4]]
    return y


def add_by_index(y: Tensor) -> Tensor:
    index = torch.tensor([0, 2, 2])
    y.index_add_(1, index, torch.ones_like(y[:, :3]))
    return y


def write_transposed(y: Tensor) -> Tensor:
    y.transpose(1, 3)[..., 0] = 1.5
    return y


def write_diagonal(y: Tensor) -> Tensor:
    y.diagonal(dim1=2, dim2=3).zero_()
    return y


def write_chunks(y: Tensor) -> Tensor:
    first, second = y.chunk(2, 1)
    first.sigmoid_()
    second.clamp_(min=0)
    return y


def mask_built_in_place(y: Tensor) -> Tensor:
    mask = torch.ones(8, 8)
    mask[2:4] = 0
    mask.triu_()
    return y * mask


def write_data_mask(y: Tensor) -> Tensor:
    y[y > 0.5] = 0.5
    return y


def loop_of_writes(y: Tensor) -> Tensor:
    for i in range(1, y.shape[1]):
        y[:, i] += 0.5 * y[:, i - 1]
    return y


def copy_into_new(y: Tensor) -> Tensor:
    out = torch.zeros(y.shape[0], 8, 10, 10)
    out[:, :, 1:9, 1:9].copy_(y)
    return out


class WritesItsInput(nn.Module):
    """The input itself is changed in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x[:, :2] *= -1
        return self.b(torch.relu_(self.a(x)) + x)


class InPlaceBlocks(nn.Module):
    """nn.ReLU(inplace=True) behind a residual, as torchvision has them."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.inner = nn.Sequential(conv(8, 8), nn.BatchNorm2d(8))
        self.act = nn.ReLU(inplace=True)
        self.b = conv(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        y = self.inner(x)
        y += x
        return self.b(self.act(y))


# Skips, branches and shared parts.


class UNet(nn.Module):
    """One tensor crosses at the bottom only if the skip is inside the stage."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.down, self.up, self.b = conv(), conv(8, 8), conv(8, 8), conv(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.a(x))
        z = self.up(functional.interpolate(self.down(functional.max_pool2d(y, 2)), scale_factor=2))
        return self.b(torch.cat((y, z), 1))


class DenseSkips(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = conv()
        self.grow = nn.ModuleList(nn.Conv2d(8 + 4 * i, 4, 1) for i in range(3))
        self.b = nn.Conv2d(20, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        for part in self.grow:
            x = torch.cat((x, torch.relu(part(x))), 1)
        return self.b(x).mean((2, 3))


class SharedTwice(nn.Module):
    """One module called twice; a cut lies after its last call."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(torch.tanh(self.a(x)))))


class TiedWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6, bias=False), nn.Linear(6, 6)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x)))


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.gate, self.b = conv(), nn.Linear(8, 8), conv(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.b(x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None])


class WeightsOfWeights(nn.Module):
    """What is computed from parameters alone stands on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.utils.parametrizations.weight_norm(nn.Linear(6, 6))
        self.left, self.right = nn.Parameter(torch.randn(6, 2)), nn.Parameter(torch.randn(2, 6))

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.left @ self.right
        return functional.linear(self.a(x), mixed) + functional.linear(torch.relu(x), mixed)[:, :1]


# Several outputs.


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.classes, self.boxes = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.relu(self.a(x))
        return self.classes(y), self.boxes(y)


class Named(Pair):
    """A dictionary with a feature from before the last part, and something that is no tensor."""

    def forward(self, x: Tensor) -> dict[str, object]:  # type: ignore[override]
        y = torch.relu(self.a(x))
        return {"scores": self.classes(y), "nested": [self.boxes(y), None], "n": 3}


class Auxiliary(nn.Module):
    """An early answer, which crosses with the feature: only cuts before it are legal."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.early, self.b = nn.Linear(6, 8), nn.Linear(8, 2), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.a(x)
        return self.early(y), self.b(torch.relu(y).square_())


class Twice(nn.Module):
    """The same tensor twice among the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.b(self.a(x))
        return y, y


# Sequences.


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], **how: object) -> None:
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.cells = kind(6, 4, batch_first=True, **how)  # type: ignore[arg-type]
        self.b = nn.LazyLinear(3)
        with torch.no_grad():
            self(torch.zeros(SERIES))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.cells(torch.relu(self.a(x)))[0][:, -1])


class StateOfLstm(nn.Module):
    """The last hidden state answers, not the series."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.cells, self.b = nn.Linear(6, 6), nn.LSTM(6, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, _) = self.cells(self.a(x).transpose(0, 1))
        return self.b(hidden[-1])


class Cells(nn.Module):
    """LSTMCell in a loop that writes its outputs into a new tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.cell, self.b = nn.Linear(6, 6), nn.LSTMCell(6, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        state = None
        out = x.new_empty(x.shape[0], x.shape[1], 4)
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
            out[:, t] = state[0]
        return self.b(out)


class SelfAttention(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.a = nn.Linear(6, 8)
        self.mha = nn.MultiheadAttention(8, 2, batch_first=True)
        self.b = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        if self.how == "weights":
            mixed, weights = self.mha(y, y, y)
            return self.b(mixed * weights.sum(-1, keepdim=True))
        if self.how == "padding":
            padding = torch.zeros(x.shape[:2], dtype=torch.bool)
            padding[:, -2:] = True
            return self.b(self.mha(y, y, y, key_padding_mask=padding, need_weights=False)[0])
        mask = torch.full((x.shape[1], x.shape[1]), float("-inf"))
        mask.triu_(1)
        heads = y.unflatten(-1, (2, 4)).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(heads, heads, heads, attn_mask=mask)
        return self.b(mixed.transpose(1, 2).flatten(2))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.1)
        self.a, self.encoder = nn.Linear(6, 8), nn.TransformerEncoder(layer, 2)
        self.b = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.encoder(self.a(x)))


class Tokens(nn.Module):
    """Embedding, positions written into a buffer of zeros, a causal mask, dropout in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.a = nn.Linear(8, 8)
        self.drop = nn.Dropout(0.5)
        self.b = nn.Linear(8, 20)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        y = self.words(x)
        places = torch.zeros(n, 8)
        places[:, 0::2] = torch.arange(n).float()[:, None] / 10
        y = self.drop(self.a(y + places))
        y = functional.scaled_dot_product_attention(y[:, None], y[:, None], y[:, None],
                                                    is_causal=True)[:, 0]  # fmt: skip
        return self.b(y)


# Shapes that depend on the input's.


class AnySize(nn.Module):
    """Python arithmetic on shapes, pooling to a fixed grid, padding to a multiple."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(), nn.Linear(8 * 9, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        y = functional.pad(y, (0, -y.shape[-1] % 3, 0, -y.shape[-2] % 3))
        return self.b(functional.adaptive_avg_pool2d(y, 3).reshape(y.size(0), -1))


class Branch(nn.Module):
    """torch.cond: both branches are in the graph, one writes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        return self.b(torch.cond(y.sum() > 0, lambda z: z.sin(), lambda z: z.clone().mul_(2), (y,)))


class Counter(nn.Module):
    """Counts its calls in a buffer that no answer reads."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 2)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.b(torch.relu(self.a(x)))


# What must be refused.


class Found(nn.Module):
    """As many rows as there are positive numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        return y[torch.nonzero(y[:, 0] > 0).tolist()[0][0]]


class Decides(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        return y * 2 if y.mean() > 0 else y


class Drops(nn.Module):
    """functional.dropout is on unless told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 60), nn.Linear(60, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(functional.dropout(self.a(x), 0.5))


class Remembers(nn.Module):
    """A running mean that its answer reads."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 2)
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        self.mean.mul_(0.9).add_(0.1 * y.mean(0))
        return self.b(y - self.mean)


CASES: dict[str, Case] = {
    "zero channels": Case(between(zero_channels), IMAGE),
    "scale a slice": Case(between(scale_slice), IMAGE),
    "write through a view": Case(between(write_through_view), IMAGE),
    "masked fill of a slice": Case(between(fill_masked_slice), IMAGE),
    "write by index": Case(between(write_by_index), IMAGE),
    "add by index": Case(between(add_by_index), IMAGE),
    "write transposed": Case(between(write_transposed), IMAGE),
    "write a diagonal": Case(between(write_diagonal), IMAGE),
    "write chunks": Case(between(write_chunks), IMAGE),
    "mask built in place": Case(between(mask_built_in_place), IMAGE),
    "clip by a mask of data": Case(between(write_data_mask), IMAGE),
    "loop of writes": Case(between(loop_of_writes), IMAGE),
    "copy into a new tensor": Case(between(copy_into_new), IMAGE),
    "input changed in place": Case(WritesItsInput, ROW, ()),
    "in-place blocks": Case(InPlaceBlocks, IMAGE, ("a", "act")),
    "u-net": Case(UNet, IMAGE, ()),
    "dense skips": Case(DenseSkips, IMAGE, ("a", "b")),
    "shared module": Case(SharedTwice, ROW),
    "tied weights": Case(TiedWeights, ROW),
    "squeeze and excitation": Case(Gate, IMAGE),
    "weights of weights": Case(WeightsOfWeights, ROW, ()),
    "two answers": Case(Pair, ROW),
    "named answers": Case(Named, ROW),
    "early answer": Case(Auxiliary, ROW),
    "the same answer twice": Case(Twice, ROW, ("a", "b")),
    "lstm": Case(lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), SERIES),
    "gru": Case(lambda: Recurrent(nn.GRU), SERIES),
    "plain recurrence": Case(lambda: Recurrent(nn.RNN), SERIES),
    "state of an lstm": Case(StateOfLstm, SERIES),
    "lstm cells in a loop": Case(Cells, SERIES),
    "attention with weights": Case(lambda: SelfAttention("weights"), SERIES),
    "attention with padding": Case(lambda: SelfAttention("padding"), SERIES),
    "attention with a mask": Case(lambda: SelfAttention("mask"), SERIES),
    "transformer encoder": Case(Encoder, SERIES, ("a", "encoder.layers.0", "encoder")),
    "tokens": Case(Tokens, (2, 5), ("words", "a", "drop"), tokens=True),
    "any size": Case(AnySize, IMAGE),
    "torch.cond": Case(Branch, ROW),
    "counts its calls": Case(Counter, ROW),
    "as many rows as found": Case(Found, ROW, refused=r"aten\.\w+"),
    "decides by a number": Case(Decides, ROW, refused=r"aten\.item"),
    "functional dropout": Case(Drops, ROW, refused=r"aten\.dropout\.default draws numbers"),
    "remembers": Case(Remembers, ROW, refused=r"aten\.\w+\.\w+ writes mean"),
}


def build(name: str) -> tuple[nn.Module, Tensor]:
    """The network of that name in eval mode and its example, the same every time."""
    case = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = case.build().eval()
        example = torch.randint(0, 20, case.shape) if case.tokens else torch.randn(case.shape)
    return module, example
