"""Deployment: what is timed is what was asked for, and computes what the network computes.

CUDA graphs are recorded by a stand-in that hands out the answer of its one call, as a graph does.
"""

import pytest
import torch

from profiles import ModelProfile, models
from profiles.measuring import decoding, deployment, timing
from profiles.measuring.composition import CompositionError
from profiles.measuring.deployment import Deployment, own_precision
from profiles.models.network import Network

QUICK = {"rounds": 5, "warmup": 1}


class FakeGraphs:
    """Records answers; counts what was recorded and replayed."""

    def __init__(self, spoil: int = -1) -> None:
        self.captured = self.replayed = 0
        self._spoil = spoil

    def capture(self, call):
        answer = call()
        if self.captured == self._spoil:
            answer = answer + 1.0
        self.captured += 1

        def replay():
            self.replayed += 1
            return answer

        return replay


@pytest.fixture
def graphs(monkeypatch):
    fake = FakeGraphs()
    monkeypatch.setattr(deployment, "graphs_on", lambda device: fake)
    return fake


def small(**changes):
    """Three layers on images that the network itself makes fp32 numbers of."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Conv2d(4, 2, 3)
            self.c = torch.nn.Linear(2, 3)

        def forward(self, images):
            x = images.float().permute(0, 3, 1, 2) / 16.0
            return self.c(torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3)))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = Net().eval()
    images = torch.randint(0, 16, (1, 8, 8, 1), dtype=torch.uint8)
    fields = {"name": "small", "module": module, "example_input": images, "stages": ("a", "b"),
              "weights": "random", "digest": "0"}  # fmt: skip
    return Network(**(fields | changes))


def test_every_part_is_recorded_once_per_batch_and_replayed_in_every_round(graphs):
    made = timing.measure(small(), batches=(1, 2), mode="graph", **QUICK)
    n_parts = 1 + 2 + 2 + 3  # the whole, heads, tails, blocks; the module is never recorded
    assert graphs.captured == 2 * n_parts
    rounds, anchors = 5 + 1, 5  # the whole warms up again after each anchor
    assert graphs.replayed == 2 * (n_parts * (1 + rounds) + anchors)
    assert (made.head.mode, made.tail.mode, made.provenance["mode"]) == ("graph",) * 3


def test_a_recording_that_answers_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr(deployment, "graphs_on", lambda device: FakeGraphs(spoil=2))
    with pytest.raises(CompositionError, match=r"small, head at b: mode=graph gives .* mode=eager"):
        timing.measure(small(), mode="graph", **QUICK)


def test_graphs_need_a_gpu():
    with pytest.raises(ValueError, match=r"mode=graph records CUDA graphs: .* got device=cpu"):
        timing.measure(small(), mode="graph", **QUICK)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_is_that_of_every_crossing_and_leaves_the_network_alone(precision, tmp_path):
    network = small()
    made = timing.measure(network, precision=precision, **QUICK)
    kind = {"fp16": "float16", "bf16": "bfloat16"}[precision]
    assert [cut.dtype for cut in made.cuts] == ["uint8", kind, kind, kind]
    assert own_precision(network.module) == "fp32"
    made.save(tmp_path / "p.npz")
    kept = ModelProfile.load(tmp_path / "p.npz")
    assert (kept.head.precision, kept.tail.precision) == (precision, precision)
    assert kept.layers[0].weight_bytes == pytest.approx(2 * 40)


def test_half_precision_answers_what_the_network_answers_to_its_digits():
    network = models.create("digits")
    half = Deployment(precision="bf16").place(network)
    with torch.inference_mode():
        exact, rough = (one.module(one.example_input) for one in (network, half))
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.03 * exact.abs().max()


def test_auto_is_half_precision_in_graphs_on_a_gpu_and_the_networks_own_elsewhere():
    on_gpu, on_cpu = Deployment(device="cuda"), Deployment()
    assert (on_gpu.mode, on_gpu.resolve(small()).precision) == ("graph", "fp16")
    assert (on_cpu.mode, on_cpu.resolve(small()).precision) == ("eager", "fp32")
    llama = small(module=small().module.to(torch.bfloat16))
    assert {how.resolve(llama).precision for how in (on_gpu, on_cpu)} == {"bf16"}
    asked = Deployment(device="cuda", precision="fp32", mode="eager")
    assert asked.resolve(small()) == asked


def test_other_words_and_numbers_are_refused_in_one_line():
    with pytest.raises(ValueError, match="mode must be one of graph; got 'grap'"):
        Deployment(mode="grap")
    with pytest.raises(ValueError, match=r"precision .* fp16.*; got 'fp61'"):
        Deployment(precision="fp61")
    with pytest.raises(ValueError, match=r"precision must be one of .*; the network's is float64"):
        own_precision(torch.nn.Linear(2, 2).double())


def test_compiled_parts_are_compared_and_compiled_in_one_piece(monkeypatch):
    made = []

    def compile_call(call):
        made.append(call)
        return torch.compile(call, backend="eager", dynamic=False, fullgraph=True)

    monkeypatch.setattr(deployment, "compile_call", compile_call)
    profile = timing.measure(small(), mode="compiled", **QUICK)
    assert len(made) == 1 + 2 + 2 + 3
    assert (profile.head.mode, profile.head.precision) == ("compiled", "fp32")


def test_what_cannot_be_compiled_says_so():
    runner = Deployment(mode="compiled").runner("net")

    def prints(x):
        print(float(x.sum()))
        return x

    with pytest.raises(CompositionError, match="net, tail: mode=compiled fails, use mode=eager"):
        runner.prepare("tail", prints, torch.ones(2))


@pytest.mark.slow
def test_the_compiler_itself_answers_the_same():
    profile = timing.measure(small(), mode="compiled", precision="bf16", **QUICK)
    assert (profile.head.mode, profile.head.precision) == ("compiled", "bf16")


def test_a_decoders_parts_are_recorded_for_every_point(graphs):
    found = decoding.measure(
        models.create("bytellama"), prompts=(1, 4), kv_lengths=(0, 8), batches=(1,), rounds=5,
        warmup=1, mode="graph", precision="bf16",
    )  # fmt: skip
    assert graphs.captured == 4 * (2 + 4)  # points; embedding, answer and layers
    for made in found.values():
        assert (made.head.mode, made.head.precision) == ("graph", "bf16")
        assert made.cuts[2].dtype == "bfloat16"
        assert (made.head.errors[1:] > 0).all()
        assert (made.tail.errors[-1] == 0).all()
