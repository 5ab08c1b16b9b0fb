"""`sum` over floats compensates from Python 3.12 on: results would depend on the version."""

import ast
from pathlib import Path

import sim

COUNTS = (
    "len(", "n_devices", "n_changes", "n_probes", "n_runs", "new_tokens", "answers", "waiting",
    "dropped", "requests", "fallen", "inside", "size", "searchsorted", "map(len", " > ", " <= ",
    " == ", "math.floor", "heard", "self._ends",
)  # fmt: skip
"""What the arguments of the remaining sums hold: whole numbers and truths."""


def test_sums_of_the_simulator_are_of_whole_numbers():
    calls = [
        (path.name, ast.unparse(node.args[0]))
        for path in sorted(Path(sim.__file__).parent.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sum"
    ]
    assert len(calls) > 10
    assert [call for call in calls if not any(word in call[1] for word in COUNTS)] == []
