"""The tutorial prints what it says, and the twelve lines reproduce the plan of the command."""

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import splitfleet as sf
from scenarios.__main__ import run

ROOT = Path(sf.__file__).parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
SCRIPT = (ROOT / "examples" / "plan_curve.py").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```console\n\$ splitfleet (.*)\n((?:.*\n)*?)```", PAGE)
BLOCKS = re.findall(r"```python\n((?:.*\n)*?)```", PAGE)
LONG = "slo.accuracy_drop_pp=1"
SLOW = (LONG, "plan model=", "plan server", "simulate model=")
ENDS = ("n_star", "n_star_lo", "n_star_hi", "n_star_lo_total", "n_star_hi_total", "curve")


def same(told, page):
    """Whether a text is the page's: a line of three dots stands for lines, dots in it for words."""
    pattern = re.escape(page)
    pattern = re.sub(r"^\\\.\\\.\\\.\\?\n", r"(?:.*\\n)*?", pattern, flags=re.M)
    return re.fullmatch(pattern.replace(r"\.\.\.", ".*?"), told) is not None


def test_dots_stand_for_lines():
    assert same("a\nb\nc\n", "a\n...\nc\n")
    assert same("a\nb\n", "a\nb\n")
    assert same("a: 1, 2, 3\n", "a: ... 3\n")
    assert not same("a: 1\nb: 3\n", "a: ... 3\n")
    assert not same("a\nb\nc\n", "a\n...\nd\n")
    assert not same("a\nb\n", "a\n")


@pytest.mark.parametrize(
    ("words", "page"),
    [
        pytest.param(*each, marks=[pytest.mark.slow] * any(s in each[0] for s in SLOW))
        for each in COMMANDS
    ],
)
def test_a_command_prints_what_the_page_says(words, page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    assert run(shlex.split(words)) == 0
    told = capsys.readouterr().out
    assert same(told, page), told


def test_the_door_prints_what_the_page_says(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    lines = "".join(f"{block}\n" for block in BLOCKS if block.startswith(">>>"))
    assert lines.count(">>>") > 25
    test = doctest.DocTestParser().get_doctest(lines, {}, "tutorial.md", None, 0)
    said = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "".join(said)


def test_the_twelve_lines_are_those_of_the_page():
    assert len(SCRIPT.splitlines()) <= 12
    assert SCRIPT in BLOCKS


@pytest.mark.slow
def test_the_twelve_lines_reach_the_answer_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["plan", "slo.p95_s=0.1", LONG]) == 0
    told = json.loads((tmp_path / "outputs" / "plan" / "plan.json").read_text())
    names = {}
    exec(SCRIPT.split("curve = ")[0], names)  # before pandas is needed
    assert [told[end] for end in ENDS] == [names["answer"][end] for end in ENDS]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert (
        f"{told['n_star']} devices [{told['n_star_lo_total']}, {told['n_star_hi_total']}]" in readme
    )
    assert names["answer"]["requests"] == told["requests"]


@pytest.mark.slow
def test_the_twelve_lines_draw_their_curve(tmp_path):
    pytest.importorskip("pandas")
    paths = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "MPLBACKEND": "Agg"}
    script = [sys.executable, str(ROOT / "examples" / "plan_curve.py")]
    made = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("Answer(220 devices [214, 226] within latency_p95_s <= 0.1;")
    assert made.stdout.count("\n") == 1
    assert (tmp_path / "plan_curve.png").stat().st_size > 5_000
