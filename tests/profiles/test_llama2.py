"""Llama-2's counts against the published ones; one layer that stands for many; checkpoints."""

import json

import pytest
import torch

from profiles import models
from profiles.measuring import decoding
from profiles.models import llama2
from profiles.models.llama import Llama, Shape

TINY = Shape(vocabulary=50, width=16, n_layers=1, n_heads=2, inner=24)


@pytest.mark.parametrize(
    ("name", "published"), [("llama2_7b", 6_738_415_616), ("llama2_13b", 13_015_864_320)]
)
def test_parameters_equal_the_published_counts(name, published):
    with torch.device("meta"):
        module = Llama(llama2.SHAPES[name])
    layer = sum(p.numel() for p in module.layers[0].parameters())
    whole = sum(p.numel() for p in module.parameters()) + (llama2.LAYERS[name] - 1) * layer
    assert whole == published


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(llama2.SHAPES, "llama2_7b", TINY)


def test_one_layer_counts_as_many_in_its_profile(tiny):
    network = models.create("llama2_7b")
    assert (network.copies, network.weights) == (32, "random")
    found = decoding.measure(
        network, prompts=(1, 4), kv_lengths=(0, 8), batches=(1,), rounds=3, copies=network.copies
    )
    decode = found["decode"]
    assert len(decode.cuts) == 34
    # bfloat16: 2 (key and value) x width x 2 B a token and layer
    assert decode.cuts[-1].kv_head_bytes == 32 * 2 * 16 * 2


def test_random_weights_are_the_same_twice(tiny):
    one, other = (models.create("llama2_7b", dtype="float32") for _ in range(2))
    assert torch.equal(one.module(one.example_input), other.module(one.example_input))
    with pytest.raises(ValueError, match=r"model\.dtype must be one of bfloat16, float16, float32"):
        models.create("llama2_7b", dtype="int8")


def test_layer_0_of_a_checkpoint_is_read(tiny, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=32,
        num_attention_heads=2, num_key_value_heads=2, rms_norm_eps=1e-5,
    )  # fmt: skip
    theirs = LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    theirs.model.layers = theirs.model.layers[:1]
    network = models.create("llama2_7b", weights=str(tmp_path), dtype="float32")
    tokens = torch.arange(9)[None]
    with torch.inference_mode():
        assert torch.allclose(network.module(tokens), theirs(tokens).logits, atol=1e-5)
    assert network.weights == "trained"


def test_a_folder_without_checkpoint_says_what_to_put_there(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"holds no config.json: put a Llama checkpoint"):
        models.create("llama2_7b", weights=str(tmp_path))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_hidden_layers", 31, "is not llama2_7b: n_layers must be 32, got 31"),
        ("rope_theta", 1e6, r"is not llama2_7b: rope_base must be 10000.0, got 1000000.0"),
        ("rms_norm_eps", 1e-6, "is not llama2_7b: epsilon must be 1e-05, got 1e-06"),
        ("tie_word_embeddings", True, "is not llama2_7b: its head is its embedding"),
    ],
)
def test_the_checkpoint_of_another_llama_is_refused(tiny, tmp_path, field, value, message):
    """Its shapes fit; what it computes does not."""
    config = {
        "model_type": "llama", "vocab_size": 50, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 32, "num_attention_heads": 2, "rms_norm_eps": 1e-5, field: value,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        models.create("llama2_7b", weights=str(tmp_path))


@pytest.mark.slow
def test_the_real_layer_runs():
    network = models.create("llama2_7b")
    scores = network.module(network.example_input)
    assert scores.shape == (1, 16, 32_000)
    assert torch.isfinite(scores).all()
