"""The results folder: rows survive torn lines and two runs never share it."""

import contextlib
import csv
import io
import itertools
import json
import os
import resource
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from scenarios.__main__ import run
from scenarios.sweep.store import Store, point_id, write_table

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


@pytest.fixture
def small_disk():
    """Let no file grow beyond a size, as a full disk does: the last write is cut off."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_a_full_disk_writes_a_row_whole_or_not_at_all(tmp_path, small_disk):
    store = Store(tmp_path)
    ends = []
    for name in "abc":
        store.append({**ROW, "point_id": name})
        ends.append((tmp_path / "rows.jsonl").stat().st_size)
    for n_bytes in (ends[0] - 9, ends[0], ends[0] + 1, ends[1] - 1, ends[1]):
        (tmp_path / "rows.jsonl").unlink()
        small_disk(n_bytes)
        kept = []
        for name in "abc":
            try:
                store.append({**ROW, "point_id": name})
                kept.append(name)
            except OSError:
                break
        small_disk(resource.RLIM_INFINITY)
        assert len(kept) == sum(end <= n_bytes for end in ends)
        assert sorted(store.finished()) == kept
        assert (tmp_path / "rows.jsonl").stat().st_size == max([0, *ends[: len(kept)]][-1:])
    assert store.append({**ROW, "point_id": "z"})  # with room again
    assert sorted(store.finished()) == ["a", "b", "z"]


def test_a_changed_line_is_none_and_one_without_checksum_runs_again(tmp_path):
    """Every bit of a row: what is read of it is the row, or nothing."""
    store = Store(tmp_path)
    store.append(ROW)
    path = tmp_path / "rows.jsonl"
    whole = path.read_bytes()
    body = whole.index(b', "crc32"')
    for at, bit in itertools.product(range(body), range(8)):
        data = bytearray(whole)
        data[at] ^= 1 << bit
        path.write_bytes(data)
        assert store.latest() == {}
    path.write_text(json.dumps(ROW) + "\n")
    assert (store.latest(), store.finished()) == ({"a": ROW}, {})


BY_HAND = ["simulate", "request=by_hand", "request.server_s=0.01", "request.device_s=0.01",
           "horizon_s=3", "warmup_s=0", "replications=2", "name=run"]  # fmt: skip
WRONG = st.sampled_from(["throughput_rps", "latency_p95_s", "method", "warning", "grade", "swept"])


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(names=st.sets(WRONG, min_size=1), value=st.sampled_from(["gone", None, "many", [1], True]))
def test_a_row_written_by_hand_is_played_again_whatever_it_holds(tmp_path_factory, names, value):
    folder = tmp_path_factory.mktemp("run")
    with contextlib.chdir(folder), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        assert run(BY_HAND) == 0
        path = Path("outputs/run/rows.jsonl")
        right = path.read_text()
        row = {name: each for name, each in json.loads(right).items() if name != "crc32"}
        row |= dict.fromkeys(names, value)
        path.write_text(json.dumps({k: v for k, v in row.items() if v != "gone"}) + "\n")
        no_row = "swept" in names and value != "gone"
        assert run(["collect", "name=table", "outputs/run"]) == (2 if no_row else 0)
        assert run(BY_HAND) == 0
        assert path.read_text().splitlines()[-1] == right.rstrip()


def test_a_full_disk_leaves_the_last_table_and_nothing_beside_it(tmp_path, small_disk):
    store = Store(tmp_path)
    store.write_table([ROW])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    small_disk(20)
    for write in (lambda: store.write_table([ROW] * 9), lambda: store.write_run(command="x")):
        with pytest.raises(OSError, match="File too large"):
            write()
    small_disk(resource.RLIM_INFINITY)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_torn_lines_are_taken_out_at_the_next_start(tmp_path, capfd):
    store = Store(tmp_path)
    whole = json.dumps(ROW)
    lines = [whole, whole[:20], "\x00" * 40, "", whole.replace('"a"', '"b"'), whole[:-1]]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    with store.lock():
        assert "3 torn lines taken out of" in capfd.readouterr().err
        kept = (tmp_path / "rows.jsonl").read_text().splitlines()
        assert kept == [lines[0], lines[4]]
    with store.lock():
        assert capfd.readouterr().err == ""


def test_a_line_that_a_killed_process_left_goes_with_the_next_row(tmp_path):
    store = Store(tmp_path)
    with store.appending() as append:
        append(ROW)
        with (tmp_path / "rows.jsonl").open("a") as file:
            file.write('{"point_id": "torn", "thr')
        append({**ROW, "point_id": "c"})
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line)["point_id"] for line in lines] == ["a", "c"]


@settings(max_examples=80)
@given(data=st.data())
def test_damaged_rows_never_stop_a_run_or_its_table(tmp_path_factory, data):
    store = Store(tmp_path_factory.mktemp("run"))
    for name in "abc":
        store.append({**ROW, "point_id": name})
    path = store.folder / "rows.jsonl"
    whole = path.read_bytes()
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    junk = data.draw(
        st.binary(max_size=6) | st.sampled_from([b"\n", b"[1]\n", b"\xff\xfe", b"NaN"])
    )
    path.write_bytes(whole[:first] + junk + whole[last:])
    untouched = {json.loads(line)["point_id"] for line in whole[:first].split(b"\n")[:-1]}
    assert untouched <= set(store.latest())
    with store.lock():
        store.append({**ROW, "point_id": "d"})
    rows = store.latest()
    assert untouched | {"d"} <= set(rows)
    assert rows["d"] == {**ROW, "point_id": "d"}
    store.write_table(rows.values())
    for line in path.read_bytes().split(b"\n")[:-1]:
        assert not line.strip() or json.loads(line) is not None


ODD = [
    "null", "[1, 2]", "3", '"a"', "{}", '{"point_id": 3}', '{"point_id": ["a"]}',
    '{"point_id": "s", "swept": [1]}', "[" * 20_000, "\\udc00", '{"point_id": "t", "swept": null}',
]  # fmt: skip
STRANGE = [
    {"point_id": "big", "n_devices": 10**30, "x": 1e300},
    {"point_id": "words", "n_devices": "many", "x": {"deep": [1, {"a": 2}]}},
    {"point_id": "half", "x": "\ud800", "\udfff": 1},
    {"point_id": "spoof", "run": "outputs/another", "error": ""},
    {"point_id": "nan", "x": float("nan"), "y": float("inf")},
]


def test_collect_passes_over_what_is_no_row_and_says_so(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs/one"
    folder.mkdir(parents=True)
    lines = [json.dumps(ROW), *ODD, *map(json.dumps, STRANGE)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "results.csv").write_bytes(b"point_id\n\xff\xfe\x00")
    assert run(["collect", "outputs"]) == 0
    shown = capfd.readouterr()
    assert "6 rows of 1 runs, 0 failed" in shown.out
    assert f"{len(ODD)} lines that are no rows were passed over" in shown.err
    with open("outputs/collect/results.csv") as file:
        rows = {row["point_id"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["a", *(row["point_id"] for row in STRANGE)]
    assert {row["run"] for row in rows.values()} == {"outputs/one"}
    assert rows["half"]["x"] == "\\ud800"
    assert (rows["nan"]["x"], rows["nan"]["y"]) == ("", "")
    assert rows["big"]["n_devices"] == str(10**30)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"), ("\t=1", "'\t=1"), ("\r=1", "'\n=1"), ("a\r\nb\rc", "a\nb\nc"),
        ("-1.5", "-1.5"), ("+3e4", "+3e4"),
        ("slicer 0.5", "slicer 0.5"), (-2, "-2"), ("a=b", "a=b"), ("-", "'-"),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(tmp_path, text, cell):
    path = write_table(tmp_path / "t.csv", [{"codec": text, "=head": 1}])
    with path.open(newline="") as file:
        header, row = csv.reader(file)
    assert header == ["codec", "'=head"]
    assert row == [cell, "1"]


def test_links_are_neither_read_nor_written(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "secret"
    target.write_text(json.dumps(ROW) + "\n")
    folder = tmp_path / "outputs/one"
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").symlink_to(target)
    store = Store(folder)
    for use in (store.latest, lambda: store.append(ROW), lambda: store.lock().__enter__()):
        with pytest.raises(ValueError, match=r"rows\.jsonl is a link, which results never are"):
            use()
    assert run(["collect", "outputs"]) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert target.read_text() == json.dumps(ROW) + "\n"
    (folder / "rows.jsonl").unlink()
    (folder / "results.csv").symlink_to(target)
    (folder / f"results.csv.{os.getpid()}.partial").symlink_to(target)
    store.write_table([ROW])  # replaces the links themselves
    assert not (folder / "results.csv").is_symlink()
    assert target.read_text() == json.dumps(ROW) + "\n"
