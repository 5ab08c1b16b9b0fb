"""A network of the user's on every command: `model=FILE.py:FUNCTION`."""

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

import splitfleet as sf
from profiles.tables.trace import TraceTable
from scenarios.__main__ import run

ROOT = Path(sf.__file__).parent
SKIPS = """
import numpy as np
import torch
from torch import nn


class Skips(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.up = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        fine = torch.relu(self.down(x))
        deep = torch.relu(self.deep(nn.functional.avg_pool2d(fine, 2)))
        return self.up(torch.cat([fine, nn.functional.interpolate(deep, scale_factor=2.0)], 1))


def make():
    images = np.random.default_rng(0).normal(size=(25, 1, 8, 8)).astype(np.float32)
    return {"module": Skips(), "inputs": images, "labels": (images[:, 0] > 0).astype(int),
            "task": "segment", "metric": "pixel_accuracy"}


def blind():
    return Skips(), torch.zeros(1, 1, 8, 8)
"""
SHORT = ("model.repeats=1", "horizon_s=1", "warmup_s=0.2", "replications=2")


@pytest.fixture
def own(workplace, monkeypatch):
    """A file below the working folder, where outputs/cache is shared by all tests."""
    monkeypatch.chdir(workplace)
    (workplace / "my nets").mkdir(exist_ok=True)
    for path in ("skips.py", "my nets/skips.py"):
        (workplace / path).write_text(SKIPS)
    return "model=skips.py:make"


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


def test_it_is_simulated_and_its_rows_have_its_score(own):
    assert run(["simulate", own, "cut=deep", "codec=int8", "fleet.n_devices=3", *SHORT]) == 0
    (row,) = rows("simulate")
    assert (row["model"], row["cut"]) == ("skips.py:make", "deep")
    assert 0.2 < float(row["table_accuracy"]) < 0.8
    assert float(row["uplink_bytes_per_request"]) == pytest.approx(4 * 64 + 4 * 16, abs=80)


def test_one_of_several_in_jobs_of_their_own(own):
    models = "model='my nets/skips.py:make',digits"
    words = [models, "cut=output", "codec=int8", "model.samples=20", "name=several", *SHORT]
    assert run(["simulate", "-m", *words]) == 0
    found = [row["model"] for row in rows("several")]
    assert found == ["my nets/skips.py:make", "digits"]


def test_one_of_several_in_an_axis(own):
    axis = "sweep=['model=skips.py:make,digits','fleet.n_devices=1,2']"
    words = [axis, "cut=output", "codec=int8", "model.samples=20", "name=axis", *SHORT]
    assert run(["simulate", *words]) == 0
    assert [row["model"] for row in rows("axis")] == 2 * ["skips.py:make"] + 2 * ["digits"]


def test_it_is_traced_with_several_parts_in_a_payload(own):
    assert run(["trace", own, "codec=raw32", "model.repeats=1"]) == 0
    table = TraceTable.load("outputs/trace/skips.npz")
    assert table.cuts == ("input", "down", "deep", "output")
    assert len(table.sample_ids) == 20  # the fifth of every five calibrates
    payload = table.cell("payload_bytes", "deep", "raw32")
    assert (payload > 4 * (4 * 64 + 4 * 16)).all()
    assert (table.columns["answer_bytes"] == 64).all()
    for cut in table.cuts:
        scores = table.cell("correct", cut, "raw32")
        assert np.allclose(scores, table.cell("correct", "output", "raw32"), atol=1e-9)


def test_without_samples_payloads_count_as_random(own, capsys):
    assert run(["trace", "model=skips.py:blind", "codec=int8", "model.repeats=1"]) == 0
    assert "skips.py:blind, random weights, 16 samples" in capsys.readouterr().out
    table = TraceTable.load("outputs/trace/skips-blind.npz")
    assert np.isnan(table.columns["correct"]).all()


