"""Which profiles are measured, how long that may take, and how they are found again."""

import pytest
import torch

from profiles import models
from profiles.measuring import timing
from profiles.measuring.anchor import Anchor
from profiles.measuring.deployment import Deployment
from profiles.measuring.timing import rounds_at
from profiles.shipping import effort, portfolio


@pytest.fixture(autouse=True)
def calm(monkeypatch):
    """A machine that does not drift, whatever the one at hand does."""
    said = {"anchor_s": 0.05, "anchor_drift": 0.0, "anchor_drift_error": 0.0}
    monkeypatch.setattr(Anchor, "provenance", lambda self: said)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("profiles")


def test_what_is_there_is_not_measured_again(folder):
    lines: list[str] = []
    how = {"threads": (1,), "budget_s": 1e-3, "folder": folder, "say": lines.append}
    assert [path.name for path in portfolio.make(("digits",), **how)] == ["digits-single-1.npz"]
    assert lines[0] == "1/1 digits on 1: batch 1, 7 rounds: about 8 s"
    assert portfolio.make(("digits",), **how) == []
    assert lines[-1] == "digits on 1: there already"
    found = portfolio.find("digits", folder=folder)
    assert found.head.batches == (1,)
    assert portfolio.whole_s(found) == found.head.seconds_at("output")


def test_a_damaged_profile_is_measured_again(folder):
    path = folder / "digits-single-1.npz"
    path.write_bytes(path.read_bytes()[:500])
    how = {"threads": (1,), "budget_s": 1e-3, "folder": folder, "say": lambda _: None}
    assert portfolio.make(("digits",), **how) == [path]


def test_a_profile_that_is_not_shipped_names_those_that_are(folder):
    with pytest.raises(ValueError, match="vgg16, single, on h100 is shipped; shipped: digits-sin"):
        portfolio.find("vgg16", on="h100", folder=folder)


def test_the_budget_drops_rounds_first_then_batches(monkeypatch):
    digits = models.create("digits")
    monkeypatch.setattr(timing, "call_seconds", lambda network, **how: 0.02)
    found = [portfolio.effort(digits, budget_s=b) for b in (1e4, 30.0, 12.0, 1.0)]
    assert found[0].batches == (1, 2, 4, 8, 16)
    assert found[0].rounds == 30
    seconds = [one.seconds for one in found]
    assert seconds == sorted(seconds, reverse=True)
    assert found[-1].batches == (1,)
    assert portfolio.effort(digits, batches=(3, 9), budget_s=1.0).batches == (3, 9)


def test_large_language_models_get_a_smaller_grid(monkeypatch):
    network = models.create("bytellama")
    monkeypatch.setattr(timing, "call_seconds", lambda network, **how: 0.5)
    found = portfolio.effort(network, budget_s=60)
    assert (found.rounds, found.warmup) == (5, 1)
    assert "prompts of 1-256 and caches of 0-1024 tokens" in str(found)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
    ],
)
def test_a_gpu_goes_by_the_name_of_its_sheet(monkeypatch, title, name):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: title)
    assert portfolio.hardware_name("cuda") == name
    assert portfolio.hardware_name("cpu") == "this"


def test_without_a_gpu_cuda_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no CUDA device here; use device=cpu"):
        portfolio.make(("digits",), device="cuda")


def test_long_calls_get_fewer_rounds_but_never_below_five():
    assert rounds_at(1, 30, 10) == (30, 10)
    assert rounds_at(4, 30, 10) == (7, 2)
    assert rounds_at(64, 30, 10) == (5, 1)


def test_a_network_that_cannot_be_measured_does_not_stop_the_others(folder, monkeypatch):
    def fail(network, **how):
        raise RuntimeError("out of memory\nand much more")

    monkeypatch.setattr(portfolio, "effort", fail)
    lines: list[str] = []
    how = {"threads": (1,), "folder": folder, "say": lines.append, "mode": "compiled"}
    assert portfolio.make(("digits",), **how) == []
    assert lines == ["digits on 1-compiled-fp32: not measured: out of memory"]


def test_a_file_says_how_its_network_was_deployed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    digits = models.create("digits")
    names = [
        portfolio.label_of(Deployment(**how).resolve(digits), digits, 2)
        for how in (
            {}, {"precision": "bf16"}, {"device": "cuda"},
            {"device": "cuda", "mode": "eager", "precision": "fp32"},
        )
    ]  # fmt: skip
    assert names == ["2", "2-eager-bf16", "h100-graph-fp16", "h100"]


def test_a_gpu_keeps_large_batches_where_the_budget_drops_some(monkeypatch):
    digits = models.create("digits")
    monkeypatch.setattr(timing, "call_seconds", lambda network, **how: 0.005)
    monkeypatch.setattr(timing, "setup_seconds", lambda network, how: 5.0)
    found = [effort.effort(digits, budget_s=b, device="cuda") for b in (100, 40, 12)]
    assert [one.batches for one in found] == [(1, 2, 4, 8, 16, 32, 64), (1, 4, 16, 64), (1,)]
