"""docs/inputs.md, sections Networks and Checkpoints, line by line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import codec
from profiles.measuring import timing, tracing
from profiles.measuring.cuts import split
from profiles.measuring.decoder import check_decoder
from profiles.models import llama2
from profiles.models.checkpoint import load_state_dict
from profiles.models.llama import Llama, Shape
from profiles.models.network import Network, content_digest
from tests.inputs_page import check, lines_of
from tests.profiles import test_checkpoint as checkpoints
from tests.profiles.networks import CASES, Between, build
from tests.profiles.test_cuts import Foreign
from tests.profiles.test_networks import check_at_every_cut, network


def case(name: str, stages: tuple[str, ...] | None = None):
    """One of the small networks, compared with itself at every cut."""

    def play() -> None:
        module, example = build(name)
        wanted = CASES[name].stages if stages is None else stages
        check_at_every_cut(module, split(network(module, example, wanted), batch=2), example)

    return play


def rows(module: nn.Module, stages: tuple[str, ...] = (), shape: tuple[int, ...] = (2, 6)):
    x = torch.linspace(-1, 1, 6 * shape[0]).reshape(shape) if len(shape) == 2 else torch.ones(shape)
    return lambda: split(network(module.eval(), x, stages), batch=2)


def profile_pair() -> None:
    module, example = build("two answers")
    profile = timing.measure(network(module, example, ("a",)), rounds=5, warmup=1)
    assert profile.cut("output").shape == (7,)


def trace_pair() -> None:
    module, example = build("two answers")
    settings = {"raw32": {"feature": codec.create("raw32")}}
    x = example.numpy()
    tracing.trace(network(module, example, ("a",)), settings, x, np.zeros(2, int), repeats=1)


def leave_in_train_mode() -> None:
    module = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6)).eval()
    module[1].train()
    network(module, torch.ones(1, 6), ())


class Twins(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


class Constant(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(2, 3)


class Doubling(Llama):
    """Its forward does more than its layers."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(tokens)


def decode_otherwise() -> None:
    torch.manual_seed(0)
    module = Doubling(Shape(vocabulary=20, width=16, n_layers=2, n_heads=2, inner=8)).eval()
    check_decoder(
        Network(
            name="net", module=module, example_input=torch.arange(8)[None], stages=(),
            weights="random", digest=content_digest(module), task="language",
        )
    )  # fmt: skip


def lose_writes() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("profiles.measuring.graph._writes", lambda node: False)
        case("zero channels")()


THREE = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))
NETWORKS = {
    "writes in place through a slice, a view or an index": [
        case(name) for name in ("scale a slice", "write through a view", "write by index")
    ],
    "builds a mask of constants in place": case("mask built in place"),
    "writes into its input": case("input changed in place"),
    "calls one module twice (a cut lies after the last call)": case("shared module"),
    "has one module under two names": rows(Twins(), ("first",)),
    "computes different things by `torch.cond`": case("torch.cond"),
    "counts its calls in a buffer that no answer reads": case("counts its calls"),
    "gives several answers, and is profiled": profile_pair,
    "gives several answers, and is traced": trace_pair,
    "leaves a part in train mode": leave_in_train_mode,
    "calls `functional.dropout` as in training": case("functional dropout"),
    "decides by a number of its data": case("decides by a number"),
    "uses an operator that cannot be exported": rows(Foreign()),
    "keeps a running mean that its answer reads": case("remembers"),
    "answers without looking at its input": rows(Constant()),
    "names a stage that it does not have": case("lstm", ("c",)),
    "names its stages out of order": rows(THREE, ("1", "0")),
    "sends two tensors after a stage": case("u-net", ("down",)),
    "sends a tensor without the batch": rows(
        Between(nn.Flatten(0, 1), lambda y: y, nn.Linear(6, 2)), ("a",), (2, 5, 6)
    ),
    "is exported into something else": lose_writes,
    "generates by layers that are not its `forward`": decode_otherwise,
}


def test_every_line_on_networks_has_its_test():
    assert list(lines_of("Networks")) == list(NETWORKS)


@pytest.mark.parametrize("line", NETWORKS)
def test_what_is_done_with_a_network(line):
    plays = NETWORKS[line]
    for play in plays if isinstance(plays, list) else [plays]:
        check(lines_of("Networks")[line], play)


def tiny(change=None, *, kind=torch.float32, classes=5):
    """A small ResNet's folder, its tensors changed, then read."""

    def play(folder: Path) -> None:
        checkpoints.tiny(classes).to(kind).save_pretrained(folder)
        if change is not None:
            checkpoints.rewrite(folder, change)
        assert checkpoints.read(folder).config.num_labels == classes

    return play


