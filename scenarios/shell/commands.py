"""The commands: every module of scenarios/commands and scenarios/figures is one.

A command module holds a docstring (its first line is the description in the list), a frozen
dataclass `Config` (its fields are the command line) and `run(config)`. Listing them imports none.
"""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from scenarios.shell.names import unknown

_ROOMS = ("commands", "figures")
_HOUSE = Path(__file__).parent.parent
_GROUPS = {
    "answer": ("plan", "simulate", "search"),
    "measure": ("profile", "machines", "trace", "codec", "answers", "train"),
    "study": (
        "sensitivity", "attribution", "ablation", "rate_accuracy", "splits", "links", "wifi",
        "long_generation", "exits", "schemes", "channel", "sc2", "nasc", "search_fleet",
        "search_adaptation", "search_regret", "validate", "collect",
    ),
    "figures": (
        "figures", "fig1_sparsity", "fig1_server_load", "fig2_runtime", "fig2_throughput",
        "fig3_codec", "fig3_breakdown",
    ),
}  # fmt: skip
"""In the order of use; a command that stands nowhere is a figure."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command: its name, its configuration schema and what it does with it.

    Words of the command line that are no KEY=VALUE go into the list field `positional`, if any.
    """

    name: str
    description: str
    schema: type
    run: Callable[[Any], int | None]
    positional: str = ""


def names() -> list[str]:
    """Return the names of all commands, in alphabetical order."""
    return sorted(_files())


def group() -> dict[str, tuple[str, ...]]:
    """Return the names of all commands by what they are for, in the order of use."""
    placed = {name for group in _GROUPS.values() for name in group}
    others = tuple(name for name in names() if name not in placed)
    return {**_GROUPS, "figures": (*_GROUPS["figures"], *others)}


def _files() -> dict[str, Path]:
    """The module of every command by its name."""
    paths = [path for room in _ROOMS for path in (_HOUSE / room).glob("*.py")]
    return {path.stem: path for path in paths if path.stem != "__init__"}


def describe(name: str) -> str:
    """Return a command's docstring without importing its module (and so without torch)."""
    tree = ast.parse(_files()[name].read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


def load(name: str) -> Command:
    """Import one command.

    Raises:
        ValueError: for an unknown name, listing the nearest ones.
    """
    path = _files().get(name)
    if path is None:
        raise ValueError(unknown("command", name, names()))
    module = import_module(f"scenarios.{path.parent.name}.{name}")
    return Command(
        name=name,
        description=inspect.getdoc(module) or "",  # ast.parse in two threads at once fails in 3.11
        schema=module.Config,
        run=module.run,
        positional=getattr(module, "POSITIONAL", ""),
    )
