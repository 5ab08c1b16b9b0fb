"""Every npz and npy that is read: damage is one line of the right kind, a bomb costs no memory."""

import io
import json
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

import codec
import npz
from profiles.measuring import features
from profiles.models.weights import WeightsError, load_weights, save_weights
from profiles.tables.trace import Column, TraceTable

BOUND_BYTES = 64 << 20


def calibration():
    vectors = np.random.default_rng(6).normal(size=(120, 12)).astype(np.float32)
    return codec.calibrate("klt+ecsq", [vectors], relative_l2=0.2).calibration


def table():
    return TraceTable(
        model="m", cuts=("a",), settings=("s",), sample_ids=np.arange(3),
        columns={"payload_bytes": np.ones((3, 1, 1))},
        schema={"payload_bytes": Column(unit="B", dims=("sample", "cut", "setting"))},
    )  # fmt: skip


class Files:
    """A small file of every kind that is read, and its reader, which gives something to compare."""

    def __init__(self, folder):
        self.folder = folder
        self.module = torch.nn.Linear(3, 2)
        calibration().save(folder / "calibration.npz")
        table().save(folder / "table.npz")
        save_weights(self.module, folder / "weights.npz", {})
        np.save(folder / "features.npy", np.random.default_rng(0).normal(size=(4, 5)))
        self.readers = {
            "calibration.npz": lambda path: codec.Calibration.load(path).id,
            "table.npz": lambda path: TraceTable.load(path).digest,
            "weights.npz": self.digest,
        }

        self.whole = {name: (folder / name).read_bytes() for name in self.readers}
        self.right = {name: read(folder / name) for name, read in self.readers.items()}

    def digest(self, path):
        return load_weights(torch.nn.Linear(3, 2), path)["digest"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("files"))


ERRORS = {
    "calibration.npz": codec.CodecOptionError, "table.npz": ValueError, "weights.npz": WeightsError,
}  # fmt: skip


def check(files, name, data):
    """What is read of the changed bytes is what was written, or one line of the right error."""
    path = files.folder / name
    path.write_bytes(data)
    try:
        found, said = files.readers[name](path), ""
    except ERRORS[name] as error:
        found, said = files.right[name], str(error)
    path.write_bytes(files.whole[name])
    assert found == files.right[name]
    assert "\n" not in said
    assert len(said) < 500
    assert not said or name in said


@pytest.mark.parametrize("name", ERRORS)
def test_no_flipped_byte_leaves_another_error(files, name):
    """Every byte of the directory and every third before it, by a bit that its place chooses."""
    whole = files.whole[name]
    directory = whole.index(b"PK\x01\x02")
    for at in (*range(0, directory, 3), *range(directory, len(whole))):
        data = bytearray(whole)
        data[at] ^= 1 << (at * 5 + at // 7) % 8
        check(files, name, bytes(data))


@pytest.mark.parametrize("name", ERRORS)
@settings(max_examples=60)
@given(data=st.data())
def test_cut_torn_and_doubled_files_are_refused_or_harmless(files, name, data):
    whole = files.whole[name]
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    other = data.draw(st.sampled_from([b"", b"\0" * 40, whole, whole[first:last]]))
    check(files, name, whole[:first] + other + whole[last:])


def header(descr="<f4", shape=(2, 3), fortran=False):
    member = io.BytesIO()
    npy.write_array_header_1_0(member, {"descr": descr, "fortran_order": fortran, "shape": shape})
    return member.getvalue()


def archive(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("x.npy", header("|O", (1,)) + b"cos\nsystem\n.")], "array type object is not allowed"),
        ([("x.npy", header(shape=(1 << 50,)))], "does not fill its 0 bytes"),
        ([("x.npy", header(shape=(2, 4)) + bytes(24))], "does not fill its 24 bytes"),
        ([("x.npy", header("<f4", (1 << 62, 4)) + bytes(24))], "does not fill"),
        ([("x.npy", header("|S0", (9,)))], "is not allowed"),
        ([("x.npy", b"hello")], "no npy array"),
        ([("x.npy", b"\x93NUMPY\x03\x00" + bytes(99))], r"npy version \(3, 0\)"),
        ([("x.npy", b"\x93NUMPY\x01\x00\x04\x00(((\n")], "parse|EOF|header"),
        ([("x.npy", header() + bytes(24)), ("x", header() + bytes(24))], "2 arrays, 1 names"),
        ([("../../x.npy", header() + bytes(24))], "does not belong there"),
    ],
)
def test_members_that_are_no_plain_arrays_are_refused_by_what_they_are(tmp_path, members, said):
    path = archive(tmp_path / "a.npz", members)
    with pytest.raises(npz.DamagedError, match=said) as error:
        npz.read(path, names=("x",))
    assert "\n" not in str(error.value)


def test_no_flipped_length_hides_the_entries_behind_it(files):
    """A comment of another length swallows what follows: half a calibration, without a word."""
    whole = files.whole["calibration.npz"]
    at = whole.index(b"PK\x01\x02")
    while (at := whole.find(b"PK\x01\x02", at + 1)) > 0:
        for place, bit in ((at + 30, 6), (at + 31, 1), (at + 32, 6), (at + 32, 7), (at + 33, 0)):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            check(files, "calibration.npz", bytes(data))


