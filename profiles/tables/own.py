"""How a network or a scheme of the user is called: FILE.py:FUNCTION."""

import re
from pathlib import Path
from typing import Any, NamedTuple

GROUPS = ("model", "scheme")
"""Groups of conf in which such a name may stand."""
_NAME = re.compile(r"(?P<path>.+\.py):(?P<function>[A-Za-z_]\w*)")


class Place(NamedTuple):
    """A file and the name of a function in it."""

    path: Path
    function: str


def is_own(name: str) -> bool:
    """Whether a name of a network or a scheme is FILE.py:FUNCTION."""
    return _NAME.fullmatch(name) is not None


def place(name: str) -> Place:
    """The file and the function of such a name."""
    match = _NAME.fullmatch(name)
    assert match is not None
    return Place(Path(match["path"]).expanduser(), match["function"])


def sheet(name: str, group: str = "model") -> dict[str, Any]:
    """What conf/GROUP would say of it; of a network: at most 300 samples, batches of one."""
    if group == "scheme":
        return {"name": name}
    return {"name": name, "samples": 300, "batches": [1]}
