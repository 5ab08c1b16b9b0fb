"""One command line to Hydra: a single job, or (`-m`) one job per combination and their table."""

import copy
import os
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from scenarios.shell import own
from scenarios.shell.commands import Command
from scenarios.shell.errors import MISTAKES
from scenarios.shell.schema import to_spec, write_whole
from scenarios.sweep import multirun
from scenarios.sweep.axes import swept_keys

_HYDRA = (
    # Hydra's own folders and log files stay away: a run's record is run.json in its folder.
    "hydra.output_subdir=null",
    "hydra.run.dir=.",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
    "hydra.sweep.subdir=.",
    "hydra.job.chdir=false",
)


def launch(command: Command, arguments: Sequence[str]) -> int:
    """Run a command with these arguments and return the worst status of its jobs.

    Raises:
        ValueError, HydraException, OmegaConfBaseException, OSError: a mistake in a single job.
    """
    parsed, others = get_args_parser().parse_known_args(arguments)
    for word in [*parsed.overrides, *others]:
        if word.startswith("-") or not ("=" in word or word.startswith("~")):
            raise ValueError(f"write KEY=VALUE, got {word!r}")
    own.register(arguments)
    arguments = write_whole(command.schema, arguments)
    rest = [word for word in arguments if word not in ("-m", "--multirun")]
    if len(rest) == len(arguments):
        return _compose(command, arguments)
    folder = Path("outputs") / _given("name", rest, command.name)
    with multirun.open_request(folder, uuid.uuid4().hex, swept_keys(rest)) as setting:
        # argparse takes overrides in one piece only: the flag may stand anywhere for our users
        _compose(command, ["-m", *rest, setting])
        return multirun.collect(folder, _given("columns", rest, "all"))


def _compose(command: Command, arguments: Sequence[str]) -> int:
    """Let Hydra compose the configuration and call the command; return the worst status."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us instead of Hydra's printer
    statuses: list[int] = []
    mistakes: list[Exception] = []

    def job(config: DictConfig) -> None:
        try:
            multirun.enter()
            OmegaConf.resolve(config)
            statuses.append(command.run(to_spec(config)) or 0)
        except MISTAKES as error:  # raised inside, Hydra would print lines of its own
            multirun.note_mistake(error)
            mistakes.append(error)

    if not any(word.startswith(("-", "hydra", "+hydra", "++hydra", "~")) for word in arguments):
        _run_alone(command.name, arguments, job)
        return _end(mistakes, statuses)
    # whole, because a job on another machine starts in another folder
    sweep = f"hydra.sweep.dir='{Path.cwd()}/outputs/${{name}}/multirun'"
    argv, sys.argv = sys.argv, ["splitfleet", *arguments, *_HYDRA, sweep]
    if "-sc" in arguments:
        sys.argv = ["splitfleet", *arguments]
    try:
        hydra.main(version_base="1.3", config_path="pkg://conf", config_name=command.name)(job)()
    finally:
        sys.argv = argv
    return _end(mistakes, statuses)


def _end(mistakes: list[Exception], statuses: list[int]) -> int:
    if mistakes and not multirun.is_multirun():
        raise mistakes[0]
    return max(statuses, default=0)


def _run_alone(name: str, arguments: Sequence[str], job: Callable[[DictConfig], None]) -> None:
    """A single job as Hydra runs it, composed once: Hydra itself composes first to ask whether it
    is single, which takes a tenth of a second.
    """
    kept = HydraConfig.instance().cfg
    with hydra.initialize_config_module("conf", job_name="splitfleet", version_base="1.3"):
        loaded = GlobalHydra.instance().hydra
        assert loaded is not None
        whole = loaded.compose_config(name, [*arguments, *_HYDRA], RunMode.RUN)
        with read_write(whole), open_dict(whole):
            whole.hydra.mode = RunMode.RUN
        config = copy.deepcopy(whole)
        with read_write(config), open_dict(config):
            del config["hydra"]
        HydraConfig.instance().set_config(whole)
        try:
            job(config)
        finally:
            HydraConfig.instance().cfg = kept


def _given(key: str, arguments: Sequence[str], default: str) -> str:
    """What the command line sets a key to."""
    given = [word.removeprefix(f"{key}=") for word in arguments if word.startswith(f"{key}=")]
    return given[-1] if given else default