def test_chains_are_compared_on_all_parts(own):
    words = [own, "cut=deep", "samples=5", "repeats=1", "chains=[int8,ecsq]"]
    assert run(["codec", *words]) == 0
    found = {row["codec"]: row for row in rows("codec")}
    assert float(found["int8"]["bits_per_element"]) > 8.0
    assert 0.0 < float(found["int8"]["relative_l2"]) < 0.01
    assert abs(float(found["int8"]["accuracy_drop"])) < 0.05
    assert run(["codec", *words[:-1], "chains=[klt+ecsq]"]) == 1
    assert "2 tensors cross here and share no basis" in rows("codec")[-1]["error"]


def test_it_is_profiled(own):
    assert run(["profile", own, "budget_s=1", "batches=[1]", "hardware=cpu"]) == 0
    assert Path("outputs/profile/skips-single.npz").is_file()


def test_it_is_searched(own, capsys):
    limits = ["slo.mean_s=0.5", "slo.accuracy_drop_pp=50", "answers=0", "fleet.n_devices=2"]
    assert run(["search", own, "model.repeats=1", *limits]) == 0
    assert "decision: output" in capsys.readouterr().out
    assert run(["search", "model=skips.py:blind", "model.repeats=1", *limits]) == 2
    assert "search compares answers with labels" in capsys.readouterr().err


def test_figures_send_its_inputs_as_features(own):
    one = "sweep=['fleet.n_devices=2']"
    assert run(["fig1_server_load", own, "cut=deep", one, "span_s=1", *SHORT]) == 0
    found = {row["method"]: row for row in rows("fig1_server_load")}
    assert {"full server, raw", "full server, ecsq", "split, int8", "full device"} <= found.keys()
    assert not any(row.get("error") for row in found.values())


def test_the_door_takes_it(own):
    case = sf.case("skips.py:make", "deep/int8", n_devices=2, horizon_s=1, warmup_s=0.2)
    row = case.change(model=sf.model("skips.py:make", repeats=1)).simulate()
    assert (row["model"], row["codec"]) == ("skips.py:make", "int8")
    with pytest.raises(ValueError, match=r"model=nothing.py:make: no such file"):
        sf.case("nothing.py:make", "deep/int8").simulate()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("plan model=nothing.py:make slo.p95_s=0.1", "model=nothing.py:make: no such file"),
        ("trace model=skips.py", "model=skips.py needs the function that makes it: model=skips"),
        ("trace model=skips.py:mak", "unknown function 'mak'; nearest: make"),
        ("simulate model=skips.py:make", "unknown cut 'stage3' (the default); skips has input,"),
        ("simulate model=skips.py:make cut=dep", "unknown cut 'dep'; nearest: deep; skips has"),
        ("simulate model=skips.py:make cut=input codec=jpeg", "cut=input sends numbers, which c"),
        ("trace model=skips.py:make model.weights=here", "has no option 'weights'; it takes: none"),
        ("search model=skips.py:make ship=true", "model must be one of scenes, bytellama for a"),
        ("attribution model=skips.py:make cut=stage3 model.repeats=1",
         "unknown cut 'stage3'; allowed: deep,"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_status_2(own, words, told, capsys):
    assert run(shlex.split(words)) == 2
    said = capsys.readouterr().err.splitlines()
    assert told in said[-1]
    assert said[-1].startswith("splitfleet: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cut"), [("unet", "middle"), ("resnet", "stage2"), ("transformer", "layers.1")]
)
def test_an_example_is_traced_and_planned(name, cut, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    own = f"model={ROOT}/examples/networks/{name}.py:make"
    assert run(["trace", own, "codec=raw32", "model.repeats=1"]) == 0
    table = TraceTable.load(f"outputs/trace/{name}.npz")
    for one in table.cuts:
        assert np.nanmax(table.cell("logit_kl", one, "raw32")) < 1e-6
    short = ["plan.requests_per_run=500", "plan.half_width=0.1", "model.repeats=1"]
    assert run(["plan", own, f"cut={cut}", "codec=raw32", "slo.p95_s=0.1", *short]) == 0
    told = json.loads(Path("outputs/plan/plan.json").read_text())
    assert told["n_star"] >= 1
