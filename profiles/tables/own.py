"""How a network of the user is called: FILE.py:FUNCTION."""

import re
from pathlib import Path
from typing import Any, NamedTuple

_NAME = re.compile(r"(?P<path>.+\.py):(?P<function>[A-Za-z_]\w*)")


class Place(NamedTuple):
    """A file and the name of a function in it."""

    path: Path
    function: str


def is_own(name: str) -> bool:
    """Whether a name of a network is FILE.py:FUNCTION."""
    return _NAME.fullmatch(name) is not None


def place(name: str) -> Place:
    """The file and the function of such a name."""
    match = _NAME.fullmatch(name)
    assert match is not None
    return Place(Path(match["path"]).expanduser(), match["function"])


def sheet(name: str) -> dict[str, Any]:
    """What conf/model would say of it: at most 300 samples, batches of one."""
    return {"name": name, "samples": 300, "batches": [1]}
