"""docs/inputs.md as its tests read it: the lines of a section, and what a line promises."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "inputs.md").read_text(encoding="utf-8")


def lines_of(section: str) -> dict[str, str]:
    """What is done with each defect, by the first column of the section's table."""
    body = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in body.splitlines() if line[:2] == "| "]
    return {key: done for key, done in rows[1:] if set(key) != {"-"}}


def check(done: str, play: Callable[[], Any]) -> None:
    """Run what a line is about; compare with what the line says."""
    if done == "read":
        play()
        return
    words = re.fullmatch(r"refused: `(.*)`", done)
    assert words, done
    with pytest.raises(ValueError, match=re.escape(words[1])) as error:
        play()
    assert "\n" not in str(error.value)
