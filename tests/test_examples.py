"""The notebooks under examples/ run from top to bottom, as they stand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def cells(book):
    return json.loads(book.read_text(encoding="utf-8"))["cells"]


def test_there_are_two():
    assert [book.stem for book in BOOKS] == ["mixed_fleet", "own_source"]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_is_small_and_carries_no_output(book):
    assert book.stat().st_size < 20_000
    for cell in cells(book):
        assert cell["cell_type"] in ("markdown", "code")
        assert not cell.get("outputs")
        assert max(map(len, cell["source"])) <= 101  # with the line's end


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_runs(book, tmp_path):
    code = ["".join(cell["source"]) for cell in cells(book) if cell["cell_type"] == "code"]
    (tmp_path / "book.py").write_text("\n\n".join(code))
    paths = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "MPLBACKEND": "Agg"}
    made = subprocess.run(
        [sys.executable, "book.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    assert "Answer(" in made.stdout
    assert "error" not in made.stdout
