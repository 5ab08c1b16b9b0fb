import io
import itertools
import json
import pickle
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import Column, TraceTable
from profiles.tables import archive

CELL = ("sample", "cut", "setting")


def table(**changes):
    payload = np.arange(12.0).reshape(3, 2, 2)
    payload[:, 0, 1] = np.nan
    fields = {
        "model": "digits",
        "cuts": ("input", "stem"),
        "settings": ("raw16", "slicer-mild"),
        "sample_ids": np.array([4, 7, 9]),
        "columns": {"payload_bytes": payload, "encode_s": payload / 1e6, "answer_bytes": [4, 4, 4]},
        "schema": {
            "payload_bytes": Column(unit="B", dims=CELL),
            "encode_s": Column(unit="s", dims=CELL),
            "answer_bytes": Column(unit="B", dims=("sample",)),
        },
        "provenance": {"model_digest": "abc", "codecs": {"raw16": "raw16()"}, "codec_version": 1},
    }
    return TraceTable(**(fields | changes))


def test_round_trip_and_deterministic_bytes(tmp_path):
    table().save(tmp_path / "a.npz")
    table().save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = TraceTable.load(tmp_path / "a.npz")
    assert loaded.digest == table().digest
    assert loaded.schema == table().schema
    for name, values in table().columns.items():
        assert np.array_equal(loaded.columns[name], values, equal_nan=True)


def test_numpy_alone_opens_the_file(tmp_path):
    table().save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["column_answer_bytes"].tolist() == [4, 4, 4]
        assert json.loads(file["header"].tobytes())["kind"] == "trace table"


def test_cells_and_existence():
    assert table().cell("payload_bytes", "stem", "raw16").tolist() == [2, 6, 10]
    assert table().cell("answer_bytes", "stem", "raw16").tolist() == [4, 4, 4]
    assert not table().exists("input", "slicer-mild")
    with pytest.raises(ValueError, match="setting must be one of slicer-mild; got 'slicer-milt'"):
        table().cell("payload_bytes", "stem", "slicer-milt")


@pytest.mark.parametrize("name", ["payload_bytes", "encode_s"])
def test_nan_inside_an_existing_cell_is_refused(name):
    columns = {key: np.array(values, float) for key, values in table().columns.items()}
    columns[name][1, 1, 1] = np.nan
    with pytest.raises(ValueError, match="holds a NaN"):
        table(columns=columns)


@pytest.mark.parametrize(("value", "words"), [(-1, ">= 0"), (np.inf, "finite")])
def test_bad_sizes_are_refused(value, words):
    columns = dict(table().columns) | {"answer_bytes": [4, value, 4]}
    with pytest.raises(ValueError, match=f"answer_bytes must be {words}, got"):
        table(columns=columns)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model_digest": "xyz"}, "its model digest was 'abc' and is now 'xyz'"),
        ({"codec_version": 2}, "its codec format was 1 and is now 2"),
        ({"codecs": {"raw16": "raw16(b=2)"}}, "its codec settings was"),
    ],
)
def test_changed_model_or_codec_is_refused(changed, words):
    now = {"model_digest": "abc", "codecs": {"raw16": "raw16()"}, "codec_version": 1}
    table().require(**now)
    with pytest.raises(ValueError, match=words):
        table().require(**(now | changed))


def test_other_schema_version_is_refused_in_one_line(tmp_path):
    path = tmp_path / "a.npz"
    archive.write(path, "trace table", 99, {}, {})
    with pytest.raises(ValueError, match=r"must be a trace table of schema 1, got .* 99") as error:
        TraceTable.load(path)
    assert "\n" not in str(error.value)


@given(keep=st.floats(0, 0.999))
def test_truncated_file_is_refused(tmp_path_factory, keep):
    path = tmp_path_factory.mktemp("t") / "a.npz"
    table().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ValueError, match="not a readable trace table") as error:
        TraceTable.load(path)
    assert "\n" not in str(error.value)


@given(at=st.floats(0, 0.9999), bit=st.integers(0, 7))
def test_flipped_bit_is_refused_or_harmless(tmp_path_factory, at, bit):
    path = tmp_path_factory.mktemp("t") / "a.npz"
    table().save(path)
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1 << bit
    path.write_bytes(bytes(data))
    with suppress(ValueError):
        assert TraceTable.load(path).digest == table().digest


def test_every_flipped_bit_of_the_directory_is_refused_or_harmless(tmp_path):
    path = tmp_path / "a.npz"
    table().save(path)
    whole = path.read_bytes()
    start = whole.index(b"PK\x01\x02")
    for at, bit in itertools.product(range(start, len(whole)), range(8)):
        data = bytearray(whole)
        data[at] ^= 1 << bit
        path.write_bytes(bytes(data))
        with suppress(ValueError):
            assert TraceTable.load(path).digest == table().digest


def test_pickled_content_is_refused_without_running_it(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('ran')",))

    path = tmp_path / "a.npz"
    table().save(path)
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("evil.npy", member.getvalue() + pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="not a readable trace table"):
        TraceTable.load(path)


def test_giant_shape_is_refused_before_allocation(tmp_path):
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    )
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", member.getvalue())
    with pytest.raises(ValueError, match="does not fill"):
        TraceTable.load(path)
