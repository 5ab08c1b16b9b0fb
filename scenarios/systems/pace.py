"""How long a point is played: long enough to be steady, and about the same work at every N.

A closed loop of N devices turns once in about max(Z + D, N S), where Z is the think time, D the
demands of a request and S the largest demand on something shared. The warm-up lasts three such
cycles, the measurement ten, and more where few devices make few requests.
"""

from dataclasses import replace
from typing import Any

from profiles.tables.split import Split
from scenarios.systems.measured import Measured
from sim.planning.runs.pace import cycle_s
from sim.sources.sessions import mean_request

_WARMUP_CYCLES = 3.0


def set_pace(config: Any, measured: Measured, split: Split) -> Any:
    """The figure's configuration with warm-up and horizon fit for its N, cut and codec."""
    if config.workload.requests is not None:
        return config
    try:
        mean = mean_request(measured.source(split, config.device, config.server))
    except ValueError:  # what cannot be played says so when it is
        return config
    cycle = cycle_s(config, mean, steps=split.steps)
    warmup_s = max(config.warmup_s, _WARMUP_CYCLES * cycle)
    played_s = max(config.span_s / config.fleet.n_devices, config.cycles * cycle)
    return replace(config, warmup_s=warmup_s, horizon_s=warmup_s + played_s)
