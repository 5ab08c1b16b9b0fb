"""`splitfleet codec`: its rows against codecs run by hand, its bounds, its refusals."""

import csv

import numpy as np
import pytest

import codec
from scenarios.__main__ import main


@pytest.fixture
def array(tmp_path):
    generator = np.random.default_rng(0)
    x = np.maximum(generator.normal(size=(8, 16, 12, 12)), 0).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    return tmp_path / "x.npy", x


def played(tmp_path, monkeypatch, *words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["codec", *words])
    with (tmp_path / "outputs/codec/results.csv").open() as file:
        return end.value.code, list(csv.DictReader(file))


def test_rows_are_what_the_codecs_do(array, tmp_path, monkeypatch):
    path, x = array
    words = (f"activations={path}", "chains=[ecsq,int8]", "plot=true", "repeats=1")
    status, rows = played(tmp_path, monkeypatch, *words)
    assert status == 0
    by_name = {row["codec"]: row for row in rows}
    made = codec.create("ecsq", step=0.35)
    streams = [made.encode(each) for each in x[4:]]  # the first half calibrates
    row = by_name["ecsq 0.35"]
    assert float(row["bits_per_element"]) == pytest.approx(8 * sum(map(len, streams)) / x[4:].size)
    parts = ("values", "positions", "labels", "scales", "tables", "header")
    total = sum(float(row[f"{part}_bits"]) for part in parts)
    assert total == pytest.approx(float(row["bits_per_element"]))
    bound = float(by_name["R(D) at 0.1"]["bits_per_element"])
    near = [r for r in rows if r["codec"].startswith("ecsq") and float(r["relative_l2"]) < 0.1]
    assert all(float(r["bits_per_element"]) > bound for r in near)
    assert not any(row["codec"].startswith("slicer") for row in rows)
    for name in ("figure.pdf", "figure.png", "table.md", "run.json"):
        assert (tmp_path / "outputs/codec" / name).stat().st_size > 500


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chains=[huffman]"], "chains must be of slicer"),
        (["activations=nothing.npy"], "no such file"),
        (["cut=stage9"], "stage9"),
        (["samples=0"], "samples must be >= 1, got 0"),
    ],
)
def test_bad_requests_end_with_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["codec", *words])
    assert end.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert said in error[-1]
