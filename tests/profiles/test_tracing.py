"""Tracing: rows are what an independent walk through network and codec gives."""

import numpy as np
import pytest
import torch

import codec
from profiles import models
from profiles.measuring.tracing import trace
from profiles.shipping import store

SETTINGS = {
    "raw32": {"input": codec.create("raw8"), "feature": codec.create("raw32")},
    "jpeg": {"input": codec.create("jpeg")},
    "slicer": {"feature": codec.create("slicer", sparsity=0.8)},
}
N = 7


@pytest.fixture(scope="module")
def data():
    return models.samples("scenes", "test", N)


@pytest.fixture(scope="module")
def table(data):
    net = models.create("scenes")
    return trace(net, SETTINGS, data.inputs, data.labels, repeats=2, batch=3)


def test_payloads_and_answers_equal_a_walk_by_hooks(table, data):
    net, chosen = models.create("scenes"), SETTINGS["slicer"]["feature"]
    streams = []

    def through_codec(module, arguments, output):
        streams.append(chosen.encode(output[0].numpy()))
        return torch.from_numpy(np.array(chosen.decode(streams[-1])))[None]

    handle = net.module.get_submodule("stage2").register_forward_hook(through_codec)
    with torch.inference_mode():
        scores = [net.module(torch.from_numpy(x[None])) for x in data.inputs]
    handle.remove()
    right = [float(s.argmax()) == label for s, label in zip(scores, data.labels, strict=True)]
    assert table.cell("payload_bytes", "stage2", "slicer").tolist() == [*map(len, streams)]
    assert table.cell("correct", "stage2", "slicer").tolist() == right


def test_lossless_settings_lose_nothing(table):
    whole = table.cell("correct", "output", "raw32")
    for cut in table.cuts:
        assert np.array_equal(table.cell("correct", cut, "raw32"), whole)
        assert (table.cell("relative_l2", cut, "raw32") == 0).all()
        assert (table.cell("logit_kl", cut, "raw32") < 1e-9).all()


def test_the_ledger_adds_up_to_the_payload(table):
    parts = [name for name in table.columns if name.endswith("_bytes")]
    parts = [name for name in parts if name not in ("payload_bytes", "answer_bytes")]
    for cut, setting in (("stem", "slicer"), ("stage4", "raw32"), ("input", "jpeg")):
        total = sum(table.cell(name, cut, setting) for name in parts)
        assert np.array_equal(total, table.cell("payload_bytes", cut, setting))


def test_combinations_that_do_not_exist_are_absent(table):
    assert table.exists("input", "jpeg")
    assert not table.exists("stem", "jpeg")
    assert not table.exists("input", "slicer")
    assert all(table.exists("output", setting) for setting in table.settings)
    assert (table.cell("payload_bytes", "output", "slicer") == 0).all()


def test_batching_changes_no_row(table, data):
    net = models.create("scenes")
    again = trace(net, SETTINGS, data.inputs, data.labels, repeats=1, batch=7)
    for name in ("payload_bytes", "correct"):
        assert np.array_equal(again.columns[name], table.columns[name], equal_nan=True)


def test_the_store_measures_once_and_again_after_a_change(tmp_path, data, monkeypatch):
    net = models.create("scenes")
    settings = {"slicer": SETTINGS["slicer"]}
    how = {"cuts": ("stage4",), "repeats": 1}
    first = store.trace(tmp_path, net, settings, data.inputs, data.labels, **how)
    with monkeypatch.context() as patch:
        patch.setattr(store.tracing, "trace", None)
        second = store.trace(tmp_path, net, settings, data.inputs, data.labels, **how)
        assert second.digest == first.digest
    settings = {"slicer": {"feature": codec.create("slicer", sparsity=0.5)}}
    other = store.trace(tmp_path, net, settings, data.inputs, data.labels, **how)
    assert other.digest != first.digest
    assert len([*tmp_path.glob("trace-scenes-*.npz")]) == 2


def test_a_cut_off_file_is_measured_again(tmp_path, data):
    net, how = models.create("scenes"), {"cuts": ("stage4",), "repeats": 1}
    settings = {"slicer": SETTINGS["slicer"]}
    store.trace(tmp_path, net, settings, data.inputs, data.labels, **how)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:500])
    table = store.trace(tmp_path, net, settings, data.inputs, data.labels, **how)
    assert table.exists("stage4", "slicer")


def test_bad_requests_are_refused_in_one_line(data):
    net = models.create("scenes")
    with pytest.raises(ValueError, match="repeats must be >= 1, got 0"):
        trace(net, SETTINGS, data.inputs, data.labels, repeats=0)
    with pytest.raises(ValueError, match="labels must be as many as inputs = 7, got 6"):
        trace(net, SETTINGS, data.inputs, data.labels[:6])
    with pytest.raises(ValueError, match="cut must be one of stage"):
        trace(net, SETTINGS, data.inputs, data.labels, cuts=("stage9",))
    with pytest.raises(ValueError, match="kind of cut of setting x must be one of input, feature"):
        trace(net, {"x": {"middle": codec.create("raw16")}}, data.inputs, data.labels)