def test_other_compressions_encryption_folders_and_no_file_are_refused(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", header() + bytes(24))], zipfile.ZIP_LZMA)
    with pytest.raises(npz.DamagedError, match="neither stored nor deflated"):
        npz.read(path)
    with pytest.raises(npz.DamagedError, match="no file"):
        npz.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        npz.read(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"")
    with pytest.raises(npz.DamagedError, match="zip"):
        npz.read(tmp_path / "c.npz")


def test_a_bomb_of_three_megabytes_is_refused_before_it_takes_memory(tmp_path):
    """3.2 GB of zeros in 3 MB, as `numpy.load` would unfold them."""
    path = tmp_path / "bomb.npz"
    piece = bytes(64 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("mean", "basis", *(f"other{i}" for i in range(3))):
            with file.open(f"{name}.npy", "w") as member:
                member.write(header(shape=(len(piece) // 4, 2)))
                for _ in range(2):
                    member.write(piece)
    assert path.stat().st_size < 1 << 20
    for read, error in (
        (codec.Calibration.load, codec.CodecOptionError),
        (lambda given: npz.read(given, max_bytes=1 << 29), npz.DamagedError),
    ):
        tracemalloc.start()
        with pytest.raises(error):
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < BOUND_BYTES


def test_a_member_longer_than_its_entry_says_is_refused(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", header(shape=(1 << 20,)) + bytes(4 << 20))])
    data = bytearray(path.read_bytes())
    size = (len(header(shape=(1 << 20,))) + (4 << 20)).to_bytes(4, "little")
    assert data.count(size) == 2  # the local header and the directory
    path.write_bytes(bytes(data.replace(size, (300).to_bytes(4, "little"))))
    with pytest.raises(npz.DamagedError):
        npz.read(path)


@settings(max_examples=80)
@given(
    dtype=st.sampled_from(["<f4", ">f8", "<f2", "|u1", "<i8", "|b1", "<U3", "|S2"]),
    shape=st.lists(st.integers(0, 4), max_size=4).map(tuple),
    fortran=st.booleans(),
)
def test_what_is_written_is_read_back_also_by_numpy_and_in_fortrans_order(
    files, dtype, shape, fortran
):
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    path = files.folder / "own.npz"
    npz.write(path, {"a": np.asarray(array, order="F" if fortran else "C")})
    first = path.read_bytes()
    npz.write(path, {"a": array})
    assert path.read_bytes() == first
    with np.load(path) as theirs:
        assert np.array_equal(theirs["a"], array)
    np.savez(path, a=np.asarray(array, order="F" if fortran else "C"))  # as numpy writes it
    back = npz.read(path)["a"]
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert back.flags.writeable
    np.save(files.folder / "own.npy", array)
    assert np.array_equal(npz.read_npy(files.folder / "own.npy"), array)


def test_a_full_disk_leaves_what_stood_there(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    npz.write(path, {"x": np.ones(3)})
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *_: (_ for _ in ()).throw(OSError(28)))
    with pytest.raises(OSError, match="28"):
        npz.write(path, {"x": np.zeros(3)})
    assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]
    assert npz.read(path)["x"].tolist() == [1, 1, 1]


GOOD = {
    "head": np.array([1, -1]), "step": np.float64(0), "mean": np.ones(3, np.float32),
    "basis": np.eye(3, dtype=np.float32),
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"head": np.array([2, -1])}, "version must be 1, got 2"),
        ({"head": np.array([1, -2])}, "axis must be -1 or -3, got -2"),
        ({"head": np.array(["a", "b"])}, "invalid literal"),
        ({"mean": np.ones(3)}, "mean must be float32, got float64"),
        ({"mean": np.ones((3, 3), np.float32)}, r"mean must be \(D,\), got \(3, 3\)"),
        ({"mean": np.ones(0, np.float32)}, r"mean must be \(D,\), got \(0,\)"),
        ({"mean": np.full(3, np.nan, np.float32)}, "must be finite"),
        ({"step": np.array([1.0, 2.0])}, "step must be one finite number"),
        ({"step": np.float64(np.nan)}, "step must be one finite number"),
        ({"basis": np.eye(4, dtype=np.float32)}, "basis must be 3 x 3"),
        ({"extra": np.ones(1)}, "'extra' does not belong there"),
        ({"table_sizes": np.array([2]), "table_freqs": np.ones(3, np.uint32)}, "must add up"),
        ({"table_sizes": np.array([2]), "table_freqs": np.ones(2, np.uint32)}, "classes and off"),
        ({"table_sizes": np.array([3]), "table_freqs": np.ones(3, np.uint32)}, "must add up to 2"),
    ],
)
def test_a_calibration_of_odd_content_says_what_is_odd(tmp_path, change, said):
    npz.write(tmp_path / "c.npz", {**GOOD, **change})
    with pytest.raises(codec.CodecOptionError, match=said) as error:
        codec.Calibration.load(tmp_path / "c.npz")
    assert str(tmp_path) in str(error.value)
    npz.write(tmp_path / "c.npz", GOOD)
    assert codec.Calibration.load(tmp_path / "c.npz").size == 3


def test_tables_with_a_header_of_another_kind_are_refused(tmp_path):
    deep = json.dumps({"kind": 1}).encode() + b"[" * 100_000
    for content in (b"[]", b"{}", b"\xff", deep, b"[" * 100_000, b'{"kind": "x", "version": 1}'):
        npz.write(tmp_path / "t.npz", {"header": np.frombuffer(content, np.uint8)})
        with pytest.raises(ValueError, match="not a readable trace table") as error:
            TraceTable.load(tmp_path / "t.npz")
        assert "\n" not in str(error.value)


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_npy_files_are_read_whole_or_refused(files, data):
    whole = (files.folder / "features.npy").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = data.draw(
        st.sampled_from([whole[:at], whole + b"\0", whole[:at] + b"\xff" + whole[at + 1 :]])
    )
    path = Path(files.folder / "changed.npy")
    path.write_bytes(changed)
    with suppress(ValueError):
        assert features.of_file(path).test.shape[1:] == (5,)
