"""Every figure: what stands on its axes is results.csv, and nothing but it."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from plots import files
from scenarios.__main__ import run
from scenarios.commands import figures
from scenarios.shell import commands

SYSTEMS = (
    "methods=few", "model.samples=30", "replications=2", "span_s=1", "cycles=2", "warmup_s=0.2",
)  # fmt: skip
TEXT = (
    "text.n_prompts=2", "text.prompt_tokens=8", "text.n_tokens=4", "text.traced_tokens=4",
    "text.repeats=1",
)  # fmt: skip
SMALL = {
    "fig1_sparsity": ["model.samples=30"],
    "fig1_server_load": [*SYSTEMS, 'sweep=["fleet.n_devices=1,8"]'],
    "fig2_throughput": [*SYSTEMS, *TEXT, "panels=[own,text,splits]",
                        'sweep=["fleet.n_devices=1,8"]'],
    "splits": [*SYSTEMS, "sent=raw8", "requests=3", 'sweep=["fleet.n_devices=1,4"]'],
    "attribution": [*SYSTEMS, 'sweep=["fleet.n_devices=1,8"]'],
    "fig3_breakdown": list(SYSTEMS),
    "fig3_codec": ["methods=few", "model.samples=8", "sizes=[64,256]", "repeats=1"],
    "rate_accuracy": ["model.samples=30", "cuts=[stage3]"],
    "ablation": ["distortions=[0.04]", "features.rectified.samples=1"],
    "links": [*SYSTEMS, "shown=[]", 'sweep=["link=wifi,lte","fleet.n_devices=4"]'],
    "sensitivity": [*SYSTEMS, "shown=[]", "slowdowns=[0.5,4.0]", "fleet.n_devices=4",
                    'sweep=["link.rate_bps=1e6,1e8"]'],
    "exits": ["scheme.threshold=0.97", "codec=raw32", "slo.mean_s=10", "plan.max_requests=1e4",
              "replications=2", "span_s=1", "cycles=2", "warmup_s=0.2"],
    "schemes": ["ways=[nasc/raw8/input,nasc/int8,early_exit/int8]", "sizes=[1,4]",
                "plan.max_requests=1e4", "replications=2", "span_s=1", "cycles=2", "warmup_s=0.2",
                "model.samples=30"],
    "channel": ["ways=[early_exit/int8,early_exit/ecsq]", "bit_error_rates=[0,0.01]",
                "loss_rates=[0.5]", "plan.max_requests=1e4", "replications=2", "span_s=1",
                "cycles=2", "warmup_s=0.2", "model.samples=30"],
    "sc2": ["plan.over=['scheme=nasc',cut,'codec=jpeg,int8']", "plan.max_requests=1e4",
            "model.samples=30"],
    "long_generation": ["methods=few", "n_prompts=2", "prompt_tokens=8", "n_tokens=9",
                        "window=4"],
    "fig2_runtime": ["methods=few", *TEXT, "model@picture_model=digits", "sessions=1",
                     "picture_model.samples=30", "picture_model.repeats=1", "requests=3",
                     "replications=2", 'sweep=["fleet.n_devices=1,2"]'],
}  # fmt: skip


@pytest.fixture
def drawn(monkeypatch):
    """The figures that a command saved."""
    kept = []
    real = files.save

    def save(figure, *args):
        kept.append(figure)
        return real(figure, *args)

    monkeypatch.setattr(files, "save", save)
    return kept


def table(name):
    with (Path("outputs") / name / "results.csv").open() as file:
        return list(csv.DictReader(file))


def numbers(rows):
    """Every number of a table, in the units in which axes show them."""
    found = [float(cell) for row in rows for cell in row.values() if _is_number(cell)]
    return np.sort([value * factor for value in found for factor in (1.0, 100.0, 1e3)])


def _is_number(cell):
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False


def is_among(values, known):
    values = np.asarray(values, float)
    at = np.clip(np.searchsorted(known, values), 1, len(known) - 1)
    nearest = np.minimum(np.abs(known[at] - values), np.abs(known[at - 1] - values))
    return nearest <= 1e-9 * np.maximum(np.abs(values), 1e-12)


def shown(figure):
    """Heights of data lines and lengths of bars on all axes but colour bars."""
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            continue
        for line in axes.get_lines():
            y = np.asarray(line.get_ydata(), float)
            decoration = len(y) == 2 and y[0] == y[1]  # rules and references
            caps = line.get_marker() in ("|", "_")
            if len(y) and not decoration and not caps:
                yield axes, y
        yield from ((axes, [bar.get_width()]) for bar in axes.patches if axes.containers)


@pytest.mark.parametrize("name", SMALL)
def test_the_axes_show_the_table_and_nothing_else(name, quick, drawn):
    assert run([name, *_model(name), *SMALL[name]]) == 0
    (figure,) = drawn
    rows = table(name)
    assert rows
    assert not any(row.get("error") for row in rows)
    known = numbers(rows)
    curves = [y for _, y in shown(figure)]
    if name not in ("sensitivity", "splits", "fig3_breakdown", "schemes"):  # maps, bars, places
        assert curves
        assert all(is_among(y, known).all() for y in curves)
    folder = Path("outputs") / name
    assert b"/Type3" not in (folder / "figure.pdf").read_bytes()
    assert figure.get_figwidth() == (7.0 if name in ("schemes", "sc2", "channel") else 3.5)
    made = json.loads((folder / "run.json").read_text())
    assert made["summary"]["finding"]
    assert made["summary"]["origin"]
    assert (folder / "table.md").read_text().startswith(f"# {made['summary']['title']}")


def _model(name):
    if name in ("fig2_runtime", "ablation"):  # their networks are in SMALL
        return []
    if name == "long_generation":
        return ["model=bytellama"]
    return [
        "model=digits",
        *([] if name in ("fig1_sparsity", "fig3_codec") else ["model.repeats=1"]),
    ]


def test_stacked_parts_add_up_to_the_latency(quick, drawn):
    assert run(["fig3_breakdown", "model=digits", "model.repeats=1", *SMALL["fig3_breakdown"]]) == 0
    rows = table("fig3_breakdown")
    bars = list(drawn[0].axes[0].patches)
    assert len(bars) == 6 * len(rows)
    ends = [bar.get_x() + bar.get_width() for bar in bars[-len(rows) :]]
    latency = [1e3 * float(row["latency_mean_s"]) for row in rows]
    # decoding and tails are means over what the runs drew, so the sum is near, not equal
    np.testing.assert_allclose(ends, latency, rtol=0.05)


def test_the_map_marks_the_cut_of_least_latency(quick, drawn):
    assert run(["splits", "model=digits", "model.repeats=1", *SMALL["splits"]]) == 0
    rows = [row for row in table("splits") if row["phase"] == "steady"]
    chart = next(axes for axes in drawn[0].axes if axes.get_ylabel() == "$N$")
    cuts = list(dict.fromkeys(row["cut"] for row in rows))
    (best,) = [line for line in chart.get_lines() if line.get_marker() == "s"]
    for n, x in zip((1, 4), best.get_xdata(), strict=True):
        here = [row for row in rows if row["n_devices"] == str(n)]
        least = min(here, key=lambda row: float(row["latency_mean_s"]))
        assert cuts[int(x)] == least["cut"]


def test_the_map_of_the_fastest_shows_the_second_over_the_first(quick, drawn):
    assert run(["sensitivity", "model=digits", "model.repeats=1", *SMALL["sensitivity"]]) == 0
    cells = {}
    for row in table("sensitivity"):
        at = float(row["device_over_server"]), float(row["rate_bps"])
        cells.setdefault(at, []).append(float(row["latency_mean_s"]))
    leads = [sorted(found)[1] / sorted(found)[0] for found in cells.values()]
    wanted = [f"{lead:.2f}" if lead < 100 else f"{lead:.0f}" for lead in leads]
    found = [text.get_text().removeprefix("~") for text in drawn[0].axes[0].texts]
    assert sorted(found) == sorted(wanted)


@pytest.mark.slow  # imports torchvision and makes 21 million weights
def test_resnet34_stands_on_the_shipped_trace_at_equal_error(quick):
    line = ["fig2_throughput", *SYSTEMS, "panels=[big]", "name=big"]
    assert run([*line, 'sweep=["fleet.n_devices=8"]']) == 0
    rows = table("big")
    assert {row["model"] for row in rows} == {"resnet34"}
    assert "slicer-1pp" in {row["codec"] for row in rows}
    assert not any(row.get("table_accuracy") for row in rows)  # random weights
    made = json.loads(Path("outputs/big/run.json").read_text())
    assert "random weights" in made["summary"]["origin"]


def test_a_finished_figure_is_drawn_again_to_the_same_bytes(quick):
    line = ["fig1_server_load", "model=digits", "model.repeats=1", *SMALL["fig1_server_load"]]
    folder = Path("outputs/fig1_server_load")
    drawn, told = ("figure.pdf", "figure.png"), ("results.csv", "table.md")
    assert run(line) == 0
    first = [(folder / name).read_bytes() for name in told]
    assert run(line) == 0  # what a process draws first loads its fonts
    second = [(folder / name).read_bytes() for name in drawn]
    assert run(line) == 0
    assert first == [(folder / name).read_bytes() for name in told]
    assert second == [(folder / name).read_bytes() for name in drawn]


def test_the_split_and_the_codec_get_their_share_either_way():
    from scenarios.figures.attribution import sentence

    all_split = sentence(3.0, 4.0, 0.95, "stage3")
    assert "the split alone gives 4x, that is all of it" in all_split
    assert "decoding takes 25 % of the factor back" in all_split
    both = sentence(4.0, 2.0, 1.0, "stage3")
    assert "gives 2x (50 % of it on a logarithmic scale), the codec adds a factor of 2" in both
    assert "saves nothing (0.9x)" in sentence(0.9, 1.1, 0.9, "stage3")
    assert sentence(None, 1.1, 0.9, "stage3") == (
        "Nothing was answered within the span behind stage3; give a longer span_s."
    )


def test_a_method_of_which_nothing_was_answered_has_no_factor_and_no_mark() -> None:
    from plots import attribution as drawing
    from scenarios.figures.attribution import BASE, METRICS, SAVED, _with_factors

    full, slow = ({"method": name, "cut": cut, "n_devices": 1, **dict.fromkeys(METRICS, value)}
                  for name, cut, value in ((BASE, "input", 2.0), ("split", "a", None)))  # fmt: skip
    rows = _with_factors([full, slow])
    assert [row[SAVED[0]] for row in rows] == [1.0, None]
    figure = drawing.draw(rows)
    assert len(figure.axes[0].get_lines()) == 2  # the full server and the line at 1


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href")]


def test_the_report_holds_the_figures_needs_no_network_and_names_what_failed(quick, capfd):
    small = 'overrides=["model=digits","model.samples=30"]'
    line = ["figures", "only=[fig1_sparsity,long_generation]", small]
    assert run(line) == 1  # digits generate nothing
    text = Path("outputs/report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.tags.count("img") == len(re.findall("<section id", text)) >= 1
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert "<b>long_generation</b> is missing" in text
    assert "Sparsity of intermediate features" in text
    assert "model_digest" in text


def test_a_misspelt_figure_lists_its_neighbours(quick, capfd):
    assert run(["figures", "only=[fig2_throughputs]"]) == 2
    assert "unknown figure 'fig2_throughputs'; nearest: fig2_throughput" in capfd.readouterr().err


def test_every_figure_is_a_command_in_the_report_and_in_some_test():
    assert set(figures.ORDER) == set(SMALL)
    assert set(figures.ORDER + figures.TAKEN_IN) <= set(commands.names())
