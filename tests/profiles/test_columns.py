"""The one reader of tables with numbers: right, or one line; never a wrong number."""

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.tables.columns import read_columns
from profiles.tables.text import stamp_of

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)
NAMES = st.sampled_from(["time_s", "factor", "Rate Mbps", "Session ID", "größe", "a,b", 'say "x"'])


def read(folder, content, option="test"):
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_columns(path, option)


@given(
    rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=6),
    names=st.lists(NAMES, min_size=3, max_size=3, unique=True),
    delimiter=st.sampled_from(",;\t"),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.sampled_from(["", "\ufeff"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    noise=st.sampled_from(["", "\n", "# note; a, b\n"]),
)
def test_what_any_program_writes_is_read_to_the_last_bit(
    tmp_path_factory, rows, names, delimiter, ends, mark, quoting, noise
):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ends, quoting=quoting)
    writer.writerow(names)
    writer.writerows([map(repr, row) for row in rows])
    columns = read(
        tmp_path_factory.getbasetemp(), mark + noise.replace("\n", ends) + text.getvalue()
    )
    for place, name in enumerate(names):
        assert columns.numbers(name) == [row[place] for row in rows]


@given(cell=st.text(st.characters(exclude_characters='",\r\n\0', exclude_categories=["Cs"])))
def test_a_cell_is_the_number_that_it_says_or_refused(tmp_path_factory, cell):
    folder = tmp_path_factory.getbasetemp()
    said, value = "", math.nan
    try:
        (value,) = read(folder, f"a,b\n{cell},1\n").numbers("a")
    except ValueError as error:
        said = str(error)
    if said:
        assert "\n" not in said
        assert said.startswith(f"test={folder / 'table.csv'}")
    else:
        assert value == float(cell)
        assert math.isfinite(value)
        assert cell.strip().isascii()


@given(content=st.binary(max_size=80))
def test_any_bytes_are_a_table_or_refused_in_one_line(tmp_path_factory, content):
    said = ""
    try:
        columns = read(tmp_path_factory.getbasetemp(), content)
        for name in columns.heading:
            columns.numbers(name)
    except ValueError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("nan", "must be a number, got 'nan'"),
        ("-Infinity", "must be a number, got '-Infinity'"),
        ("1e400", "must be a number, got '1e400'"),
        ("1_000", "must be a number, got '1_000'"),
        ("\u0661\u0662", "must be a number, got '\u0661\u0662'"),
        ("0x10", "must be a number, got '0x10'"),
        ('"1,234.5"', "got '1,234.5': write numbers with a point, without commas"),
        ("-1,5e3", "must have 1 cells as its header, got 2"),
        ("x" * 90, f"got '{'x' * 40}...'"),
        ("\x1b[31m", r"got '\x1b[31m'"),
        ("1 2", "got '1 2'"),
    ],
)
def test_what_is_no_number_is_shown_with_its_line(tmp_path, cell, said):
    with pytest.raises(ValueError, match=r"line 3: ") as error:
        read(tmp_path, f"# one\na\n{cell}\n").numbers("a")
    assert said in str(error.value)


def test_numbers_lie_where_they_may(tmp_path):
    columns = read(tmp_path, "a,b\n-1,2.5\n3,4\n")
    assert columns.numbers("A", low=-1.0, high=3.0, whole=True) == [-1.0, 3.0]
    with pytest.raises(ValueError, match="line 2: a must be a number >= 0, got '-1'"):
        columns.numbers("a", low=0.0)
    with pytest.raises(ValueError, match="line 3: a must be a number <= 2, got '3'"):
        columns.numbers("a", high=2.0)
    with pytest.raises(ValueError, match=r"line 2: b must be a whole number, got '2\.5'"):
        columns.numbers("b", whole=True)
    with pytest.raises(ValueError, match="needs a column c, got a, b"):
        columns.numbers("c")


def test_only_the_last_cell_may_be_left_open(tmp_path):
    columns = read(tmp_path, "a,b\n1,1\n2,\n")
    assert columns.numbers("b", open_end=True) == [1.0]
    with pytest.raises(ValueError, match="line 3: b must be a number, got ''"):
        columns.numbers("b")
    with pytest.raises(ValueError, match="line 2: b must be a number, got ''"):
        read(tmp_path, "a,b\n1,\n").numbers("b", open_end=True)


def test_dates_count_from_the_first_with_the_digits_that_they_have(tmp_path):
    lines = "at\n2023-11-16 23:59:59.9799600\n2023-11-17 00:00:01.5\n2023-11-18\n"
    assert read(tmp_path, lines).dates_s("at") == pytest.approx([0.0, 1.52004, 86400.02004])
    zone = "at\n2024-05-12 00:00:00.25+00:00\n2024-05-12T02:00:01+02:00\n"
    assert read(tmp_path, zone).dates_s("at") == [0.0, 0.75]
    for wrong in ("yesterday", "2024-05-13", ""):
        with pytest.raises(ValueError, match="line 3: at must be a date like"):
            read(tmp_path, f"at,b\n2024-05-12 00:00:00+00:00,1\n{wrong},1\n").dates_s("at")


def test_times_of_a_clock_count_from_the_first_and_do_not_mix(tmp_path):
    columns = read(tmp_path, "t\n1600000001.5\n1600000000.25\n")
    assert columns.since_start("t", columns.numbers("t")) == ([1.25, 0.0], 1600000000.25)
    columns = read(tmp_path, "t\n5\n7\n")
    assert columns.since_start("t", columns.numbers("t")) == ([5.0, 7.0], 0.0)
    columns = read(tmp_path, "t\n5\n1600000000\n")
    with pytest.raises(ValueError, match=r"line 3: t must be below 1e\+08 s, as in line 2"):
        columns.since_start("t", columns.numbers("t"))


def test_what_is_no_file_is_said_so(tmp_path):
    for path, said in (
        (tmp_path, "is a directory"),
        (tmp_path / "no.csv", "no such file"),
        (Path("/dev/zero"), "is no file"),
        (tmp_path / ("x" * 300), "file name too long"),
    ):
        with pytest.raises(ValueError, match=rf"{path}: {said} \(test\)"):
            read_columns(path, "test")
    with pytest.raises(ValueError, match=r"no such file \(test\)"):
        stamp_of(tmp_path / "no.csv", "test")


def test_another_content_is_another_stamp(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1")
    first = stamp_of(path, "test")
    path.write_text("12")
    assert stamp_of(path, "test") != first
