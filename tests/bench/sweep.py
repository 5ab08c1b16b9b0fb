"""What a sweep costs beyond the simulation: per point over field axes, per group combination.

The points' evaluation is replaced by a row of the usual width, so that all that is left is the
configuration, the naming of points, the store and the table.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from profiles.tables.split import Split
from scenarios.shell import commands
from scenarios.shell.schema import register, to_spec
from scenarios.sweep.axes import Axis, points
from scenarios.sweep.columns import COLUMNS
from scenarios.sweep.play import Job, play
from scenarios.sweep.store import Row, Store
from scenarios.systems.build import job
from scenarios.systems.by_hand import ByHand, Request

N_FIELDS, N_GROUPS = 1000, 8


def main() -> None:
    """Print CPU milliseconds per point and per group combination, beside what was promised."""
    os.chdir(tempfile.mkdtemp())
    register("simulate", commands.load("simulate").schema)
    print(f"{'axes':<24}{'points':>8}{'CPU ms each':>14}{'at most':>10}")
    fields = 1e3 * field_axes() / N_FIELDS
    print(f"{'fields':<24}{N_FIELDS:>8}{fields:>14.3f}{1.0:>10.1f}")
    groups = 1e3 * group_axes() / N_GROUPS
    print(f"{'groups':<24}{N_GROUPS:>8}{groups:>14.1f}{200.0:>10.1f}")


def field_axes() -> float:
    """CPU seconds of 1,000 points over two field axes, from the axes to the written table."""
    import hydra

    with hydra.initialize_config_module("conf", version_base="1.3"):
        config = to_spec(hydra.compose("simulate"))
    axes = [
        Axis("fleet.n_devices", tuple(range(1, 101)), False),
        Axis("link.rate_bps", tuple(1e6 * (k + 1) for k in range(10)), False),
    ]
    measured = ByHand(request=Request())
    start = time.process_time()
    how = {"split": Split("stage3", "slicer"), "method": "bench"}
    jobs = [_light(job(point, measured, **how)) for point in points(config, axes)]
    store = Store(Path("fields"))
    store.write_table(play(jobs, store))
    return time.process_time() - start


def group_axes() -> float:
    """CPU seconds of composing the combinations of three groups with two choices each."""
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    choices = [
        [f"link={link}", f"device={device}", f"codec={codec}"]
        for link in ("wifi", "ideal")
        for device in ("raspberry_pi_4", "raspberry_pi_5")
        for codec in ("slicer", "int8")
    ]
    start = time.process_time()
    with initialize_config_module("conf", version_base="1.3"):
        for overrides in choices:
            composed = compose("simulate", overrides)
            OmegaConf.resolve(composed)
            to_spec(composed)
    return time.process_time() - start


def _light(job: Job) -> Job:
    return replace(job, evaluate=_row)


def _row() -> Row:
    suffixes = ("", "_lo", "_hi", "_lo_total", "_hi_total")
    return {f"{column}{end}": 0.123456789 for column in COLUMNS[11:] for end in suffixes}


run = main

if __name__ == "__main__":
    main()
