"""The command `splitfleet`: list, dispatch, one line per mistake, one table per sweep."""

import os
import sys
from collections.abc import Sequence

from scenarios.shell import commands, completion, names
from scenarios.shell.shadow import find_shadow


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; exits 0, 1 (failed points) or 2 (a user's mistake)."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    if hidden := find_shadow():
        print(hidden, file=sys.stderr)
        return 2
    from scenarios.shell.errors import MISTAKES, one_line

    keys: list[str] = []
    try:
        return _dispatch(arguments, keys)
    except MISTAKES as error:
        if os.environ.get("SPLITFLEET_DEBUG"):
            raise
        print(f"splitfleet: {one_line(error, keys)}", file=sys.stderr)
        return 2
    except AssertionError as error:  # OmegaConf's way to say that what holds a field is null
        if "Unexpected type for root" not in str(error):
            raise
        print("splitfleet: a field of an empty group cannot be set; choose the group first, such as"
              " request=by_hand request.server_s=0.01", file=sys.stderr)  # fmt: skip
        return 2
    except KeyboardInterrupt:
        print("splitfleet: interrupted; finished points are kept, run it again", file=sys.stderr)
        return 130


def _dispatch(arguments: list[str], keys: list[str]) -> int:
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
    command = commands.load(name)
    return _run(command, _overrides(command, rest), keys)


def _overrides(command: commands.Command, arguments: list[str]) -> list[str]:
    """The arguments with bare words gathered into the command's list of them, if it has one."""
    if not command.positional:
        return arguments
    bare = [word for word in arguments if "=" not in word and not word.startswith(("-", "+", "~"))]
    quoted = ",".join(f"'{word}'" for word in bare)
    rest = [word for word in arguments if word not in bare]
    return [*rest, f"{command.positional}=[{quoted}]"] if bare else rest


def _run(command: commands.Command, arguments: list[str], keys: list[str]) -> int:
    from scenarios.shell.groups import groups_of, keys_of
    from scenarios.shell.schema import fields, register

    register(command.name, command.schema)
    groups = groups_of(command.name)
    keys += dict.fromkeys([field.key for field in fields(command.schema)] + keys_of(groups))
    if "--help" in arguments or "-h" in arguments:
        from scenarios.present.help import print_command

        print_command(command, groups)
        return 0
    from scenarios.sweep.launch import launch

    return launch(command, arguments)


if __name__ == "__main__":
    main()
