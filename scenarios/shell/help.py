"""What `splitfleet` and `splitfleet COMMAND --help` print."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios.shell import commands
from scenarios.shell.schema import defaults, fields

__all__ = ["print_command", "print_commands"]

_FOOTER = """\
A group is chosen by GROUP=CHOICE, a field set by KEY=VALUE, both as often as needed:
  splitfleet {name} {example}
Several values with -m run one job each: splitfleet {name} -m {sweep}
Tab completion: eval "$(splitfleet -sc install=bash)".  Hydra's own options: --hydra-help\
"""


def print_commands() -> None:
    """Print every command with the first line of its docstring."""
    console = Console()
    console.print("[bold]splitfleet[/bold]: how many devices can one GPU serve, and how sure?\n")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for name in commands.names():
        table.add_row(f"splitfleet {name}", escape(commands.describe(name).split("\n", 1)[0]))
    console.print(table)
    console.print("\nFields and choices of a command: splitfleet COMMAND --help")


def print_command(command: commands.Command, groups: Mapping[str, Sequence[str]]) -> None:
    """Print a command's description, its groups and every field with default and unit."""
    console = Console()
    console.print(f"[bold]splitfleet {command.name}[/bold]", highlight=False)
    title, _, body = command.description.partition("\n\n")
    paragraphs = [" ".join(text.split()) for text in body.split("\n\n")]
    console.print(escape("\n\n".join([title, *paragraphs])) + "\n", highlight=False)
    _print_groups(console, groups)
    _print_fields(console, command)
    first = next(iter(groups), "")
    example = f"{first}={groups[first][0]} seed=2" if first else "seed=2"
    console.print(
        escape(_FOOTER.format(name=command.name, example=example, sweep="seed=1,2,3")),
        highlight=False,
    )


def _print_groups(console: Console, groups: Mapping[str, Sequence[str]]) -> None:
    if not groups:
        return
    table = Table(title="Groups", title_justify="left", box=None, pad_edge=False, padding=(0, 2))
    table.add_column("group", no_wrap=True)
    table.add_column("choices")
    for group, choices in groups.items():
        table.add_row(group, ", ".join(choices))
    console.print(table, "")


def _print_fields(console: Console, command: commands.Command) -> None:
    chosen = defaults(command.name)
    table = Table(title="Fields", title_justify="left", box=None, pad_edge=False, padding=(0, 2))
    table.add_column("field = default (unit)", no_wrap=True, max_width=48)
    table.add_column("meaning")
    for field in fields(command.schema):
        default = _short(OmegaConf.select(chosen, field.key, default=field.default))
        unit = f" ({field.unit})" if field.unit else ""
        meaning = field.help or field.type
        table.add_row(escape(f"{field.key} = {default}{unit}"), escape(meaning))
    console.print(table, "")


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return textwrap.shorten(str(value), 28, placeholder="...")
