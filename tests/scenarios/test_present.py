"""A summary on a narrow terminal, in Markdown and on a page; how numbers are written."""

import re

import pytest
from rich.console import Console

from scenarios.present.page import document, draw
from scenarios.present.summary import Summary, between, interval, number
from scenarios.present.terminal import show

WIDE = Summary(
    title="Eight columns",
    finding="They do not fit beside each other.",
    columns=("panel", "method", "device 0 done after, N = 1, s", "device 0 done after, N = 64, s",
             "server ms", "payload B", "accuracy %", "relative L2 error"),
    rows=(
        ("scenes, wifi", "full server, all layers there", "12.3 [11.9, 12.8]", "112 [109, 128]",
         "1.33", "1,234", "93.5 [92.1, 94.7]", "0.0123 [0.0119, 0.0129]"),
        ("scenes, ethernet", "ecsq", "-", "1,112 [1,109, 1,128]", "1.33", "-",
         "93.5 [92.1, 94.7]", "-"),
    ),
    origin="Measured.",
    sections=(
        Summary(title="Verdicts", rows=(("good", "interval", "so many words that the line of them"
                " must break somewhere, though within [0.123, 0.456] it must not; really"),)),
    ),
)  # fmt: skip


def drawn_at(width: int, summary: Summary = WIDE) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        show(summary, console)
    return capture.get()


@pytest.mark.parametrize("width", [70, 80, 81, 97, 120, 300])
def test_no_interval_and_no_number_is_broken(width: int) -> None:
    lines = drawn_at(width).splitlines()
    assert max(map(len, lines)) <= width
    for line in lines:
        assert line.count("[") == line.count("]"), line
    numbers = [cell for row in WIDE.rows for cell in row[2:] if cell != "-"]
    for cell in numbers:
        assert any(re.search(rf"(^|\s){re.escape(cell)}(\s|$)", line) for line in lines), cell
    assert any("[0.123, 0.456]" in line for line in lines)


def test_what_does_not_fit_is_continued_below_under_its_names() -> None:
    assert drawn_at(300).count("ethernet") == 1
    assert drawn_at(80).count("ethernet") == 4


def test_markdown_and_page_hold_every_cell() -> None:
    text, page = WIDE.markdown(), document("T", [draw(WIDE)])
    for cell in (cell for row in (*WIDE.rows, *WIDE.sections[0].rows) for cell in row):
        assert cell in text
        assert cell in page
    assert text.startswith("# Eight columns\n\nThey do not fit")
    assert "<h2>Verdicts</h2>" in page


def test_a_page_escapes_what_it_shows_and_colours_verdicts() -> None:
    page = draw(Summary(title="a < b", rows=(("caution", "<b>"),)))
    assert "<h1>a &lt; b</h1>" in page
    assert '<td class="caution">caution</td><td>&lt;b&gt;</td>' in page


def test_rows_have_as_many_cells_as_there_are_columns() -> None:
    with pytest.raises(ValueError, match="must have 2 cells"):
        Summary(columns=("a", "b"), rows=(("1",),))


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.012345, 3, "0.0123"), (999.7, 3, "1,000"), (1234.5, 3, "1,234"), (123.456, 4, "123.5"),
     (None, 3, "-"), (float("nan"), 3, "-"), (-0.0, 3, "0"), (0, 3, "0")],
)  # fmt: skip
def test_numbers(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_intervals() -> None:
    assert interval(0.1, 0.05, 0.2, 1e3) == "100 [50, 200]"
    assert interval(0.5, -0.25, 0.75, sign=True) == "+0.5 [-0.25, +0.75]"
    assert interval(0.1, None, 0.2) == "0.1"
    row = {"x": 1.0, "x_lo": 0.9, "x_hi": 1.1, "x_lo_total": 0.8, "x_hi_total": 1.2}
    assert between(row, "x") == "1 [0.8, 1.2]"
    assert between({"x": 1.0, "x_lo": 0.9, "x_hi": 1.1, "x_lo_total": None}, "x") == "1 [0.9, 1.1]"
    assert between(row, "y") == "-"


def test_a_table_of_points_repeats_its_keys_below() -> None:
    columns = ("link", "N", *(f"figure {n} of many" for n in range(9)))
    rows = tuple((link, "4", *("123.45",) * 9) for link in ("wifi", "lte"))
    lines = drawn_at(60, Summary(columns=columns, rows=rows, keys=2)).splitlines()
    told = [line.split()[:2] for line in lines if line.startswith(("wifi", "lte"))]
    assert len(told) > 2
    assert all(line[1] == "4" for line in told)


def test_where_numbers_come_from_is_wrapped_at_words() -> None:
    text = drawn_at(40, Summary(origin="Measured here. " * 9 + "\nNothing else."))
    assert max(map(len, text.splitlines())) <= 40
    assert text.splitlines()[-1] == "Nothing else."
