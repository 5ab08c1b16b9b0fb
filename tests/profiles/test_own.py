"""A network of the user's: what a file may give, what is refused, and that halves are the whole."""

import textwrap
from functools import partial

import numpy as np
import pytest
import torch

import codec
from profiles import models
from profiles.measuring import payload
from profiles.measuring.composition import answers_of
from profiles.measuring.cuts import split
from profiles.measuring.tracing import trace
from profiles.models.own.blocks import largest, watch
from tests.profiles.networks import CASES, build
from tests.profiles.own_files import write_file
from tests.profiles.test_networks import network
from tests.test_examples import ROOT

EXAMPLES = ("unet", "resnet", "transformer")
RAW = codec.create("raw32")


@pytest.fixture
def write(tmp_path):
    return partial(write_file, tmp_path)


def example(name):
    return f"{ROOT}/examples/networks/{name}.py:make"


def answers_over(parts, cut, inputs, chosen=RAW):
    """Answers of the tail to what became of the parts of every sample on their way."""
    crossed = parts.head(cut).run([inputs])
    received = []
    for sample in zip(*crossed, strict=True):
        sent = payload.encode(chosen, sample)
        assert sum(payload.ledger(sent, len(sample)).values()) == len(sent)
        received.append(payload.decode(chosen, sent, sample))
    whole = [np.stack(part) for part in zip(*received, strict=True)]
    return parts.tail(cut).run(whole)[0]


def check_every_cut(name, n=3):
    network, inputs = models.create(name), models.samples(name, "test", n).inputs
    with torch.inference_mode():
        whole = network.module(torch.from_numpy(inputs)).numpy()
    parts = split(network, batch=len(inputs))
    assert parts.cuts == ("input", *network.stages, "output")
    for cut in parts.cuts[:-1]:
        assert np.abs(answers_over(parts, cut, inputs) - whole).max() < 1e-4, cut
    return parts


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_answers_over_every_cut_as_it_does_whole(name):
    parts = check_every_cut(example(name))
    network, samples = models.create(example(name)), models.samples(example(name), "test", 12)
    table = trace(network, {"raw32": {"feature": RAW}}, *samples, repeats=1, batch=5)
    assert table.cuts == parts.cuts
    with torch.inference_mode():
        whole = network.module(torch.from_numpy(samples.inputs)).numpy()
    for cut in table.cuts:
        scores = table.cell("correct", cut, "raw32")
        assert np.allclose(scores, network.metric(whole, samples.labels), atol=1e-3)
        assert table.cell("logit_kl", cut, "raw32").max() < 1e-6
        assert not table.cell("relative_l2", cut, "raw32").any()


def test_the_examples_have_learnt_something():
    scores = {}
    for name in EXAMPLES:
        network, samples = models.create(example(name)), models.samples(example(name), "test", 300)
        with torch.inference_mode():
            answers = network.module(torch.from_numpy(samples.inputs)).numpy()
        scores[name] = float(network.metric(answers, samples.labels).mean())
    assert scores["unet"] > 0.7, scores
    assert scores["resnet"] > 0.8, scores
    assert scores["transformer"] > 0.9, scores


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.refused])
def test_the_blocks_of_any_network_are_cuts(name):
    module, example = build(name)
    stages = largest(watch(module, example[:1]))
    assert stages
    parts = split(network(module, example, stages), batch=len(example))
    with torch.inference_mode():
        whole = answers_of(module(example.clone()))[0].numpy()
    for cut in parts.cuts[:-1]:
        assert np.abs(answers_over(parts, cut, example.numpy()) - whole).max() < 1e-4, cut


def test_skips_cross_beside_the_feature():
    parts = split(models.create(example("unet")))
    shapes = {cut: [part.shape for part in parts.parts(cut)] for cut in parts.cuts}
    assert shapes["down1"] == [(8, 32, 32)]
    assert shapes["middle"] == [(8, 32, 32), (16, 16, 16), (16, 8, 8)]
    assert shapes["up2"] == [(8, 32, 32), (8, 16, 16)]
    middle = parts.describe()[parts.cuts.index("middle")]
    assert middle.elements == 8 * 32 * 32 + 16 * 16 * 16 + 16 * 8 * 8


def test_a_mask_crosses_as_its_bits():
    parts = split(models.create(example("transformer")))
    mask, hidden = parts.parts("layers.1")
    assert (mask.dtype, mask.shape, hidden.shape) == (torch.bool, (24,), (24, 32))
    sample = (np.arange(24) > 9, np.zeros((24, 32), np.float32))
    alone = len(RAW.encode(sample[1]))
    assert len(payload.encode(RAW, sample)) - alone < 40
    assert np.array_equal(payload.decode(RAW, payload.encode(RAW, sample), sample)[0], sample[0])


