"""The command `splitfleet`: list, dispatch, one line per mistake, one table per sweep."""

import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import conf
from scenarios.shell import commands, completion, names

__all__ = ["main"]

_HYDRA = (
    # Hydra's own folders and log files stay away: a run's record is run.json in its folder.
    "hydra.output_subdir=null",
    "hydra.run.dir=.",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
    "hydra.sweep.dir=outputs/${name}/multirun",
    "hydra.sweep.subdir=.",
    "hydra.job.chdir=false",
)


_CONF = Path(conf.__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; exits 0, 1 (failed points) or 2 (a user's mistake)."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
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
        found = completion.hydra_arguments(rest[0] if rest else "")
        if isinstance(found, list):
            print(" ".join(found))
            return 0
        name, rest = found
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
    from scenarios.shell.schema import fields, register

    register(command.name, command.schema)
    groups = _groups(command.name)
    keys += dict.fromkeys([field.key for field in fields(command.schema)] + _keys(groups))
    if "--help" in arguments or "-h" in arguments:
        from scenarios.present.help import print_command

        print_command(command, groups)
        return 0
    if "-m" in arguments or "--multirun" in arguments:
        # argparse takes overrides in one piece only: the flag may stand anywhere for our users
        rest = [word for word in arguments if word not in ("-m", "--multirun")]
        return _multirun(command, ["-m", *rest])
    return _hydra(command, arguments)


def _hydra(command: commands.Command, arguments: Sequence[str]) -> int:
    """Let Hydra compose the configuration and call the command; return the worst status."""
    import hydra
    from omegaconf import DictConfig, OmegaConf

    from scenarios.shell.errors import MISTAKES
    from scenarios.shell.schema import to_spec
    from scenarios.sweep import multirun

    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us instead of Hydra's printer
    statuses: list[int] = []
    mistakes: list[Exception] = []

    def job(config: DictConfig) -> None:
        try:
            OmegaConf.resolve(config)
            statuses.append(command.run(to_spec(config)) or 0)
        except MISTAKES as error:  # raised inside, Hydra would print lines of its own
            multirun.note_mistake(error)
            mistakes.append(error)

    argv, sys.argv = sys.argv, ["splitfleet", *arguments, *_HYDRA]
    if "-sc" in arguments:
        sys.argv = ["splitfleet", *arguments]
    try:
        hydra.main(version_base="1.3", config_path="pkg://conf", config_name=command.name)(job)()
    finally:
        sys.argv = argv
    if mistakes and not multirun.is_multirun():
        raise mistakes[0]
    return max(statuses, default=0)


def _multirun(command: commands.Command, arguments: Sequence[str]) -> int:
    """Run one Hydra job per combination, then collect their rows into one table."""
    from scenarios.sweep import multirun
    from scenarios.sweep.axes import swept_keys

    folder = Path("outputs") / _given("name", arguments, command.name)
    with multirun.opened(folder, uuid.uuid4().hex, swept_keys(arguments)) as setting:
        _hydra(command, [*arguments, setting])
        return multirun.collect(folder, _given("columns", arguments, "all"))


def _given(key: str, arguments: Sequence[str], default: str) -> str:
    """What the command line sets a key to."""
    given = [word.removeprefix(f"{key}=") for word in arguments if word.startswith(f"{key}=")]
    return given[-1] if given else default


def _groups(name: str) -> Mapping[str, Sequence[str]]:
    """Return the choices of every group that the defaults list of conf/NAME.yaml mentions."""
    from omegaconf import OmegaConf

    defaults: Any = OmegaConf.load(_CONF / f"{name}.yaml").get("defaults", [])
    mentioned = [next(iter(item)) for item in defaults if not isinstance(item, str)]
    return {
        group: sorted(path.stem for path in (_CONF / group.split("@")[0]).glob("*.yaml"))
        for group in mentioned
    }


def _keys(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the groups and every key that one of their files sets."""
    from omegaconf import OmegaConf

    keys = list(groups)
    for group, choices in groups.items():
        folder, _, package = group.partition("@")
        for choice in choices:
            content: Any = OmegaConf.load(_CONF / folder / f"{choice}.yaml")
            keys += [f"{package or folder}.{key}" for key in content if key != "defaults"]
    return keys


if __name__ == "__main__":
    main()
