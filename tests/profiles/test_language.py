"""What a codec costs the byte Llama, on few windows; and the error that a task bears."""

import numpy as np
import pytest

import codec
from profiles import Column, TraceTable, models
from profiles.models import bytellama
from profiles.models.data import sources
from profiles.shipping import language, language_report, tolerance


@pytest.fixture(scope="module")
def lost():
    settings = {"raw32": codec.create("raw32"), "int4": codec.create("int4")}
    return {
        (one.cut, one.setting): one
        for one in language.losses("bytellama", settings, ("layers.0", "layers.3"), n_windows=4)
    }


def test_without_loss_bits_per_byte_are_those_of_the_whole_network(lost):
    network = models.create("bytellama")
    whole = bytellama.bits_per_byte(network.module, sources.windows("test", 4))
    for cut in ("layers.0", "layers.3"):
        one = lost[cut, "raw32"]
        assert one.bits_per_byte == pytest.approx(whole, abs=1e-5)
        assert one.rise == pytest.approx((0, 0, 0), abs=1e-6)
        assert one.drop == (0, 0, 0)
        assert 32 < one.bits_per_element < 32.1


def test_fewer_bits_cost_bits_per_byte(lost):
    for cut in ("layers.0", "layers.3"):
        one = lost[cut, "int4"]
        mean, lo, hi = one.rise
        assert lo < mean < hi
        assert mean == pytest.approx(one.bits_per_byte - lost[cut, "raw32"].bits_per_byte)
        assert mean > 0.005
    assert "| layers.3 | int4 |" in language.table_of(list(lost.values()))


def test_spans_double_and_cover_every_step():
    assert language_report._spans(48) == [(0, 1), (1, 4), (4, 8), (8, 16), (16, 32), (32, 48)]
    assert language_report._spans(2) == [(0, 1), (1, 2)]


def test_steps_are_averaged_over_samples_and_the_span():
    shape = (2, 1, 1, 4)
    kl = np.arange(8.0).reshape(shape)
    dims = ("sample", "cut", "setting", "token")
    columns = {"payload_bytes": np.ones(shape), "logit_kl": kl, "agree": np.ones(shape),
               "agree_free": np.zeros(shape)}  # fmt: skip
    table = TraceTable(
        model="net", cuts=("layers.0",), settings=("s",), sample_ids=np.arange(2),
        columns=columns, axes={"token": ("0", "1", "2", "3")},
        schema={name: Column(unit="B" if name == "payload_bytes" else "1", dims=dims)
                for name in columns},
    )  # fmt: skip
    lines = language.steps_table_of(table, [(0, 1), (1, 4)]).splitlines()
    assert lines[0].endswith("| steps 0-0 | steps 1-3 |")
    assert lines[2] == "| layers.0 | s | KL nat | 2.0000 | 4.0000 |"
    assert lines[4] == "| layers.0 | s | same token, free | 0.000 | 0.000 |"


def test_a_task_bears_what_its_most_sensitive_cut_does(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "task,model,cut,loss,relative_l2\nclassify,scenes,a,0.01,0.4\nclassify,scenes,b,0.01,0.2\n"
    )
    assert tolerance.read_tolerance("classify", path) == 0.2
    with pytest.raises(ValueError, match="holds no row of task language"):
        tolerance.read_tolerance("language", path)
    with pytest.raises(ValueError, match="task must be one of classify"):
        tolerance.read_tolerance("clasify", path)


def test_a_codec_is_set_to_the_tolerated_error(monkeypatch):
    monkeypatch.setattr(tolerance, "read_tolerance", lambda task: 0.2)
    chosen = tolerance.set_for(models.create("bytellama"))
    hidden = np.concatenate(tolerance._run_hidden(models.create("bytellama")))
    received = chosen.decode(chosen.encode(hidden))
    error = np.linalg.norm(received - hidden) / np.linalg.norm(hidden)
    assert 0.1 < error < 0.3