@pytest.mark.parametrize("chain", ["raw32", "ecsq", "slicer", "int8"])
def test_what_counts_or_is_not_finite_crosses_to_the_bit(chain):
    chosen, draw = codec.create(chain), np.random.default_rng(1)
    sample = (
        draw.normal(size=(5, 7)).astype(np.float32), draw.random(11) < 0.5,
        draw.integers(-(2**60), 2**60, (3, 2)), np.array([0.0, -np.inf, np.nan], np.float32),
        draw.integers(0, 256, (2, 2), np.uint8), draw.normal(size=4) + 1j * draw.normal(size=4),
        draw.normal(size=6),
    )  # fmt: skip
    back = payload.decode(chosen, payload.encode(chosen, sample), sample)
    for at, (one, other) in enumerate(zip(sample, back, strict=True)):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        if at in (0, 6):
            assert np.linalg.norm(one - other) < (1e-6 if chain == "raw32" else 2.0)
        else:
            assert np.array_equal(one, other, equal_nan=at == 3)


SERIES = "torch.zeros(1, 5, 4), np.random.default_rng(1).normal(size=(9, 5, 4)).astype(np.float32)"


@pytest.mark.parametrize(
    ("body", "cut", "shapes"),
    [
        ("""
         class Last(nn.Module):
             def __init__(self):
                 super().__init__()
                 self.lstm, self.out = nn.LSTM(4, 6, 2, batch_first=True), nn.Linear(6, 2)
             def forward(self, x):
                 return self.out(self.lstm(x)[1][0][-1])
         """, "lstm", [(2, 6)]),
        ("""
         class Last(nn.Module):
             def __init__(self):
                 super().__init__()
                 self.lstm, self.out = nn.LSTM(4, 6), nn.Linear(12, 2)
             def forward(self, x):
                 y, (_, c) = self.lstm(x.transpose(0, 1))
                 return self.out(torch.cat([y[-1], c[0]], 1))
         """, "lstm", [(5, 6), (1, 6)]),
        ("""
         class Last(nn.Module):
             def __init__(self):
                 super().__init__()
                 layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
                 self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
                 self.out = nn.Linear(4, 2)
             def forward(self, x):
                 late = x[..., 0] > 1.0
                 return self.out(self.encoder(x, src_key_padding_mask=late).mean(1))
         """, "encoder.layers.0", [(5,), (5, 4)]),
        ("""
         class Last(nn.Module):
             def __init__(self):
                 super().__init__()
                 self.down, self.up = nn.Linear(4, 3), nn.Linear(3, 4)
                 self.out = nn.Linear(20, 2)
             def forward(self, x):
                 y = x * torch.relu(self.up(torch.relu(self.down(x))))
                 return self.out(y.flatten(1))
         """, "down", [(5, 4), (5, 3)]),
    ],
    ids=["last state", "sequence first", "float mask", "the input itself"],
)  # fmt: skip
def test_recurrence_attention_and_gates_are_cut(write, body, cut, shapes):
    name = write(textwrap.dedent(body) + f"\ndef make():\n    return Last(), {SERIES}\n")
    parts = check_every_cut(name)
    assert [part.shape for part in parts.parts(cut)] == shapes


def test_a_cut_without_the_batch_names_the_tensor_and_its_neighbours(write):
    name = write("""
        class Folds(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.fold, self.b = nn.Linear(4, 6), nn.Flatten(0, 1), nn.Linear(6, 6)
                self.c = nn.Linear(6, 3)
            def forward(self, x):
                y = self.b(self.fold(self.a(x)).exp())
                return self.c(y.view(x.shape[0], 5, 6).mean(1))

        def make():
            return {"module": Folds(), "example": torch.zeros(1, 5, 4), "stages": ["a", "b"]}
        """)
    with pytest.raises(ValueError, match=r"after stage 'b' a tensor of shape \(15, 6\) crosses "
                       r"\(linear_1\); one of its dimensions must be the batch, 3; "
                       r"the nearest legal cuts: before it 'a'"):  # fmt: skip
        split(models.create(name), batch=3)
    found = write("""
        from net import Folds
        def make():
            return Folds(), torch.zeros(1, 5, 4)
        """, "other.py")  # fmt: skip
    assert models.create(found).stages == ("a",)  # only what keeps the batch is offered


def test_a_tuple_is_enough_and_noise_stands_for_samples(write):
    name = write("def make():\n    return Net(), torch.zeros(1, 4)\n")
    network = models.create(name)
    assert (network.name, network.task, network.stages) == ("net", "classify", ("first",))
    assert network.weights == "random"
    samples = models.samples(name, "test", 100)
    assert samples.inputs.shape == (16, 4)
    assert (samples.labels == -1).all()
    table = trace(network, {"raw32": {"feature": RAW}}, *samples, repeats=1)
    assert np.isnan(table.columns["correct"]).all()


def test_parameters_are_drawn_the_same_and_any_change_is_another_network(write):
    body = "def make():\n    return Net(), torch.zeros(1, 4)\n"
    first = models.create(write(body)).digest
    assert models.create(write(body, "copy.py")).digest == first
    assert models.create(write(body + "# a word\n")).digest != first
    assert models.create(write(body)).digest == first
    shifted = body.replace("return Net()", "net = Net(); net.first.bias.data += 1; return net")
    assert models.create(write(shifted)).digest != first
