"""Mixed rows: one name for several machines in a table is marked, graded down and said."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import splitfleet as sf
from scenarios.__main__ import run
from scenarios.sweep.mixed import mark_mixed

HERE = {
    "point_id": "a", "device": "pi", "server": "h100", "codec": "ecsq", "grade": "A",
    "cautions": "", "device_machine": "pi scaled from xeon, eager fp32",
    "server_machine": "h100 measured, graph fp16", "codec_machine": "xeon measured",
}  # fmt: skip
EAGER = {**HERE, "point_id": "b", "server_machine": "h100 measured, eager fp32"}
SAID = "server h100 is h100 measured, graph fp16 or h100 measured, eager fp32"


def test_rows_of_one_machine_stay_as_they_are():
    rows = [HERE, {**HERE, "point_id": "b", "grade": "C"}, {"point_id": "c", "error": "no"}]
    assert mark_mixed(rows) == rows


def test_both_rows_of_a_mixed_pair_are_marked_and_nobody_else():
    alone = {**HERE, "point_id": "c", "server": "a100", "server_machine": "a100 modelled"}
    first, second, third = mark_mixed([HERE, EAGER, alone])
    assert first["mixed"] == second["mixed"] == SAID
    assert first["cautions"] == f"mixed machines: {SAID}"
    assert (first["grade"], second["grade"]) == ("B", "B")
    assert third == alone


@pytest.mark.parametrize(("grade", "after"), [("A", "B"), ("B", "C"), ("C", "C"), ("D", "D")])
def test_being_mixed_is_one_caution_more(grade, after):
    rows = [{**row, "grade": grade, "cautions": "seed spread: 12 %"} for row in (HERE, EAGER)]
    marked = mark_mixed(rows)[0]
    assert marked["grade"] == after
    assert marked["cautions"] == f"seed spread: 12 %; mixed machines: {SAID}"


def test_a_codec_is_mixed_only_where_device_and_server_are_the_same():
    other = {**HERE, "codec_machine": "xeon scaled"}
    (marked, _) = mark_mixed([HERE, other])
    assert marked["mixed"] == "codec ecsq on pi and h100 is xeon measured or xeon scaled"
    elsewhere = {**other, "device": "phone", "device_machine": "phone scaled"}
    assert mark_mixed([HERE, elsewhere]) == [HERE, elsewhere]
    unlike = {**other, "codec": "slicer"}
    assert mark_mixed([HERE, unlike]) == [HERE, unlike]


def test_a_row_without_a_grade_gets_none():
    plain = [{k: v for k, v in row.items() if k != "grade"} for row in (HERE, EAGER)]
    marked = mark_mixed(plain)[0]
    assert "grade" not in marked
    assert marked["mixed"] == SAID


_names = st.sampled_from(["x", "y"])
_rows = st.lists(st.fixed_dictionaries({
    "device": _names, "server": _names, "codec": _names, "device_machine": _names,
    "server_machine": _names, "codec_machine": _names,
}), max_size=6)  # fmt: skip


@given(rows=_rows)
def test_a_row_is_marked_exactly_if_another_calls_another_machine_the_same(rows):
    def clash(one, other):
        here = [one[k] == other[k] for k in ("device", "server", "codec")]
        there = [one[f"{k}_machine"] != other[f"{k}_machine"] for k in ("device", "server")]
        codec = all(here) and one["codec_machine"] != other["codec_machine"]
        return (here[0] and there[0]) or (here[1] and there[1]) or codec

    marked = mark_mixed(rows)
    for row, after in zip(rows, marked, strict=True):
        assert ("mixed" in after) == any(clash(row, other) for other in rows)
        assert {k: v for k, v in after.items() if k != "mixed"} == row
    assert mark_mixed(marked) == marked


def table(name):
    with Path(f"outputs/{name}/results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lines_of(capfd):
    said = capfd.readouterr().err.splitlines()
    return [line for line in said if line.startswith("splitfleet: mixed")]


def write_run(folder, row):
    Path(folder).mkdir(parents=True)
    (Path(folder) / "rows.jsonl").write_text(json.dumps(row) + "\n")


def test_collect_marks_what_several_runs_call_the_same(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name, row in (("one", HERE), ("two", EAGER)):
        write_run(f"outputs/{name}", row)
    assert run(["collect"]) == 0
    rows = table("collect")
    assert [row["grade"] for row in rows] == ["B", "B"]
    assert [row["mixed"] for row in rows] == [SAID, SAID]
    assert lines_of(capfd) == [f"splitfleet: mixed machines: {SAID}"]
    kept = json.loads(Path("outputs/one/rows.jsonl").read_text())
    assert kept["grade"] == "A"  # a run alone is not mixed


STAGES = ("input", "stem", "stage1", "stage2", "stage3", "stage4", "output")
LATENCIES = "network,part,cut,batch,seconds\n" + "".join(
    f"digits,tail,{cut},1,{1e-3 * (len(STAGES) - 1 - at)}\n" for at, cut in enumerate(STAGES)
)


@pytest.fixture
def own(quick):
    """The overrides, and a user's own table of the server beside the shipped one."""
    Path("mine.csv").write_text(LATENCIES)
    return [*quick, "cut=stage2"]


def test_a_sweep_mixed_on_purpose_is_marked_and_the_screen_says_so(own, capfd):
    Path("other.csv").write_text(LATENCIES)
    words = ['sweep=["server.profile=other.csv,mine.csv"]', "name=on_purpose"]
    assert run(["simulate", *own, *words]) == 0
    rows = table("on_purpose")
    assert len({row["server_machine"] for row in rows}) == 2
    assert "mine.csv" in rows[1]["server_machine"]
    assert all("server xeon is " in row["mixed"] for row in rows)
    assert all("mixed machines: " in row["cautions"] for row in rows)
    assert len(lines_of(capfd)) == 1


def test_a_multirun_mixed_on_purpose_is_marked(own, capfd):
    assert run(["simulate", "-m", *own, "server.profile='',mine.csv", "name=many"]) == 0
    assert all("server xeon is " in row["mixed"] for row in table("many"))
    assert len(lines_of(capfd)) == 1


def test_codecs_on_one_pair_of_machines_are_no_mixture(quick, capfd):
    assert run(["simulate", *quick, 'sweep=["codec=slicer,ecsq"]', "name=codecs"]) == 0
    rows = table("codecs")
    assert len({row["server_machine"] for row in rows}) == 1
    assert "mixed" not in rows[0]
    assert lines_of(capfd) == []


def test_a_sweep_in_a_script_says_that_it_is_mixed(own):
    model = sf.model("digits", samples=40, repeats=1)
    case = sf.case(model, "stage2/slicer", horizon_s=2.0, warmup_s=0.5, replications=2)
    swept = case.sweep({"server.profile": ["", "mine.csv"]})
    assert "mixed machines" in repr(swept)
    assert all("server xeon is " in row["mixed"] for row in swept)
    assert "mixed" not in repr(case.sweep(n_devices=[1, 2]))
