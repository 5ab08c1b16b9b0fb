"""The results folder: rows survive torn lines and two runs never share it."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.sweep.store import Store, point_id

ROW = {"point_id": "a", "throughput_rps": 1.5, "throughput_rps_lo": 1.25, "throughput_rps_hi": 2.0}


def test_a_row_is_read_back_as_written(tmp_path):
    store = Store(tmp_path)
    assert store.append(ROW) == ROW
    assert store.finished() == {"a": ROW}


@given(cut=st.integers(1, 60))
def test_a_torn_last_line_costs_only_its_own_point(tmp_path_factory, cut):
    store = Store(tmp_path_factory.mktemp("run"))
    store.append(ROW)
    store.append({**ROW, "point_id": "b"})
    path = store.folder / "rows.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    kept = store.finished()
    assert kept["a"] == ROW
    assert ("b" in kept) == (cut == 1)  # only the newline is gone: the row is whole
    store.append({**ROW, "point_id": "c"})
    assert {"a", "c"} <= set(store.finished())


def test_a_failed_point_is_a_row_but_not_finished(tmp_path):
    store = Store(tmp_path)
    store.append({"point_id": "a", "error": "link.rate_bps must be > 0, got 0"})
    assert store.finished() == {}
    assert "error" in store.latest()["a"]
    store.append(ROW)
    assert store.finished()["a"]["throughput_rps"] == 1.5


def test_the_table_has_the_tidy_columns_first_and_empty_cells_for_nothing(tmp_path):
    store = Store(tmp_path)
    row = store.append({"zebra": 1, "accuracy": float("nan"), "n_devices": 2, **ROW})
    with store.write_table([row]).open() as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == [
            "point_id", "n_devices", "throughput_rps", "throughput_rps_lo", "throughput_rps_hi",
            "accuracy", "zebra",
        ]  # fmt: skip
        assert next(reader)["accuracy"] == ""


def test_a_second_run_of_the_same_name_is_refused(tmp_path):
    with (
        Store(tmp_path).lock(),
        pytest.raises(ValueError, match="in use by another run"),
        Store(tmp_path).lock(),
    ):
        pass


def test_a_point_is_named_by_spec_and_tables():
    spec = {"fleet": {"n_devices": 2}, "seed": 0}
    assert point_id(spec, {"trace": "x"}) == point_id(json.loads(json.dumps(spec)), {"trace": "x"})
    others = [({**spec, "seed": 1}, {"trace": "x"}), (spec, {"trace": "y"})]
    assert len({point_id(*other) for other in [(spec, {"trace": "x"}), *others]}) == 3