def tiny_config(text: str = "", **changed):
    """A small ResNet's folder, its config.json changed, then read."""

    def play(folder: Path) -> None:
        checkpoints.tiny().save_pretrained(folder)
        if changed:
            checkpoints.change_config(folder, **changed)
        else:
            (folder / "config.json").write_text(text)
        checkpoints.read(folder)

    return play


def cut_short(folder: Path) -> None:
    checkpoints.tiny().save_pretrained(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    checkpoints.read(folder)


def pieces(change):
    """A state dict of a small network, changed, then read."""

    def play(folder: Path) -> None:
        source = checkpoints.Pieces()
        given = change({f"features.{k}": v for k, v in source.state_dict().items()})
        again = checkpoints.into_pieces(checkpoints.put(folder, given)).state_dict()
        assert all(torch.equal(again[k], v) for k, v in source.state_dict().items())

    return play


def old_densenet(folder: Path) -> None:
    old, new = "denselayer1.norm.1.weight", "denselayer1.norm1.weight"
    module = nn.Linear(2, 2, bias=False)
    load_state_dict(module, checkpoints.put(folder, {old: torch.ones(2, 2)}), lambda name: new)
    assert module.weight.sum() == 4


def small_llama(**changed):
    """A small Llama's folder, its config.json changed, then read."""

    def play(folder: Path) -> None:
        transformers = checkpoints.transformers
        config = transformers.LlamaConfig(**checkpoints.SMALL_LLAMA)
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
        checkpoints.change_config(folder, **changed)
        checkpoints.llama(folder)

    return play


def other_llama2(folder: Path) -> None:
    shape = llama2.SHAPES["llama2_7b"]
    config = {
        "model_type": "llama", "vocab_size": shape.vocabulary, "hidden_size": shape.width,
        "intermediate_size": shape.inner, "num_attention_heads": shape.n_heads,
        "num_hidden_layers": 32, "rms_norm_eps": 1e-5, "rope_theta": 1e6,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    llama2._check_shape("llama2_7b", folder)


def leave_the_folder(folder: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    small_llama(num_hidden_layers=2)(folder)


def with_bias(values: torch.Tensor):
    return tiny(lambda state: state.update({"classifier.1.bias": values}))


CHECKPOINTS = {
    "tensors in float16, bfloat16 or float64": [
        tiny(kind=kind) for kind in (torch.float16, torch.bfloat16, torch.float64)
    ],
    "another number of classes, with its config.json": tiny(classes=7),
    "a state dict in another order": pieces(lambda state: dict(reversed(state.items()))),
    "the names of a DenseNet of before 2019": old_densenet,
    "no config.json": lambda folder: checkpoints.read(folder),
    "no *.pth, or several": lambda folder: checkpoints.into_pieces(folder),
    "a config.json that is no JSON": tiny_config("{"),
    "another architecture": tiny_config(model_type="mobilenet_v2"),
    "the same architecture, deeper": tiny_config(depths=[3, 4]),
    "quantized weights": tiny_config(quantization_config={"load_in_8bit": True}),
    "no head": tiny(lambda state: {k: v for k, v in state.items() if "classifier" not in k}),
    "other names": tiny(lambda state: {f"body.{k}": v for k, v in state.items()}),
    "one tensor more": tiny(lambda state: {**state, "neck.weight": torch.zeros(3)}),
    "a tensor of another shape": with_bias(torch.ones(2)),
    "integers for floats": with_bias(torch.ones(5, dtype=torch.int8)),
    "a number that is not finite": with_bias(torch.full((5,), torch.nan)),
    "a file that is cut short": cut_short,
    "a *.pth that would run code": lambda folder: checkpoints.into_pieces(
        checkpoints.put(folder, checkpoints.Pieces())
    ),
    "a *.pth of a training run, weights deeper inside": pieces(lambda state: {"model": state}),
    "a Llama with biases": small_llama(attention_bias=True),
    "a Llama with scaled rotary positions": small_llama(rope_parameters={"rope_type": "llama3"}),
    "a Llama with more layers than config.json says": small_llama(num_hidden_layers=1),
    "Llama-2 with other rotary positions": other_llama2,
    "an index that leads out of the folder": leave_the_folder,
}


def test_every_line_on_checkpoints_has_its_test():
    assert list(lines_of("Checkpoints")) == list(CHECKPOINTS)


@pytest.mark.parametrize("line", CHECKPOINTS)
def test_what_is_done_with_a_checkpoint(line, tmp_path):
    plays = CHECKPOINTS[line]
    for at, play in enumerate(plays if isinstance(plays, list) else [plays]):
        folder = tmp_path / str(at)
        folder.mkdir()
        check(lines_of("Checkpoints")[line], lambda play=play, folder=folder: play(folder))
