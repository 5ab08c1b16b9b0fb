"""One point: a system and its measured source in, one tidy row out."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from scenarios._measured import Measured
from scenarios._play import Job
from scenarios._results import Row
from scenarios._system import Scenario, system_spec
from sim import replicate
from sim.spec import SystemSpec
from sim.theory.closed import throughput_bound_rps

__all__ = ["bound_rps", "job"]

_NOT_IDENTITY = ("name", "sweep")


def job(scenario: Scenario, measured: Measured, *, cut: str, setting: str, method: str) -> Job:
    """Return the point of `scenario` with every device at `cut` under codec `setting`."""
    spec = {k: v for k, v in dataclasses.asdict(scenario).items() if k not in _NOT_IDENTITY}
    labels = {
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
    }

    def evaluate() -> Row:
        return _evaluate(scenario, measured, cut, setting)

    return Job(spec=spec, digests=measured.digests, labels=labels, evaluate=evaluate)


def _evaluate(scenario: Scenario, measured: Measured, cut: str, setting: str) -> Row:
    spec = system_spec(scenario)
    source = measured.source(cut, setting, scenario.device, scenario.server)
    groups = spec.fleet.groups or {"default": None}
    result = replicate(spec, dict.fromkeys(groups, source))
    if result.failed_checks:
        raise AssertionError(f"laws that do not hold: {', '.join(result.failed_checks)}")
    row: dict[str, Any] = {**result.row(), **measured.accuracy(cut, setting)}
    row["throughput_bound_rps"] = bound_rps(spec, row)
    if result.warnings:
        row["warning"] = "; ".join(result.warnings)
    return row


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
