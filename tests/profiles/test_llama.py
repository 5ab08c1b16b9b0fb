"""The Llama against transformers' own, and the byte Llama's weights against what they state."""

import numpy as np
import pytest
import torch

from profiles import models
from profiles.measuring.decoder import run_layers
from profiles.models import bytellama
from profiles.models.data import sources
from profiles.models.llama import Llama, Shape
from profiles.models.training import train
from profiles.models.weights import SHIPPED, read_provenance

SMALL = {"vocabulary": 64, "width": 32, "n_layers": 2, "n_heads": 4, "inner": 48}


def of_transformers(shape, module):
    """transformers' Llama with the same weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.kv_heads,
        rms_norm_eps=shape.epsilon,
        rope_theta=shape.rope_base,
        tie_word_embeddings=False,
    )
    other = LlamaForCausalLM(config).eval()
    state = {}
    for name, tensor in module.state_dict().items():
        name = name.replace("gate_proj", "mlp.gate_proj").replace("up_proj", "mlp.up_proj")
        name = name.replace("down_proj", "mlp.down_proj")
        state[name if name.startswith("lm_head") else f"model.{name}"] = tensor
    other.load_state_dict(state)
    return other


@pytest.mark.parametrize("n_kv_heads", [None, 2])
@torch.inference_mode()
def test_scores_equal_those_of_transformers(n_kv_heads):
    torch.manual_seed(3)
    shape = Shape(**SMALL, n_kv_heads=n_kv_heads)
    module = Llama(shape).eval()
    tokens = torch.randint(0, 64, (2, 19))
    theirs = of_transformers(shape, module)(tokens).logits
    assert torch.allclose(module(tokens), theirs, atol=1e-5)


@torch.inference_mode()
def test_decoding_in_pieces_equals_the_whole():
    torch.manual_seed(4)
    module = Llama(Shape(**SMALL)).eval()
    tokens = torch.randint(0, 64, (2, 12))
    cache: list = [None, None]
    pieces = [
        module.answer(run_layers(module, module.embed(piece), cache, 0, 2))
        for piece in torch.split(tokens, [5, 1, 4, 2], dim=1)
    ]
    assert torch.allclose(torch.cat(pieces, 1), module(tokens), atol=1e-5)
    assert cache[0][0].shape == (2, 4, 12, 8)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"llama.width must be a multiple of 8, got 30"):
        Shape(**{**SMALL, "width": 30})
    with pytest.raises(ValueError, match=r"llama.n_kv_heads must divide 4, got 3"):
        Shape(**SMALL, n_kv_heads=3)


def test_splits_share_no_file_and_windows_are_functions_of_their_index():
    sizes = {split: len(sources.text(split)) for split in models.SPLITS}
    assert sizes["train"] > 4e6
    assert min(sizes.values()) > 1e5
    assert sources.split_of("json/decoder.py") == sources.split_of("json/decoder.py")
    few, many = sources.windows("test", 3), sources.windows("test", 40)
    assert np.array_equal(few.inputs, many.inputs[:3])
    assert np.array_equal(sources.windows("test", 2, start=1).inputs, few.inputs[1:])
    assert np.array_equal(few.inputs[:, 1:], few.labels[:, :-1])


def test_the_shipped_byte_llama_predicts_held_out_files_as_well_as_it_says():
    """Another Python holds other files: the figure may move by a few percent."""
    network = models.create("bytellama")
    stated = read_provenance(SHIPPED / "bytellama.npz")
    found = bytellama.bits_per_byte(network.module, sources.windows("test", 100))
    same_text = sources.digest("test") == stated["text_digests"]["test"]
    assert found == pytest.approx(stated["bits_per_byte"], rel=0.05 if same_text else 0.15)
    assert network.weights == "trained"
    assert network.n_parameters == 857_216


@pytest.mark.slow
def test_the_byte_llama_recipe_reproduces_its_loss(tmp_path):
    _, fresh = train("bytellama", folder=tmp_path)
    stated = read_provenance(SHIPPED / "bytellama.npz")
    assert fresh["bits_per_byte"] == pytest.approx(stated["bits_per_byte"], rel=0.03)
