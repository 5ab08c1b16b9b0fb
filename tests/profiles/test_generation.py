"""Generation and decoder profiles, on a small attention network with random weights."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import codec
from profiles import models
from profiles.measuring import decoding, generation
from profiles.models.network import Network, content_digest

WIDTH, HEADS, LAYERS, CLASSES = 32, 4, 3, 32


class Tiny(nn.Module):
    n_layers = LAYERS

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(CLASSES, WIDTH)
        self.places = nn.Embedding(64, WIDTH)
        self.inner = nn.ModuleList(nn.Linear(WIDTH, 3 * WIDTH) for _ in range(LAYERS))
        self.outer = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.last = nn.Linear(WIDTH, CLASSES)

    def embed(self, tokens):
        return 4 * self.tokens(tokens)

    def layer(self, index, hidden, past):
        n, new, _ = hidden.shape
        seen = 0 if past is None else past[0].shape[2]
        x = hidden + self.places(torch.arange(seen, seen + new))
        q, k, v = self.inner[index](x).view(n, new, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        mask = torch.ones(new, seen + new, dtype=torch.bool).tril(seen)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return hidden + self.outer[index](y.transpose(1, 2).reshape(n, new, WIDTH)), (k, v)

    def answer(self, hidden):
        return self.last(hidden)

    def forward(self, tokens):
        cache: list = [None] * self.n_layers
        return self.answer(decoding.run_layers(self, self.embed(tokens), cache, 0, self.n_layers))


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(1)
    module = Tiny().eval()
    return Network(
        name="tiny",
        module=module,
        example_input=torch.zeros(1, 4, dtype=torch.int64),
        stages=(),
        weights="random",
        digest=content_digest(module),
        task="language",
    )


@pytest.fixture(scope="module")
def prompts() -> np.ndarray:
    return np.random.default_rng(3).integers(0, CLASSES, (5, 6))


def greedy(module: nn.Module, prompts: np.ndarray, n: int) -> np.ndarray:
    """The plain way: the whole sequence again at every step, no cache, no cut."""
    tokens = torch.from_numpy(prompts)
    with torch.inference_mode():
        for _ in range(n):
            tokens = torch.cat([tokens, module(tokens)[:, -1].argmax(-1, keepdim=True)], 1)
    return tokens[:, prompts.shape[1] :].numpy()


@pytest.mark.parametrize(("n_head", "lossless"), [*itertools.product((1, 3), (None, "raw32"))])
def test_split_generation_with_caches_equals_plain_generation(network, prompts, n_head, lossless):
    chosen = codec.create(lossless) if lossless else None
    run = generation.generate(network.module, prompts, 9, n_head=n_head, chosen=chosen)
    assert np.array_equal(run.tokens, greedy(network.module, prompts, 9))


def test_trace_of_lossless_and_lossy_settings(network, prompts):
    settings = {"raw32": codec.create("raw32"), "int4": codec.create("int4")}
    table = generation.trace(
        network, settings, prompts, cuts=("layers.0", "layers.1"), n_tokens=8, repeats=2
    )
    assert table.size("token") == 8
    for cut in table.cuts:
        assert (table.cell("agree", cut, "raw32") == 1).all()
        assert (table.cell("agree_free", cut, "raw32") == 1).all()
        assert (table.cell("logit_kl", cut, "raw32") < 1e-9).all()
        assert (table.cell("logit_kl", cut, "int4") > 0).all()
    sizes = table.cell("payload_bytes", "layers.1", "raw32")
    assert (sizes[:, 0] > 6 * WIDTH * 4).all()
    assert (sizes[:, 1:] < 1.5 * WIDTH * 4).all()


def test_kv_bytes_are_those_of_the_layers_on_each_side(network, prompts):
    settings = {"raw16": codec.create("raw16")}
    table = generation.trace(network, settings, prompts, cuts=("layers.0",), n_tokens=4, repeats=1)
    per_layer = 2 * WIDTH * 4
    assert table.columns["kv_head_bytes"][0].tolist() == [6 * per_layer, *[per_layer] * 3]
    assert table.columns["kv_tail_bytes"][0].tolist() == [12 * per_layer, *[2 * per_layer] * 3]


def test_forced_and_free_runs_agree_until_they_part(network, prompts):
    settings = {"int4": codec.create("int4")}
    table = generation.trace(network, settings, prompts, cuts=("layers.0",), n_tokens=12, repeats=1)
    forced = table.cell("agree", "layers.0", "int4")
    free = table.cell("agree_free", "layers.0", "int4")
    for row_forced, row_free in zip(forced, free, strict=True):
        first = int(np.argmin(row_free)) if not row_free.all() else len(row_free) - 1
        assert np.array_equal(row_forced[: first + 1], row_free[: first + 1])


def test_the_table_keeps_its_token_axis(network, prompts, tmp_path):
    settings = {"raw16": codec.create("raw16")}
    table = generation.trace(network, settings, prompts, cuts=("layers.1",), n_tokens=3, repeats=1)
    table.save(tmp_path / "t.npz")
    assert type(table).load(tmp_path / "t.npz").digest == table.digest


def test_profiles_of_prefill_and_decode_are_apart(network):
    how = {"prompts": (1, 8), "kv_lengths": (0, 16), "batches": (1, 2), "rounds": 3, "warmup": 1}
    found = decoding.measure(network, **how)
    prefill, decode = found["prefill"], found["decode"]
    assert (prefill.phase, decode.phase) == ("prefill", "decode")
    assert prefill.cut_names == ("input", "layers.0", "layers.1", "layers.2", "output")
    whole = np.median(prefill.samples["parts_1_1_0"].sum(1))
    found_s = prefill.tail.seconds_at("input", batch=2, new_tokens=8)
    raised = "isotonic" in prefill.tail.provenance  # a smaller batch came out slower
    assert found_s == pytest.approx(whole) or (raised and found_s > whole)
    assert decode.head.seconds_at("output", kv_length=7.5) > 0
    with pytest.raises(ValueError, match=r"new_tokens must lie in the measured range 1\.\.1"):
        decode.head.seconds_at("output", new_tokens=2)
    for cut in decode.cuts:
        assert cut.kv_head_bytes + cut.kv_tail_bytes == LAYERS * 2 * WIDTH * 4


def test_one_layer_counts_as_many_copies(network):
    torch.manual_seed(0)
    module = Tiny().eval()
    module.n_layers = 1
    one = Network(**{**network.__dict__, "module": module})
    how = {"prompts": (4,), "kv_lengths": (8,), "batches": (1,), "rounds": 3, "copies": 5}
    decode = decoding.measure(one, **how)["decode"]
    times = decode.samples["parts_0_0_0"]
    parts = np.median(times / times.sum(1, keepdims=True), axis=0)
    assert len(decode.cuts) == 7
    steps = np.diff(decode.head.seconds[:, 0, 0, 0])
    assert steps[1:5] == pytest.approx(np.full(4, steps[1]))
    assert steps[1] / steps[-1] == pytest.approx(parts[1] / parts[2])
    assert decode.provenance["layers"] == "one layer x 5"
    with pytest.raises(ValueError, match="copies must be 1 for 3 layers, got 5"):
        decoding.measure(network, **how)


def test_a_vision_network_is_no_decoder():
    with pytest.raises(ValueError, match="digits is not autoregressive: it lacks n_layers"):
        decoding.decoder_of(models.create("digits"))
