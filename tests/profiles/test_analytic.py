"""Closed forms against the constants that are known exactly, and against a real network."""

import pytest
import torch

from profiles.predicting import published
from profiles.predicting.analytic import LLAMA2_7B, model_phases
from profiles.predicting.roofline import Efficiency, Peaks, peaks_of
from profiles.tables.hardware import ServerSpec

FULL = Efficiency(compute=1.0, memory=1.0, kernel_s=0.0)
A100 = Peaks(flops=312e12, bandwidth_bytes_per_s=2.039e12, bytes_per_number=2.0)
SOURCE = {"hardware": "a100", "source": "full roofs"}


def test_llama_2_constants():
    assert LLAMA2_7B.layer_parameters == pytest.approx(202.4e6, rel=1e-3)
    assert LLAMA2_7B.parameters == 6_738_415_616
    assert LLAMA2_7B.kv_bytes() == 16_384


@pytest.mark.parametrize(("cut", "share"), [(16, 0.51), (24, 0.265), (25, 0.234), (28, 0.142)])
def test_server_share_of_the_work(cut, share):
    decode = model_phases(LLAMA2_7B, FULL, A100, **SOURCE)["decode"]
    at = decode.cut(f"layers.{cut - 1}")
    assert at.tail_flops / (at.head_flops + at.tail_flops) == pytest.approx(share, abs=0.006)


def test_parameters_agree_with_transformers():
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=4096, intermediate_size=11_008, num_hidden_layers=32, vocab_size=32_000
    )
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    assert sum(p.numel() for p in model.parameters()) == LLAMA2_7B.parameters


def test_decode_at_batch_1_is_bound_by_the_weights():
    decode = model_phases(LLAMA2_7B, FULL, A100, **SOURCE)["decode"]
    embedding = LLAMA2_7B.vocabulary * LLAMA2_7B.width
    floor = 2 * (LLAMA2_7B.parameters - embedding) / A100.bandwidth_bytes_per_s
    assert decode.head.seconds_at("output") == pytest.approx(floor, rel=0.01)
    assert decode.head.provenance["kind"] == "modelled"


def test_prefill_of_2048_tokens_is_bound_by_the_flops():
    prefill = model_phases(LLAMA2_7B, FULL, A100, **SOURCE)["prefill"]
    floor = 2 * 2048 * 32 * LLAMA2_7B.layer_parameters / A100.flops
    assert floor < prefill.head.seconds_at("output", new_tokens=2048) < 1.15 * floor


def test_published_latencies_lie_above_the_roofs_and_below_three_times_them():
    rates = {
        "a100": (312e12, 2.039e12),
        "h100": (989.4e12, 3.35e12),
    }
    sheets = {
        name: ServerSpec(
            name=name,
            title=name,
            peak_fp16_flops=flops,
            memory_bandwidth_bytes_per_s=bandwidth,
            sources=dict.fromkeys(("peak_fp16_flops", "memory_bandwidth_bytes_per_s"), "sheet"),
        )
        for name, (flops, bandwidth) in rates.items()
    }
    found = published.by_roofline(published.latencies(), sheets, {"llama2-7b": LLAMA2_7B}, FULL)
    assert len(found) == 4
    for one in found:
        assert -2 / 3 < one.relative_error < 0
    assert peaks_of(sheets["a100"], "fp16") == A100
    carried = published.by_other_machines(published.latencies(), sheets, {"llama2-7b": LLAMA2_7B})
    assert [one.published.machine for one in carried] == ["a100", "a100", "h100", "h100"]
    assert all(abs(one.relative_error) < 0.2 for one in carried)
