"""Every command of the README, the docs and conf's headers is one that runs.

Each is composed as it stands; quick ones and the figures' are also run, small, in other tests.
"""

import re
import shlex
from pathlib import Path

import hydra
import pytest

import conf
from scenarios.__main__ import run
from scenarios.shell import commands, own
from scenarios.shell.schema import register, to_spec

ROOT = Path(conf.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CALL = re.compile(r"^(?:\$ |# )?(?:\.venv/bin/)?splitfleet (\S.*)$", re.M)
INLINE = re.compile(r"`(?:\.venv/bin/)?splitfleet ([^`]+)`")
PLACEHOLDER = re.compile(
    r"\b(COMMAND|NAME|DIR|FOLDER|GROUP|CHOICE|KEY|VALUE|OTHER|halves|limited)\b"
)


def calls(text):
    """Command lines in a text, without comments behind them and without placeholders."""
    text = text.replace("\\\n", " ")  # a call may go on in the next line
    for line in [*CALL.findall(text), *INLINE.findall(text)]:
        words = shlex.split(line.split(";")[0], comments=True)
        if words and not PLACEHOLDER.search(line) and not words[0].startswith("-"):
            yield words


PAGE_LINES = [(page.name, words) for page in PAGES for words in calls(page.read_text())]
CONF_LINES = [
    (str(path.relative_to(ROOT)), words)
    for path in sorted((ROOT / "conf").rglob("*.yaml"))
    for words in calls(path.read_text())
]


@pytest.mark.parametrize(("where", "words"), [*PAGE_LINES, *CONF_LINES])
def test_a_documented_command_composes(where, words):
    name, *arguments = words
    command = commands.load(name)
    register(name, command.schema)
    own.register(arguments)
    given = [word for word in arguments if "=" in word and not word.startswith("hydra")]
    if "-m" in arguments or "--multirun" in arguments:
        given = [re.sub(r"=([^,]*),.*$", r"=\1", word) for word in given]
    with hydra.initialize_config_module("conf", version_base="1.3"):
        assert isinstance(to_spec(hydra.compose(name, given)), command.schema)


def test_every_figure_and_command_heads_its_file():
    for name in commands.names():
        first = (ROOT / "conf" / f"{name}.yaml").read_text().split("\n", 1)[0]
        assert first.startswith(f"# splitfleet {name}"), first


LONG = (
    "figures", "plan", "profile", "trace", "train", "wifi", "answers",
    "search_regret", "search_adaptation", "search_fleet", "nasc",
)  # fmt: skip
"""Commands that take minutes as documented: their own tests run them small."""


@pytest.mark.slow
@pytest.mark.parametrize(("where", "words"), PAGE_LINES)
def test_a_documented_command_runs(where, words, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    if words[0] in LONG or words == ["validate"]:
        pytest.skip("minutes long: its own tests run it small")
    if where == "extend.md":
        pytest.skip("shows what a reader adds first: tests of the simulator add it")
    if any(word.startswith("codec.calibration=") for word in words):  # made by the line before
        lines = [line for page, line in PAGE_LINES if page == where]
        assert run(lines[lines.index(words) - 1]) == 0
    assert run(words) == 0
