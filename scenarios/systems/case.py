"""One point: a system and its measured source in, one tidy row out."""

import dataclasses
import hashlib
import time
from collections.abc import Mapping
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from scenarios.shell.schema import field_names
from scenarios.sweep.axes import Point
from scenarios.sweep.play import Job, failing
from scenarios.sweep.store import Row
from scenarios.systems.measured import Measured
from scenarios.systems.scenario import Scenario, system_spec
from sim import Result, replicate, run
from sim.medium.rates import located
from sim.sources.source import Source
from sim.specs import SystemSpec
from sim.theory.closed import throughput_bound_rps

__all__ = ["bound_rps", "file_digests", "identity", "job", "job_at", "job_of", "row_of"]

_NOT_IDENTITY = ("name", "sweep", "columns", "workers", "dry_run")
_IDENTITY = [f.name for f in dataclasses.fields(Scenario) if f.name not in _NOT_IDENTITY]


def job(
    scenario: Scenario,
    measured: Measured,
    *,
    cut: str,
    setting: str,
    method: str,
    **labels: Any,
) -> Job:
    """Return the point of `scenario` with every device at `cut` under codec `setting`.

    Further `labels` become columns of the row.
    """
    named = {
        "method": method,
        "n_devices": scenario.fleet.n_devices,
        "model": scenario.model.name,
        "cut": cut,
        "scheme": "split",
        "codec": setting if cut != "output" else "none",
        "device": scenario.device.name,
        "link": scenario.link.name,
        "server": scenario.server.name,
        "seed": scenario.seed,
        **labels,
    }
    return Job(
        spec=identity(scenario),
        digests={**measured.digests, **file_digests(scenario)},
        labels=named,
        evaluate=partial(_evaluate, scenario, measured, cut, setting),
        seconds=partial(_seconds, scenario, measured, cut, setting),
    )


def job_at(point: Point, measured: Measured, **how: Any) -> Job:
    """The job of one point of a sweep; one that fails where the point's spec was refused."""
    if point.error:
        words = " ".join(f"{key}={value}" for key, value in point.values.items())
        failed = failing(f"{words}: {point.error}", {"method": how.get("method", "")})
        return failed.at(point.values)
    return job(point.config, measured, **how).at(point.values)


def identity(scenario: Scenario) -> dict[str, Any]:
    """What of a scenario names its point: everything but the folder and the way of playing."""
    return {name: _plain(getattr(scenario, name)) for name in _IDENTITY}


def _plain(value: Any) -> Any:
    """JSON of nested specs, without the copies that dataclasses.asdict makes."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {key: _plain(inner) for key, inner in value.items()}
    return {name: _plain(getattr(value, name)) for name in field_names(kind)} or value


_SCALARS = frozenset((float, int, str, bool, type(None)))


def file_digests(scenario: Scenario) -> dict[str, str]:
    """Content hashes of the files that a spec names: another content is another point."""
    loads = {"workload": scenario.workload}
    loads |= {k: g.workload for k, g in scenario.fleet.groups.items() if g.workload is not None}
    paths = {f"{key}.replay_csv": load.replay_csv for key, load in loads.items()}
    files: dict[str, Traversable] = {key: Path(path) for key, path in paths.items() if path}
    if scenario.link.rate_csv:
        files["link.rate_csv"] = located(scenario.link.rate_csv)
    return {
        key: hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for key, file in files.items()
        if file.is_file()
    }


def job_of(
    scenario: Scenario, source: Source, digests: Mapping[str, str], spec: Any, **labels: Any
) -> Job:
    """The point of `scenario` with every device drawing from `source`, named by `spec`, too."""
    named = {
        "n_devices": scenario.fleet.n_devices, "scheme": "split", "device": scenario.device.name,
        "link": scenario.link.name, "server": scenario.server.name, "seed": scenario.seed,
    }  # fmt: skip
    return Job(
        spec={"scenario": identity(scenario), "source": spec},
        digests={**digests, **file_digests(scenario)},
        labels={**named, **labels},
        evaluate=partial(_played, scenario, source),
    )


def _evaluate(scenario: Scenario, measured: Measured, cut: str, setting: str) -> Row:
    source = measured.source(cut, setting, scenario.device, scenario.server)
    row = _played(scenario, source)
    if scenario.workload.requests is None:
        row["throughput_bound_rps"] = bound_rps(system_spec(scenario), row)
    # what crosses a channel that damages it is not what the table's answers came from
    return row if scenario.link.damages else {**row, **measured.quality(cut, setting)}


def _played(scenario: Scenario, source: Source) -> Row:
    spec = system_spec(scenario)
    groups = spec.fleet.groups or {"default": None}
    return row_of(replicate(spec, dict.fromkeys(groups, source)))


def row_of(result: Result) -> Row:
    """The metrics of a played system, with what must be said of them.

    Raises:
        AssertionError: a law that every run must obey does not hold.
    """
    if result.failed_checks:
        raise AssertionError(f"laws that do not hold: {', '.join(result.failed_checks)}")
    row: Row = dict(result.row())
    if result.warnings:
        row["warning"] = "; ".join(result.warnings)
    return row


def _seconds(scenario: Scenario, measured: Measured, cut: str, setting: str) -> float:
    """CPU seconds of a point, from one of its replications; bootstraps double them."""
    spec = system_spec(scenario)
    source = measured.source(cut, setting, scenario.device, scenario.server)
    groups = spec.fleet.groups or {"default": None}
    start = time.process_time()
    run(spec, dict.fromkeys(groups, source), replication=0)
    once = time.process_time() - start
    return once * spec.replications * (2 if spec.replications > 1 else 1)


def bound_rps(spec: SystemSpec, row: Mapping[str, float]) -> float:
    """Return the operational bound min(N/(D+Z), 1/S) on throughput (Denning and Buzen 1978).

    D sums the mean demands of one request, as simulated; S is the largest on what devices share:
    the server, and the uplink unless it is dedicated. With Poisson arrivals N times the rate
    replaces N/(D+Z).
    """
    shared = {row["server_s_per_request"]}
    alone = row["device_service_s"] + row["network_s"]
    if spec.link.sharing == "dedicated":
        alone += row["link_service_s"]
    else:
        shared.add(row["link_service_s"])
    demands = [demand for demand in shared if demand > 0]
    n = spec.fleet.n_devices
    if spec.workload.kind == "poisson":
        offered = n * spec.workload.rate_rps
        return min([offered, *(1 / demand for demand in demands)])
    if not demands:  # all on the device: nothing is shared
        return n / (spec.workload.think_s + alone)
    return throughput_bound_rps(n, spec.workload.think_s + alone, demands)
