"""Whole Llamas from folders, with their tokenizers; answers with and without a codec."""

import json

import numpy as np
import pytest
import torch

import codec
from profiles import models
from profiles.measuring import answering
from profiles.models.data.arithmetic import Problem
from profiles.models.data.questions import Question
from profiles.models.data.tokens import Bytes, Pretrained

WORDS = ("<s>", "the", "cup", "box", "was", "big", "is", "cold", "ice", "7")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny random Llama and a tokenizer of ten words, as save_pretrained writes them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=24, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, rope_theta=500.0, tie_word_embeddings=True,
    )  # fmt: skip
    theirs = LlamaForCausalLM(config).eval()
    for parameter in theirs.parameters():
        parameter.data.mul_(3.0)  # scores of some contrast
    theirs.save_pretrained(folder)
    own = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<s>"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    own.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    PreTrainedTokenizerFast(tokenizer_object=own, bos_token="<s>").save_pretrained(folder)
    return folder, theirs


def of(checkpoint):
    return models.create("llama", weights=str(checkpoint[0])), Pretrained(str(checkpoint[0]))


def test_scores_equal_those_of_transformers(checkpoint):
    network, tokenizer = of(checkpoint)
    tokens = torch.tensor([tokenizer.encode("the cup was big")])
    assert tokens.tolist() == [[0, 1, 2, 4, 5]]
    assert tokenizer.decode([0, 8, 6, 7]) == "ice is cold"
    with torch.inference_mode():
        assert torch.allclose(network.module(tokens), checkpoint[1](tokens).logits, atol=1e-5)
    assert (network.stages, network.weights) == (("layers.0", "layers.1", "layers.2"), "trained")


def test_shards_are_read_by_their_index(checkpoint, tmp_path):
    checkpoint[1].save_pretrained(tmp_path, max_shard_size="4KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert models.create("llama", weights=str(tmp_path)).digest == of(checkpoint)[0].digest


def test_log_likelihoods_add_up_to_those_of_the_whole_text(checkpoint):
    """By transformers' own loss: the mean of -log p over the tokens behind the first."""
    network, tokenizer = of(checkpoint)
    text = "the cup was big"
    tokens = torch.tensor([tokenizer.encode(text)])
    with torch.inference_mode():
        whole = -float(checkpoint[1](tokens, labels=tokens).loss) * (tokens.shape[1] - 1)
    parts = [
        answering.log_likelihood(answering.through(network, "layers.1"), tokenizer, *pair)
        for pair in (("", "the"), ("the", " cup"), ("the cup ", "was big"))
    ]
    assert sum(parts) == pytest.approx(whole, rel=1e-5)


def test_the_likelier_ending_is_chosen_per_byte_or_whole():
    """Scores by hand: every byte has probability 1/4 for 'a', 1/256 for the rest."""

    def forward(tokens):
        scores = torch.full((1, tokens.shape[1], 256), np.log(3 / 4 / 255))
        scores[..., ord("a")] = np.log(1 / 4)
        return scores

    endings = ("b", "aaaaaa")  # -5.8 against -8.3; per byte -5.8 against -1.4
    fields = {"prompts": ("p", "p"), "endings": endings, "answer": 1}
    asked = [Question(**fields), Question(**fields, per_byte=True)]
    assert answering.choose(forward, Bytes(), asked).tolist() == [0, 1]
    found = answering.log_likelihood(forward, Bytes(), "p", "aaaaaa")
    assert found == pytest.approx(6 * np.log(1 / 4), rel=1e-6)


def test_the_byte_llama_tells_python_from_noise_also_through_a_codec():
    network = models.create("bytellama")
    asked = [
        Question(prompts=(prompt,) * 2, endings=(f"zq{wrong}", right), answer=1, per_byte=True)
        for prompt, right, wrong in (
            ("import num", "pickle", "#%"), ("def f(self", "):\n", "~"), ("    retu", "rn", "x0"),
            ("for i in ran", "ge(", "!"), ("class A(obj", "ect):", "{"),
        )
    ]  # fmt: skip
    for chosen in (None, codec.create("slicer", sparsity=0.5)):
        forward = answering.through(network, "layers.1", chosen)
        assert answering.choose(forward, Bytes(), asked).tolist() == [1] * 5


def test_exact_match_takes_what_the_network_generates(checkpoint):
    network, tokenizer = of(checkpoint)
    prompt = "ice is"
    tokens = torch.tensor([tokenizer.encode(prompt)])
    theirs = checkpoint[1].generate(tokens, max_new_tokens=12, do_sample=False)[
        0, tokens.shape[1] :
    ]
    text = tokenizer.decode(theirs.tolist())
    asked = [Problem(prompt=prompt, number="7"), Problem(prompt=prompt, number="8")]
    for chosen in (None, codec.create("raw32")):
        right = answering.solve(
            network, tokenizer, asked, cut="layers.0", chosen=chosen, n_tokens=12
        )
        assert right.tolist() == ["7" in text, False]


def changed(checkpoint, tmp_path, **fields):
    config = json.loads((checkpoint[0] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **fields}))
    (tmp_path / "model.safetensors").write_bytes((checkpoint[0] / "model.safetensors").read_bytes())
    return str(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "gpt2"}, "model_type must be 'llama', got 'gpt2'"),
        ({"attention_bias": True}, "attention_bias is not known"),
        ({"head_dim": 8}, "head_dim must be 4, got 8"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "of type 'llama3' are not known"),
        ({"num_hidden_layers": 4}, r"9 missing, first 'model.layers.3"),
        ({"hidden_size": 32, "head_dim": 8}, r"embed_tokens.weight has shape \(10, 16\), the net"),
    ],
)
def test_what_would_answer_otherwise_is_refused(checkpoint, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message) as error:
        models.create("llama", weights=changed(checkpoint, tmp_path, **fields))
    assert "\n" not in str(error.value)


def test_folders_without_checkpoint_or_tokenizer_say_what_to_put_there(checkpoint, tmp_path):
    with pytest.raises(ValueError, match=r"holds no config\.json: put a Llama checkpoint there"):
        models.create("llama", weights=str(tmp_path))
    with pytest.raises(ValueError, match="holds no tokenizer: put the checkpoint"):
        Pretrained(str(tmp_path))
    folder = changed(checkpoint, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ValueError, match="is no readable safetensors file"):
        models.create("llama", weights=folder)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no readable tokenizer") as error:
        Pretrained(folder)
    assert "\n" not in str(error.value)


def test_one_layer_of_many_answers_nothing(monkeypatch):
    from profiles.models import llama2
    from profiles.models.llama import Shape

    tiny = Shape(vocabulary=50, width=16, n_layers=1, n_heads=2, inner=24)
    monkeypatch.setitem(llama2.SHAPES, "llama2_7b", tiny)
    with pytest.raises(ValueError, match="holds one of 32 layers and answers nothing"):
        answering.through(models.create("llama2_7b"), "layers.0")
