"""What was read of the files that a configuration names, and in which units, said on the screen."""

import sys
from collections.abc import Iterable

from scenarios.systems.scenario import Scenario, system_spec
from sim.devices.replay import say_arrivals
from sim.medium.rates import say_trace


def tell_inputs(configs: Iterable[Scenario], *, to_horizon: bool = True) -> None:
    """Write a sentence for every file to standard error; a file that is refused says so later.

    `to_horizon`: the horizon is how long it is played; else nobody knows yet.
    """
    said: dict[str, None] = {}
    for config in configs:
        try:
            said |= dict.fromkeys(_say(config, to_horizon))
        except ValueError:
            continue
    for words in said:
        print(f"splitfleet: {words}", file=sys.stderr)


def _say(config: Scenario, to_horizon: bool) -> list[str]:
    spec = system_spec(config)
    ends = to_horizon and spec.workload.requests is None
    traces = [say_trace(spec.link, spec.horizon_s if ends else None)] if spec.link.rate_csv else []
    return [*traces, *say_arrivals(spec)]
