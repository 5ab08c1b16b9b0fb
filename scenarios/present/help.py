"""What `splitfleet` and `splitfleet COMMAND --help` print."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import conf
from scenarios.present.summary import Summary
from scenarios.present.terminal import fill
from scenarios.shell import commands

_FOOTER = """
GROUP=CHOICE chooses a group, KEY=VALUE sets a field, as many of them as you like:
{examples}
Tab completion: eval "$(splitfleet -sc install=bash)".  Hydra's own options: --hydra-help\
"""
_CONF = Path(conf.__file__).parent


def print_commands() -> None:
    """Print every command with the first line of its docstring, in groups."""
    sections = [
        Summary(
            title=group,
            rows=tuple((name, commands.describe(name).split("\n", 1)[0]) for name in names),
        )
        for group, names in commands.group().items()
    ]
    Summary(
        title="splitfleet: how many devices can one GPU serve, and how sure?",
        sections=(
            *sections,
            Summary(finding="\nFields, choices and an example: splitfleet COMMAND --help"),
        ),
    ).show()


def print_command(command: commands.Command, groups: Mapping[str, Sequence[str]]) -> None:
    """Print a command's description, its groups and every field with default and unit."""
    paragraphs = [fill(" ".join(text.split())) for text in command.description.split("\n\n")]
    footer = _FOOTER.format(examples="\n".join(f"  {line}" for line in examples(command)))
    rows = tuple((group, ", ".join(choices)) for group, choices in groups.items())
    chosen = Summary(title="Groups", columns=("group", "choices"), rows=rows)
    sections = (chosen, _fields(command), Summary(finding=footer))
    Summary(
        title=f"splitfleet {command.name}",
        finding="\n\n".join(paragraphs),
        sections=tuple(each for each in sections if each.rows or each.finding),
    ).show()


def examples(command: commands.Command) -> list[str]:
    """The command lines that head a command's file in conf."""
    lines = (_CONF / f"{command.name}.yaml").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# splitfleet ")]


def _fields(command: commands.Command) -> Summary:
    from omegaconf import OmegaConf  # and Hydra: a third of a second, which the list does without

    from scenarios.shell.schema import defaults, fields

    chosen = defaults(command.name)
    rows = []
    hidden = getattr(command.schema, "HIDDEN", ())
    for field in (f for f in fields(command.schema) if f.key.split(".")[0] not in hidden):
        default = _short(OmegaConf.select(chosen, field.key, default=field.default))
        unit = f" ({field.unit})" if field.unit else ""
        rows.append((f"{field.key} = {default}{unit}", field.help or field.type))
    return Summary(title="Fields", columns=("field = default (unit)", "meaning"), rows=tuple(rows))


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return textwrap.shorten(str(value), 28, placeholder="...")
