"""The command `splitfleet`: list, dispatch, one line per mistake, one table per sweep."""

import gc
import os
import sys
from collections.abc import Sequence
from functools import partial

from scenarios.shell import commands, completion, names
from scenarios.shell.shadow import find_shadow

OBJECTS = 50_000
"""Made before Python looks for cycles among them. Nearly all that a command makes lives to its end,
modules first of all; looking after every 700 takes a tenth of a plan."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; exits 0, 1 (failed points) or 2 (a user's mistake)."""
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    if hidden := find_shadow():
        print(hidden, file=sys.stderr)
        return 2
    loaded: list[commands.Command] = []
    try:
        return _dispatch(arguments, loaded)
    except AssertionError as error:  # OmegaConf's way to say that what holds a field is null
        if "Unexpected type for root" not in str(error):
            raise
        print("splitfleet: a field of an empty group cannot be set; choose the group first, such as"
              " request=by_hand request.server_s=0.01", file=sys.stderr)  # fmt: skip
        return 2
    except KeyboardInterrupt:
        print("splitfleet: interrupted; finished points are kept, run it again", file=sys.stderr)
        return 130
    except Exception as error:
        from scenarios.shell.errors import MISTAKES, one_line  # Hydra, which help does without

        if not isinstance(error, MISTAKES) or os.environ.get("SPLITFLEET_DEBUG"):
            raise
        print(f"splitfleet: {one_line(error, partial(_keys, loaded))}", file=sys.stderr)
        return 2


def _keys(loaded: Sequence[commands.Command]) -> list[str]:
    """What a command line may set, for whoever wrote something else: a hundred files of conf."""
    from scenarios.shell.groups import groups_of, keys_of
    from scenarios.shell.schema import fields

    keys: list[str] = []
    for command in loaded:
        keys += [field.key for field in fields(command.schema)]
        keys += keys_of(groups_of(command.name))
    return list(dict.fromkeys(keys))


def _dispatch(arguments: list[str], loaded: list[commands.Command]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "list"):
        from scenarios.present.help import print_commands

        print_commands()
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"splitfleet {version('splitfleet')}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name in ("-sc", "--shell-completion"):
        completed = completion.hydra_arguments(rest[0] if rest else "")
        if isinstance(completed, list):
            print(" ".join(completed))
            return 0
        name, rest = completed
    if name not in commands.names():
        raise ValueError(names.unknown("command", name, commands.names()))
    loaded.append(commands.load(name))
    return _run(loaded[0], _overrides(loaded[0], rest))


def _overrides(command: commands.Command, arguments: list[str]) -> list[str]:
    """The arguments with bare words gathered into the command's list of them, if it has one."""
    if not command.positional:
        return arguments
    bare = [word for word in arguments if "=" not in word and not word.startswith(("-", "+", "~"))]
    quoted = ",".join(f"'{word}'" for word in bare)
    rest = [word for word in arguments if word not in bare]
    return [*rest, f"{command.positional}=[{quoted}]"] if bare else rest


def _run(command: commands.Command, arguments: list[str]) -> int:
    from scenarios.shell.schema import register

    register(command.name, command.schema)
    if "--help" in arguments or "-h" in arguments:
        from scenarios.present.help import print_command
        from scenarios.shell.groups import groups_of

        print_command(command, groups_of(command.name))
        return 0
    from scenarios.sweep.launch import launch

    return launch(command, arguments)


if __name__ == "__main__":
    main()
